//! A store that fails where a law says: before, between and after the real one's steps.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auric_catalog::CatalogHash;
use auric_db::{Contention, StoreError};
use auric_events::Outbox;
use auric_ids::{HoldId, PlayerId, RetailTokenId};
use auric_time::Timestamp;
use auric_wallet::domain::{
    BatchKeys, Book, Entry, EventKey, EventRow, Journal, MutationKey, PaymentKey, Record, RetailToken,
};
use auric_wallet::store::{
    EntriesQuery, FlowLine, FlowsQuery, GenerationsQuery, HoldsQuery, KeptHold, KeptPayment, Lapsed, Portrait,
    WalletStore, WalletTx,
};

/// Where one transaction fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No connection can be had.
    NoConnection,
    /// A lock is not granted in time.
    AtOpen,
    /// The connection breaks after the locks, before anything is written.
    AfterOpen,
    /// Another transaction is in the way when it is written.
    Contended,
    /// The database refuses what is written, after a part of it was written.
    BetweenStatements,
    /// The connection breaks before the commit arrives.
    BeforeCommit,
    /// It is committed, and the answer is lost.
    AfterCommit,
}

impl Fault {
    pub const ALL: [Self; 7] = [
        Self::NoConnection,
        Self::AtOpen,
        Self::AfterOpen,
        Self::Contended,
        Self::BetweenStatements,
        Self::BeforeCommit,
        Self::AfterCommit,
    ];
}

/// The real store, with the faults that wait for it: one a transaction.
#[derive(Debug)]
pub struct FaultyStore {
    store: Arc<dyn WalletStore>,
    plan: Arc<Mutex<VecDeque<Fault>>>,
    /// The key whose presence in a batch makes the database refuse the batch.
    poison: Option<MutationKey>,
}

impl FaultyStore {
    pub fn new(store: Arc<dyn WalletStore>, faults: impl IntoIterator<Item = Fault>) -> Self {
        Self { store, plan: Arc::new(Mutex::new(faults.into_iter().collect())), poison: None }
    }

    pub fn poisoned_by(store: Arc<dyn WalletStore>, poison: MutationKey) -> Self {
        Self { poison: Some(poison), ..Self::new(store, []) }
    }

    fn next(&self) -> Option<Fault> {
        self.plan.lock().unwrap().pop_front()
    }
}

struct FaultyTx {
    transaction: Box<dyn WalletTx>,
    fault: Option<Fault>,
    poison: Option<MutationKey>,
}

fn broken() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::other("injected"))
}

fn refused() -> sqlx::Error {
    sqlx::Error::Decode("injected".into())
}

#[async_trait]
impl WalletTx for FaultyTx {
    async fn commit(self: Box<Self>, mut journal: Journal, slot: i16) -> Result<(), StoreError> {
        if self.poison.is_some_and(|poison| journal.records.iter().any(|record| record.key == poison)) {
            return Err(StoreError::Fault(refused()));
        }
        match self.fault {
            None => self.transaction.commit(journal, slot).await,
            Some(Fault::AfterCommit) => {
                self.transaction.commit(journal, slot).await?;
                Err(StoreError::Lost(broken()))
            }
            Some(Fault::BetweenStatements) => {
                // A version that is not there: the keys and the entries are written by then, the balances are refused.
                for (_, row) in &mut journal.balances {
                    row.version += 7;
                }
                for row in &mut journal.paid.tokens {
                    row.version += 7;
                }
                let error = self.transaction.commit(journal, slot).await.unwrap_err();
                assert!(matches!(error, StoreError::Contended(..)), "{error:?}");
                Err(error)
            }
            Some(Fault::Contended) => Err(StoreError::Contended(Contention::Serialization, broken())),
            Some(_) => Err(StoreError::Lost(broken())),
        }
    }
}

#[async_trait]
impl WalletStore for FaultyStore {
    async fn open(&self, keys: BatchKeys) -> Result<(Book, Box<dyn WalletTx>), StoreError> {
        let fault = self.next();
        match fault {
            Some(Fault::NoConnection) => return Err(StoreError::Unavailable(broken())),
            Some(Fault::AtOpen) => return Err(StoreError::Contended(Contention::LockTimeout, broken())),
            _ => {}
        }
        let (book, transaction) = self.store.open(keys).await?;
        if fault == Some(Fault::AfterOpen) {
            return Err(StoreError::Lost(broken()));
        }
        Ok((book, Box::new(FaultyTx { transaction, fault, poison: self.poison.clone() })))
    }

    async fn view(&self, keys: &BatchKeys) -> Result<Book, StoreError> {
        self.store.view(keys).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.store.now().await
    }

    async fn entries(&self, query: &EntriesQuery) -> Result<Vec<Entry>, StoreError> {
        self.store.entries(query).await
    }

    async fn entries_at(&self, wanted: &[(PlayerId, u64)]) -> Result<Vec<Entry>, StoreError> {
        self.store.entries_at(wanted).await
    }

    async fn holds_at(&self, wanted: &[HoldId]) -> Result<Vec<KeptHold>, StoreError> {
        self.store.holds_at(wanted).await
    }

    async fn told_at(&self, wanted: &[EventKey]) -> Result<Vec<EventRow>, StoreError> {
        self.store.told_at(wanted).await
    }

    fn outbox(&self) -> Outbox {
        self.store.outbox()
    }

    async fn mutation(&self, key: &MutationKey) -> Result<Option<Record>, StoreError> {
        self.store.mutation(key).await
    }

    async fn mutations(&self, after: Option<&MutationKey>, limit: u32) -> Result<Vec<Record>, StoreError> {
        self.store.mutations(after, limit).await
    }

    async fn hold(&self, id: &HoldId) -> Result<Option<KeptHold>, StoreError> {
        self.store.hold(id).await
    }

    async fn holds(&self, query: &HoldsQuery) -> Result<Vec<KeptHold>, StoreError> {
        self.store.holds(query).await
    }

    async fn lapsed(&self, after: Option<&Lapsed>, limit: u32) -> Result<Vec<Lapsed>, StoreError> {
        self.store.lapsed(after, limit).await
    }

    async fn payments(&self, after: Option<&PaymentKey>, limit: u32) -> Result<Vec<KeptPayment>, StoreError> {
        self.store.payments(after, limit).await
    }

    async fn retail_token(&self, id: &RetailTokenId) -> Result<Option<RetailToken>, StoreError> {
        self.store.retail_token(id).await
    }

    async fn generations(&self, query: &GenerationsQuery) -> Result<Vec<RetailToken>, StoreError> {
        self.store.generations(query).await
    }

    async fn flows(&self, query: &FlowsQuery) -> Result<Vec<FlowLine>, StoreError> {
        self.store.flows(query).await
    }

    async fn players(&self, after: Option<&PlayerId>, limit: u32) -> Result<Vec<PlayerId>, StoreError> {
        self.store.players(after, limit).await
    }

    async fn player_count(&self) -> Result<u64, StoreError> {
        self.store.player_count().await
    }

    async fn portrait(&self, player: &PlayerId) -> Result<Portrait, StoreError> {
        self.store.portrait(player).await
    }

    async fn keep_catalog(&self, hash: CatalogHash, content: &str) -> Result<(), StoreError> {
        self.store.keep_catalog(hash, content).await
    }

    async fn catalog(&self, hash: CatalogHash) -> Result<Option<String>, StoreError> {
        self.store.catalog(hash).await
    }

    async fn newest_catalog(&self) -> Result<Option<String>, StoreError> {
        self.store.newest_catalog().await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
