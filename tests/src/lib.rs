//! What the suite needs to look at the repository itself: its files, and what their code names.

pub mod code;
pub mod program;
pub mod readme;
pub mod tree;
