//! Events over real gRPC: consumers that follow services through kills and broken networks, and end with the very same books (R-W2, R-O5).

mod edge;
mod follower;
mod guard;
mod kills;
mod network;
mod source;
mod summons;
pub mod told;
