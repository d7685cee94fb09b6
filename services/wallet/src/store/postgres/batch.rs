//! How a batch is opened: with its players locked, or on what is remembered of them.

use async_trait::async_trait;
use auric_db::{BatchConnection, Batches, StoreError, Traced as _};
use auric_ids::{HoldId, PlayerId};
use sqlx::{Postgres, Transaction};

use super::clock::Reckoned;
use super::{PostgresStore, load, sql, unavailable, write};
use crate::domain::{BatchKeys, Book, HoldRow, Journal, MutationKey, Player, Record};
use crate::store::batch::{BatchTx, Connected, Heads};
use crate::store::recent::Assumed;

/// The statement that writes a batch, for traces and metrics.
const WRITE: &str = "WRITE journal";

/// A batch in PostgreSQL.
pub type PostgresBatch = BatchTx<Work>;

/// A connection on which nothing is begun.
pub struct Free {
    batches: Batches,
    connection: BatchConnection,
    reckoned: Option<Reckoned>,
}

/// What a batch writes through, and the time that it goes by where that is yet to be compared.
pub enum Work {
    /// Nothing is begun, and nothing is locked: what is written is a transaction by itself.
    Free(Free),
    /// A transaction, which may hold locks.
    Begun(Transaction<'static, Postgres>, Option<Reckoned>),
    /// Neither: no transaction could be begun.
    Nothing,
}

impl PostgresStore {
    /// Opens on what is remembered where that is all that is needed, and behind the locks otherwise.
    pub(super) async fn open_batch(&self, mut keys: BatchKeys) -> Result<(Book, PostgresBatch), StoreError> {
        if let Some(opened) = self.open_unlocked(&mut keys).await? {
            return Ok(opened);
        }
        let unplaced: Vec<&HoldId> =
            keys.holds.iter().filter(|(_, named)| named.player.is_none()).map(|(id, _)| id).collect();
        if !unplaced.is_empty() {
            let mut connection = self.batches.acquire().await.map_err(unavailable)?;
            let holds = load::holds_of(&mut *connection, &unplaced).await?;
            self.batches.give_back(connection);
            keys.add_holds(&holds);
        }
        // A hold may have players whom its request does not name: they are locked too, in a second try. Its players never change.
        loop {
            let names: Vec<&str> = keys.players.iter().map(PlayerId::as_str).collect();
            let mut transaction = self.begin_locked(&names).await?;
            let holds = load::holds_of(&mut *transaction, &keys.holds.keys().collect::<Vec<_>>()).await?;
            if !keys.add_holds(&holds) {
                transaction.rollback().traced(sql("ROLLBACK")).await?;
                continue;
            }
            let opened = load::book(&mut transaction, &keys, holds).await?;
            self.recent.meet(&opened.players);
            return Ok((Book::new(opened), BatchTx::new(Work::Begun(transaction, None), &self.recent, None)));
        }
    }

    /// Opens on what is remembered, and locks nothing; nothing where that is not enough.
    async fn open_unlocked(&self, keys: &mut BatchKeys) -> Result<Option<(Book, PostgresBatch)>, StoreError> {
        let Some((assumed, mut opened)) = self.recent.all(keys) else { return Ok(None) };
        let mut connection = self.batches.acquire().await.map_err(unavailable)?;
        let read = assumed.keys_to_read(keys);
        let reckoned = self.clock.now().filter(|_| read.is_empty());
        if let Some(reckoned) = &reckoned {
            opened.now = reckoned.time();
            load::claims(&mut connection, keys, &mut opened).await.map_err(unavailable)?;
        } else {
            let begun = self.clock.begin();
            load::unknown(&mut connection, keys, &read, &mut opened).await.map_err(unavailable)?;
            self.clock.told(begun, opened.now);
        }
        if !Assumed::suffices(&opened) {
            self.batches.give_back(connection);
            return Ok(None);
        }
        let free = Work::Free(Free { batches: self.batches.clone(), connection, reckoned });
        Ok(Some((Book::new(opened), BatchTx::new(free, &self.recent, Some(assumed)))))
    }

