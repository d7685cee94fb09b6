//! Chances in parts per billion.

/// A chance in parts per billion: 0 to [`Ppb::ONE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ppb(u32);

impl Ppb {
    /// Never.
    pub const ZERO: Self = Self(0);

    /// Certain: a billion parts.
    pub const ONE: Self = Self(1_000_000_000);

    /// Checks a number from outside; none when it is more than a billion.
    #[must_use]
    pub fn new(parts: u64) -> Option<Self> {
        u32::try_from(parts).ok().map(Self).filter(|chance| *chance <= Self::ONE)
    }

    /// Gives `parts`, or certainty when they are more.
    #[must_use]
    pub fn at_most_one(parts: u64) -> Self {
        Self::new(parts).unwrap_or(Self::ONE)
    }

    /// How many parts of a billion.
    #[must_use]
    pub const fn parts(self) -> u32 {
        self.0
    }

    /// What is left of this when `taken` is taken, 0 at least.
    #[must_use]
    pub const fn minus(self, taken: Self) -> Self {
        Self(self.0.saturating_sub(taken.0))
    }
}

impl std::fmt::Display for Ppb {
    /// As a percentage, without needless zeros: `0.6%`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const PERCENT: u32 = 10_000_000;
        let (whole, rest) = (self.0 / PERCENT, self.0 % PERCENT);
        if rest == 0 {
            return write!(formatter, "{whole}%");
        }
        let digits = format!("{rest:07}");
        write!(formatter, "{whole}.{}%", digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::Ppb;

    #[test]
    fn a_chance_reads_as_a_percentage() {
        let text = |parts| Ppb::new(parts).unwrap().to_string();
        assert_eq!(text(6_000_000), "0.6%");
        assert_eq!(text(1_000_000_000), "100%");
        assert_eq!(text(0), "0%");
        assert_eq!(text(16_052_001), "1.6052001%");
        assert_eq!(Ppb::new(1_000_000_001), None);
    }
}
