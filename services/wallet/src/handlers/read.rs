//! Reads: they take no lock and no lane.

use auric_db::StoreError;
use auric_ids::{AssetId, PlayerId};

use super::Handlers;
use crate::domain::{Assets, Balance, BalanceKey, Entry, MutationKey, Record};
use crate::store::EntriesQuery;

/// A page of a longer list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Whether there is more behind it.
    pub more: bool,
}

impl Handlers {
    /// Reads what `players` have of `assets`, or of every asset when none is named.
    ///
    /// # Shape
    ///
    /// Every pool of every asset of every player, in the order given and then of the catalog; zero where nothing was ever written.
    pub async fn balances(
        &self,
        assets_in_force: &Assets,
        players: &[PlayerId],
        assets: &[AssetId],
    ) -> Result<Vec<(BalanceKey, Balance)>, StoreError> {
        let all: Vec<AssetId>;
        let assets = if assets.is_empty() {
            all = assets_in_force.iter().map(|(id, _)| id.clone()).collect();
            &all
        } else {
            assets
        };
        let stored: std::collections::HashMap<_, _> = self.store.balances(players, assets).await?.into_iter().collect();
        let mut answer = Vec::new();
        for player in players {
            for asset in assets {
                let pools = assets_in_force.get(asset).map(crate::domain::Asset::pools).unwrap_or_default();
                for pool in pools {
                    let key = BalanceKey { player: player.clone(), asset: asset.clone(), pool };
                    let balance = stored.get(&key).copied().unwrap_or_default();
                    answer.push((key, balance));
                }
            }
        }
        Ok(answer)
    }

    /// Reads a page of a player's entries, newest first.
    pub async fn entries(&self, query: EntriesQuery) -> Result<Page<Entry>, StoreError> {
        let wanted = usize::try_from(query.limit).unwrap_or(usize::MAX);
        // One more than wanted tells whether there is more.
        let query = EntriesQuery { limit: query.limit.saturating_add(1), ..query };
        let mut items = self.store.entries(&query).await?;
        let more = items.len() > wanted;
        items.truncate(wanted);
        Ok(Page { items, more })
    }

    /// Reads the answer that a key got.
    pub async fn mutation(&self, key: &MutationKey) -> Result<Option<Record>, StoreError> {
        self.store.mutation(key).await
    }
}
