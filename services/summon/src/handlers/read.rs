//! Reads: they take no lock and no lane.

use std::sync::Arc;
use std::time::Duration;

use auric_catalog::CatalogHash;
use auric_db::StoreError;
use auric_ids::{CostId, PityGroupId, PlayerId, RarityId};
use auric_time::Timestamp;
use auric_twophase::Operation;
use auric_twophase::store::Listing;
use futures::{Stream, stream};

use super::{Handlers, Which};
use crate::domain::{
    Banner, Banners, How, LoggedPull, Loot, Payment, Play, UseKey, free_use, limit_use, pity::Hazard as _,
};
use crate::store::{PullsWanted, View};

/// How long a watch that has seen everything waits before it looks again: other copies do not tell.
const WATCH_EVERY: Duration = Duration::from_millis(200);

/// Pulls of one page of an export.
const EXPORT_PAGE: u32 = 500;

/// A page of a longer list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Whether there is more behind it.
    pub more: bool,
}

/// What a player's next pull at a banner depends on, computed as the engine does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PityView {
    /// The banners that share it.
    pub group: PityGroupId,
    /// Pulls that took part in it.
    pub pulls: u64,
    /// From the highest rarity to the lowest; empty for a box.
    pub tiers: Vec<TierView>,
    /// Spark points that were not exchanged yet.
    pub spark_points: u64,
    /// The catalog that it was read under.
    pub catalog: CatalogHash,
    /// Cost options that are free now.
    pub free: Vec<CostId>,
    /// Pulls that the limit leaves in this period; nothing without a limit.
    pub limit_left: Option<u32>,
}

/// One rarity of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierView {
    /// Which.
    pub rarity: RarityId,
    /// What its pity has counted.
    pub count: u32,
    /// How full the bar is, in parts per billion.
    pub filled_ppb: u32,
    /// The chance of it in the next pull, in parts per billion.
    pub chance_ppb: u32,
    /// Hits in a row that were not featured.
    pub losses: u16,
}

impl Handlers {
    /// Reads a player's pity at a banner.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn pity(&self, banners: &Banners, banner: &Banner, player: &PlayerId) -> Result<PityView, StoreError> {
        let view = self.store.view(player, &banner.group.id, &banner.id).await?;
        Ok(pity_view(banners.hash, banner, player, &view))
    }

    /// Reads the database's clock.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        self.store.now().await
    }

    /// Reads a page of the pulls that are wanted.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn pulls(&self, wanted: &PullsWanted, limit: u32) -> Result<Page<LoggedPull>, StoreError> {
        Ok(page(self.store.pulls(wanted, limit.saturating_add(1)).await?, limit))
    }

    /// Streams all pulls that are wanted, page by page; nothing in place of a page when the service closes first.
    pub fn export(
        self: Arc<Self>,
        wanted: PullsWanted,
    ) -> impl Stream<Item = Result<Option<Vec<LoggedPull>>, StoreError>> {
        stream::try_unfold((self, Some(wanted)), |(handlers, wanted)| async move {
            let Some(wanted) = wanted else { return Ok(None) };
            if handlers.is_closing() {
                return Ok(Some((None, (handlers, None))));
            }
            let page = handlers.pulls(&wanted, EXPORT_PAGE).await?;
            let last = page.items.last().filter(|_| page.more).map(|row| row.pull.number);
            let next = last.map(|last| PullsWanted { behind: Some(last), ..wanted });
            Ok((!page.items.is_empty()).then_some((Some(page.items), (handlers, next))))
        })
    }

    /// Reads a page of operations.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn list_operations(&self, listing: &Listing, limit: u32) -> Result<Page<Operation>, StoreError> {
        Ok(page(self.operations().list(listing, limit.saturating_add(1)).await?, limit))
    }

    /// Streams an operation each time it stands otherwise; nothing when there is none. Ends when it has ended.
    pub fn watch(self: Arc<Self>, which: Which) -> impl Stream<Item = Result<Option<Operation>, StoreError>> {
        stream::try_unfold((self, which, None::<Operation>), |(handlers, which, seen)| async move {
            if seen.as_ref().is_some_and(|seen| seen.state.is_done()) {
                return Ok(None);
            }
            loop {
                let found = handlers.find(&which).await?;
                let moved = |seen: &Operation, found: &Operation| (seen.state, &seen.id) != (found.state, &found.id);
                match (&seen, found) {
                    (None, None) => return Ok(Some((None, (handlers, which, None)))),
                    (None, Some(found)) => return Ok(Some((Some(found.clone()), (handlers, which, Some(found))))),
                    (Some(before), Some(found)) if moved(before, &found) => {
                        return Ok(Some((Some(found.clone()), (handlers, which, Some(found)))));
                    }
                    _ if handlers.is_closing() => return Ok(None),
                    _ => tokio::time::sleep(WATCH_EVERY).await,
                }
            }
        })
    }
}

fn pity_view(catalog: CatalogHash, banner: &Banner, player: &PlayerId, view: &View) -> PityView {
    let play = Play::new(banner, How::PAID, &view.pity.pity);
    let tiers = match &banner.loot {
        Loot::Tiers(tiers) => {
            let state = play.state();
            let chances = state.shares(&tiers.slots, state.floor(tiers, None));
            let counted = state.counts.iter().zip(state.lucks);
            let slots = tiers.slots.iter().zip(chances).zip(counted);
            slots
                .map(|((slot, chance), (count, luck))| TierView {
                    rarity: slot.tier.clone(),
                    count: *count,
                    filled_ppb: slot.track.as_ref().map_or(0, |track| track.scheme.filled(*count).parts()),
                    chance_ppb: chance.parts(),
                    losses: luck.losses,
                })
                .collect()
        }
        Loot::Box(_) => Vec::new(),
    };
    let used = |key: UseKey, period: &str| {
        let found = view.uses.iter().find(|(used, row)| *used == key && row.period == period);
        found.map_or(0, |(_, row)| row.used)
    };
    let is_free = |cost: &&crate::domain::CostOption| match &cost.payment {
        Payment::Free { period } => used(free_use(player, banner, cost), period.id_at(view.now).as_str()) == 0,
        _ => false,
    };
    let limit_left = banner.limit.as_ref().map(|limit| {
        let used = used(limit_use(player, banner), limit.period.id_at(view.now).as_str());
        limit.pulls.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX))
    });
    PityView {
        group: banner.group.id.clone(),
        pulls: view.pity.pity.pulls,
        tiers,
        spark_points: view.pity.pity.spark_points,
        catalog,
        free: banner.costs.iter().filter(is_free).map(|cost| cost.id.clone()).collect(),
        limit_left,
    }
}

/// Cuts off the one that tells whether there are more.
fn page<T>(mut items: Vec<T>, limit: u32) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    Page { items, more }
}
