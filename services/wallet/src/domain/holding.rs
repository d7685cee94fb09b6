//! Making holds and ending them: reserve, commit, release, expiry.
//!
//! A verb may come any number of times, in any order. Maxima are tested when a hold is made and never again: its end is always possible,
//! whatever the catalog says by then. An expiry is written by whoever comes by after it, before anything else is decided.

use std::collections::BTreeMap;
use std::sync::Arc;

use auric_ids::{AssetId, HoldId, PlayerId};
use auric_money::Amount;

use super::{
    Asset, AssetKind, BadField, BalanceKey, BoundFault, Change, Commit, End, HeldPart, Hold, HoldAsk, HoldLeg,
    HoldState, HoldTerms, MovementKind, Mutation, MutationKey, Posted, Rejection, Release, Reserve, Stop, Unstored,
    asset::no_pool, draft::Draft,
};

/// What a hold verb comes to.
pub(super) enum Ended {
    /// It changes the ledger; the answer follows from the movements.
    Anew,
    /// It was done before, under another key: the same answer, and no change.
    Before(Posted),
}

/// Sets the legs of `reserve` aside.
///
/// # Errors
///
/// [`Rejection::OutOfBounds`] with every balance at fault, [`Rejection::HoldIdReused`], [`Rejection::HoldEnded`] for a tombstone;
/// [`Unstored::Invalid`] when a leg does not fit the catalog.
pub(super) fn reserve(
    draft: &mut Draft<'_>,
    reserve: &Reserve,
    key: &MutationKey,
    asked: [u8; 32],
) -> Result<Ended, Stop> {
    if let Some(hold) = draft.book().hold(&reserve.hold) {
        return match &hold.state {
            HoldState::Voided { .. } => Err(ended(hold)),
            _ if hold.asked == asked && hold.caller == key.caller => Ok(Ended::Before(hold.reserved.clone())),
            _ => Err(Stop::rejected(Rejection::HoldIdReused { hold: reserve.hold.clone() })),
        };
    }
    fits(draft, reserve)?;
    let mut faults = BTreeMap::new();
    let mut legs = Vec::new();
    for ask in &reserve.legs {
        legs.push(set_aside(draft, ask, &mut faults));
    }
    if !faults.is_empty() {
        return Err(Stop::rejected(Rejection::OutOfBounds { faults: faults.into_values().collect() }));
    }
    let ttl = reserve.ttl_micros.map(|micros| i64::try_from(micros).unwrap_or(i64::MAX));
    draft.put_hold(Hold {
        id: reserve.hold.clone(),
        caller: key.caller.clone(),
        made_under: key.key.clone(),
        terms: Arc::new(HoldTerms { legs, whole: reserve.whole, note: reserve.note.clone() }),
        expires_at: ttl.map(|micros| draft.time.plus_micros(micros)),
        asked,
        reserved: Posted::default(),
        state: HoldState::Held,
    });
    Ok(Ended::Anew)
}

