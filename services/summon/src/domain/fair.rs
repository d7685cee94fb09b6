//! Draws that a player can check: a server seed that is committed to before play, a client seed of the player's own, and a counter.
//!
//! The words of pull `slot` of the summon with `nonce` are those of the blocks 0, 1, … where a block is
//! `HMAC-SHA256(server seed, client seed ‖ 0x00 ‖ nonce ‖ slot ‖ block)`: the server seed is 32 bytes, the client seed is its ASCII text,
//! `nonce` is 8 bytes, `slot` and `block` are 4 bytes each, most significant byte first. A block is four words of 8 bytes, most
//! significant byte first. [`Draws`](super::Draws) says how a word becomes a number: with one word a draw and at most three draws a pull,
//! the second block is needed only when words are thrown away.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::draws::Words;

/// The bytes that a server seed has.
const SEED_BYTES: usize = 32;

/// The words of one block.
const WORDS: usize = 4;

/// What the draws of one player come from; secret until it is replaced.
#[derive(Clone)]
pub struct ServerSeed {
    bytes: [u8; SEED_BYTES],
    keyed: Hmac<Sha256>,
}

/// The SHA-256 of a server seed, shown before the first draw from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Commitment([u8; 32]);

/// A player's own part of the seed: 1 to 64 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientSeed(std::sync::Arc<str>);

/// Why a text is no client seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be 1 to 64 visible ASCII characters")]
pub struct NoClientSeed;

impl ServerSeed {
    /// Takes 32 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; SEED_BYTES]) -> Self {
        // HMAC pads a short key with zeros to the block of its hash: doing so here makes the length one that cannot be wrong.
        let mut block = [0; 64];
        block[..SEED_BYTES].copy_from_slice(&bytes);
        Self { bytes, keyed: Hmac::new(&block.into()) }
    }

    /// What was committed to.
    #[must_use]
    pub fn commitment(&self) -> Commitment {
        Commitment(Sha256::digest(self.bytes).into())
    }

    /// The secret itself: to be stored, and to be shown once it is replaced.
    #[must_use]
    pub const fn reveal(&self) -> &[u8; SEED_BYTES] {
        &self.bytes
    }

    /// HMAC-SHA256 of `message` under the seed.
    #[must_use]
    pub fn seal(&self, message: &[u8]) -> [u8; 32] {
        self.keyed.clone().chain_update(message).finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for ServerSeed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ServerSeed(of {})", self.commitment())
    }
}

impl Commitment {
    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for Commitment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl ClientSeed {
    /// Parses `text`.
    ///
    /// # Errors
    ///
    /// [`NoClientSeed`] when it is empty, longer than 64 characters, or has one that is not visible ASCII.
    pub fn parse(text: &str) -> Result<Self, NoClientSeed> {
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > 64 || !is_visible {
            return Err(NoClientSeed);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ClientSeed {
    type Error = NoClientSeed;

    fn try_from(text: String) -> Result<Self, NoClientSeed> {
        Self::parse(&text)
    }
}

impl From<ClientSeed> for String {
    fn from(seed: ClientSeed) -> Self {
        seed.as_str().to_owned()
    }
}

/// The draws of one summon: its pulls are told apart by [`begin`](super::Draws::begin), and the first needs no telling.
#[derive(Clone)]
pub struct FairDraws {
    /// Everything that the summon's blocks have in common was taken in.
    started: Hmac<Sha256>,
    slot: u32,
    block: u32,
    words: [u64; WORDS],
    used: usize,
}

impl FairDraws {
    /// Begins the draws of the summon that has `nonce` among those from these seeds.
    #[must_use]
    pub fn new(server: &ServerSeed, client: &ClientSeed, nonce: u64) -> Self {
        let mut started = server.keyed.clone();
        started.update(client.as_str().as_bytes());
        started.update(&[0]);
        started.update(&nonce.to_be_bytes());
        Self { started, slot: 0, block: 0, words: [0; WORDS], used: WORDS }
    }

    fn fill(&mut self) {
        let tail = (u64::from(self.slot) << 32) | u64::from(self.block);
        let digest: [u8; 32] = self.started.clone().chain_update(tail.to_be_bytes()).finalize().into_bytes().into();
        let (chunks, _) = digest.as_chunks::<8>();
        for (word, bytes) in self.words.iter_mut().zip(chunks) {
            *word = u64::from_be_bytes(*bytes);
        }
        self.block = self.block.wrapping_add(1);
        self.used = 0;
    }
}

impl Words for FairDraws {
    fn begin(&mut self, slot: u32) {
        (self.slot, self.block, self.used) = (slot, 0, WORDS);
    }

    fn word(&mut self) -> u64 {
        if self.used >= WORDS {
            self.fill();
        }
        let word = self.words[self.used];
        self.used = self.used.saturating_add(1);
        word
    }
}

impl std::fmt::Debug for FairDraws {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "FairDraws(slot {}, block {})", self.slot, self.block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_the_hmac_of_the_client_seed_the_nonce_the_slot_and_the_block() {
        let (server, client) = (ServerSeed::new([7; 32]), ClientSeed::parse("lucky").unwrap());
        let mut draws = FairDraws::new(&server, &client, 258);
        Words::begin(&mut draws, 3);
        let words: Vec<u64> = (0..6).map(|_| draws.word()).collect();
        let block = |block: u8| {
            let mut message = b"lucky\0".to_vec();
            message.extend([0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 3, 0, 0, 0, block]);
            server.seal(&message)
        };
        let expected: Vec<u64> = [block(0), block(1)]
            .iter()
            .flat_map(|block| {
                block.chunks(8).map(|word| u64::from_be_bytes(word.try_into().unwrap())).collect::<Vec<_>>()
            })
            .take(6)
            .collect();
        assert_eq!(words, expected);
    }

    #[test]
    fn the_commitment_is_the_sha_256_of_the_seed() {
        let zeros = ServerSeed::new([0; 32]);
        let sha256 = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
        assert_eq!(zeros.commitment().to_string(), sha256);
        assert!(!format!("{zeros:?}").contains("0000"), "a seed is never printed");
    }
}
