//! Page tokens: opaque to callers, and good only for the request that they came from.

use sha2::{Digest as _, Sha256};

/// What binds the tokens of one request together.
#[derive(Debug)]
pub struct Cursor {
    request: [u8; 8],
}

impl Cursor {
    /// The cursor of a request with these filters.
    #[must_use]
    pub fn of(filters: &[&str]) -> Self {
        let mut hasher = Sha256::new();
        for filter in filters {
            hasher.update(u64::try_from(filter.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(filter.as_bytes());
        }
        let digest: [u8; 32] = hasher.finalize().into();
        let mut request = [0; 8];
        request.copy_from_slice(&digest[..8]);
        Self { request }
    }

    /// The token of the page behind `position`.
    #[must_use]
    pub fn token(&self, position: &str) -> String {
        hex::encode([self.request.as_slice(), position.as_bytes()].concat())
    }

    /// The position that `token` stands for; `None` for the first page's empty token.
    ///
    /// # Errors
    ///
    /// What is wrong with the token.
    pub fn read<T: std::str::FromStr>(&self, token: &str) -> Result<Option<T>, &'static str> {
        if token.is_empty() {
            return Ok(None);
        }
        let bytes = hex::decode(token).map_err(|_| "is not a page token")?;
        let (request, position) = bytes.split_at_checked(8).ok_or("is not a page token")?;
        if request != self.request {
            return Err("belongs to a request with other filters");
        }
        let position = std::str::from_utf8(position).map_err(|_| "is not a page token")?;
        position.parse().map(Some).map_err(|_| "is not a page token")
    }
}

#[cfg(test)]
mod tests {
    use super::Cursor;

    #[test]
    fn a_token_is_good_for_its_own_request_only() {
        let cursor = Cursor::of(&["p1", "lumees"]);
        assert_eq!(cursor.read(&cursor.token("7")), Ok(Some(7_u64)));
        assert_eq!(cursor.read::<u64>(""), Ok(None));
        let other = Cursor::of(&["p2", "lumees"]);
        assert_eq!(other.read::<u64>(&cursor.token("7")), Err("belongs to a request with other filters"));
        for token in ["zz", "00", &cursor.token("x"), &cursor.token("")] {
            assert_eq!(cursor.read::<u64>(token), Err("is not a page token"), "{token}");
        }
    }
}