/// Takes what `commit` asks for, and gives the rest back.
///
/// # Errors
///
/// [`Rejection::HoldEnded`] when it ended otherwise, [`Rejection::AboveHeld`], [`Rejection::HoldIsWhole`]; [`Unstored::HoldNotFound`],
/// [`Unstored::NotYourHold`].
pub(super) fn commit(
    draft: &mut Draft<'_>,
    commit: &Commit,
    mutation: &Mutation,
) -> Result<(Ended, Option<Hold>), Stop> {
    let Some(hold) = draft.book().hold(&commit.hold) else {
        return Err(Stop::Unstored(Unstored::HoldNotFound(commit.hold.clone())));
    };
    yours(hold, mutation)?;
    // The state comes before the amounts: a tombstone has no legs that a number of amounts could be compared with.
    match &hold.state {
        HoldState::Held => {}
        HoldState::Committed { amounts: first, answer, .. } if *first == asked_amounts(hold, commit) => {
            return Ok((Ended::Before(answer.clone()), None));
        }
        _ => return Err(ended(hold)),
    }
    let amounts = asked_amounts(hold, commit);
    if amounts.len() != hold.terms.legs.len() {
        let fault =
            format!("must have one amount for each of the {} legs, has {}", hold.terms.legs.len(), amounts.len());
        return Err(Stop::invalid("amounts", fault));
    }
    for (index, (leg, &asked_units)) in hold.terms.legs.iter().zip(&amounts).enumerate() {
        let held_units = leg.amount.units();
        if asked_units > held_units {
            let hold = hold.id.clone();
            return Err(Stop::rejected(Rejection::AboveHeld { hold, leg: index, held_units, asked_units }));
        }
    }
    if hold.terms.whole && amounts != hold.amounts() {
        return Err(Stop::rejected(Rejection::HoldIsWhole { hold: hold.id.clone(), amounts: hold.amounts() }));
    }
    let mut hold = hold.clone();
    for (leg, &units) in hold.terms.legs.iter().zip(&amounts) {
        take(draft, leg, units);
    }
    hold.state = HoldState::Committed { amounts, under: mutation.key.clone(), answer: Posted::default() };
    Ok((Ended::Anew, Some(hold)))
}

/// Gives back what `release` names; before there is such a hold, makes sure that there never is.
///
/// # Errors
///
/// [`Rejection::HoldEnded`] when it ended otherwise; [`Unstored::NotYourHold`].
pub(super) fn release(
    draft: &mut Draft<'_>,
    release: &Release,
    mutation: &Mutation,
) -> Result<(Ended, Option<Hold>), Stop> {
    let Some(hold) = draft.book().hold(&release.hold) else {
        return Ok((Ended::Anew, Some(tombstone(draft, &release.hold, &mutation.key))));
    };
    yours(hold, mutation)?;
    match &hold.state {
        HoldState::Held => {}
        HoldState::Released { answer, .. } | HoldState::Voided { answer, .. } => {
            return Ok((Ended::Before(answer.clone()), None));
        }
        HoldState::Committed { .. } | HoldState::Expired { .. } => return Err(ended(hold)),
    }
    let mut hold = hold.clone();
    give_back(draft, &hold, MovementKind::Released);
    hold.state = HoldState::Released { under: mutation.key.clone(), answer: Posted::default() };
    Ok((Ended::Anew, Some(hold)))
}

/// Writes that the time of `hold` was up.
pub(super) fn expire(draft: &mut Draft<'_>, hold: &Hold) {
    let mut hold = hold.clone();
    give_back(draft, &hold, MovementKind::Expired);
    hold.state = HoldState::Expired { time: draft.time };
    draft.put_hold(hold);
}

impl Hold {
    /// Completes a hold with the answer of the verb that made or ended it.
    pub(super) fn answered(mut self, posted: &Posted) -> Self {
        match &mut self.state {
            HoldState::Held => self.reserved = posted.clone(),
            HoldState::Committed { answer, .. }
            | HoldState::Released { answer, .. }
            | HoldState::Voided { answer, .. } => {
                *answer = posted.clone();
            }
            HoldState::Expired { .. } => {}
        }
        self
    }
}

/// A hold that can never be made.
fn tombstone(draft: &Draft<'_>, id: &HoldId, key: &MutationKey) -> Hold {
    let answer = Posted { time: draft.time, voided: true, ..Posted::default() };
    Hold {
        id: id.clone(),
        caller: key.caller.clone(),
        made_under: key.key.clone(),
        terms: Arc::new(HoldTerms { legs: Vec::new(), whole: false, note: super::no_note() }),
        expires_at: None,
        asked: [0; 32],
        reserved: Posted::default(),
        state: HoldState::Voided { under: key.clone(), answer },
    }
}

