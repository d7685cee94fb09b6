//! Two-phase operations over services: done everywhere, or nowhere.
//!
//! The service whose operation it is coordinates, and its own database has the log:
//!
//! ```text
//! 1 BEGIN    the operation, its exact inputs, an id of its own    durable before anyone is asked
//! 2 PREPARE  every participant promises, or says no               a timeout is a no
//! 3 DECIDE   one transaction over the coordinator's own state     COMMIT only with every yes in hand
//! 4 FINISH   every participant commits, or cancels                retried until done, by anyone
//! 5 DONE     lazily
//! ```
//!
//! **Presumed abort.** Whoever finds an undecided operation whose lease ran out decides ABORT. A decision is made once: a coordinator that wakes up
//! late finds it made. A decided COMMIT is driven to the end, however long it takes.
//!
//! **What is pure.** [`State`] and [`Participation`] are the two tables of what may follow what, and [`STEPS`] are the steps between which something may
//! break: the tests that break everything are generated from them. [`Log`] decides in memory; BEGIN and DECIDE are part of the coordinator's own
//! transactions, so that a draw and its decision are one write.
//!
//! **Round trips.** BEGIN and DECIDE are a batch of the coordinator's lanes each; PREPARE and FINISH a call a participant, all at once; DONE is one
//! statement for all that ended in the meantime.
//!
//! **Locks.** An operation belongs to its player: BEGIN and DECIDE run under the player's lock. What is written outside of it (leases, DONE) compares
//! state and fence, and takes its rows in ascending order.

mod driver;
mod figures;
mod log;
mod operation;
mod orphans;
mod participant;
mod recovery;
mod settings;
pub mod store;
mod table;
mod waiting;

pub use driver::{Coordinator, Driver, Participant, Unanswered, Unfinished, Vote};
pub use log::{Begun, Decided, Log, NewOperation};
pub use operation::{Decision, Operation, draw_id};
pub use participant::{Participation, Reaction, Verb};
pub use settings::Settings;
pub use table::{Event, STEPS, State, Step, Transition};
