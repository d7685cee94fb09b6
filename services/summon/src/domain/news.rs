//! What a batch tells others: summons that drew, by their pulls in the log. What was drawn is read there: rows of the log stay as they are.

use std::collections::BTreeMap;

use auric_events::Noted;
use auric_ids::{PityGroupId, PlayerId};
use serde::{Deserialize, Serialize};

use super::{LoggedPull, Player};

/// What happened to a player, who is named beside it with the version of the player's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    /// A summon drew the pulls with these numbers in the player's log of a group.
    #[serde(rename = "pulls")]
    Pulls {
        /// The group.
        group: PityGroupId,
        /// The number of its first pull.
        first: u64,
        /// The number of its last pull.
        last: u64,
    },
}

impl News {
    /// What there is to tell of `pulls`, a summon each: a player's in the order in which they were decided.
    pub(super) fn of(pulls: &[LoggedPull], players: &[(PlayerId, Player)]) -> Vec<Noted<Self>> {
        let versions: BTreeMap<&PlayerId, u64> = players.iter().map(|(id, player)| (id, player.version)).collect();
        // A summon has a nonce of its own; a pair of seeds is followed by the next, and in each the nonce goes up.
        let mut summons: BTreeMap<(&PlayerId, u64, u64), (&PityGroupId, u64, u64)> = BTreeMap::new();
        for row in pulls {
            let number = row.pull.number;
            let key = (&row.player, row.epoch, row.nonce);
            let (_, first, last) = summons.entry(key).or_insert((&row.group, number, number));
            (*first, *last) = ((*first).min(number), (*last).max(number));
        }
        let told = summons.into_iter().map(|((player, ..), (group, first, last))| {
            let version = versions.get(player).copied().unwrap_or_default();
            Noted(player.clone(), version, Self::Pulls { group: group.clone(), first, last })
        });
        told.collect()
    }
}
