//! The desired set of the catalog, and its changes while the scheduler runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auric_ids::IdError;
use auric_reload::Watch;

use super::{DesiredSet, Handlers};
use crate::StartError;
use crate::catalog::{self, NIGHTSTORM_GROUP, Zones};

/// Who is told of nightstorms, and what that does: the scheduler itself keeps them.
const TARGET: &str = "scheduler";
const HANDLER: &str = "record";

impl Handlers {
    /// Makes the nightstorms of the zones in `folder`, and `declared`, the desired sets; those of the zones follow the file, and SIGHUP, until the
    /// scheduler closes.
    ///
    /// # Errors
    ///
    /// [`StartError`] when the catalog is invalid, or cannot be watched.
    pub fn follow_catalog(self: &Arc<Self>, folder: PathBuf, declared: Vec<DesiredSet>) -> Result<(), StartError> {
        let mut watch = Watch::folders([folder.as_path()])?;
        let mut hash = catalog::load(&folder).map(|zones| self.desire_zones(&zones, &declared))?;
        let (handlers, closing) = (Arc::downgrade(self), self.closing.clone());
        self.tasks.spawn(async move {
            while closing.run_until_cancelled(watch.changed()).await.is_some() {
                let Some(handlers) = handlers.upgrade() else { return };
                if let Some(newer) = handlers.reload(&folder, &hash, &declared) {
                    hash = newer;
                }
            }
        });
        Ok(())
    }

    /// Reads the zones anew; gives the new hash where they are others.
    fn reload(&self, folder: &Path, hash: &str, declared: &[DesiredSet]) -> Option<String> {
        match catalog::load(folder) {
            Ok(zones) if zones.hash == hash => None,
            Ok(zones) => {
                let hash = self.desire_zones(&zones, declared);
                tracing::info!(catalog_hash = hash, zones = zones.zones.len(), "the catalog in force is {hash}");
                Some(hash)
            }
            Err(error) => {
                tracing::error!(%error, "the catalog was refused, the old one stays: {error}");
                None
            }
        }
    }

    fn desire_zones(&self, zones: &Zones, declared: &[DesiredSet]) -> String {
        let mut sets = declared.to_vec();
        match nightstorms(zones) {
            Ok(set) => sets.extend(set.filter(|set| !set.jobs.is_empty())),
            Err(error) => tracing::error!(%error, "the nightstorms have no names: {error}"),
        }
        self.desire(sets);
        zones.hash.clone()
    }
}

fn nightstorms(zones: &Zones) -> Result<Option<DesiredSet>, IdError> {
    let jobs = zones.nightstorms(&TARGET.parse()?, &HANDLER.parse()?);
    Ok(Some(DesiredSet { group: NIGHTSTORM_GROUP.parse()?, jobs }))
}
