//! Every catalog that this copy has seen, by hash: a summon is drawn from the one that it was begun under.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use auric_catalog::CatalogHash;
use auric_db::StoreError;

use crate::catalog;
use crate::domain::{Banners, Catalogs, Work};
use crate::store::SummonStore;

type Known = BTreeMap<CatalogHash, Arc<Banners>>;

/// The catalogs of one copy: read together, replaced together.
#[derive(Debug)]
pub struct Shelf {
    volumes: ArcSwap<Volumes>,
}

/// The catalogs at one moment.
#[derive(Clone, Debug)]
pub struct Volumes {
    current: Arc<Banners>,
    known: Known,
}

impl Shelf {
    /// Begins with the catalog in force.
    pub fn new(banners: Banners) -> Self {
        let current = Arc::new(banners);
        let known = BTreeMap::from([(current.hash, Arc::clone(&current))]);
        Self { volumes: ArcSwap::from_pointee(Volumes { current, known }) }
    }

    /// The catalog in force.
    pub fn current(&self) -> Arc<Banners> {
        Arc::clone(&self.volumes.load().current)
    }

    /// Puts a catalog into force; those before it stay known.
    pub fn put(&self, banners: Banners) -> Arc<Banners> {
        let current = Arc::new(banners);
        self.volumes.rcu(|volumes| {
            let mut known = volumes.known.clone();
            known.insert(current.hash, Arc::clone(&current));
            Volumes { current: Arc::clone(&current), known }
        });
        current
    }

    /// The catalogs for one batch: what its summons were begun under is fetched where this copy has not seen it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database does not answer. What it does not have stays unknown.
    pub async fn for_batch(&self, store: &dyn SummonStore, batch: &[Work]) -> Result<Arc<Volumes>, StoreError> {
        let planned = batch.iter().filter_map(|work| match work {
            Work::Decide(decide) => decide.plan.as_ref().map(|plan| plan.catalog),
            _ => None,
        });
        for hash in planned {
            if !self.volumes.load().known.contains_key(&hash) {
                self.fetch(store, hash).await?;
            }
        }
        Ok(self.volumes.load_full())
    }

    /// The catalog of that hash, if this copy has seen it.
    pub fn known(&self, hash: CatalogHash) -> Option<Arc<Banners>> {
        self.volumes.load().known.get(&hash).cloned()
    }

    /// Takes a catalog up that another copy had in force; one that nobody had stays unknown.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database does not answer.
    pub async fn fetch(&self, store: &dyn SummonStore, hash: CatalogHash) -> Result<(), StoreError> {
        let Some(content) = store.catalog(hash).await? else { return Ok(()) };
        match catalog::parse(&content) {
            Ok(banners) => {
                let banners = Arc::new(banners);
                self.volumes.rcu(|volumes| {
                    let mut volumes = Volumes::clone(volumes);
                    volumes.known.insert(hash, Arc::clone(&banners));
                    volumes
                });
            }
            Err(error) => {
                tracing::error!(%error, catalog_hash = %hash, "a catalog that was kept cannot be read: {error}");
            }
        }
        Ok(())
    }
}

impl Catalogs for Volumes {
    fn current(&self) -> &Banners {
        &self.current
    }

    fn of(&self, hash: CatalogHash) -> Option<&Banners> {
        self.known.get(&hash).map(Arc::as_ref)
    }
}
