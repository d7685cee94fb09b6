//! Rendezvous hashing: every caller sends a player's calls to the same copy without asking anybody, and a copy that goes moves its own players only.

/// The player that a call is about: a hint where it goes, in the extensions of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Player(u64);

impl Player {
    /// Takes a player's id; any text will do.
    pub fn new(player_id: &str) -> Self {
        Self(hash(player_id.as_bytes()))
    }

    pub(crate) fn hash(self) -> u64 {
        self.0
    }
}

/// Hashes a text the same way in every process: FNV-1a, whose weak high bits [`weight`] mixes.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// How much a copy is wanted for a player: the highest weight serves.
pub(crate) fn weight(player: u64, copy: u64) -> u64 {
    mix(mix(player) ^ copy)
}

/// The finaliser of `SplitMix64`: every bit of the input moves half of the output.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(copies: &[u64], player: &str) -> u64 {
        let player = Player::new(player).hash();
        copies.iter().copied().max_by_key(|&copy| weight(player, copy)).expect("there are some")
    }

    fn copies(count: usize) -> Vec<u64> {
        (0..count).map(|copy| hash(format!("10.0.0.{copy}:7401").as_bytes())).collect()
    }

    #[test]
    fn players_are_spread_evenly() {
        let copies = copies(5);
        let mut counts = [0_u32; 5];
        for player in 0..10_000 {
            let chosen = first(&copies, &format!("discord:{player}"));
            counts[copies.iter().position(|&copy| copy == chosen).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (1_800..2_200).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_copy_that_goes_moves_its_own_players_only() {
        let all = copies(4);
        let gone = all[2];
        let left: Vec<u64> = all.iter().copied().filter(|&copy| copy != gone).collect();
        for player in (0..1_000).map(|player| format!("discord:{player}")) {
            let before = first(&all, &player);
            assert!(before == gone || before == first(&left, &player), "{player} moved without a reason");
        }
    }
}
