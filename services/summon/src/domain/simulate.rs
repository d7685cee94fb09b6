//! Pulls without end from a seed, to see what a banner does before it opens. No player's pull comes from here.

use super::banner::{Banner, CostOption};
use super::draws::Words;
use super::loot::{Loot, Promise};
use super::pity::Pity;
use super::pull::{Drawn, Play};
use super::state::How;

/// Words from a seed by the generator of Steele, Lea and Flood: fast, and the same for ever.
///
/// # Source
///
/// Fast splittable pseudorandom number generators, OOPSLA 2014.
#[derive(Clone, Debug)]
pub struct SeededWords(u64);

impl SeededWords {
    /// Begins at `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl Words for SeededWords {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// The pulls of one player from a seed: an iterator without an end.
#[derive(Clone, Debug)]
pub struct Simulation<'a> {
    play: Play<'a>,
    words: SeededWords,
    count: u32,
    floor: Option<Promise>,
    /// The next pull's place in its summon.
    slot: u32,
    is_kept: bool,
}

impl<'a> Simulation<'a> {
    /// Begins with a player with `pity`, who always summons `count` at once and pays by `cost`.
    #[must_use]
    pub fn new(banner: &'a Banner, cost: &CostOption, count: u32, pity: &Pity, seed: u64) -> Self {
        Self::paid(banner, cost.how(), count, pity, seed)
    }

    /// The same, by what the payment does to pity.
    #[must_use]
    pub fn paid(banner: &'a Banner, how: How, count: u32, pity: &Pity, seed: u64) -> Self {
        let floor = match &banner.loot {
            Loot::Tiers(tiers) => tiers.floor.filter(|floor| floor.pulls == count),
            Loot::Box(_) => None,
        };
        let (play, words) = (Play::new(banner, how, pity), SeededWords::new(seed));
        Self { play, words, count: count.max(1), floor, slot: 0, is_kept: false }
    }

    /// The player now.
    #[must_use]
    pub const fn play(&self) -> &Play<'a> {
        &self.play
    }
}

impl<'a> Iterator for Simulation<'a> {
    type Item = Drawn<'a>;

    fn next(&mut self) -> Option<Drawn<'a>> {
        let next_slot = self.slot.saturating_add(1);
        let due = self.floor.filter(|floor| !self.is_kept && next_slot == floor.pulls).map(|floor| floor.slot);
        let drawn = self.play.step(due, &mut self.words);
        self.is_kept |= self.floor.is_some_and(|floor| drawn.slot <= floor.slot);
        self.slot = next_slot;
        if self.slot >= self.count {
            (self.slot, self.is_kept) = (0, false);
        }
        Some(drawn)
    }
}
