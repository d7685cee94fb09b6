//! All odds of one banner together: of the next pull, in the long run, and how long one waits.

use auric_ids::RarityId;

use super::banner::{Banner, CostOption};
use super::loot::Loot;
use super::odds::{Consolidated, Next, OddsFault, Until, Wish, consolidated, next, until};
use super::pity::Pity;

/// The odds of a banner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The next pull.
    pub next: Next,
    /// In the long run.
    pub long_run: Result<Consolidated, OddsFault>,
    /// From the highest tier to the lowest.
    pub waits: Vec<Wait>,
}

/// How long one waits for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// For which tier.
    pub tier: RarityId,
    /// For a featured item of it.
    pub featured: bool,
    /// Of a player who never pulled; nothing where a box can be renewed without it.
    pub from_start: Result<Option<Until>, OddsFault>,
    /// From the present counters; nothing of nobody.
    pub from_now: Result<Option<Until>, OddsFault>,
}

impl Report {
    /// Tells the odds of a player with `pity`, or of one who never pulled, who pays by `cost` and summons `count` at once in the long run.
    #[must_use]
    pub fn of(banner: &Banner, cost: &CostOption, count: u32, pity: Option<&Pity>) -> Self {
        let how = cost.how();
        let fresh = Pity::default();
        let target = pity.and_then(|pity| pity.paths.get(&banner.id)).map(|path| &path.target);
        let wait = |(tier, featured): (RarityId, bool)| {
            let wish = if featured { Wish::Featured(tier.clone()) } else { Wish::Tier(tier.clone()) };
            let from_now = pity.map_or(Ok(None), |pity| until(banner, how, pity, &wish));
            Wait { tier, featured, from_start: until(banner, how, &fresh, &wish), from_now }
        };
        Self {
            next: next(banner, how, pity.unwrap_or(&fresh)),
            long_run: consolidated(banner, how, count, target),
            waits: wishes(banner).into_iter().map(wait).collect(),
        }
    }
}

/// What one can wait for: every tier, and what is featured of it.
fn wishes(banner: &Banner) -> Vec<(RarityId, bool)> {
    match &banner.loot {
        Loot::Tiers(tiers) => {
            let of_slot = tiers.slots.iter().flat_map(|slot| {
                let scheme = slot.choice.scheme();
                let has_featured = (0..slot.items.len()).any(|place| scheme.is_featured(place) == Some(true));
                [Some((slot.tier.clone(), false)), has_featured.then(|| (slot.tier.clone(), true))]
            });
            of_slot.flatten().collect()
        }
        Loot::Box(loot) => loot.tiers().into_iter().map(|tier| (tier.clone(), false)).collect(),
    }
}
