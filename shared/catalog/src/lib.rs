//! Reads and hashes the TOML files of `game/`, and names the file, key and reason of a fault.
//!
//! What the files mean is each service's own: it parses the files that it needs with [`Source::parse`] and validates them as a whole.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// A fault of the catalog, for the person who edits it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}: {key}: {reason}")]
pub struct CatalogError {
    /// The file's name below the catalog's folder, such as `assets.toml`.
    pub file: String,
    /// The dotted key, such as `lumees.maximum`; `-` when the file as a whole is at fault.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

impl CatalogError {
    /// Names a fault.
    #[must_use]
    pub fn new(file: &str, key: impl Into<String>, reason: impl Into<String>) -> Self {
        let key = key.into();
        let key = if key.is_empty() || key == "." { "-".to_owned() } else { key };
        Self { file: file.to_owned(), key, reason: reason.into() }
    }
}

/// One file of the catalog, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file's name below the catalog's folder.
    pub name: String,
    /// Its whole text.
    pub text: String,
}

impl Source {
    /// The largest file that is read, so that a wrong path cannot fill the memory.
    pub const BYTES_MAX: u64 = 8 * 1024 * 1024;

    /// Reads `folder/name`.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] when it cannot be read, is not UTF-8, or is larger than [`Self::BYTES_MAX`].
    pub fn read(folder: &Path, name: &str) -> Result<Self, CatalogError> {
        let path = folder.join(name);
        let fault = |reason: String| CatalogError::new(name, "", reason);
        let unreadable = |error: std::io::Error| fault(format!("cannot be read at {}: {error}", path.display()));
        let bytes = std::fs::metadata(&path).map_err(unreadable)?.len();
        if bytes > Self::BYTES_MAX {
            return Err(fault(format!("has {bytes} bytes; at most {} are read", Self::BYTES_MAX)));
        }
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
        Ok(Self { name: name.to_owned(), text })
    }

    /// Reads the text as TOML into `T`.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] with the dotted key that does not fit; with the line when the text is not TOML at all.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, CatalogError> {
        let document = toml::Deserializer::parse(&self.text)
            .map_err(|error| CatalogError::new(&self.name, "", one_line(&error.to_string())))?;
        serde_path_to_error::deserialize(document).map_err(|error| {
            let key = error.path().to_string();
            CatalogError::new(&self.name, key, one_line(error.inner().message()))
        })
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// SHA-256 over the names and texts of a catalog's files: which rules were in force. Written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CatalogHash([u8; 32]);

impl CatalogHash {
    /// Hashes `sources` in the order given; each name and text is prefixed by its length.
    #[must_use]
    pub fn of(sources: &[Source]) -> Self {
        let mut hasher = Sha256::new();
        for part in sources.iter().flat_map(|source| [&source.name, &source.text]) {
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        Self(hasher.finalize().into())
    }

    /// The 32 bytes, as a database keeps them.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<String> for CatalogHash {
    type Error = NoCatalogHash;

    fn try_from(text: String) -> Result<Self, NoCatalogHash> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NoCatalogHash)?;
        Ok(Self(bytes))
    }
}

impl From<CatalogHash> for String {
    fn from(hash: CatalogHash) -> Self {
        hash.to_string()
    }
}

/// Why a text is no catalog's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be 64 hexadecimal digits")]
pub struct NoCatalogHash;

impl std::fmt::Display for CatalogHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for CatalogHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "CatalogHash({self})")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{CatalogHash, Source};

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        #[expect(dead_code, reason = "only its parsing is tested")]
        maximum: Option<u64>,
    }

    fn source(text: &str) -> Source {
        Source { name: "assets.toml".to_owned(), text: text.to_owned() }
    }

    fn fault(text: &str) -> String {
        source(text).parse::<BTreeMap<String, Item>>().unwrap_err().to_string()
    }

    #[test]
    fn a_fault_names_the_file_the_key_and_the_reason() {
        let negative = fault("[lumees]\nmaximum = -1");
        assert!(negative.starts_with("assets.toml: lumees.maximum: invalid value: integer `-1`"), "{negative}");
        let unknown = fault("[lumees]\nmaximun = 1");
        assert!(unknown.contains("unknown field `maximun`"), "{unknown}");
        let broken = fault("[lumees");
        assert!(broken.starts_with("assets.toml: -: TOML parse error at line 1"), "{broken}");
    }

    #[test]
    fn a_file_that_is_absent_is_named_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let fault = Source::read(folder.path(), "assets.toml").unwrap_err();
        assert!(fault.reason.contains("assets.toml") && fault.reason.contains("cannot be read"), "{fault}");
    }

    #[test]
    fn the_hash_tells_where_one_file_ends() {
        let pair = |first: &str, second: &str| CatalogHash::of(&[source(first), source(second)]);
        assert_ne!(pair("a", "b"), pair("ab", ""));
        assert_eq!(pair("a", "b"), pair("a", "b"));
    }
}
