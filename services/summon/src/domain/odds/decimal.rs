//! Numbers that are told: in parts of 10^18, and the binary fixed point that they are computed in.

use super::super::ppb::Ppb;

/// A number in parts of 10^18, not negative: a chance, or a mean of pulls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(u128);

impl Decimal {
    /// One.
    pub const ONE: Self = Self(1_000_000_000_000_000_000);

    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Takes a number of parts of 10^18.
    #[must_use]
    pub const fn from_parts(parts: u128) -> Self {
        Self(parts)
    }

    /// The parts of 10^18.
    #[must_use]
    pub const fn parts(self) -> u128 {
        self.0
    }

    /// `over / under` rounded down; nothing when `under` is. Of an `under` beyond 2^97 the lowest bits are left out.
    #[must_use]
    pub fn ratio(over: u128, under: u128) -> Self {
        let beyond = 31_u32.saturating_sub(under.leading_zeros());
        let (over, under) = (over >> beyond, under >> beyond);
        let Some(whole) = over.checked_div(under) else { return Self::ZERO };
        let mut parts = whole;
        let mut rest = over.checked_rem(under).unwrap_or(0);
        // Two steps of nine digits each: the remainder is below 2^97, and 10^9 below 2^30.
        for _ in 0..2 {
            let scaled = rest.saturating_mul(1_000_000_000);
            let digits = scaled.checked_div(under).unwrap_or(0);
            parts = parts.saturating_mul(1_000_000_000).saturating_add(digits);
            rest = scaled.checked_rem(under).unwrap_or(0);
        }
        Self(parts)
    }

    /// The product, rounded down; of a number below 10^20 and a chance.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        Self(self.0.saturating_mul(other.0).checked_div(Self::ONE.0).unwrap_or(0))
    }

    /// The sum.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// How far apart two numbers are.
    #[must_use]
    pub const fn distance(self, other: Self) -> Self {
        Self(self.0.abs_diff(other.0))
    }

    /// One divided by it; nothing for nothing.
    #[must_use]
    pub fn inverse(self) -> Self {
        Self::ratio(Self::ONE.0, self.0)
    }
}

impl std::fmt::Display for Decimal {
    /// With as many of the twelve digits after the point as there are asked for: `{:.4}` rounds to four.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = formatter.precision().unwrap_or(12).min(18);
        let places = u32::try_from(18_usize.saturating_sub(digits)).unwrap_or(0);
        let unit = 10_u128.saturating_pow(places);
        let rounded = self.0.saturating_add(unit / 2).checked_div(unit).unwrap_or(0);
        let one = Self::ONE.0.checked_div(unit).unwrap_or(1);
        let (whole, rest) = (rounded.checked_div(one).unwrap_or(0), rounded.checked_rem(one).unwrap_or(0));
        if digits == 0 { write!(formatter, "{whole}") } else { write!(formatter, "{whole}.{rest:0digits$}") }
    }
}

/// A chance or a mass in parts of 2^63.
pub(super) type Q63 = u64;

/// Certainty in parts of 2^63.
pub(super) const Q63_ONE: Q63 = 1 << 63;

/// `chance` in parts of 2^63, rounded down.
pub(super) const fn q63(chance: Ppb) -> Q63 {
    // 2^63 / 10^9 = 9,223,372,036 + 854,775,808 / 10^9; both products stay below 2^63 + 1.
    let parts = widen(chance.parts());
    parts.wrapping_mul(9_223_372_036).wrapping_add(parts.wrapping_mul(854_775_808) / 1_000_000_000)
}

const fn widen(parts: u32) -> u64 {
    let [a, b, c, d] = parts.to_le_bytes();
    u64::from_le_bytes([a, b, c, d, 0, 0, 0, 0])
}

/// The part `chance` of `mass`, rounded down.
pub(super) fn part(mass: Q63, chance: Q63) -> Q63 {
    let product = u128::from(mass).wrapping_mul(u128::from(chance)) >> 63;
    u64::try_from(product).unwrap_or(u64::MAX)
}

/// `mass` as a number that is told.
pub(super) fn told(mass: u128) -> Decimal {
    Decimal::ratio(mass, u128::from(Q63_ONE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_rounded_where_it_is_cut() {
        let third = Decimal::ratio(2, 3);
        assert_eq!(third.to_string(), "0.666666666667");
        assert_eq!(format!("{third:.4} {third:.0}"), "0.6667 1");
        assert_eq!(Decimal::ratio(62, 1).plus(Decimal::ratio(1, 2)).to_string(), "62.500000000000");
        assert_eq!(format!("{:.4}", Decimal::ratio(16_052, 1_000_000).inverse()), "62.2975");
    }

    #[test]
    fn a_chance_keeps_its_value_in_binary() {
        assert_eq!(q63(Ppb::ONE), Q63_ONE);
        assert_eq!(q63(Ppb::ZERO), 0);
        for parts in [1, 6_000_000, 333_333_333, 999_999_999_u64] {
            let exact = (u128::from(parts) << 63) / 1_000_000_000;
            assert_eq!(u128::from(q63(Ppb::new(parts).unwrap())), exact, "{parts}");
        }
        assert_eq!(part(Q63_ONE, q63(Ppb::ONE)), Q63_ONE);
    }
}
