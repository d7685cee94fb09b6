//! One batch: opened on what is stored, or on what is remembered of it, and committed.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use auric_db::{StoreError, Traced as _};
use auric_ids::PlayerId;
use sqlx::{Sqlite, Transaction};

use super::{SqliteStore, load, sql, write};
use crate::domain::{BatchKeys, Book, Journal};
use crate::store::WalletTx;
use crate::store::recent::{Assumed, Recent};

pub struct SqliteTx {
    transaction: Transaction<'static, Sqlite>,
    recent: Arc<Recent>,
    /// What nobody has tested yet; nothing when the players were read.
    assumed: Option<Assumed>,
}

impl SqliteStore {
    /// Opens on what is remembered where that is all that is needed, and reads otherwise.
    pub(super) async fn open_batch(&self, mut keys: BatchKeys) -> Result<(Book, SqliteTx), StoreError> {
        let mut transaction = self.database.writer.begin_with("BEGIN IMMEDIATE").traced(sql("BEGIN")).await?;
        let now = self.clock.now();
        if let Some((assumed, mut opened)) = self.recent.all(&mut keys) {
            opened.now = now;
            load::unknown(&mut transaction, &keys, &mut opened).await?;
            if Assumed::suffices(&opened) {
                return Ok((Book::new(opened), self.transaction(transaction, Some(assumed))));
            }
        }
        let mut players = load::players(&mut transaction, &keys.players.iter().collect::<Vec<_>>()).await?;
        let holds = load::holds(&mut transaction, &keys, &players, &self.recent).await?;
        // Those whom only a hold names.
        let of_holds = holds.iter().flat_map(|row| row.hold.balances()).map(|key| &key.player);
        let others: BTreeSet<&PlayerId> = of_holds.filter(|player| !keys.players.contains(*player)).collect();
        players.extend(load::players(&mut transaction, &others.into_iter().collect::<Vec<_>>()).await?);
        keys.add_holds(&holds);
        let opened = load::book(&mut transaction, &keys, (players, holds), now, &self.recent).await?;
        Ok((Book::new(opened), self.transaction(transaction, None)))
    }

    fn transaction(&self, transaction: Transaction<'static, Sqlite>, assumed: Option<Assumed>) -> SqliteTx {
        SqliteTx { transaction, recent: Arc::clone(&self.recent), assumed }
    }
}

impl SqliteTx {
    /// Tests what was assumed, as far as the journal does not.
    async fn test(&mut self, assumed: &Assumed, journal: &Journal) -> Result<(), StoreError> {
        if !assumed.is_tested_by(journal) {
            assumed.compare(&load::players(&mut self.transaction, &assumed.players()).await?)?;
        }
        let untested = assumed.untested_holds(journal);
        Assumed::compare_holds(&load::holds_of(&mut self.transaction, &untested).await?)
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
impl WalletTx for SqliteTx {
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
