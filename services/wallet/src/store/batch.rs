//! The transaction of one batch, whatever the database: what it was decided on is tested, and what it makes durable is remembered.

use std::sync::Arc;

use async_trait::async_trait;
use auric_db::{Contention, StoreError};
use auric_ids::{HoldId, PlayerId};

use super::WalletTx;
use super::recent::{Assumed, Recent};
use crate::domain::{HoldRow, Journal, MutationKey, Player, Record};

/// What a batch asks of its database's transaction.
#[async_trait]
pub trait Connected: Send {
    /// Reads those players behind their locks, in ascending order as they are named.
    async fn lock(&mut self, players: &[&PlayerId]) -> Result<Vec<(PlayerId, Player)>, StoreError>;

    /// Reads those of the holds that there are.
    async fn holds(&mut self, names: &[&HoldId]) -> Result<Vec<HoldRow>, StoreError>;

    /// Reads what those of the keys were answered that were used.
    async fn records(&mut self, keys: &[&MutationKey]) -> Result<Vec<Record>, StoreError>;

    /// Writes everything, each row over the version that was loaded, and each entry after the one before it.
    async fn write(&mut self, journal: &Journal, slot: i16, heads: Heads) -> Result<(), StoreError>;

    /// Makes it durable. A failure says nothing about the outcome.
    async fn commit(self) -> Result<(), StoreError>;

    /// Lets go of everything.
    async fn rollback(self) -> Result<(), StoreError>;
}

/// How a batch knows the heads of its players.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heads {
    /// They were read behind the locks.
    Read,
    /// They are remembered: whoever writes has to find out whether they are what is stored.
    Remembered,
}

/// A batch that was opened.
pub struct BatchTx<C> {
    connected: C,
    recent: Arc<Recent>,
    /// What nobody has tested yet; nothing when the players are locked.
    assumed: Option<Assumed>,
}

impl<C: Connected> BatchTx<C> {
    /// The transaction of a batch that was opened on what is `assumed`, or behind its players' locks.
    pub fn new(connected: C, recent: &Arc<Recent>, assumed: Option<Assumed>) -> Self {
        Self { connected, recent: Arc::clone(recent), assumed }
    }

    /// Tests what was assumed, as far as the journal does not.
    async fn test(&mut self, assumed: &Assumed, journal: &Journal) -> Result<Heads, StoreError> {
        let mut heads = Heads::Remembered;
        if !assumed.is_tested_by(journal) {
            assumed.compare(&self.connected.lock(&assumed.players()).await?)?;
            heads = Heads::Read;
        }
        let keys = assumed.untested_keys(journal);
        if !keys.is_empty() {
            Assumed::compare_keys(&self.connected.records(&keys).await?)?;
        }
        let holds = assumed.untested_holds(journal);
        if !holds.is_empty() {
            Assumed::compare_holds(&self.connected.holds(&holds).await?)?;
        }
        Ok(heads)
    }

    async fn write(&mut self, journal: &Journal, slot: i16) -> Result<(), StoreError> {
        let Some(assumed) = self.assumed.take() else {
            return self.connected.write(journal, slot, Heads::Read).await;
        };
        let written = match self.test(&assumed, journal).await {
            Ok(heads) => self.connected.write(journal, slot, heads).await.map_err(as_moved_head),
            Err(error) => Err(error),
        };
        written.inspect_err(|error| self.recent.refuted(&assumed, error))
    }
}

/// An entry that is there already under its number says that the player's head has moved.
fn as_moved_head(error: StoreError) -> StoreError {
    match error {
        StoreError::Contended(Contention::Duplicate, cause) if is_of_entries(&cause) => {
            StoreError::Contended(Contention::Version, cause)
        }
        other => other,
    }
}

/// Whether it was the table of entries that a row was in already; its name is in the message of either database, and in no other table's.
fn is_of_entries(cause: &sqlx::Error) -> bool {
    cause.as_database_error().is_some_and(|error| error.message().contains("entries"))
}

#[async_trait]
impl<C: Connected> WalletTx for BatchTx<C> {
    async fn commit(mut self: Box<Self>, journal: Journal, slot: i16) -> Result<(), StoreError> {
        // Whatever goes wrong, what was remembered may have been what was wrong.
        let forgotten = self.recent.forget(&journal);
        self.write(&journal, slot).await?;
        if journal.is_empty() {
            return self.connected.rollback().await;
        }
        self.connected.commit().await?;
        self.recent.keep(forgotten, journal);
        Ok(())
    }
}