/// Refuses another verb on a hold that has ended.
fn ended(hold: &Hold) -> Stop {
    let (ended_at, committed) = match &hold.state {
        HoldState::Committed { amounts, answer, .. } => (answer.time, amounts.clone()),
        HoldState::Released { answer, .. } | HoldState::Voided { answer, .. } => (answer.time, Vec::new()),
        HoldState::Expired { time } => (hold.expires_at.unwrap_or(*time), Vec::new()),
        HoldState::Held => (hold.reserved.time, Vec::new()),
    };
    let (state, amounts) = (hold.state.as_str().to_owned(), hold.amounts());
    Stop::rejected(Rejection::HoldEnded { hold: hold.id.clone(), state, ended_at, amounts, committed })
}

fn yours(hold: &Hold, mutation: &Mutation) -> Result<(), Stop> {
    if hold.caller == mutation.key.caller || mutation.ends_any_hold {
        return Ok(());
    }
    Err(Stop::Unstored(Unstored::NotYourHold(hold.id.clone())))
}

/// What a commit asks of each leg; nothing said is all of it.
fn asked_amounts(hold: &Hold, commit: &Commit) -> Vec<u64> {
    if commit.amounts.is_empty() { hold.amounts() } else { commit.amounts.clone() }
}

/// Tests every leg against the catalog.
fn fits(draft: &Draft<'_>, reserve: &Reserve) -> Result<(), Stop> {
    let mut bad = Vec::new();
    for (index, leg) in reserve.legs.iter().enumerate() {
        for (side, end) in [("from", &leg.from), ("to", &leg.to)] {
            let Some(end) = end else { continue };
            if let Some((field, fault)) = misfit(draft.rules.assets.get(&end.asset), end, side == "to") {
                bad.push(BadField::new(format!("legs[{index}].{side}.{field}"), fault));
            }
        }
    }
    let mut players: Vec<&PlayerId> = reserve.players().collect();
    players.sort();
    players.dedup();
    if reserve.ttl_micros.is_some() && players.len() > 1 {
        bad.push(BadField::new("ttl", format!("is for holds of one player, this one is of {}", players.len())));
    }
    if bad.is_empty() { Ok(()) } else { Err(Stop::Unstored(Unstored::Invalid(bad))) }
}

fn misfit(asset: Option<&Asset>, end: &End, credited: bool) -> Option<(&'static str, String)> {
    let Some(asset) = asset else { return Some(("asset_id", format!("{} is not in the catalog", end.asset))) };
    if asset.retired {
        return Some(("asset_id", format!("{} is retired", end.asset)));
    }
    match (&asset.kind, &end.pool) {
        (AssetKind::Points, _) if !credited => Some(("asset_id", format!("{} only ever grows", end.asset))),
        (AssetKind::Credit { pools }, Some(pool)) if !pools.contains(pool) => {
            Some(("pool_id", format!("{} has no pool {pool}", end.asset)))
        }
        (AssetKind::Credit { .. }, None) if credited => {
            Some(("pool_id", format!("must say which pool of {} is credited", end.asset)))
        }
        (AssetKind::Credit { .. }, _) | (_, None) => None,
        (_, Some(_)) => Some(("pool_id", format!("{} has no pools", end.asset))),
    }
}

/// Sets one leg aside, as far as it goes; what does not fit is among the faults.
fn set_aside(draft: &mut Draft<'_>, ask: &HoldAsk, faults: &mut BTreeMap<BalanceKey, BoundFault>) -> HoldLeg {
    let mut from = Vec::new();
    if let Some(end) = &ask.from {
        draft.settle(&end.player, &end.asset);
        from = hold_units(draft, end, ask.amount, faults);
    }
    let to = ask.to.as_ref().map(|end| {
        draft.settle(&end.player, &end.asset);
        promise_room(draft, end, ask.amount, faults)
    });
    HoldLeg { amount: ask.amount, from, to }
}

