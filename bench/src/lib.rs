//! Measures the services against the naive way and an empty call, in one run, on one machine, on one database.
//!
//! Everything that is measured is the program itself, in processes of its own; the load generator is this process. Scenes take turns, a window
//! each, so that whatever else the machine does is shared among them; figures are medians of ratios of neighbouring windows.

mod collection;
mod figures;
mod grpc;
mod load;
mod measure;
mod monolith;
mod options;
mod process;
mod progress;
mod report;
mod rig;
mod runner;
mod scene;
mod schedule;
mod scheduler;
mod sink;
#[cfg(test)]
mod smoke;
mod store;
mod suite;
mod summary;
mod summon;
mod traffic;
mod usage;
mod wallet;

pub use collection::collection;
pub use figures::{Bound, Figure, Unit, Verdict};
pub use grpc::{serve_echo, serve_monolith};
pub use monolith::MonolithConfig;
pub use options::{CollectionOptions, Mode, RunOptions, SchedulerOptions, SummonOptions, WalletOptions};
pub use report::Report;
pub use rig::Installation;
pub use scene::Mix;
pub use scheduler::scheduler;
pub use suite::Part;
pub use summon::summon;
pub use traffic::Routing;
pub use wallet::wallet;

/// Counts as a number that can be divided.
#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}
