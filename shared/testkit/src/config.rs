//! The environment, read here and nowhere else in the crate.

use std::path::PathBuf;

/// The variable with the administrator's URL of a running throw-away PostgreSQL; `cargo xtask test` sets it.
pub const POSTGRES_URL: &str = "AURIC_TEST_POSTGRES";

/// The variable with the URL of a running throw-away Redis; `cargo xtask test` sets it.
pub const REDIS_URL: &str = "AURIC_TEST_REDIS";

/// The variable with how many pairs of blows the crash tests of real processes take; a campaign sets it.
pub const CRASH_PAIRS: &str = "AURIC_TEST_CRASH_PAIRS";

/// The variable with how many firings pass through the scheduler's hot table while a reader stays; a campaign sets it.
pub const HOT_FIRINGS: &str = "AURIC_TEST_HOT_FIRINGS";

/// The variable that says how many firings a second a storm of the scheduler has.
pub const STORM_RATE: &str = "AURIC_TEST_STORM_RATE";

/// The variable that says how many seconds it lasts.
pub const STORM_SECONDS: &str = "AURIC_TEST_STORM_SECONDS";

/// The variable with how many lanes the laws of the wallet are tested on; a campaign sets it.
pub const LANES: &str = "AURIC_TEST_LANES";

/// The variable with how many mutations a batch of theirs takes at most.
pub const BATCH_MAX: &str = "AURIC_TEST_BATCH_MAX";

/// The variable with the seed of what a test draws at random.
pub const SEED: &str = "AURIC_TEST_SEED";

/// Gives a number that the caller of the tests set.
#[expect(clippy::disallowed_methods, reason = "this is the config.rs that the rule names")]
pub fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Gives the folders of `PATH`, in its order.
pub fn path_folders() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// Gives the URL of a server that the caller of the tests started already.
#[cfg(feature = "databases")]
#[expect(clippy::disallowed_methods, reason = "this is the config.rs that the rule names")]
pub fn server_url(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|url| !url.is_empty())
}
