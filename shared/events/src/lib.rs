//! What happened in a service, for others to follow: an outbox, its readers, and consumers.
//!
//! A transaction that changes something writes one row that tells of it, last, into the *lane* that it was given. A lane is a row of
//! `outbox_lanes`: whoever writes into it counts it up and holds it until the commit, so that its numbers have no gap and no row comes
//! late, whatever becomes of copies and connections. Readers keep a [`Cursor`]: how far they have come in each lane. Nobody looks at how
//! far ids or times have come: transactions commit in another order than they begin.
//!
//! What a reader may rely on:
//!
//! - **Every event once.** Each lane is read from number to number. What one read saw, the next goes on from.
//! - **A player's order.** A player's events come in the order in which they happened, whichever copies and lanes wrote them: a transaction
//!   holds its players until it is committed, and takes its `position` while it holds them, so that of two transactions of one player the later
//!   has the larger one; and a read is one snapshot, so that it never sees the later one alone. Sorted by position, page after page, each
//!   player's are in order. Between players the order means nothing.
//! - **Once in effect.** A consumer that writes the cursor in the transaction that acts on the events ([`consumer`]) acts on each exactly once.
//!
//! Bounds: rows of a read, events of a page, lanes, the length of a cursor, rows of one pruning; each is a named constant or a setting.

pub mod consumer;
mod cursor;
mod event;
mod feed;
mod figures;
pub mod grpc;
mod settings;
pub mod store;

pub use cursor::{Cursor, CursorError, LANES_MAX, Place};
pub use event::{EventId, Happened, Noted};
pub use feed::{Feed, Filter, Page, ReadError, Start};
pub use settings::EventsConfig;
pub use store::{Outbox, Pruned, outbox_lane};
