//! Amounts of units: checked integers with one named bound. No float, no `as`, no wrap-around.

#![deny(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::float_arithmetic)]

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How many units a request moves: 1 to [`Amount::MAX_UNITS`].
///
/// Zero and negative amounts do not exist here: which way an amount goes is said in words (credit, debit), so that a sign that slips
/// through cannot turn a payment into a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Amount(u64);

/// Why a number is not an [`Amount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AmountError {
    /// Zero or less.
    #[error("must be at least 1, is {0}")]
    NotPositive(i64),
    /// More than [`Amount::MAX_UNITS`].
    #[error("must be at most {max}, is {0}", max = Amount::MAX_UNITS)]
    TooLarge(i64),
}

impl Amount {
    /// The most units that one balance may hold, and that one leg may move: 2^53 - 1.
    ///
    /// The largest integer that every JSON reader keeps exactly, and far enough below `i64::MAX` that the sum of a thousand of them
    /// still fits a BIGINT.
    pub const MAX_UNITS: u64 = 9_007_199_254_740_991;

    /// Checks a number from outside.
    ///
    /// # Errors
    ///
    /// [`AmountError`] when it is not in 1 to [`Self::MAX_UNITS`].
    pub fn new(units: i64) -> Result<Self, AmountError> {
        match u64::try_from(units) {
            Ok(0) | Err(_) => Err(AmountError::NotPositive(units)),
            Ok(checked) if checked > Self::MAX_UNITS => Err(AmountError::TooLarge(units)),
            Ok(checked) => Ok(Self(checked)),
        }
    }

    /// The units, 1 to [`Self::MAX_UNITS`].
    #[must_use]
    pub const fn units(self) -> u64 {
        self.0
    }
}

impl TryFrom<i64> for Amount {
    type Error = AmountError;

    fn try_from(units: i64) -> Result<Self, AmountError> {
        Self::new(units)
    }
}

impl From<Amount> for i64 {
    fn from(amount: Amount) -> Self {
        // In range by construction: MAX_UNITS is below i64::MAX.
        amount.0.try_into().unwrap_or(i64::MAX)
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::{Amount, AmountError};

    #[test]
    fn an_amount_is_between_one_and_the_bound() {
        assert_eq!(Amount::new(1).map(Amount::units), Ok(1));
        assert_eq!(Amount::new(9_007_199_254_740_991).map(Amount::units), Ok(Amount::MAX_UNITS));
        assert_eq!(Amount::new(0), Err(AmountError::NotPositive(0)));
        assert_eq!(Amount::new(-5), Err(AmountError::NotPositive(-5)));
        assert_eq!(Amount::new(i64::MIN), Err(AmountError::NotPositive(i64::MIN)));
        assert_eq!(Amount::new(9_007_199_254_740_992), Err(AmountError::TooLarge(9_007_199_254_740_992)));
        assert_eq!(Amount::new(i64::MAX), Err(AmountError::TooLarge(i64::MAX)));
    }
}
