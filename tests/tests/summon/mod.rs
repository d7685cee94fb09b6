//! Summons over three services: paid if and only if delivered.

mod books;
mod crash;
mod edge;
mod faults;
mod matrix;
mod races;
mod town;
