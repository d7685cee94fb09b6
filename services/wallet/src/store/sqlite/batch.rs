//! How a batch is opened: on what is stored, or on what is remembered of it.

use async_trait::async_trait;
use auric_db::{StoreError, Traced as _};
use auric_ids::{HoldId, PlayerId};
use sqlx::{Sqlite, Transaction};

use super::{SqliteStore, load, sql, write};
use crate::domain::{BatchKeys, Book, HoldRow, Journal, MutationKey, Player, Record};
use crate::store::batch::{BatchTx, Connected, Heads};
use crate::store::recent::Assumed;

/// What writes a batch, for traces and metrics.
const WRITE: &str = "WRITE journal";

/// A batch in SQLite.
pub type SqliteBatch = BatchTx<Transaction<'static, Sqlite>>;

impl SqliteStore {
    /// Opens on what is remembered where that is all that is needed, and reads otherwise.
    pub(super) async fn open_batch(&self, mut keys: BatchKeys) -> Result<(Book, SqliteBatch), StoreError> {
        let mut transaction = self.database.writer.begin_with("BEGIN IMMEDIATE").traced(sql("BEGIN")).await?;
        let now = self.clock.now();
        if let Some((assumed, mut opened)) = self.recent.all(&mut keys) {
            opened.now = now;
            load::unknown(&mut transaction, &keys, &assumed.keys_to_read(&keys), &mut opened).await?;
            if Assumed::suffices(&opened) {
                return Ok((Book::new(opened), BatchTx::new(transaction, &self.recent, Some(assumed))));
            }
        }
        let holds = load::holds_of(&mut transaction, &keys.holds.keys().collect::<Vec<_>>()).await?;
        keys.add_holds(&holds);
        let opened = load::book(&mut transaction, &keys, holds, now).await?;
        self.recent.meet(&opened.players);
        Ok((Book::new(opened), BatchTx::new(transaction, &self.recent, None)))
    }
}

#[async_trait]
impl Connected for Transaction<'static, Sqlite> {
    /// Whoever began the transaction has the lock.
    async fn lock(&mut self, players: &[&PlayerId]) -> Result<Vec<(PlayerId, Player)>, StoreError> {
        load::players(self, players).await
    }

    async fn holds(&mut self, names: &[&HoldId]) -> Result<Vec<HoldRow>, StoreError> {
        load::holds_of(self, names).await
    }

    async fn records(&mut self, keys: &[&MutationKey]) -> Result<Vec<Record>, StoreError> {
        load::records(self, keys).await
    }

    async fn write(&mut self, journal: &Journal, slot: i16, heads: Heads) -> Result<(), StoreError> {
        for script in write::journal(journal, slot, heads)? {
            script.execute(self, sql(WRITE)).await?;
        }
        Ok(())
    }

    async fn commit(self) -> Result<(), StoreError> {
        self.commit().traced(sql("COMMIT")).await.map_err(StoreError::Lost)
    }

    async fn rollback(self) -> Result<(), StoreError> {
        Ok(self.rollback().traced(sql("ROLLBACK")).await?)
    }
}
