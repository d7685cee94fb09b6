//! What text an id may be, and the macro that makes a type of it.

use thiserror::Error;

/// Why a text is not the id that it was given as.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdError {
    /// Nothing was given where something must be.
    #[error("must not be empty")]
    Empty,
    /// More characters than the id may have.
    #[error("must have at most {length_max} characters, has {length}")]
    TooLong {
        /// Bytes that were given.
        length: usize,
        /// Bytes that are allowed.
        length_max: usize,
    },
    /// Fewer or more characters than the one length that is allowed.
    #[error("must have exactly {length_exact} characters, has {length}")]
    WrongLength {
        /// Bytes that were given.
        length: usize,
        /// Bytes that it must be.
        length_exact: usize,
    },
    /// A character outside the id's alphabet.
    #[error("has {found:?} at position {position}; allowed are {alphabet}")]
    Character {
        /// The first character that is not allowed.
        found: char,
        /// Its place in the text, counted from 1 in characters.
        position: usize,
        /// The alphabet, for a person.
        alphabet: &'static str,
    },
}

/// The text that an id may be: an alphabet of ASCII characters, and a length.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    alphabet: Alphabet,
    length_max: usize,
    exact: bool,
    may_be_empty: bool,
}

#[derive(Clone, Copy, Debug)]
enum Alphabet {
    Name,
    Lower(&'static str),
    Printable,
    Hex,
}

impl Rule {
    /// Letters, digits and `_ . : -`.
    #[must_use]
    pub const fn name(length_max: usize) -> Self {
        Self { alphabet: Alphabet::Name, length_max, exact: false, may_be_empty: false }
    }

    /// Lower-case letters, digits and `signs`.
    #[must_use]
    pub const fn lower(length_max: usize, signs: &'static str) -> Self {
        Self { alphabet: Alphabet::Lower(signs), length_max, exact: false, may_be_empty: false }
    }

    /// Every visible ASCII character.
    #[must_use]
    pub const fn printable(length_max: usize) -> Self {
        Self { alphabet: Alphabet::Printable, length_max, exact: false, may_be_empty: false }
    }

    /// Exactly `length` hexadecimal digits in lower case.
    #[must_use]
    pub const fn hex(length: usize) -> Self {
        Self { alphabet: Alphabet::Hex, length_max: length, exact: true, may_be_empty: false }
    }

    /// The same, or nothing at all.
    #[must_use]
    pub const fn or_empty(self) -> Self {
        Self { may_be_empty: true, ..self }
    }

    /// Tests `text`.
    ///
    /// # Errors
    ///
    /// [`IdError`] for the first fault that is found.
    pub fn check(self, text: &str) -> Result<(), IdError> {
        if text.is_empty() {
            return if self.may_be_empty { Ok(()) } else { Err(IdError::Empty) };
        }
        let wrong = text.chars().enumerate().find(|&(_, character)| !self.alphabet.has(character));
        if let Some((before, found)) = wrong {
            let position = before.saturating_add(1);
            return Err(IdError::Character { found, position, alphabet: self.alphabet.describe() });
        }
        let length = text.len();
        match (self.exact, length.cmp(&self.length_max)) {
            (_, std::cmp::Ordering::Equal) | (false, std::cmp::Ordering::Less) => Ok(()),
            (false, std::cmp::Ordering::Greater) => Err(IdError::TooLong { length, length_max: self.length_max }),
            (true, _) => Err(IdError::WrongLength { length, length_exact: self.length_max }),
        }
    }
}

impl Alphabet {
    fn has(self, character: char) -> bool {
        match self {
            Self::Name => character.is_ascii_alphanumeric() || "_.:-".contains(character),
            Self::Lower(signs) => {
                character.is_ascii_lowercase() || character.is_ascii_digit() || signs.contains(character)
            }
            Self::Printable => character.is_ascii_graphic(),
            Self::Hex => character.is_ascii_digit() || ('a'..='f').contains(&character),
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Name => "A-Z a-z 0-9 _ . : -",
            Self::Lower("_/") => "a-z 0-9 _ /",
            Self::Lower("_") => "a-z 0-9 _",
            Self::Lower("_-") => "a-z 0-9 _ -",
            Self::Lower(_) => "a-z 0-9 _ . -",
            Self::Printable => "the visible ASCII characters",
            Self::Hex => "0-9 a-f",
        }
    }
}

/// Makes a type for each id, with its rule.
macro_rules! define_ids {
    ($($(#[$docs:meta])* $name:ident, $field:literal, $rule:expr;)+) => {$(
        $(#[$docs])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(smol_str::SmolStr);

        impl $name {
            /// The name of the request field that carries it.
            pub const FIELD: &'static str = $field;

            const RULE: Rule = $rule;

            /// Parses `text`.
            ///
            /// # Errors
            ///
            /// [`IdError`], without the field's name: the caller knows the path that led here.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                Self::RULE.check(text)?;
                Ok(Self(text.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.0, formatter)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }
    )+};
}

pub(crate) use define_ids;

#[cfg(test)]
mod tests {
    use crate::{IdError, IdempotencyKey, PlayerId, PoolId, TraceId};

    #[test]
    fn a_player_of_discord_is_a_player() {
        assert_eq!(PlayerId::parse("discord:80351110224678912").unwrap().as_str(), "discord:80351110224678912");
    }

    #[test]
    fn nul_and_other_scripts_are_named_with_their_place() {
        let fault = |text| PlayerId::parse(text).unwrap_err();
        assert_eq!(fault("ab\0").to_string(), "has '\\0' at position 3; allowed are A-Z a-z 0-9 _ . : -");
        assert!(matches!(fault("ñ"), IdError::Character { found: 'ñ', position: 1, .. }));
        assert_eq!(fault(""), IdError::Empty);
    }

    #[test]
    fn lengths_are_bounded() {
        assert!(PlayerId::parse(&"a".repeat(64)).is_ok());
        assert_eq!(PlayerId::parse(&"a".repeat(65)), Err(IdError::TooLong { length: 65, length_max: 64 }));
        assert!(IdempotencyKey::parse(&"~".repeat(128)).is_ok());
        assert!(IdempotencyKey::parse("two words").is_err());
        assert_eq!(TraceId::parse("ab"), Err(IdError::WrongLength { length: 2, length_exact: 32 }));
        assert!(PoolId::parse("").is_ok());
    }

    proptest::proptest! {
        #[test]
        fn parsing_never_panics_and_keeps_the_text(text in ".{0,80}") {
            if let Ok(id) = PlayerId::parse(&text) {
                proptest::prop_assert_eq!(id.as_str(), text);
            }
        }
    }
}
