//! What a player sees: computed by what the engine runs, and never written.

use auric_ids::{AssetId, PlayerId};
use auric_time::Timestamp;

use super::{AssetKind, Balance, BalanceKey, Book, Rules, decide::expire_due};

/// One balance as it is now, whatever was written last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceView {
    /// Which balance.
    pub key: BalanceKey,
    /// What is there, with what the clock gave back and what expired holds gave back.
    pub balance: Balance,
    /// The bound in force.
    pub maximum: Option<u64>,
    /// When a recharging balance will be at its capacity.
    pub full_at: Option<Timestamp>,
}

/// Shows every pool of every one of `assets` of every one of `players`, in the order given.
///
/// What the clock did is applied to `book`, which is thrown away: a read writes nothing.
pub fn view(book: &mut Book, rules: &Rules, players: &[PlayerId], assets: &[AssetId]) -> Vec<BalanceView> {
    let mut views = Vec::new();
    for player in players {
        let time = book.time_for(std::iter::once(player));
        expire_due(book, rules, player, time);
        let mut draft = book.draft(rules, time);
        for id in assets {
            let Some(asset) = rules.assets.get(id) else { continue };
            draft.settle(player, id);
            let maximum = match asset.kind {
                AssetKind::Recharging(_) => Some(draft.limit(player, asset)),
                _ => asset.maximum,
            };
            for pool in asset.pools() {
                let key = BalanceKey { player: player.clone(), asset: id.clone(), pool };
                let row = draft.row(&key);
                let full_at = row.settled.and_then(|settled| settled.full_at(row.balance));
                views.push(BalanceView { key, balance: row.balance, maximum, full_at });
            }
        }
    }
    views
}
