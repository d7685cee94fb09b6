//! From protobuf to the domain: everything is parsed once, and every bad field is named.

pub mod changes;
pub mod reads;
pub mod spec;
