//! Turns many concurrent submissions into batches: one task, one bounded queue and one transaction at a time per lane.
//!
//! While a transaction is in flight the queue fills; the next one takes all that waits, up to a bound. Nothing waits for a timer, so a
//! lone submission is run at once, and a busy lane pays for one durable commit where hundreds would have been.
//!
//! This crate owns the queues, the running again, the halving and the draining. It refuses to know what a batch is: no SQL, no
//! protocol, no player. A [`Batcher`] runs batches and says with [`BatchError`] what kind of failure it met; the codes of a
//! database are sorted where the database is known.
//!
//! What a caller may rely on:
//!
//! - Every submission gets exactly one answer, or one [`Refused`].
//! - `Refused::Unknown` is the only refusal after which the work may have taken effect. All others mean that nothing happened.
//! - Work is run again only under the same key, never under a new one: a batcher whose work is keyed applies it at most once.
//! - Submissions of one lane are run in the order in which they came, as long as nothing fails.
//! - A submission that fails, panics or cannot be committed takes no other with it.
//!
//! Bounds: the queue and the batch in length, the runs of a batch in number and time, the drain in time; see [`LaneSettings`].

mod batcher;
mod lanes;
mod settings;
mod stats;

mod lane;
mod observe;
mod part;
mod recovery;

pub use batcher::{BatchError, Batcher, Cause, LaneId};
pub use lanes::{DrainTimedOut, Lanes, Refused, Ticket};
pub use observe::observe;
pub use settings::{Backoff, LaneSettings, LanesConfig};
pub use stats::{Histogram, LaneStats, Refusals};
