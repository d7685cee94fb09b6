//! From protobuf to the domain: everything is parsed once, and every bad field is named.

pub mod mutations;
pub mod payments;
pub mod reads;

pub use auric_edge::Decoder;
