//! A meter: every miss fills a bar, and a full bar is certain.

use super::{Hazard, Ppb};

/// A bar that every miss fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meter {
    /// How much of the bar a miss fills; more than nothing.
    pub gain: Ppb,
}

impl Hazard for Meter {
    fn rate(&self, base: Ppb, count: u32) -> Ppb {
        if count >= Ppb::ONE.parts() { Ppb::ONE } else { base }
    }

    fn missed(&self, count: u32) -> u32 {
        count.saturating_add(self.gain.parts()).min(Ppb::ONE.parts())
    }

    fn filled(&self, count: u32) -> Ppb {
        Ppb::at_most_one(u64::from(count))
    }
}
