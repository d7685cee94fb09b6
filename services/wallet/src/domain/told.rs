//! What a batch tells others: what happened, by its name in the ledger. What it was is read there: rows of the ledger stay as they are.

use auric_events::Noted;
use auric_ids::{EventId, HoldId, PlayerId, ProviderId};
use serde::{Deserialize, Serialize};

use super::{EventKey, Hold, HoldState};

/// What happened to a player, who is named beside it with the number of the newest entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    /// The entry of that number was added.
    #[serde(rename = "entry")]
    Entry,
    /// A hold was made.
    #[serde(rename = "opened")]
    HoldOpened(HoldId),
    /// A hold was ended.
    #[serde(rename = "ended")]
    HoldEnded(HoldId),
    /// What a provider told was acted on.
    #[serde(rename = "payment")]
    Payment(ProviderId, EventId),
}

impl Told {
    /// What there is to tell of a hold that stood as `before`, if it was there, and stands as `after`: nothing of a tombstone.
    ///
    /// It is told of the first player of the hold, whose newest entry has the number that `number` gives.
    pub(super) fn of_hold(
        before: Option<&Hold>,
        after: &Hold,
        number: impl Fn(&PlayerId) -> u64,
    ) -> Option<Noted<Self>> {
        let told = match (before, &after.state) {
            (None, HoldState::Held) => Self::HoldOpened(after.id.clone()),
            (Some(before), state) if before.is_open() && !matches!(state, HoldState::Held) => {
                Self::HoldEnded(after.id.clone())
            }
            _ => return None,
        };
        let player = after.balances().map(|key| &key.player).min()?;
        Some(Noted(player.clone(), number(player), told))
    }

    /// What there is to tell of what a provider told.
    pub(super) fn of_payment(key: &EventKey, player: &PlayerId, number: u64) -> Noted<Self> {
        Noted(player.clone(), number, Self::Payment(key.provider.clone(), key.event.clone()))
    }
}
