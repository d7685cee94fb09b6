//! Changes of the products while the gateway runs: one swap, the whole new set or the whole old one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auric_catalog::CatalogError;
use auric_reload::Watch;

use super::Handlers;
use crate::catalog;

impl Handlers {
    /// Reads the products in `folder` anew and puts them into force at once. What was resolved before stays as it was resolved.
    ///
    /// # Errors
    ///
    /// [`CatalogError`], and nothing has changed.
    pub fn reload(&self, folder: &Path) -> Result<(), CatalogError> {
        let products = catalog::load(folder)?;
        if products.hash != self.products().hash {
            tracing::info!(
                products_hash = products.hash,
                products = products.len(),
                "the products in force are {}",
                products.hash
            );
            self.products.store(Arc::new(products));
        }
        Ok(())
    }

    /// Reloads the products whenever a file of `folder` changes or the process gets SIGHUP, until the gateway closes.
    ///
    /// # Errors
    ///
    /// [`auric_reload::Error`] when the folder cannot be watched.
    pub fn watch_products(self: &Arc<Self>, folder: PathBuf) -> Result<(), auric_reload::Error> {
        let mut watch = Watch::folders([folder.as_path()])?;
        let handlers = Arc::downgrade(self);
        let closing = self.closing.clone();
        self.tasks.spawn(async move {
            while closing.run_until_cancelled(watch.changed()).await.is_some() {
                let Some(handlers) = handlers.upgrade() else { return };
                if let Err(error) = handlers.reload(&folder) {
                    tracing::error!(%error, "the products were refused, the old ones stay: {error}");
                }
            }
        });
        Ok(())
    }
}
