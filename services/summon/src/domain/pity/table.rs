//! A hazard table: a chance for each pull, written out.

use super::{Hazard, Ppb, fraction};

/// A chance for each pull after the last hit; the last one holds from there on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Never empty.
    rates: Vec<Ppb>,
}

impl Table {
    /// Takes the chances of the first pull, the second, …; none when there is no chance at all.
    #[must_use]
    pub fn new(rates: Vec<Ppb>) -> Option<Self> {
        (!rates.is_empty()).then_some(Self { rates })
    }

    /// The chances, of the first pull first.
    #[must_use]
    pub fn rates(&self) -> &[Ppb] {
        &self.rates
    }

    fn last(&self) -> u32 {
        u32::try_from(self.rates.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }
}

impl Hazard for Table {
    fn rate(&self, base: Ppb, count: u32) -> Ppb {
        let place = usize::try_from(count.min(self.last())).unwrap_or(usize::MAX);
        self.rates.get(place).copied().unwrap_or(base)
    }

    fn missed(&self, count: u32) -> u32 {
        count.saturating_add(1).min(self.last())
    }

    fn filled(&self, count: u32) -> Ppb {
        fraction(count, self.last())
    }
}
