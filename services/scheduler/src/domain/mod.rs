//! What is to be done when: pure, without async, clock, randomness or storage.
//!
//! A job's spec is checked once, when it is defined; its [`Timetable`] tells its times, [`plan`] which of them fire and which are skipped, [`take_turns`] which
//! firing of a job may run beside which. [`decide`] answers the requests that change something.

#![deny(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::float_arithmetic)]

mod ask;
mod book;
mod decide;
mod ensure;
mod firing;
mod job;
mod plan;
mod refusal;
mod spec;
mod timetable;
mod trying;
mod turns;

pub use ask::{Action, Ask, DesiredJob, Enqueue, JOBS_MAX, retry_job};
pub use book::{BatchKeys, Book, Journal, Opened, Record};
pub use decide::{Answer, Outcome, Verdict, decide};
pub use ensure::{Change, Ensured, first_wrong, repair};
pub use firing::{DeadLetter, End, Ended, Firing, FiringKey, Incarnation, Life, NewFiring, SkipReason, Stage};
pub use job::{Definition, Job, JobRow};
pub use plan::{Plan, Skipped, plan};
pub use refusal::{BadField, Refusal, Rejection};
pub use spec::{JobSpec, Misfire, MisfirePolicy, Overlap, PAYLOAD_BYTES_MAX, Retry, Schedule};
pub use timetable::Timetable;
pub use trying::{backoff_micros, jitter_micros};
pub use turns::{Candidate, Turn, Turns, take_turns};
