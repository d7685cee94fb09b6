//! Reads: they take no lock and no lane.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use auric_catalog::CatalogHash;
use auric_db::StoreError;
use auric_ids::{AssetId, HoldId, PlayerId, RetailTokenId};
use auric_time::Timestamp;
use futures::{Stream, stream};

use super::Handlers;
use crate::catalog;
use crate::domain::{Assets, BalanceView, BatchKeys, Entry, Flow, MutationKey, Record, RetailToken, view};
use crate::store::{EntriesOrder, EntriesQuery, FlowLine, FlowsQuery, GenerationsQuery, HoldsQuery, KeptHold};

/// A page of a longer list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Whether there is more behind it.
    pub more: bool,
}

/// What players have, and where their audits stand, at one moment.
#[derive(Clone, Debug)]
pub struct Balances {
    /// Every pool of every asset of every player, in the order given and then of the catalog.
    pub views: Vec<BalanceView>,
    /// The number of each player's newest entry; 0 for a player who has none.
    pub versions: Vec<(PlayerId, u64)>,
    /// The moment.
    pub read_at: Timestamp,
}

/// All that ever came into the game and went out of it.
#[derive(Clone, Debug)]
pub struct Supply {
    /// Of what.
    pub asset: AssetId,
    /// How much.
    pub flow: Flow,
}

/// Entries of one response of a watch.
const WATCH_PAGE: u32 = 200;

/// How long a watch that has seen everything waits before it looks again: other copies do not tell.
const WATCH_EVERY: Duration = Duration::from_millis(200);

impl Handlers {
    /// Reads what `players` have of `assets`, or of every asset when none is named.
    pub async fn balances(
        &self,
        assets_in_force: &Arc<Assets>,
        players: &[PlayerId],
        assets: &[AssetId],
    ) -> Result<Balances, StoreError> {
        let all: Vec<AssetId>;
        let assets = if assets.is_empty() {
            all = assets_in_force.iter().map(|(id, _)| id.clone()).collect();
            &all
        } else {
            assets
        };
        let mut keys = BatchKeys::new(assets_in_force);
        for player in players {
            for asset in assets {
                keys.add_view(player, asset);
            }
        }
        let mut book = self.store.view(&keys).await?;
        let versions = players.iter().map(|player| (player.clone(), book.player(player).head.number)).collect();
        let read_at = book.time_for(players.iter());
        let views = view(&mut book, &self.rules(), players, assets);
        Ok(Balances { views, versions, read_at })
    }

    /// Reads a page of a player's entries.
    pub async fn entries(&self, query: EntriesQuery) -> Result<Page<Entry>, StoreError> {
        // One more than wanted tells whether there is more.
        let beyond = EntriesQuery { limit: query.limit.saturating_add(1), ..query };
        Ok(page(self.store.entries(&beyond).await?, query.limit))
    }

    /// Reads a player's entries with a number above `after`, oldest first, and goes on as they come.
    ///
    /// The numbers have no gap, so that nothing is skipped and nothing repeated, whichever copy wrote it.
    pub fn watch_entries(
        self: Arc<Self>,
        player: PlayerId,
        after: u64,
    ) -> impl Stream<Item = Result<Vec<Entry>, StoreError>> {
        stream::try_unfold((self, player, after), |(handlers, player, after)| async move {
            let query = EntriesQuery {
                player: player.clone(),
                asset: None,
                order: EntriesOrder::After(after),
                limit: WATCH_PAGE,
            };
            loop {
                let entries = handlers.store.entries(&query).await?;
                if let Some(last) = entries.last().map(|entry| entry.movement.number) {
                    return Ok(Some((entries, (handlers, player, last))));
                }
                if handlers.is_closing() {
                    return Ok(None);
                }
                tokio::time::sleep(WATCH_EVERY).await;
            }
        })
    }

    /// Reads the answer that a key got.
    pub async fn mutation(&self, key: &MutationKey) -> Result<Option<Record>, StoreError> {
        self.store.mutation(key).await
    }

    /// Reads a hold, and the time that says whether it has lapsed.
    pub async fn hold(&self, id: &HoldId) -> Result<Option<(KeptHold, Timestamp)>, StoreError> {
        let Some(kept) = self.store.hold(id).await? else { return Ok(None) };
        Ok(Some((kept, self.store.now().await?)))
    }

    /// Reads a page of open holds, and the time that says which have lapsed.
    pub async fn holds(&self, query: HoldsQuery) -> Result<(Page<KeptHold>, Timestamp), StoreError> {
        let limit = query.limit;
        let query = HoldsQuery { limit: limit.saturating_add(1), ..query };
        Ok((page(self.store.holds(&query).await?, limit), self.store.now().await?))
    }

    /// Reads a retail token.
    pub async fn retail_token(&self, id: &RetailTokenId) -> Result<Option<RetailToken>, StoreError> {
        self.store.retail_token(id).await
    }

    /// Reads a page of used retail tokens.
    pub async fn generations(&self, query: GenerationsQuery) -> Result<Page<RetailToken>, StoreError> {
        let beyond = GenerationsQuery { limit: query.limit.saturating_add(1), ..query };
        Ok(page(self.store.generations(&beyond).await?, query.limit))
    }

    /// Reads the counters of what came and went.
    pub async fn flows(&self, query: &FlowsQuery) -> Result<Vec<FlowLine>, StoreError> {
        self.store.flows(query).await
    }

    /// Reads how many units of `assets`, or of every asset, the players have.
    pub async fn supply(&self, assets_in_force: &Assets, assets: &[AssetId]) -> Result<Vec<Supply>, StoreError> {
        let query = FlowsQuery { asset: None, from_day: i32::MIN, to_day: i32::MAX };
        let mut sums: BTreeMap<AssetId, Flow> =
            assets_in_force.iter().map(|(id, _)| (id.clone(), Flow::default())).collect();
        for line in self.store.flows(&query).await? {
            let sum = sums.entry(line.asset).or_default();
            sum.issued_units = sum.issued_units.saturating_add(line.flow.issued_units);
            sum.burned_units = sum.burned_units.saturating_add(line.flow.burned_units);
        }
        let wanted: HashSet<&AssetId> = assets.iter().collect();
        let sums = sums.into_iter().filter(|(asset, _)| wanted.is_empty() || wanted.contains(asset));
        Ok(sums.map(|(asset, flow)| Supply { asset, flow }).collect())
    }

    /// Reads a catalog that was in force.
    pub async fn catalog(&self, hash: CatalogHash) -> Result<Option<Assets>, StoreError> {
        let Some(content) = self.store.catalog(hash).await? else { return Ok(None) };
        let assets = catalog::parse(&content).map_err(|fault| StoreError::Corrupt(fault.to_string()))?;
        Ok(Some(assets))
    }
}

fn page<T>(mut items: Vec<T>, limit: u32) -> Page<T> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > wanted;
    items.truncate(wanted);
    Page { items, more }
}
