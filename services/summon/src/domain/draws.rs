//! Numbers drawn without a preference for any.

use std::num::NonZeroU64;

/// A source of random numbers that is used up in order.
pub trait Draws {
    /// Tells that the draws of pull `slot` begin, counted from 0 within its summon.
    fn begin(&mut self, _slot: u32) {}

    /// Draws a number from 0 to `bound` - 1, each equally likely.
    fn below(&mut self, bound: NonZeroU64) -> u64;
}

/// A source of random 64-bit words.
pub trait Words {
    /// Tells that the words of pull `slot` begin.
    fn begin(&mut self, _slot: u32) {}

    /// Gives the next word.
    fn word(&mut self) -> u64;
}

impl<W: Words> Draws for W {
    fn begin(&mut self, slot: u32) {
        Words::begin(self, slot);
    }

    /// Multiplies a word by `bound` and takes the upper half of the product; a word whose lower half is below `2^64 mod bound` is
    /// thrown away, because those would make some numbers likelier than others.
    fn below(&mut self, bound: NonZeroU64) -> u64 {
        let bound = bound.get();
        loop {
            let product = u128::from(self.word()).saturating_mul(u128::from(bound));
            let low = product & u128::from(u64::MAX);
            // The remainder is below the bound: most words need no division to be kept.
            if low >= u128::from(bound) || low >= u128::from(bound.wrapping_neg().checked_rem(bound).unwrap_or(0)) {
                return u64::try_from(product >> 64).unwrap_or(u64::MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Draws, Words};

    struct Listed(Vec<u64>);

    impl Words for Listed {
        fn word(&mut self) -> u64 {
            self.0.remove(0)
        }
    }

    #[test]
    fn the_ends_of_the_words_are_the_ends_of_the_numbers() {
        let below = |word, bound: u64| Listed(vec![word]).below(bound.try_into().unwrap());
        assert_eq!(below(u64::MAX, 1_000_000_000), 999_999_999);
        assert_eq!(below(u64::MAX, u64::MAX), u64::MAX - 1);
        assert_eq!(below(1 << 63, 2), 1);
        assert_eq!(below((1 << 63) - 1, 2), 0);
        assert_eq!(below(17, 1), 0);
    }

    #[test]
    fn a_word_that_would_favour_a_number_is_thrown_away() {
        // 2^64 mod 3 is 1: of three equal parts one word is too many, and it is the word 0.
        let mut words = Listed(vec![0, 1]);
        assert_eq!(words.below(3.try_into().unwrap()), 0);
        assert!(words.0.is_empty(), "the word 0 must not be used");
    }
}
