//! One file a subject; each law is a sentence, and runs on every store.

mod concurrency;
mod idempotency;
mod ledger;
mod posting;
