//! One batch: opened with its players locked, or on what is remembered of them, and committed.

use std::sync::Arc;

use async_trait::async_trait;
use auric_db::{StoreError, Traced as _};
use auric_ids::{HoldId, PlayerId};
use sqlx::{Postgres, Transaction};

use super::{PostgresStore, load, sql, unavailable, write};
use crate::domain::{BatchKeys, Book, Journal, Player};
use crate::store::WalletTx;
use crate::store::recent::{Assumed, Recent};

pub struct PostgresTx {
    transaction: Transaction<'static, Postgres>,
    recent: Arc<Recent>,
    /// What nobody has tested yet; nothing when the players are locked.
    assumed: Option<Assumed>,
}

impl PostgresStore {
    /// Opens on what is remembered where that is all that is needed, and behind the locks otherwise.
    pub(super) async fn open_batch(&self, mut keys: BatchKeys) -> Result<(Book, PostgresTx), StoreError> {
        if let Some((book, transaction)) = self.open_unlocked(&mut keys).await? {
            return Ok((book, transaction));
        }
        let unplaced: Vec<&HoldId> =
            keys.holds.iter().filter(|(_, named)| named.player.is_none()).map(|(id, _)| id).collect();
        keys.add_holds(&load::holds_of(&self.pool, &unplaced).await?);
        // A hold may have players whom its request does not name: they are locked too, in a second try. Its players never change.
        loop {
            let names: Vec<&str> = keys.players.iter().map(PlayerId::as_str).collect();
            let (mut transaction, players) = self.begin_locked(&names).await?;
            let holds = load::holds(&mut transaction, &keys, &players, &self.recent).await?;
            if !keys.add_holds(&holds) {
                transaction.rollback().traced(sql("ROLLBACK")).await?;
                continue;
            }
            let opened = load::book(&mut transaction, &keys, (players, holds), &self.recent).await?;
            return Ok((Book::new(opened), self.transaction(transaction, None)));
        }
    }

    /// Opens on what is remembered, and locks nothing; nothing where that is not enough.
    async fn open_unlocked(&self, keys: &mut BatchKeys) -> Result<Option<(Book, PostgresTx)>, StoreError> {
        let Some((assumed, mut opened)) = self.recent.all(keys) else { return Ok(None) };
        let mut transaction = self.pool.begin().traced(sql("BEGIN")).await.map_err(unavailable)?;
        load::unknown(&mut transaction, keys, &mut opened).await?;
        if !Assumed::suffices(&opened) {
            transaction.rollback().traced(sql("ROLLBACK")).await?;
            return Ok(None);
        }
        Ok(Some((Book::new(opened), self.transaction(transaction, Some(assumed)))))
    }

    fn transaction(&self, transaction: Transaction<'static, Postgres>, assumed: Option<Assumed>) -> PostgresTx {
        PostgresTx { transaction, recent: Arc::clone(&self.recent), assumed }
    }

    /// Begins, and locks the players of those names, which are in ascending order.
    ///
    /// A player that was never seen is made by a transaction of its own, so that no lock is held while a row is inserted: an insert that
    /// waits for another copy's insert while it holds locks could close a circle.
    async fn begin_locked(
        &self,
        names: &[&str],
    ) -> Result<(Transaction<'static, Postgres>, Vec<(PlayerId, Player)>), StoreError> {
        loop {
            let mut transaction = self.pool.begin().traced(sql("BEGIN")).await.map_err(unavailable)?;
            let players = if names.is_empty() { Vec::new() } else { load::lock(&mut transaction, names).await? };
            if players.len() == names.len() {
                return Ok((transaction, players));
            }
            transaction.rollback().traced(sql("ROLLBACK")).await?;
            sqlx::query(
                "INSERT INTO players (player_id)
                 SELECT wanted.player_id
                 FROM unnest($1::text[]) AS wanted (player_id)
                 ORDER BY wanted.player_id
                 ON CONFLICT (player_id) DO NOTHING",
            )
            .bind(names)
            .execute(&self.pool)
            .traced(sql("INSERT players"))
            .await?;
        }
    }
}

impl PostgresTx {
    /// Tests what was assumed, as far as the journal does not.
    async fn test(&mut self, assumed: &Assumed, journal: &Journal) -> Result<(), StoreError> {
        if !assumed.is_tested_by(journal) {
            let names: Vec<&str> = assumed.players().into_iter().map(PlayerId::as_str).collect();
            assumed.compare(&load::lock(&mut self.transaction, &names).await?)?;
        }
        let untested = assumed.untested_holds(journal);
        Assumed::compare_holds(&load::holds_of(&mut *self.transaction, &untested).await?)
    }

    async fn write(&mut self, journal: &Journal, slot: i16) -> Result<(), StoreError> {
        let Some(assumed) = self.assumed.take() else {
            return write::journal(&mut self.transaction, journal, slot).await;
        };
        let mut written = self.test(&assumed, journal).await;
        if written.is_ok() {
            written = write::journal(&mut self.transaction, journal, slot).await;
        }
        written.inspect_err(|error| self.recent.refuted(&assumed, error))
    }
}

#[async_trait]
impl WalletTx for PostgresTx {
    async fn commit(mut self: Box<Self>, journal: Journal, slot: i16) -> Result<(), StoreError> {
        // Whatever goes wrong, what was remembered may have been what was wrong.
        let forgotten = self.recent.forget(&journal);
        self.write(&journal, slot).await?;
        if journal.is_empty() {
            self.transaction.rollback().traced(sql("ROLLBACK")).await?;
            return Ok(());
        }
        // From here on a failure says nothing about the outcome.
        self.transaction.commit().traced(sql("COMMIT")).await.map_err(StoreError::Lost)?;
        self.recent.keep(forgotten, journal);
        Ok(())
    }
}
