//! One byte string for one meaning: what is hashed into fingerprints and chains.

/// Collects values so that no two different lists of values give the same bytes: every value carries its length.
#[derive(Clone, Debug)]
pub struct Canon(Vec<u8>);

/// Bytes that most lists come to at most: room for them is taken at once.
const ROOM: usize = 256;

impl Default for Canon {
    fn default() -> Self {
        Self(Vec::with_capacity(ROOM))
    }
}

impl Canon {
    /// Starts with a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut canon = Self::default();
        canon.text(text);
        canon
    }

    /// Adds a text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Adds a byte string.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds a number.
    pub fn number(&mut self, number: i64) -> &mut Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// Adds a count or an amount.
    pub fn units(&mut self, units: u64) -> &mut Self {
        self.0.extend_from_slice(&units.to_be_bytes());
        self
    }

    /// The bytes so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Canon;

    #[test]
    fn values_do_not_run_into_one_another() {
        let of = |first: &str, second: &str| Canon::default().text(first).text(second).as_bytes().to_vec();
        assert_ne!(of("ab", "c"), of("a", "bc"));
        assert_ne!(of("", "a"), of("a", ""));
    }
}
