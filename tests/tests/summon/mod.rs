//! Summons over three services: paid if and only if delivered.

mod books;
mod crash;
mod edge;
mod fairness;
mod faults;
mod matrix;
mod odds;
mod races;
mod spark;
pub mod town;
