//! The wallet over real gRPC: the built program, one process on SQLite or several on one PostgreSQL database.

mod access;
mod bad_input;
mod crash;
mod crowds;
mod frozen;
mod full;
mod fuzz;
pub mod harness;
mod logs;
mod raw;
pub mod storm;
mod streams;
pub mod telemetry;
