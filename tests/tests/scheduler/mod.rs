//! The scheduler over real gRPC: storms of killed copies, frozen ones, clocks that are wrong, handing over, and the nightstorms of 81 zones.

mod clocks;
mod frozen;
mod handover;
mod nightstorms;
mod recorder;
mod storm;
mod town;
