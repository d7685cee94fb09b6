//! The laws of calling, against copies of a service that do what the test tells them.

#![expect(clippy::expect_used, reason = "a helper of a test panics as the test itself would")]

mod copies;
mod deadlines;
mod identity;
mod partitions;
mod retries;
mod service;
mod tls;
