//! Holds, as the specification says them.

use std::collections::BTreeSet;

use auric_ids::{PlayerId, PoolId};
use auric_wallet::domain::{AssetKind, Assets, Commit, End, HoldAsk, MutationKey, Release, Reserve};

use super::{Done, Model, Place, Reply, no_pool, place};

#[derive(Clone, Debug)]
pub struct ModelHold {
    pub state: State,
    caller: auric_ids::CallerId,
    /// Nothing for a tombstone.
    reserve: Option<(Reserve, MutationKey)>,
    /// Of each leg, where its units came from.
    parts: Vec<Vec<Part>>,
    expires_at: Option<i64>,
}

#[derive(Clone, Debug)]
struct Part {
    at: Place,
    units: i128,
    generation: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Held,
    Committed(Vec<u64>, MutationKey),
    Released(MutationKey),
    Expired,
    Voided(MutationKey),
}

const ENDED: Reply = Reply::Refused("HOLD_ENDED");

impl ModelHold {
    pub fn players(&self) -> BTreeSet<PlayerId> {
        self.reserve.iter().flat_map(|(reserve, _)| reserve.players()).cloned().collect()
    }

    fn amounts(&self) -> Vec<u64> {
        self.asks().iter().map(|leg| leg.amount.units()).collect()
    }

    fn asks(&self) -> &[HoldAsk] {
        self.reserve.as_ref().map_or(&[], |(reserve, _)| &reserve.legs)
    }
}

impl Model {
    pub(super) fn reserve(&mut self, reserve: &Reserve, key: &MutationKey) -> Done {
        if let Some(hold) = self.holds.get(&reserve.hold) {
            return match &hold.reserve {
                None => Err(ENDED),
                Some((first, made_under)) if first == reserve && hold.caller == key.caller => {
                    Ok(Reply::LikeBefore(made_under.clone()))
                }
                Some(_) => Err(Reply::Refused("HOLD_ID_REUSED")),
            };
        }
        let catalog = self.catalog();
        let fits = reserve.legs.iter().all(|leg| {
            leg.from.iter().all(|end| end_fits(&catalog, end, false))
                && leg.to.iter().all(|end| end_fits(&catalog, end, true))
        });
        let players: BTreeSet<&PlayerId> = reserve.players().collect();
        if !fits || (reserve.ttl_micros.is_some() && players.len() > 1) {
            return Err(Reply::Unstored("INVALID"));
        }
        let mut parts = Vec::new();
        for leg in &reserve.legs {
            parts.push(self.set_aside(&catalog, leg)?);
        }
        let hold = ModelHold {
            state: State::Held,
            caller: key.caller.clone(),
            reserve: Some((reserve.clone(), key.clone())),
            parts,
            expires_at: reserve.ttl_micros.map(|ttl| self.now + i64::try_from(ttl).unwrap()),
        };
        self.holds.insert(reserve.hold.clone(), hold);
        Ok(Reply::Applied)
    }

    fn set_aside(&mut self, catalog: &Assets, leg: &HoldAsk) -> Result<Vec<Part>, Reply> {
        let amount = i128::from(leg.amount.units());
        let mut parts = Vec::new();
        if let Some(End { player, asset, pool }) = &leg.from {
            self.settle(player, asset);
            let pools = pool.clone().map_or_else(|| catalog.get(asset).unwrap().pools(), |pool| vec![pool]);
            let mut missing = amount;
            for pool in pools {
                let at = place(player, asset, &pool);
                let units = missing.min(self.account(&at).available);
                if units > 0 {
                    self.add(&at, -units, units, 0);
                    let generation = self.generations.get(&at).copied().unwrap_or(0);
                    parts.push(Part { at, units, generation });
                }
                missing -= units;
            }
            if missing > 0 {
                return Err(Reply::Refused("OUT_OF_BOUNDS"));
            }
        }
        if let Some(End { player, asset, pool }) = &leg.to {
            self.settle(player, asset);
            let at = place(player, asset, &pool.clone().unwrap_or_else(no_pool));
            let account = self.account(&at);
            if account.available + account.held + account.room + amount > self.limit(player, asset) {
                return Err(Reply::Refused("OUT_OF_BOUNDS"));
            }
            self.add(&at, 0, 0, amount);
        }
        Ok(parts)
    }

