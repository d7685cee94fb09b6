//! One event: as it is noted in the outbox, and as it is read.

use std::fmt;

use auric_ids::PlayerId;
use auric_time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a transaction notes of one thing that happened. As text it is an array of the fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted<T>(
    /// To whom.
    pub PlayerId,
    /// How far the player's own numbers had come.
    pub u64,
    /// What.
    pub T,
);

/// Names an event within its source, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// The lane that it was written into.
    pub lane: i16,
    /// The number of its transaction in the lane, from 1.
    pub seq: u64,
    /// Its place in the transaction, from 0.
    pub index: u32,
}

/// An event as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened<T> {
    /// Which.
    pub id: EventId,
    /// To whom.
    pub player: PlayerId,
    /// How far the player's own numbers had come.
    pub version: u64,
    /// When it was written.
    pub time: Timestamp,
    /// What.
    pub what: T,
}

impl fmt::Display for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.lane, self.seq, self.index)
    }
}
