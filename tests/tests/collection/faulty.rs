//! The store of the collection, whose writes break.

use std::sync::Arc;

use async_trait::async_trait;
use auric_collection::catalog::{Kept, Kind};
use auric_collection::domain::{BatchKeys, Book, Esprit, Journal, Part, Portrait, StateTag};
use auric_collection::store::{CollectionStore, CollectionTx, PartsQuery, Stamp};
use auric_db::StoreError;
use auric_events::Outbox;
use auric_ids::{EspritId, OperationId, PlayerId};
use auric_twophase::Step;

use crate::operations::faults::{Faults, How, broken};

/// A store whose writes break.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn CollectionStore>,
    faults: Arc<Faults>,
}

struct FaultyTx {
    inner: Box<dyn CollectionTx>,
    is_lost: bool,
}

impl FaultyStore {
    pub fn new(inner: Arc<dyn CollectionStore>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }

    /// The fault of a batch: of the first player in it whom one waits for.
    fn of_batch(&self, keys: &BatchKeys) -> Option<How> {
        keys.players.iter().find_map(|player| {
            let decides = keys.log.operations.iter().any(|(other, _)| other == player);
            let begins = keys.log.keys.iter().any(|key| key.key.as_str() == super::estate::click(player.as_str()));
            let step = if decides { Step::Decide } else { Step::Begin };
            (decides || begins).then(|| self.faults.take(player, step, None)).flatten()
        })
    }
}

#[async_trait]
impl CollectionStore for FaultyStore {
    async fn open(&self, keys: BatchKeys) -> Result<(Book, Box<dyn CollectionTx>), StoreError> {
        let how = self.of_batch(&keys);
        if how == Some(How::WriteFails) {
            return Err(StoreError::Unavailable(broken()));
        }
        let (book, inner) = self.inner.open(keys).await?;
        Ok((book, Box::new(FaultyTx { inner, is_lost: how == Some(How::WriteUnknown) })))
    }

    async fn stamp(&self, player: &PlayerId) -> Result<Option<Stamp>, StoreError> {
        self.inner.stamp(player).await
    }

    async fn portrait(&self, player: &PlayerId) -> Result<Portrait, StoreError> {
        self.inner.portrait(player).await
    }

    async fn esprit(&self, player: &PlayerId, id: &EspritId) -> Result<Option<Esprit>, StoreError> {
        self.inner.esprit(player, id).await
    }

    fn outbox(&self) -> Outbox {
        self.inner.outbox()
    }

    async fn part(&self, operation: &OperationId) -> Result<Option<Part>, StoreError> {
        self.inner.part(operation).await
    }

    async fn parts(&self, query: &PartsQuery) -> Result<Vec<Part>, StoreError> {
        self.inner.parts(query).await
    }

    async fn keep_catalog(&self, kept: &Kept) -> Result<(), StoreError> {
        self.inner.keep_catalog(kept).await
    }

    async fn newest_catalog(&self, kind: Kind) -> Result<Option<String>, StoreError> {
        self.inner.newest_catalog(kind).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[async_trait]
impl CollectionTx for FaultyTx {
    async fn commit(self: Box<Self>, journal: Journal, tag: StateTag) -> Result<(), StoreError> {
        self.inner.commit(journal, tag).await?;
        if self.is_lost { Err(StoreError::Lost(broken())) } else { Ok(()) }
    }
}
