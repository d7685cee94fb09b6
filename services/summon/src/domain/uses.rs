//! What is counted per period: free summons, and the pulls of banners with a limit.

use auric_ids::PlayerId;
use auric_time::Timestamp;

use super::book::{Book, UseKey};
use super::operation::Refusal;
use super::{Banner, CostOption, Payment, Period};

/// What the player's own periods say: when it is begun, and again when it is decided.
pub(super) fn used_up(
    book: &Book,
    banner: &Banner,
    cost: &CostOption,
    player: &PlayerId,
    count: u32,
    now: Timestamp,
) -> Option<Refusal> {
    if let Payment::Free { period } = &cost.payment
        && book.used(&free_use(player, banner, cost), period.id_at(now).as_str()) > 0
    {
        let again_at = period.ends_at(now);
        return Some(Refusal::FreeUsed { banner: banner.id.clone(), cost: cost.id.clone(), again_at });
    }
    let limit = banner.limit.as_ref()?;
    let used = book.used(&limit_use(player, banner), limit.period.id_at(now).as_str());
    let left = limit.pulls.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX));
    (count > left).then(|| Refusal::LimitReached {
        banner: banner.id.clone(),
        limit: limit.pulls,
        left,
        count,
        again_at: limit.period.ends_at(now),
    })
}

/// What counts the free summons of a cost option.
#[must_use]
pub fn free_use(player: &PlayerId, banner: &Banner, cost: &CostOption) -> UseKey {
    UseKey { player: player.clone(), banner: banner.id.clone(), what: cost.id.to_string() }
}

/// What counts the pulls of a banner with a limit.
#[must_use]
pub fn limit_use(player: &PlayerId, banner: &Banner) -> UseKey {
    UseKey { player: player.clone(), banner: banner.id.clone(), what: String::new() }
}

/// Counts what was drawn in the player's periods.
pub(super) fn note_uses(
    book: &mut Book,
    banner: &Banner,
    cost: &CostOption,
    player: &PlayerId,
    count: u32,
    now: Timestamp,
) {
    let mut note = |key: UseKey, period: &Period, count: u32| {
        book.use_up(key, period.id_at(now).as_str(), u64::from(count));
    };
    if let Payment::Free { period } = &cost.payment {
        note(free_use(player, banner, cost), period, 1);
    }
    if let Some(limit) = &banner.limit {
        note(limit_use(player, banner), &limit.period, count);
    }
}
