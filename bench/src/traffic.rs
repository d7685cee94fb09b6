//! Who the calls are about, under which keys, and which copy they go to: all of it told by a call's number, so that a run can be repeated.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use uuid::{Builder, Uuid};

/// The players that calls are spread over.
///
/// Invariant: `1 <= active <= population`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Players {
    active: u32,
    population: u32,
}

impl Players {
    /// `active` players, as far apart as possible among the `population` that the ledger has.
    pub fn new(active: u32, population: u32) -> Self {
        let active = active.max(1);
        Self { active, population: population.max(active) }
    }

    /// Names the player that call `number` is about.
    pub fn of_call(self, number: u64) -> String {
        let index = scramble(number) % u64::from(self.active);
        self.name(u32::try_from(index).unwrap_or(0))
    }

    /// Names another player than `player`; with only one called, one that is not called otherwise.
    pub fn other_than(self, player: &str, number: u64) -> String {
        let index = u32::try_from(scramble(number) % u64::from(self.active)).unwrap_or(0);
        let other = self.name(index);
        if other != player {
            return other;
        }
        if self.active == 1 { player_name(self.population) } else { self.name((index + 1) % self.active) }
    }

    /// Names the `index`th player.
    pub fn name(self, index: u32) -> String {
        let stride = self.population / self.active;
        player_name(index * stride)
    }

    /// Names all of them.
    pub fn names(self) -> impl Iterator<Item = String> {
        (0..self.active).map(move |index| self.name(index))
    }
}

/// Names the player with this number in the ledger.
pub fn player_name(number: u32) -> String {
    format!("player:{number:07}")
}

/// How the keys of calls follow one another. An index takes what grows at its end, and what is random anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyOrder {
    /// Version 7 UUIDs, which begin with the time: as `auric` makes them.
    Growing,
    /// Version 4 UUIDs, which spread over an index more than any other key that callers use.
    Random,
}

/// Idempotency keys.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    order: KeyOrder,
    seed: u64,
    began_millis: u64,
}

/// Calls in a millisecond, for the times in the keys: about as many as there are.
const CALLS_A_MILLISECOND: u64 = 8;

impl Keys {
    /// Keys that no other run has.
    pub fn new(order: KeyOrder) -> Self {
        let (high, low) = Uuid::new_v4().as_u64_pair();
        // The first 48 bits of such a UUID are the time.
        let began_millis = Uuid::now_v7().as_u64_pair().0 >> 16;
        Self { order, seed: high ^ low, began_millis }
    }

    /// Makes the key of call `number`.
    pub fn of_call(self, number: u64) -> String {
        let high = scramble(self.seed ^ number);
        let low = scramble(high ^ number.rotate_left(32));
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_le_bytes());
        bytes[8..].copy_from_slice(&low.to_le_bytes());
        let made = match self.order {
            KeyOrder::Random => Builder::from_random_bytes(bytes),
            KeyOrder::Growing => {
                let millis = self.began_millis.saturating_add(number / CALLS_A_MILLISECOND);
                let random = bytes.first_chunk().unwrap_or(&[0; 10]);
                Builder::from_unix_timestamp_millis(millis, random)
            }
        };
        made.into_uuid().to_string()
    }
}

/// How a client chooses one of several copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Routing {
    /// Each player has its copy: the one whose hash together with the player is the highest.
    Rendezvous,
    /// Any copy.
    Random,
}

impl Routing {
    /// Chooses one of `copies` for a call about `player`.
    pub fn choose(self, copies: usize, player: &str, number: u64) -> usize {
        match self {
            Self::Rendezvous => (0..copies).max_by_key(|copy| weight(*copy, player)).unwrap_or(0),
            Self::Random => below(scramble(!number), copies),
        }
    }
}

fn weight(copy: usize, player: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (copy, player).hash(&mut hasher);
    hasher.finish()
}

/// Brings `value` below `bound`.
pub fn below(value: u64, bound: usize) -> usize {
    let bound_wide = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
    usize::try_from(value % bound_wide).unwrap_or(0)
}

/// Turns numbers in a row into numbers without a pattern; different ones stay different.
///
/// # Source
///
/// `SplitMix64`: Steele, Lea, Flood, *Fast splittable pseudorandom number generators*, 2014.
pub fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn calls_reach_every_player_about_equally_often() {
        let players = Players::new(10, 10);
        let mut calls = std::collections::HashMap::new();
        for number in 0..10_000 {
            *calls.entry(players.of_call(number)).or_insert(0_u32) += 1;
        }
        assert_eq!(calls.len(), 10);
        assert!(calls.values().all(|count| (850..1_150).contains(count)), "{calls:?}");
    }

    #[test]
    fn few_active_players_are_spread_over_the_whole_population() {
        let players = Players::new(10, 1_000_000);
        assert_eq!(players.name(0), "player:0000000");
        assert_eq!(players.name(9), "player:0900000");
        assert_eq!(players.names().count(), 10);
    }

    #[test]
    fn one_player_takes_every_call() {
        let players = Players::new(1, 1);
        assert!((0..100).all(|number| players.of_call(number) == "player:0000000"));
    }

    #[test]
    fn nobody_is_its_own_other() {
        for players in [Players::new(1, 1), Players::new(2, 2), Players::new(7, 7)] {
            for number in 0..100 {
                let player = players.of_call(number);
                assert_ne!(players.other_than(&player, number), player);
            }
        }
    }

    #[test]
    fn no_two_calls_and_no_two_runs_share_a_key() {
        for order in [KeyOrder::Growing, KeyOrder::Random] {
            let (one, other) = (Keys::new(order), Keys::new(order));
            let keys: HashSet<String> =
                (0..1_000).flat_map(|number| [one.of_call(number), other.of_call(number)]).collect();
            assert_eq!(keys.len(), 2_000);
            assert_eq!(one.of_call(7), one.of_call(7));
        }
    }

    #[test]
    fn keys_grow_from_millisecond_to_millisecond_or_not_at_all() {
        let of = |order| {
            let keys = Keys::new(order);
            let every = usize::try_from(CALLS_A_MILLISECOND).unwrap();
            let made: Vec<String> = (0..800).step_by(every).map(|number| keys.of_call(number)).collect();
            made.windows(2).filter(|pair| pair[0] < pair[1]).count()
        };
        assert_eq!(of(KeyOrder::Growing), 99);
        assert!((20..80).contains(&of(KeyOrder::Random)));
    }

    #[test]
    fn a_player_stays_with_its_copy_when_another_one_comes() {
        let players = Players::new(1_000, 1_000);
        let mut moved = 0;
        for player in players.names() {
            let (of_two, of_three) =
                (Routing::Rendezvous.choose(2, &player, 0), Routing::Rendezvous.choose(3, &player, 1));
            assert!(of_three == of_two || of_three == 2, "{player} moved between copies that were there before");
            moved += usize::from(of_three == 2);
        }
        assert!((270..400).contains(&moved), "{moved} of 1,000 moved to the third copy");
    }

    #[test]
    fn random_routing_uses_every_copy_for_one_player() {
        let chosen: HashSet<usize> = (0..100).map(|number| Routing::Random.choose(3, "player:1", number)).collect();
        assert_eq!(chosen, HashSet::from([0, 1, 2]));
    }
}
