//! Hard pity: the chance stays what it is until a pull at which it is certain.

use super::{Hazard, Ppb, fraction};

/// Certain at one pull, and not likelier before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hard {
    /// The pull that is certain, counted from 1 after the last hit.
    pub at: u32,
}

impl Hard {
    const fn last(&self) -> u32 {
        self.at.saturating_sub(1)
    }
}

impl Hazard for Hard {
    fn rate(&self, base: Ppb, count: u32) -> Ppb {
        if count >= self.last() { Ppb::ONE } else { base }
    }

    fn missed(&self, count: u32) -> u32 {
        count.saturating_add(1).min(self.last())
    }

    fn filled(&self, count: u32) -> Ppb {
        fraction(count, self.last())
    }
}
