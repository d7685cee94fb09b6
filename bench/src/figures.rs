//! The figures that Auric is held to, and what was reached.

use serde::Serialize;

/// A bound on a figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The more the better, and this much at least.
    AtLeast(f64),
    /// The less the better, and this much at most.
    AtMost(f64),
}

/// How a figure stands against its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// There is no bound.
    Recorded,
    /// What must be reached is not.
    Missed,
    /// What must be reached is reached.
    Reached,
    /// What is aimed at is reached.
    Aim,
}

/// What a figure counts, for its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// As a multiple of something else of the same run.
    Times,
    /// Calls a second.
    PerSecond,
    /// Mebibytes.
    Mebibytes,
    /// Milliseconds.
    Milliseconds,
    /// A part of a whole.
    Percent,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// What was done.
    pub name: &'static str,
    /// What it is compared with, or what is counted.
    pub of: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// What must be reached.
    pub must: Option<Bound>,
    /// What is aimed at.
    pub aim: Option<Bound>,
    /// What was reached.
    pub reached: f64,
    /// How that stands.
    pub verdict: Verdict,
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }
}

impl Figure {
    /// A figure without bounds.
    pub fn recorded(name: &'static str, of: &'static str, unit: Unit, reached: f64) -> Self {
        Self { name, of, unit, must: None, aim: None, reached, verdict: Verdict::Recorded }
    }

    /// A figure that is held to `must`, and better with `aim`.
    ///
    /// # Shape
    ///
    /// What is not a number reaches nothing.
    pub fn bound(
        name: &'static str,
        of: &'static str,
        unit: Unit,
        (must, aim): (Bound, Option<Bound>),
        reached: f64,
    ) -> Self {
        let verdict = match (must.holds(reached), aim.is_some_and(|aim| aim.holds(reached))) {
            (true, true) => Verdict::Aim,
            (true, false) => Verdict::Reached,
            (false, _) => Verdict::Missed,
        };
        Self { name, of, unit, must: Some(must), aim, reached, verdict }
    }

    /// The value as a person reads it.
    pub fn reached_text(&self) -> String {
        self.unit.text(self.reached)
    }

    /// The bound as a person reads it; empty without one.
    pub fn bound_text(&self, bound: Option<Bound>) -> String {
        match bound {
            Some(Bound::AtLeast(value)) => format!("≥ {}", self.unit.text(value)),
            Some(Bound::AtMost(value)) => format!("≤ {}", self.unit.text(value)),
            None => String::new(),
        }
    }
}

impl Unit {
    fn text(self, value: f64) -> String {
        match self {
            Self::Times => format!("{value:.2} ×"),
            Self::PerSecond => format!("{value:.0} /s"),
            Self::Mebibytes => format!("{value:.0} MiB"),
            Self::Milliseconds => format!("{value:.1} ms"),
            Self::Percent => format!("{:.1} %", value * 100.0),
        }
    }
}

impl Verdict {
    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Missed => "MISSED",
            Self::Reached => "reached",
            Self::Aim => "aim reached",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(must: Bound, aim: Bound, reached: f64) -> Verdict {
        Figure::bound("a", "b", Unit::Times, (must, Some(aim)), reached).verdict
    }

    #[test]
    fn more_is_better_above_a_lower_bound() {
        let check = |reached| verdict(Bound::AtLeast(5.0), Bound::AtLeast(8.0), reached);
        assert_eq!(
            [4.99, 5.0, 7.99, 8.0].map(check),
            [Verdict::Missed, Verdict::Reached, Verdict::Reached, Verdict::Aim]
        );
    }

    #[test]
    fn less_is_better_below_an_upper_bound() {
        let check = |reached| verdict(Bound::AtMost(1.2), Bound::AtMost(1.0), reached);
        assert_eq!(
            [1.21, 1.2, 1.01, 1.0].map(check),
            [Verdict::Missed, Verdict::Reached, Verdict::Reached, Verdict::Aim]
        );
    }

    #[test]
    fn what_could_not_be_measured_is_missed() {
        assert_eq!(verdict(Bound::AtLeast(0.0), Bound::AtLeast(0.0), f64::NAN), Verdict::Missed);
        assert_eq!(verdict(Bound::AtMost(9.0), Bound::AtMost(9.0), f64::NAN), Verdict::Missed);
    }

    #[test]
    fn a_bound_reads_as_in_the_table() {
        let figure = Figure::bound("a", "b", Unit::Times, (Bound::AtLeast(5.0), None), 6.256);
        assert_eq!(figure.bound_text(figure.must), "≥ 5.00 ×");
        assert_eq!(figure.bound_text(figure.aim), "");
        assert_eq!(figure.reached_text(), "6.26 ×");
        assert_eq!(Figure::recorded("a", "b", Unit::Percent, 0.875).reached_text(), "87.5 %");
    }
}
