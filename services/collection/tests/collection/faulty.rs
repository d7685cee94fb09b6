//! A store that fails where a law says: before, between and after the real one's steps.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auric_collection::catalog::{Kept, Kind};
use auric_collection::domain::{BatchKeys, Book, Esprit, Journal, Part, Portrait, StateTag};
use auric_collection::store::{CollectionStore, CollectionTx, PartsQuery, Stamp};
use auric_db::{Contention, StoreError};
use auric_events::Outbox;
use auric_ids::{EspritId, OperationId, PlayerId};

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
    store: Arc<dyn CollectionStore>,
    plan: Mutex<VecDeque<Fault>>,
    /// Whether the next read of many tags never ends.
    is_silent: AtomicBool,
}

impl FaultyStore {
    pub fn new(store: Arc<dyn CollectionStore>, faults: impl IntoIterator<Item = Fault>) -> Self {
        Self { store, plan: Mutex::new(faults.into_iter().collect()), is_silent: AtomicBool::new(false) }
    }

    /// A store of whose reads of many tags the first one never ends.
    pub fn silent_once(store: Arc<dyn CollectionStore>) -> Self {
        Self { is_silent: AtomicBool::new(true), ..Self::new(store, []) }
    }
}

struct FaultyTx {
    transaction: Box<dyn CollectionTx>,
    fault: Option<Fault>,
}

fn broken() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::other("injected"))
}

#[async_trait]
impl CollectionTx for FaultyTx {
    async fn commit(self: Box<Self>, mut journal: Journal, tag: StateTag) -> Result<(), StoreError> {
        match self.fault {
            None => self.transaction.commit(journal, tag).await,
            Some(Fault::AfterCommit) => {
                self.transaction.commit(journal, tag).await?;
                Err(StoreError::Lost(broken()))
            }
            Some(Fault::BetweenStatements) => {
                // A version that is not there: parts and esprits are written by then, the players are refused.
                for (_, player) in &mut journal.players {
                    player.loaded_version += 7;
                }
                if journal.players.is_empty() {
                    return Err(StoreError::Contended(Contention::Version, broken()));
                }
                let error = self.transaction.commit(journal, tag).await.unwrap_err();
                assert!(matches!(error, StoreError::Contended(..)), "{error:?}");
                Err(error)
            }
            Some(Fault::Contended) => Err(StoreError::Contended(Contention::Serialization, broken())),
            Some(_) => Err(StoreError::Lost(broken())),
        }
    }
}

#[async_trait]
impl CollectionStore for FaultyStore {
    async fn open(&self, keys: BatchKeys) -> Result<(Book, Box<dyn CollectionTx>), StoreError> {
        let fault = self.plan.lock().unwrap().pop_front();
        match fault {
            Some(Fault::NoConnection) => return Err(StoreError::Unavailable(broken())),
            Some(Fault::AtOpen) => return Err(StoreError::Contended(Contention::LockTimeout, broken())),
            _ => {}
        }
        let (book, transaction) = self.store.open(keys).await?;
        if fault == Some(Fault::AfterOpen) {
            return Err(StoreError::Lost(broken()));
        }
        Ok((book, Box::new(FaultyTx { transaction, fault })))
    }

    async fn stamp(&self, player: &PlayerId) -> Result<Option<Stamp>, StoreError> {
        self.store.stamp(player).await
    }

    async fn stamps(&self, players: &[PlayerId]) -> Result<Vec<(PlayerId, Stamp)>, StoreError> {
        if self.is_silent.swap(false, Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.store.stamps(players).await
    }

    async fn portrait(&self, player: &PlayerId) -> Result<Portrait, StoreError> {
        self.store.portrait(player).await
    }

    async fn esprit(&self, player: &PlayerId, id: &EspritId) -> Result<Option<Esprit>, StoreError> {
        self.store.esprit(player, id).await
    }

    fn outbox(&self) -> Outbox {
        self.store.outbox()
    }

    async fn part(&self, operation: &OperationId) -> Result<Option<Part>, StoreError> {
        self.store.part(operation).await
    }

    async fn parts(&self, query: &PartsQuery) -> Result<Vec<Part>, StoreError> {
        self.store.parts(query).await
    }

    async fn keep_catalog(&self, kept: &Kept) -> Result<(), StoreError> {
        self.store.keep_catalog(kept).await
    }

    async fn newest_catalog(&self, kind: Kind) -> Result<Option<String>, StoreError> {
        self.store.newest_catalog(kind).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
