//! The PostgreSQL that is measured on, what is put into it beforehand, and the monolith's database. The only folder of this crate that knows SQL.

mod cluster;
mod fill;
mod monolith;

pub use cluster::{Cluster, Setting, Statement};
pub use fill::{Population, fill, fill_collection};
pub use monolith::MonolithStore;
