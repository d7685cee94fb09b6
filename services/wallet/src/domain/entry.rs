//! The audit: what moved, and the chain that shows when somebody changed it.

use auric_catalog::CatalogHash;
use auric_ids::{CallerId, IdempotencyKey, PlayerId, TraceId};
use auric_keys::Canon;
use auric_time::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Balance, BalanceKey, Change, Newest, Note};

/// Makes the kinds of movements, with the word that is stored for each.
macro_rules! kinds {
    ($($(#[$docs:meta])* $kind:ident = $word:literal),+ $(,)?) => {
        /// What brought a movement about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum MovementKind { $($(#[$docs])* #[serde(rename = $word)] $kind),+ }

        impl MovementKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The word that the databases keep.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $word),+ }
            }
        }
    };
}

kinds! {
    /// A leg of a posting.
    Posted = "posted",
    /// A leg of a claimed reward.
    Claimed = "claimed",
    /// An end of a transfer.
    Transferred = "transferred",
    /// Set aside or promised by a hold.
    Reserved = "reserved",
    /// Taken from a hold, or added by it.
    Committed = "committed",
    /// Given back by a hold.
    Released = "released",
    /// Given back by a hold whose time was up.
    Expired = "expired",
    /// Not given back by a hold: its pool was renewed meanwhile.
    Lapsed = "lapsed",
    /// Came back by the clock.
    Regenerated = "regenerated",
    /// Granted by a level.
    Leveled = "leveled",
    /// Stat points that were spent.
    Spent = "spent",
    /// A pool that was set.
    Renewed = "renewed",
    /// Given by a payment.
    Paid = "paid",
    /// Taken back because a payment was, or owed from then on.
    Refunded = "refunded",
}

/// The change of one balance by one mutation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "stored::Movement", into = "stored::Movement")]
pub struct Movement {
    /// Which balance.
    pub key: BalanceKey,
    /// The player's entry number, from 1, without a gap.
    pub number: u64,
    /// What brought it about.
    pub kind: MovementKind,
    /// What was added and taken.
    pub change: Change,
    /// The balance after it.
    pub after: Balance,
    /// Units that a clamped credit asked for and did not get.
    pub clamped_units: u64,
}

/// One line of a player's audit: a movement with who, why and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What moved.
    pub movement: Movement,
    /// Why.
    pub note: Note,
    /// Who asked.
    pub caller: CallerId,
    /// Under which key.
    pub idempotency_key: IdempotencyKey,
    /// In which trace; empty when the request had none.
    pub trace_id: TraceId,
    /// Under which rules.
    pub catalog_hash: CatalogHash,
    /// When; never before the player's entry before it.
    pub time: Timestamp,
    /// The chain over this entry and the one before it.
    pub hash: [u8; 32],
}

/// The end of a player's audit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The newest entry's number; 0 when there is none.
    pub number: u64,
    /// The newest entry's hash; zeros when there is none.
    pub hash: [u8; 32],
    /// The newest time that this player was told; the player's time never goes back.
    pub time: Timestamp,
}

/// How entries are chained.
#[derive(Clone)]
pub enum Seal {
    /// SHA-256: shows a change to whoever kept an older head.
    Plain,
    /// HMAC-SHA256: a change cannot be covered up without the key.
    Keyed(Box<Hmac<Sha256>>),
}

impl Seal {
    /// Chains with a secret.
    #[must_use]
    pub fn keyed(secret: &[u8; 32]) -> Self {
        // HMAC pads a short key with zeros to the block of its hash: doing so here makes the length one that cannot be wrong.
        let mut block = [0; 64];
        for (padded, byte) in block.iter_mut().zip(secret) {
            *padded = *byte;
        }
        Self::Keyed(Box::new(Hmac::new(&block.into())))
    }

    /// The hash that belongs to `entry`, whose own `hash` is not looked at, after `previous`.
    #[must_use]
    pub fn hash(&self, previous: &[u8; 32], entry: &Entry) -> [u8; 32] {
        let bytes = canonical(previous, entry);
        match self {
            Self::Plain => Sha256::digest(bytes.as_bytes()).into(),
            Self::Keyed(keyed) => {
                let mut keyed = keyed.as_ref().clone();
                keyed.update(bytes.as_bytes());
                keyed.finalize().into_bytes().into()
            }
        }
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Plain => "Seal::Plain",
            Self::Keyed(_) => "Seal::Keyed(…)",
        })
    }
}

/// Version 1 of what the chain covers: every column of the entry but the hash.
fn canonical(previous: &[u8; 32], entry: &Entry) -> Canon {
    let Movement { key, number, kind, change, after, clamped_units } = &entry.movement;
    let mut canon = Canon::default();
    canon.number(1).bytes(previous);
    canon.text(key.player.as_str()).units(*number).text(key.asset.as_str()).text(key.pool.as_str());
    canon.text(kind.as_str());
    for part in change.parts() {
        canon.number(part);
    }
    for part in after.parts() {
        canon.units(part);
    }
    canon.units(*clamped_units);
    canon.text(entry.note.reason.as_str()).units(u64::try_from(entry.note.context.len()).unwrap_or(u64::MAX));
    for (name, value) in &entry.note.context {
        canon.text(name).text(value);
    }
    canon.text(entry.caller.as_str()).text(entry.idempotency_key.as_str()).text(entry.trace_id.as_str());
    canon.bytes(entry.catalog_hash.as_bytes()).number(entry.time.micros());
    canon
}

impl MovementKind {
    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word)
    }
}

impl Entry {
    /// Whose audit it is in.
    #[must_use]
    pub fn player(&self) -> &PlayerId {
        &self.movement.key.player
    }

    /// The entry as its balance names it.
    #[must_use]
    pub fn newest(&self) -> Newest {
        Newest { number: self.movement.number, hash: self.hash }
    }
}

/// A movement as it stands in stored answers: flat, and short enough to be kept for ever.
mod stored {
    use auric_ids::{AssetId, PlayerId, PoolId};
    use serde::{Deserialize, Serialize};

    use crate::domain::{Balance, BalanceKey, Change, MovementKind};

    #[derive(Serialize, Deserialize)]
    pub struct Movement {
        player: PlayerId,
        number: u64,
        asset: AssetId,
        #[serde(default = "crate::domain::asset::no_pool", skip_serializing_if = "is_empty")]
        pool: PoolId,
        kind: MovementKind,
        /// Available, held, room, owed.
        change: [i64; 4],
        /// Available, held, room, owed.
        after: [u64; 4],
        #[serde(default, skip_serializing_if = "is_zero")]
        clamped: u64,
    }

    impl From<super::Movement> for Movement {
        fn from(movement: super::Movement) -> Self {
            let super::Movement { key, number, kind, change, after, clamped_units } = movement;
            Self {
                player: key.player,
                number,
                asset: key.asset,
                pool: key.pool,
                kind,
                change: change.parts(),
                after: after.parts(),
                clamped: clamped_units,
            }
        }
    }

    impl TryFrom<Movement> for super::Movement {
        type Error = &'static str;

        fn try_from(stored: Movement) -> Result<Self, Self::Error> {
            Ok(Self {
                key: BalanceKey { player: stored.player, asset: stored.asset, pool: stored.pool },
                number: stored.number,
                kind: stored.kind,
                change: Change::from_parts(stored.change),
                after: Balance::from_parts(stored.after).ok_or("a stored balance is beyond its bound")?,
                clamped_units: stored.clamped,
            })
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde calls")]
    fn is_zero(units: &u64) -> bool {
        *units == 0
    }

    fn is_empty(pool: &PoolId) -> bool {
        pool.as_str().is_empty()
    }
}
