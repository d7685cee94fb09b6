//! Serves a gRPC service the way that all of Auric is served: behind a door, with health, reflection, limits and a bounded drain.
//!
//! A service brings its routes and says when it is ready; everything that is the same for all of them is here. [`listen`] refuses an address that
//! others can reach, unless the door asks for credentials over TLS. [`metadata`] reads what comes beside every request.
//!
//! A deadline that passes is answered with `DEADLINE_EXCEEDED`, and means what it means everywhere: the outcome is unknown. A request that is over the
//! limit is refused before anything is read of it.

mod connection;
mod gate;
mod health;
mod listen;
pub mod metadata;
mod serve;
#[cfg(test)]
mod tests;

pub use connection::{CONNECTIONS_MAX, HANDSHAKE_WAIT_MAX, Peer};
pub use gate::{REQUESTS_MAX, TIMEOUT_MAX};
pub use health::{READY_INTERVAL, READY_WAIT_MAX};
pub use listen::{ListenError, listen};
pub use serve::{
    Drain, MESSAGE_BYTES_MAX, METADATA_BYTES_MAX, STREAMS_PER_CONNECTION_MAX, ServeError, Services, Stop, serve,
};
