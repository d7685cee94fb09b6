//! What firings are to do, kept in memory: a definition never changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use auric_db::StoreError;

use crate::domain::JobSpec;
use crate::store::{Revision, SchedulerStore, bounded};

/// Definitions that are kept; then all are forgotten, and read again as they are needed.
const KEPT_MAX: usize = 20_000;

/// Definitions that were read.
#[derive(Debug, Default)]
pub struct Definitions(Mutex<HashMap<Revision, Arc<JobSpec>>>);

impl Definitions {
    /// Finds what each of `wanted` says; what cannot be read is left out.
    pub async fn read(
        &self,
        store: &dyn SchedulerStore,
        wanted: &[Revision],
    ) -> Result<BTreeMap<Revision, Arc<JobSpec>>, StoreError> {
        let wanted: BTreeSet<&Revision> = wanted.iter().collect();
        let mut found = BTreeMap::new();
        let mut missing = Vec::new();
        {
            let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for revision in wanted {
                match kept.get(revision) {
                    Some(spec) => drop(found.insert(revision.clone(), Arc::clone(spec))),
                    None => missing.push(revision.clone()),
                }
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        let read = bounded(store.definitions(&missing)).await?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len().saturating_add(read.len()) > KEPT_MAX {
            kept.clear();
        }
        for definition in read {
            let revision = (definition.job, definition.incarnation, definition.revision);
            kept.insert(revision.clone(), Arc::clone(&definition.spec));
            found.insert(revision, definition.spec);
        }
        Ok(found)
    }
}
