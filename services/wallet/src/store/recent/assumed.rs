//! What a batch is decided on before anything is locked.

use auric_db::{Contention, StoreError};
use auric_ids::{HoldId, PlayerId};

use crate::domain::{BatchKeys, Head, HoldRow, Journal, MutationKey, Opened, Player, Record};

/// What may pass between the clock's reading and the locks: a run takes no longer. A hold that lapses meanwhile must be found to have lapsed.
const WAIT_MAX_MICROS: i64 = 30_000_000;

/// What nobody has tested yet of what a batch is decided on.
///
/// Whoever writes the entry after the one that was remembered as a player's newest has tested that. What is not written is to be tested by itself, behind
/// the locks, before anything is written: a refusal must be as true as a success.
#[derive(Clone, Debug)]
pub struct Assumed {
    /// The heads of everyone of the batch, in ascending order of the players.
    pub(super) heads: Vec<(PlayerId, Head)>,
    /// Holds that the batch makes: not there yet.
    pub(super) absent: Vec<HoldId>,
    /// Keys that are taken for new, in ascending order: none, or all of the batch.
    pub(super) unread: Vec<MutationKey>,
}

impl Assumed {
    /// Everyone of the batch, in ascending order.
    pub fn players(&self) -> Vec<&PlayerId> {
        self.heads.iter().map(|(id, _)| id).collect()
    }

    /// Whether `opened` can be decided on before anything is locked: no hold lapses until then.
    pub fn suffices(opened: &Opened) -> bool {
        let until = opened.newest().plus_micros(WAIT_MAX_MICROS);
        opened.players.iter().all(|(_, player)| player.next_expiry.is_none_or(|next| next > until))
    }

    /// Whether the journal has an entry of everyone, and so tests them all.
    ///
    /// Rows of players are written behind their locks alone: locks are taken before balances are written, and never after.
    pub fn is_tested_by(&self, journal: &Journal) -> bool {
        let tested = |player: &Player| player.has_moved() && !player.expires_otherwise();
        journal.players.len() == self.heads.len() && journal.players.iter().all(|(_, player)| tested(player))
    }

    /// The holds that were taken for absent and are not written: whoever inserts one finds out.
    pub fn untested_holds(&self, journal: &Journal) -> Vec<&HoldId> {
        // Both are in ascending order.
        let written = |id: &HoldId| journal.holds.binary_search_by(|row| row.hold.id.cmp(id)).is_ok();
        self.absent.iter().filter(|id| !written(id)).collect()
    }

    /// The keys of the batch that are to be looked up before it is decided.
    pub fn keys_to_read<'k>(&self, keys: &'k BatchKeys) -> Vec<&'k MutationKey> {
        if self.unread.is_empty() { keys.mutations.iter().collect() } else { Vec::new() }
    }

    /// The keys that were taken for new and are not written, since what was decided is not kept: whoever inserts one finds out.
    pub fn untested_keys(&self, journal: &Journal) -> Vec<&MutationKey> {
        // Both are in ascending order.
        let written = |key: &MutationKey| journal.records.binary_search_by(|record| record.key.cmp(key)).is_ok();
        self.unread.iter().filter(|key| !written(key)).collect()
    }

    /// Compares the [keys that nobody tested](Self::untested_keys) with those of them that were used after all.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contended`] when there is one.
    pub fn compare_keys(used: &[Record]) -> Result<(), StoreError> {
        let Some(record) = used.first() else { return Ok(()) };
        let message = format!("the key {} of {} was used before", record.key.key, record.key.caller);
        Err(StoreError::Contended(Contention::Duplicate, sqlx::Error::Protocol(message)))
    }

    /// Compares the [holds that nobody tested](Self::untested_holds) with those of them that are there after all.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contended`] when there is one.
    pub fn compare_holds(there: &[HoldRow]) -> Result<(), StoreError> {
        let Some(row) = there.first() else { return Ok(()) };
        let message = format!("the hold {} is there already", row.hold.id);
        Err(StoreError::Contended(Contention::Duplicate, sqlx::Error::Protocol(message)))
    }

    /// Compares the players as they were read behind the locks, in ascending order too.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contended`] when somebody's head has moved.
    pub fn compare(&self, read: &[(PlayerId, Player)]) -> Result<(), StoreError> {
        let pairs = self.heads.iter().zip(read);
        let same = pairs.filter(|((id, head), (other, now))| id == other && *head == now.loaded).count();
        if same == self.heads.len() {
            return Ok(());
        }
        Err(StoreError::version(self.heads.len(), u64::try_from(same).unwrap_or_default()))
    }
}
