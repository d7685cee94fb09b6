//! One file a subject; each law is a sentence, and runs on every store.

mod claims;
mod clock;
mod concurrency;
mod connections;
mod credits;
mod events;
mod faults;
mod holds;
mod idempotency;
mod jobs;
mod lanes;
mod ledger;
mod migrations;
mod model;
mod payments;
mod posting;
mod recharging;
mod reload;
mod retail;
mod swap;
mod versions;