    /// Begins, and locks the players of those names, which are in ascending order.
    ///
    /// A player that was never seen is made by a transaction of its own, so that no lock is held while a row is inserted: an insert that
    /// waits for another copy's insert while it holds locks could close a circle.
    async fn begin_locked(&self, names: &[&str]) -> Result<Transaction<'static, Postgres>, StoreError> {
        loop {
            let mut transaction = self.batches.begin().traced(sql("BEGIN")).await.map_err(unavailable)?;
            if names.is_empty() || load::lock(&mut transaction, names).await? == names.len() {
                return Ok(transaction);
            }
            transaction.rollback().traced(sql("ROLLBACK")).await?;
            let mut connection = self.batches.acquire().await.map_err(unavailable)?;
            sqlx::query(
                "INSERT INTO players (player_id)
                 SELECT wanted.player_id
                 FROM unnest($1::text[]) AS wanted (player_id)
                 ORDER BY wanted.player_id
                 ON CONFLICT (player_id) DO NOTHING",
            )
            .bind(names)
            .execute(&mut *connection)
            .traced(sql("INSERT players"))
            .await?;
            self.batches.give_back(connection);
        }
    }
}

impl Work {
    /// The transaction, which is begun where there is none yet.
    async fn begun(&mut self) -> Result<&mut Transaction<'static, Postgres>, StoreError> {
        if let Self::Free(Free { batches, reckoned, .. }) = self {
            // Given back first: a batch has one connection at a time.
            let (batches, reckoned) = (batches.clone(), reckoned.take());
            std::mem::replace(self, Self::Nothing).give_back();
            *self = Self::Begun(batches.begin().traced(sql("BEGIN")).await.map_err(unavailable)?, reckoned);
        }
        match self {
            Self::Begun(transaction, _) => Ok(transaction),
            Self::Free(_) | Self::Nothing => Err(StoreError::Fault(sqlx::Error::BeginFailed)),
        }
    }

    /// Keeps the connection of what was free for the next batch. Only after success: after a failure something may be under way on it.
    fn give_back(self) {
        if let Self::Free(Free { batches, connection, .. }) = self {
            batches.give_back(connection);
        }
    }
}

#[async_trait]
impl Connected for Work {
    async fn lock(&mut self, players: &[&PlayerId]) -> Result<Vec<(PlayerId, Player)>, StoreError> {
        let names: Vec<&str> = players.iter().map(|id| id.as_str()).collect();
        let transaction = self.begun().await?;
        load::lock(transaction, &names).await?;
        load::heads(transaction, &names).await
    }

    async fn holds(&mut self, names: &[&HoldId]) -> Result<Vec<HoldRow>, StoreError> {
        load::holds_of(&mut **self.begun().await?, names).await
    }

    async fn records(&mut self, keys: &[&MutationKey]) -> Result<Vec<Record>, StoreError> {
        Ok(load::clock_and_records(&mut **self.begun().await?, keys).await?.1)
    }

    async fn write(&mut self, journal: &Journal, slot: i16, heads: Heads) -> Result<(), StoreError> {
        let mut writes = write::journal(journal, slot, heads)?;
        let (connection, reckoned) = match self {
            Self::Free(Free { connection, reckoned, .. }) => (&mut **connection, reckoned.take()),
            Self::Begun(transaction, reckoned) => (&mut **transaction, reckoned.take()),
            Self::Nothing => return Err(StoreError::Fault(sqlx::Error::BeginFailed)),
        };
        let Some(reckoned) = reckoned else { return writes.execute(connection, sql(WRITE)).await };
        let begun = reckoned.expect(&mut writes);
        let name = if journal.is_empty() { "SELECT" } else { WRITE };
        reckoned.compared(begun, writes.fetch(connection, sql(name)).await)
    }

    async fn commit(self) -> Result<(), StoreError> {
        match self {
            free @ (Self::Free(_) | Self::Nothing) => {
                free.give_back();
                Ok(())
            }
            Self::Begun(transaction, _) => transaction.commit().traced(sql("COMMIT")).await.map_err(StoreError::Lost),
        }
    }

    async fn rollback(self) -> Result<(), StoreError> {
        match self {
            free @ (Self::Free(_) | Self::Nothing) => {
                free.give_back();
                Ok(())
            }
            Self::Begun(transaction, _) => Ok(transaction.rollback().traced(sql("ROLLBACK")).await?),
        }
    }
}
