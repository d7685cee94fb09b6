//! From protobuf to the domain: everything is parsed once, and every bad field is named.

pub mod mutations;
pub mod payments;
pub mod reads;

use auric_ids::IdError;
use auric_status::BadField;
use tonic::Status;

use super::invalid;

/// Bad fields that one answer names; more of the same would not help anyone.
const BAD_FIELDS_MAX: usize = 20;

/// Collects the faults of one request.
#[derive(Debug, Default)]
pub struct Decoder {
    bad: Vec<BadField>,
}

impl Decoder {
    /// Notes a fault.
    pub fn fault(&mut self, path: impl Into<String>, fault: impl std::fmt::Display) {
        if self.bad.len() < BAD_FIELDS_MAX {
            self.bad.push(BadField::new(path, fault.to_string()));
        }
    }

    /// Parses an id.
    pub fn id<T: std::str::FromStr<Err = IdError>>(&mut self, path: &str, text: &str) -> Option<T> {
        text.parse().map_err(|error: IdError| self.fault(path, error)).ok()
    }

    /// Parses an id that may be absent.
    pub fn optional_id<T: std::str::FromStr<Err = IdError>>(&mut self, path: &str, text: &str) -> Option<T> {
        if text.is_empty() { None } else { self.id(path, text) }
    }

    /// Ends with what was decoded, unless there was a fault.
    pub fn finish<T>(mut self, decoded: Option<T>) -> Result<T, Status> {
        match decoded {
            Some(decoded) if self.bad.is_empty() => Ok(decoded),
            _ => {
                if self.bad.is_empty() {
                    self.fault("request", "cannot be decoded");
                }
                Err(invalid(self.bad))
            }
        }
    }
}
