//! Soft pity: from one pull on the chance rises by the same step each pull, and at another it is certain.

use super::{Hazard, Ppb, fraction};

/// Rises from a pull on, then certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Soft {
    /// The first pull with a raised chance, counted from 1 after the last hit.
    pub from: u32,
    /// How much each pull from there on adds.
    pub step: Ppb,
    /// The pull that is certain.
    pub hard: u32,
}

impl Soft {
    const fn last(&self) -> u32 {
        self.hard.saturating_sub(1)
    }
}

impl Hazard for Soft {
    fn rate(&self, base: Ppb, count: u32) -> Ppb {
        if count >= self.last() {
            return Ppb::ONE;
        }
        let pull = count.saturating_add(1);
        let steps = u64::from(pull.saturating_add(1).saturating_sub(self.from));
        let raised = steps.saturating_mul(u64::from(self.step.parts())).saturating_add(u64::from(base.parts()));
        Ppb::at_most_one(raised)
    }

    fn missed(&self, count: u32) -> u32 {
        count.saturating_add(1).min(self.last())
    }

    fn filled(&self, count: u32) -> Ppb {
        fraction(count, self.last())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ramp_begins_at_its_pull_and_ends_in_certainty() {
        let (soft, base) =
            (Soft { from: 74, step: Ppb::new(60_000_000).unwrap(), hard: 90 }, Ppb::new(6_000_000).unwrap());
        let at_pull = |pull: u32| soft.rate(base, pull - 1).parts();
        assert_eq!([at_pull(1), at_pull(73)], [6_000_000, 6_000_000]);
        assert_eq!([at_pull(74), at_pull(75), at_pull(89)], [66_000_000, 126_000_000, 966_000_000]);
        assert_eq!([at_pull(90), at_pull(200)], [1_000_000_000, 1_000_000_000]);
        assert_eq!(soft.missed(89), 89, "what is due stays due");
    }
}
