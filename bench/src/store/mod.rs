//! The PostgreSQL that is measured on, and what is put into it beforehand. The only folder of this crate that knows SQL.

mod cluster;
mod fill;

pub use cluster::{Cluster, Setting, Statement};
pub use fill::{Population, fill};
