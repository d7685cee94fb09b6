//! The wallet over real gRPC: the built program, one process on SQLite or several on one PostgreSQL database.

mod crash;
mod crowds;
mod frozen;
mod harness;
mod logs;
mod storm;
