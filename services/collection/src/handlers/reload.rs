//! Changes of the catalog while the collection runs: one swap, the whole new set or the whole old one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auric_catalog::CatalogError;
use auric_db::StoreError;
use auric_reload::Watch;
use thiserror::Error;

use super::Handlers;
use crate::catalog::{self, Kind, Loaded};
use crate::domain::{Catalog, Rules};
use crate::store::CollectionStore;

/// Why a catalog was not put into force. The old one stays.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// A fault in `game/`.
    #[error("{0}")]
    Catalog(#[from] CatalogError),
    /// It could not be kept under its hash.
    #[error("the catalog cannot be kept in the database")]
    Store(#[from] StoreError),
}

/// Keeps what was loaded in the database, unless it takes away what players have there.
///
/// # Errors
///
/// [`ReloadError::Catalog`] when a species or a rarity of the newest catalog there is gone.
pub async fn keep(store: &dyn CollectionStore, loaded: &Loaded) -> Result<(), ReloadError> {
    if let Some(newest) = store.newest_catalog(Kind::Esprits).await? {
        catalog::follows(&newest, &loaded.catalog)?;
    }
    for kept in &loaded.kept {
        store.keep_catalog(kept).await?;
    }
    Ok(())
}

impl Handlers {
    /// Reads the catalog in `folder` anew and puts it into force at once; batches that have begun end under the old one.
    ///
    /// # Errors
    ///
    /// [`ReloadError`], and nothing has changed.
    pub async fn reload(&self, folder: &Path) -> Result<Arc<Catalog>, ReloadError> {
        let loaded = catalog::load(folder)?;
        let rules = self.rules();
        if loaded.catalog.hash == rules.catalog.hash {
            return Ok(Arc::clone(&rules.catalog));
        }
        keep(self.store.as_ref(), &loaded).await?;
        let catalog = Arc::new(loaded.catalog);
        self.rules.store(Arc::new(Rules { catalog: Arc::clone(&catalog) }));
        Ok(catalog)
    }

    /// Reloads the catalog whenever a file of `folder` changes or the process gets SIGHUP, until the collection closes.
    ///
    /// # Errors
    ///
    /// [`auric_reload::Error`] when the folder cannot be watched.
    pub fn watch_catalog(self: &Arc<Self>, folder: PathBuf) -> Result<(), auric_reload::Error> {
        let mut watch = Watch::folders([folder.as_path()])?;
        let handlers = Arc::downgrade(self);
        let closing = self.closing.clone();
        self.tasks.spawn(async move {
            while closing.run_until_cancelled(watch.changed()).await.is_some() {
                let Some(handlers) = handlers.upgrade() else { return };
                match handlers.reload(&folder).await {
                    Ok(catalog) => {
                        tracing::info!(catalog_hash = %catalog.hash, "the catalog in force is {}", catalog.hash);
                    }
                    Err(error) => tracing::error!(%error, "the catalog was refused, the old one stays: {error}"),
                }
            }
        });
        Ok(())
    }
}