fn hold_units(
    draft: &mut Draft<'_>,
    end: &End,
    amount: Amount,
    faults: &mut BTreeMap<BalanceKey, BoundFault>,
) -> Vec<HeldPart> {
    let pools = match &end.pool {
        Some(pool) => vec![pool.clone()],
        None => draft.rules.assets.get(&end.asset).map(Asset::pools).unwrap_or_default(),
    };
    let mut missing = amount.units();
    let mut parts = Vec::new();
    for pool in pools {
        let key = key_of(end, &pool);
        let row = draft.row(&key);
        let units = missing.min(row.balance.available_units());
        if units > 0 && draft.change(&key, MovementKind::Reserved, Change::hold(units), 0).is_some() {
            missing = missing.saturating_sub(units);
            parts.push(HeldPart { key, units, generation: row.generation });
        }
    }
    if missing > 0 {
        let key = key_of(end, &end.pool.clone().unwrap_or_else(no_pool));
        let available = amount.units().saturating_sub(missing);
        faults.insert(key.clone(), BoundFault::insufficient(&key, available, amount.units()));
    }
    parts
}

fn promise_room(
    draft: &mut Draft<'_>,
    end: &End,
    amount: Amount,
    faults: &mut BTreeMap<BalanceKey, BoundFault>,
) -> BalanceKey {
    let key = key_of(end, &end.pool.clone().unwrap_or_else(no_pool));
    let limit = draft.rules.assets.get(&end.asset).map_or(0, |asset| draft.limit(&end.player, asset));
    let total = draft.balance(&key).total_units();
    let fits = total.saturating_add(amount.units()) <= limit;
    if !fits || draft.change(&key, MovementKind::Reserved, Change::promise(amount.units()), 0).is_none() {
        faults.insert(key.clone(), BoundFault::above_maximum(&key, total, amount.units(), limit));
    }
    key
}

/// Takes `units` of a leg, in the order of its parts, and gives the rest back.
fn take(draft: &mut Draft<'_>, leg: &HoldLeg, units: u64) {
    let mut missing = units;
    for part in &leg.from {
        let taken = missing.min(part.units);
        missing = missing.saturating_sub(taken);
        draft.settle(&part.key.player, &part.key.asset);
        if taken > 0 {
            must(draft.change(&part.key, MovementKind::Committed, Change::take_held(taken), 0));
        }
        give_back_part(draft, part, part.units.saturating_sub(taken), MovementKind::Released);
    }
    if let Some(key) = &leg.to {
        draft.settle(&key.player, &key.asset);
        let kind = if units > 0 { MovementKind::Committed } else { MovementKind::Released };
        must(draft.change(key, kind, Change::fulfil(leg.amount.units(), units), 0));
    }
}

fn give_back(draft: &mut Draft<'_>, hold: &Hold, kind: MovementKind) {
    for leg in &hold.terms.legs {
        for part in &leg.from {
            draft.settle(&part.key.player, &part.key.asset);
            give_back_part(draft, part, part.units, kind);
        }
        if let Some(key) = &leg.to {
            draft.settle(&key.player, &key.asset);
            must(draft.change(key, kind, Change::fulfil(leg.amount.units(), 0), 0));
        }
    }
}

/// Gives `units` of a part back; those of an older generation lapse: the renewal has replaced them.
fn give_back_part(draft: &mut Draft<'_>, part: &HeldPart, units: u64, kind: MovementKind) {
    if units == 0 {
        return;
    }
    let lapsed = draft.row(&part.key).generation != part.generation;
    if lapsed {
        must(draft.change(&part.key, MovementKind::Lapsed, Change::take_held(units), 0));
    } else {
        must(draft.change(&part.key, kind, Change::unhold(units), 0));
    }
}

/// A hold's end cannot fail: what it gives back was set aside, and never counted twice.
fn must(changed: Option<()>) {
    debug_assert!(changed.is_some(), "a balance does not have what its hold set aside");
}

fn key_of(end: &End, pool: &auric_ids::PoolId) -> BalanceKey {
    BalanceKey { player: end.player.clone(), asset: AssetId::clone(&end.asset), pool: pool.clone() }
}
