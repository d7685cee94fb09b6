//! Idempotency: the name of a request, and what it means, shortened.
//!
//! Whoever asks chooses the key; a key belongs to its caller. Two requests under one key must mean the same: a [`Fingerprint`] is what is kept to tell.

mod canon;

use auric_ids::{CallerId, IdempotencyKey};
use sha2::{Digest as _, Sha256};

pub use canon::Canon;

/// The name of one mutation: a caller's key is the caller's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MutationKey {
    /// Who asks.
    pub caller: CallerId,
    /// Under which key.
    pub key: IdempotencyKey,
}

/// What a request means, shortened: two requests under one key must have the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// SHA-256 over the method and the canonical bytes of every field.
    pub digest: [u8; 32],
    /// A short hash of every field that is not absent, as `name=hash name=hash`, so that a mismatch can be named.
    pub fields: String,
}

/// Room for a field's name and short hash.
const SHORT_LENGTH: usize = 24;

/// Hashes a byte string as [`Canon`] has it.
fn add(hash: &mut Sha256, bytes: &[u8]) {
    hash.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    hash.update(bytes);
}

/// A request field's name and its canonical bytes.
pub type Field = (&'static str, Canon);

impl Fingerprint {
    /// Goes up when the canonical bytes of a request change; fingerprints of other versions are never equal.
    const VERSION: u8 = 1;

    /// Shortens `fields`, absent ones left out.
    #[must_use]
    pub fn of(method: &str, fields: Vec<Field>) -> Self {
        let mut whole = Sha256::new();
        whole.update([Self::VERSION]);
        add(&mut whole, method.as_bytes());
        let mut short = String::with_capacity(SHORT_LENGTH * fields.len());
        for (name, bytes) in fields {
            add(&mut whole, name.as_bytes());
            add(&mut whole, bytes.as_bytes());
            let digest = Sha256::digest(bytes.as_bytes());
            let mut hash = [0; 8];
            // Four bytes fill eight digits.
            let _ = hex::encode_to_slice(&digest[..4], &mut hash);
            let space = if short.is_empty() { "" } else { " " };
            short.extend([space, name, "=", str::from_utf8(&hash).unwrap_or_default()]);
        }
        Self { digest: whole.finalize().into(), fields: short }
    }

    /// The fields in which this request differs from `first`, by name, in the order of this request's fields and then of the first's.
    #[must_use]
    pub fn differing_fields(&self, first: &Self) -> Vec<String> {
        let here: Vec<&str> = self.fields.split_whitespace().collect();
        let there: Vec<&str> = first.fields.split_whitespace().collect();
        let only = |these: &[&str], those: &[&str]| -> Vec<String> {
            let missing = these.iter().filter(|field| !those.contains(field));
            missing.filter_map(|field| field.split_once('=')).map(|(name, _)| name.to_owned()).collect()
        };
        let mut names = only(&here, &there);
        for name in only(&there, &here) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fingerprints are kept for ever: what they are made of must not change under one version.
    #[test]
    fn a_fingerprint_is_of_the_canonical_bytes_of_method_names_and_fields() {
        let (player, amount) = (Canon::of("p"), Canon::default().units(7).clone());
        let whole = [
            vec![Fingerprint::VERSION],
            Canon::of("Post").as_bytes().to_vec(),
            Canon::of("player_id").bytes(player.as_bytes()).as_bytes().to_vec(),
            Canon::of("amount").bytes(amount.as_bytes()).as_bytes().to_vec(),
        ];
        let short = |bytes: &Canon| hex::encode(&Sha256::digest(bytes.as_bytes())[..4]);
        let fields = format!("player_id={} amount={}", short(&player), short(&amount));
        let of = Fingerprint::of("Post", vec![("player_id", player), ("amount", amount)]);
        assert_eq!(of, Fingerprint { digest: Sha256::digest(whole.concat()).into(), fields });
    }
}
