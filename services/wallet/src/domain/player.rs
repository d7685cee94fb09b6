//! A player of a batch: the end of the audit, before and after.

use auric_time::Timestamp;

use super::Head;

/// One player of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Player {
    /// The end of the audit as it was loaded.
    pub loaded: Head,
    /// The end of the audit now.
    pub head: Head,
    /// No open hold of the player lapses before this; absent when none lapses at all.
    pub next_expiry: Option<Timestamp>,
    /// The same, as it was loaded.
    pub loaded_expiry: Option<Timestamp>,
}

impl Player {
    /// Whether there are entries after those that were loaded.
    #[must_use]
    pub fn has_moved(&self) -> bool {
        self.head.number > self.loaded.number
    }

    /// Whether another hold lapses first than when it was loaded.
    #[must_use]
    pub fn expires_otherwise(&self) -> bool {
        self.next_expiry != self.loaded_expiry
    }
}
