//! From protobuf to the domain: everything is parsed once, and every bad field is named.

use std::time::Duration;

use auric_ids::{IdError, IdempotencyKey};
use auric_keys::MutationKey;
use auric_server::metadata;
use auric_status::{BadField, Problem};
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::Cursor;

/// Items of one page.
const PAGE_DEFAULT: u32 = 50;
const PAGE_MAX: u32 = 500;

/// How long ago a request may ask for: a moment before every time that a database knows is no moment.
const AGE_MICROS_MAX: u64 = 36_600 * 24 * 3_600 * 1_000_000;

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

    /// Parses how many items a page has: 50 when nothing is said, 500 at most.
    pub fn page_size(&mut self, asked: i32) -> u32 {
        match u32::try_from(asked) {
            Ok(0) => PAGE_DEFAULT,
            Ok(size) if size <= PAGE_MAX => size,
            _ => {
                self.fault("page_size", format!("must be 1 to {PAGE_MAX}, is {asked}"));
                PAGE_DEFAULT
            }
        }
    }

    /// Parses from where on a page goes; nothing for the first.
    pub fn page_token<T: std::str::FromStr>(&mut self, cursor: &Cursor, token: &str) -> Option<T> {
        cursor.read(token).unwrap_or_else(|fault| {
            self.fault("page_token", fault);
            None
        })
    }

    /// Parses how long ago something was made at least, in microseconds: 0 when nothing is said, 36,600 days at most.
    pub fn age_micros(&mut self, path: &str, age: Option<&prost_types::Duration>) -> u64 {
        let Some(age) = age else { return 0 };
        let micros = Duration::try_from(*age).ok().and_then(|age| u64::try_from(age.as_micros()).ok());
        micros.filter(|micros| *micros <= AGE_MICROS_MAX).unwrap_or_else(|| {
            self.fault(path, format!("must be 0 to 36600 days, is {age}"));
            0
        })
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
