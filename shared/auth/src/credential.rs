//! A caller's secret, and what is kept of it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What every credential begins with, so that a scanner of logs and repositories finds one that was leaked.
const PREFIX: &str = "auric_";

/// Random bytes in a credential.
const SECRET_BYTES: usize = 32;

/// A caller's secret. It prints as dots; [`Self::reveal`] is for the moment in which it is given to its owner.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(String);

impl Credential {
    /// Makes a new one from 256 random bits.
    pub fn generate(random: &mut impl Rng) -> Self {
        let mut secret = [0; SECRET_BYTES];
        random.fill_bytes(&mut secret);
        Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret)))
    }

    /// Takes what a request presents, or what a file has.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What may be kept of it. The secret has 256 random bits, so that a plain hash can neither be reversed nor guessed.
    #[must_use]
    pub fn hash(&self) -> CredentialHash {
        CredentialHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credential(…)")
    }
}

/// The SHA-256 of a credential.
#[derive(Clone, Copy, Debug)]
pub struct CredentialHash([u8; 32]);

impl CredentialHash {
    /// Digits of [`Self::id`].
    const ID_DIGITS: usize = 12;

    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bytes = hex::decode(text).map_err(|fault| format!("must be 64 hexadecimal digits: {fault}"))?;
        let length = bytes.len();
        let hash =
            bytes.try_into().map_err(|_| format!("must be 64 hexadecimal digits, has {}", length.saturating_mul(2)))?;
        Ok(Self(hash))
    }

    /// The short name by which people tell credentials apart: the first 12 digits.
    #[must_use]
    pub fn id(&self) -> String {
        let mut digits = self.to_string();
        digits.truncate(Self::ID_DIGITS);
        digits
    }

    /// Compares in a time that tells nothing about where the two differ.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Display for CredentialHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_never_prints_its_secret() {
        let credential = Credential::generate(&mut rand::rng());
        assert_eq!(format!("{credential:?}"), "Credential(…)");
        assert!(credential.reveal().starts_with("auric_") && credential.reveal().len() == 49);
    }

    #[test]
    fn two_credentials_differ() {
        let mut random = rand::rng();
        let (one, other) = (Credential::generate(&mut random), Credential::generate(&mut random));
        assert!(!one.hash().is(&other.hash()));
        assert!(one.hash().is(&Credential::new(one.reveal()).hash()));
    }

    #[test]
    fn a_hash_has_64_digits() {
        // SHA-256 of "abc", FIPS 180-2 appendix B.1.
        let digits = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(CredentialHash::parse(digits).unwrap().is(&Credential::new("abc").hash()));
        assert_eq!(Credential::new("abc").hash().id(), "ba7816bf8f01");
        assert_eq!(CredentialHash::parse("abcd").unwrap_err(), "must be 64 hexadecimal digits, has 4");
        assert!(CredentialHash::parse("xyz").is_err());
    }
}