    pub(super) fn commit(&mut self, commit: &Commit, key: &MutationKey) -> Done {
        let hold = self.holds.get(&commit.hold).ok_or(Reply::Unstored("NOT_FOUND"))?.clone();
        if hold.caller != key.caller {
            return Err(Reply::Unstored("NOT_YOURS"));
        }
        let held = hold.amounts();
        let amounts = if commit.amounts.is_empty() { held.clone() } else { commit.amounts.clone() };
        match &hold.state {
            State::Held => {}
            State::Committed(first, under) if *first == amounts => return Ok(Reply::LikeBefore(under.clone())),
            _ => return Err(ENDED),
        }
        if amounts.len() != held.len() {
            return Err(Reply::Unstored("INVALID"));
        }
        if amounts.iter().zip(&held).any(|(asked, held)| asked > held) {
            return Err(Reply::Refused("ABOVE_HELD"));
        }
        if hold.reserve.as_ref().is_some_and(|(reserve, _)| reserve.whole) && amounts != held {
            return Err(Reply::Refused("HOLD_IS_WHOLE"));
        }
        self.settle_up(&hold, &amounts);
        self.holds.get_mut(&commit.hold).unwrap().state = State::Committed(amounts, key.clone());
        Ok(Reply::Applied)
    }

    pub(super) fn release(&mut self, release: &Release, key: &MutationKey) -> Done {
        let Some(hold) = self.holds.get(&release.hold).cloned() else {
            let tombstone = ModelHold {
                state: State::Voided(key.clone()),
                caller: key.caller.clone(),
                reserve: None,
                parts: Vec::new(),
                expires_at: None,
            };
            self.holds.insert(release.hold.clone(), tombstone);
            return Ok(Reply::Applied);
        };
        if hold.caller != key.caller {
            return Err(Reply::Unstored("NOT_YOURS"));
        }
        match &hold.state {
            State::Held => {}
            State::Released(under) | State::Voided(under) => return Ok(Reply::LikeBefore(under.clone())),
            State::Committed(..) | State::Expired => return Err(ENDED),
        }
        self.settle_up(&hold, &vec![0; hold.amounts().len()]);
        self.holds.get_mut(&release.hold).unwrap().state = State::Released(key.clone());
        Ok(Reply::Applied)
    }

    /// Ends every hold of `player` whose time is up.
    pub(super) fn lapse(&mut self, player: &PlayerId) {
        let ids: Vec<_> = self.holds.keys().cloned().collect();
        for id in ids {
            let hold = self.holds[&id].clone();
            let is_due = hold.expires_at.is_some_and(|at| at <= self.now);
            if hold.state == State::Held && is_due && hold.players().contains(player) {
                self.settle_up(&hold, &vec![0; hold.amounts().len()]);
                self.end();
                self.holds.get_mut(&id).unwrap().state = State::Expired;
            }
        }
    }

    /// Takes `amounts` of a hold and gives the rest back; what is left of an older generation of its pool goes to nobody.
    fn settle_up(&mut self, hold: &ModelHold, amounts: &[u64]) {
        for ((leg, parts), amount) in hold.asks().iter().zip(&hold.parts).zip(amounts) {
            let mut wanted = i128::from(*amount);
            for part in parts {
                self.settle(&part.at.0, &part.at.1);
                let taken = wanted.min(part.units);
                wanted -= taken;
                if taken > 0 {
                    self.add(&part.at, 0, -taken, 0);
                }
                let rest = part.units - taken;
                let current = self.generations.get(&part.at).copied().unwrap_or(0) == part.generation;
                if rest > 0 {
                    self.add(&part.at, if current { rest } else { 0 }, -rest, 0);
                }
            }
            if let Some(End { player, asset, pool }) = &leg.to {
                self.settle(player, asset);
                let at = place(player, asset, &pool.clone().unwrap_or_else(no_pool));
                self.add(&at, i128::from(*amount), 0, -i128::from(leg.amount.units()));
            }
        }
    }
}

fn end_fits(catalog: &Assets, End { asset, pool, .. }: &End, credited: bool) -> bool {
    let Some(found) = catalog.get(asset).filter(|asset| !asset.retired) else { return false };
    let named = |pools: &[PoolId], pool: &PoolId| pools.contains(pool);
    let pool_fits = match (&found.kind, pool) {
        (AssetKind::Credit { pools }, Some(pool)) => named(pools, pool),
        (AssetKind::Credit { .. }, None) => !credited,
        (_, pool) => pool.is_none(),
    };
    pool_fits && (credited || found.kind != AssetKind::Points)
}
