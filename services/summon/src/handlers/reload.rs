//! Changes of the catalog while the service runs: one swap, the whole new set or the whole old one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auric_catalog::CatalogError;
use auric_db::StoreError;
use auric_reload::Watch;
use thiserror::Error;

use super::Handlers;
use crate::catalog;
use crate::domain::Banners;
use crate::store::SummonStore;

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
/// [`ReloadError::Catalog`] when it does not follow the newest catalog there.
pub async fn keep(store: &dyn SummonStore, loaded: &catalog::Loaded) -> Result<(), ReloadError> {
    if let Some(newest) = store.newest_catalog().await? {
        // One that this version cannot read any more is no reason to refuse the next.
        if let Ok(before) = catalog::parse(&newest) {
            catalog::follows(&before, &loaded.banners)?;
        }
    }
    store.keep_catalog(loaded.banners.hash, &loaded.content).await?;
    Ok(())
}

impl Handlers {
    /// Reads the catalog in `folder` anew and puts it into force at once; summons that have begun end under the old one.
    ///
    /// # Errors
    ///
    /// [`ReloadError`], and nothing has changed.
    pub async fn reload(&self, folder: &Path) -> Result<Arc<Banners>, ReloadError> {
        let loaded = catalog::load(folder)?;
        let current = self.banners();
        if loaded.banners.hash == current.hash {
            return Ok(current);
        }
        catalog::follows(&current, &loaded.banners)?;
        keep(self.store.as_ref(), &loaded).await?;
        Ok(self.catalogs.put(loaded.banners))
    }

    /// Reloads the catalog whenever a file of `folder` changes or the process gets SIGHUP, until the service closes.
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
                    Ok(banners) => {
                        tracing::info!(catalog_hash = %banners.hash, "the banners in force are {}", banners.hash);
                    }
                    Err(error) => tracing::error!(%error, "the banners were refused, the old ones stay: {error}"),
                }
            }
        });
        Ok(())
    }
}
