//! From protobuf to the domain: everything is parsed once, and every bad field is named.

use auric_ids::{IdError, IdempotencyKey};
use auric_keys::MutationKey;
use auric_server::metadata;
use auric_status::{BadField, Problem};
use tonic::Status;
use tonic::metadata::MetadataMap;

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
                Err(Problem::invalid_argument(self.bad).into_status())
            }
        }
    }
}

/// The name of a mutation: the caller of the request, and the key in it.
///
/// # Errors
///
/// `INVALID_ARGUMENT` for a key that is none.
pub fn key(metadata: &MetadataMap, key: &str) -> Result<MutationKey, Status> {
    let caller = metadata::caller(metadata)?;
    let mut decoder = Decoder::default();
    let key: Option<IdempotencyKey> = decoder.id(IdempotencyKey::FIELD, key);
    decoder.finish(key.map(|key| MutationKey { caller, key }))
}
