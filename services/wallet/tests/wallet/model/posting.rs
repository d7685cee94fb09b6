//! Postings, as the specification says them: bounds are tested net, per balance.

use std::collections::BTreeMap;

use auric_ids::{AssetId, PlayerId};
use auric_wallet::domain::{AssetKind, Assets, AtMaximum, Direction, Leg, Post};

use super::{MOST, Model, Place, Reply, no_pool, place};

impl Model {
    pub(super) fn post(&mut self, post: &Post) -> Result<(), Reply> {
        let catalog = self.catalog();
        for leg in &post.legs {
            if !leg_fits(&catalog, leg) {
                return Err(Reply::Unstored("INVALID"));
            }
        }
        for (player, expected) in &post.expected_versions {
            if self.entries.get(player).copied().unwrap_or(0) != *expected {
                return Err(Reply::Refused("STALE_VERSION"));
            }
        }
        for leg in &post.legs {
            self.settle(&leg.player, &leg.asset);
        }
        // What each balance is asked for by name, and what each asset is asked for without one.
        let mut named: BTreeMap<Place, Vec<&Leg>> = BTreeMap::new();
        let mut unnamed: BTreeMap<(PlayerId, AssetId), i128> = BTreeMap::new();
        for leg in &post.legs {
            if is_unnamed(&catalog, leg) {
                *unnamed.entry((leg.player.clone(), leg.asset.clone())).or_default() += units(leg);
            } else {
                named.entry(place_of(leg)).or_default().push(leg);
            }
        }
        let mut free: BTreeMap<Place, i128> = BTreeMap::new();
        let mut granted: BTreeMap<Place, i128> = BTreeMap::new();
        for (place, legs) in &named {
            let (grant, left) = self.bounds(place, legs)?;
            granted.insert(place.clone(), grant);
            free.insert(place.clone(), left);
        }
        for ((player, asset), asked) in &unnamed {
            let pools = catalog.get(asset).unwrap().pools();
            let places = pools.iter().map(|pool| place(player, asset, pool));
            let left: i128 =
                places.map(|at| free.get(&at).copied().unwrap_or_else(|| self.account(&at).available)).sum();
            if left < *asked {
                return Err(Reply::Refused("OUT_OF_BOUNDS"));
            }
        }
        self.move_legs(&catalog, post, granted);
        Ok(())
    }

    /// Tests one balance net: what of the clamped credits is granted, and what is available afterwards.
    fn bounds(&self, place: &Place, legs: &[&Leg]) -> Result<(i128, i128), Reply> {
        let sum = |wanted: Direction| -> i128 {
            legs.iter().filter(|leg| leg.direction == wanted).map(|leg| units(leg)).sum()
        };
        let account = self.account(place);
        let limit = self.limit(&place.0, &place.1);
        let refuse = sum(Direction::Credit(AtMaximum::Refuse));
        let credits = refuse + sum(Direction::Credit(AtMaximum::Overfill));
        let paid = account.owed.min(credits);
        let owed = account.owed - paid;
        let growth = credits - paid - sum(Direction::Debit);
        let total = account.available + account.held + account.room + growth;
        let clamp = sum(Direction::Credit(AtMaximum::Clamp)).min((limit - total).max(0) + owed);
        let available = account.available + growth + (clamp - owed).max(0);
        let bound = if refuse > 0 { limit } else { MOST };
        if available < 0 || (growth > 0 && total > bound) {
            return Err(Reply::Refused("OUT_OF_BOUNDS"));
        }
        Ok((clamp, available))
    }

    fn move_legs(&mut self, catalog: &Assets, post: &Post, mut granted: BTreeMap<Place, i128>) {
        for leg in &post.legs {
            let Direction::Credit(at_maximum) = leg.direction else { continue };
            let mut amount = units(leg);
            if at_maximum == AtMaximum::Clamp {
                let left = granted.get_mut(&place_of(leg)).unwrap();
                amount = amount.min(*left);
                *left -= amount;
            }
            self.add(&place_of(leg), amount, 0, 0);
        }
        let debits = || post.legs.iter().filter(|leg| leg.direction == Direction::Debit);
        for leg in debits().filter(|leg| !is_unnamed(catalog, leg)) {
            self.add(&place_of(leg), -units(leg), 0, 0);
        }
        for leg in debits().filter(|leg| is_unnamed(catalog, leg)) {
            let mut missing = units(leg);
            for pool in catalog.get(&leg.asset).unwrap().pools() {
                let at = place(&leg.player, &leg.asset, &pool);
                let taken = missing.min(self.account(&at).available);
                if taken > 0 {
                    self.add(&at, -taken, 0, 0);
                }
                missing -= taken;
            }
            assert_eq!(missing, 0, "the bounds were tested");
        }
    }
}

/// Whether a leg fits the catalog.
fn leg_fits(catalog: &Assets, leg: &Leg) -> bool {
    let Some(asset) = catalog.get(&leg.asset) else { return false };
    let debits = leg.direction == Direction::Debit;
    let pool_fits = match (&asset.kind, &leg.pool) {
        (AssetKind::Credit { pools }, Some(pool)) => pools.contains(pool),
        (AssetKind::Credit { .. }, None) => debits,
        (_, pool) => pool.is_none(),
    };
    !asset.retired && pool_fits && !(debits && asset.kind == AssetKind::Points)
}

fn is_unnamed(catalog: &Assets, leg: &Leg) -> bool {
    leg.pool.is_none() && matches!(catalog.get(&leg.asset).unwrap().kind, AssetKind::Credit { .. })
}

fn units(leg: &Leg) -> i128 {
    i128::from(leg.amount.units())
}

fn place_of(leg: &Leg) -> Place {
    place(&leg.player, &leg.asset, &leg.pool.clone().unwrap_or_else(no_pool))
}
