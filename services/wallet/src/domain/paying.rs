//! Brings balances to what is known of a payment.
//!
//! Nothing here is refused for what a player has: what is given passes maxima, and what cannot be taken back is owed.

use auric_money::Amount;

use super::holding::Ended;
use super::{
    Asset, AssetKind, BadField, BalanceKey, Change, Draft, Fact, Gift, Known, MovementKind, Part, Payment, PaymentRow,
    RecordPayment, Rejection, Stop, Unstored,
};

/// Adds what `record` tells to what is known of its payment, and moves what follows from it.
///
/// # Errors
///
/// [`Rejection::PaymentEventReused`], [`Rejection::PaymentOfAnother`]; [`Unstored::Invalid`] when a leg does not fit the catalog.
pub(super) fn record(draft: &mut Draft<'_>, record: &RecordPayment) -> Result<Ended, Stop> {
    let known = draft.book().paid.payment(&record.payment).map(|row: &PaymentRow| row.payment.clone());
    if let Some(payer) = known.as_ref().map(|payment| &payment.player).filter(|payer| **payer != record.player) {
        let (payment, player) = (record.payment.clone(), payer.clone());
        return Err(Stop::rejected(Rejection::PaymentOfAnother {
            provider: payment.provider,
            object: payment.object,
            player,
        }));
    }
    if let Some(first) = draft.book().paid.event(&record.event_key()) {
        if first.object == record.payment.object && first.kind == record.fact.kind() {
            return Ok(Ended::Before(first.answer.clone()));
        }
        return Err(Stop::rejected(Rejection::PaymentEventReused {
            provider: record.payment.provider.clone(),
            event: record.event.clone(),
            object: first.object.clone(),
            kind: first.kind.clone(),
        }));
    }
    fits(draft, &record.fact)?;
    let mut payment = known.unwrap_or_else(|| Payment::new(record.payment.clone(), record.player.clone()));
    payment.learn(&record.fact);
    for part in &mut payment.parts {
        let (asset, pool) = (part.asset.clone(), part.pool.clone());
        bring(draft, &BalanceKey { player: record.player.clone(), asset, pool }, payment.known, part);
    }
    draft.put_payment(payment);
    Ok(Ended::Anew)
}

/// Tests every leg against the catalog.
fn fits(draft: &Draft<'_>, fact: &Fact) -> Result<(), Stop> {
    let list = if matches!(fact, Fact::Renewal { .. }) { "renewal.pools" } else { "purchase.legs" };
    let mut bad = Vec::new();
    for (index, gift) in fact.gifts().iter().enumerate() {
        let asset = draft.rules.assets.get(&gift.asset);
        if let Some((field, fault)) = misfit(asset, gift, matches!(fact, Fact::Renewal { .. })) {
            bad.push(BadField::new(format!("{list}[{index}].{field}"), fault));
        }
    }
    if bad.is_empty() { Ok(()) } else { Err(Stop::Unstored(Unstored::Invalid(bad))) }
}

fn misfit(asset: Option<&Asset>, gift: &Gift, sets: bool) -> Option<(&'static str, String)> {
    let id = &gift.asset;
    let Some(asset) = asset else { return Some(("asset_id", format!("{id} is not in the catalog"))) };
    if asset.retired {
        return Some(("asset_id", format!("{id} is retired")));
    }
    let named = !gift.pool.as_str().is_empty();
    match &asset.kind {
        AssetKind::Points => Some(("asset_id", format!("{id} only ever grows: it could not be taken back"))),
        AssetKind::Credit { .. } if !named => Some(("pool_id", format!("must say which pool of {id}"))),
        AssetKind::Credit { pools } if !pools.contains(&gift.pool) => {
            Some(("pool_id", format!("{id} has no pool {}", gift.pool)))
        }
        AssetKind::Credit { .. } => None,
        _ if sets => Some(("asset_id", format!("{id} has no pools"))),
        _ if named => Some(("pool_id", format!("{id} has no pools"))),
        _ => None,
    }
}

/// Brings one balance to what is known: sets its pool when it is the newest period's, then gives what is missing or takes what is too much.
///
/// What a renewal has replaced since is left alone: it lapsed, and nobody has it.
fn bring(draft: &mut Draft<'_>, key: &BalanceKey, known: Known, part: &mut Part) {
    draft.settle(&key.player, &key.asset);
    let row = draft.row(key);
    match part.period {
        None => part.generation = part.generation.or(Some(row.generation)),
        Some(period) if part.is_set && part.generation == Some(row.generation) => draft.reach_period(key, period),
        Some(period) if period > row.period => set(draft, key, period, part),
        Some(_) => {}
    }
    if part.generation != Some(draft.row(key).generation) {
        return;
    }
    let wanted = if part.period.is_some() && !part.is_set { 0 } else { known.left_of(part.units) };
    if let Some(missing) = wanted.checked_sub(part.given_units).filter(|units| *units > 0) {
        part.given_units = part.given_units.saturating_add(give(draft, key, missing));
    } else if let Some(excess) = part.given_units.checked_sub(wanted).filter(|units| *units > 0) {
        part.given_units = part.given_units.saturating_sub(take(draft, key, excess));
    }
}

/// Empties the pool and starts a new generation of it, for `period`.
fn set(draft: &mut Draft<'_>, key: &BalanceKey, period: u64, part: &mut Part) {
    let left = draft.balance(key).available_units();
    draft.renew(key);
    draft.reach_period(key, period);
    if left > 0 {
        let emptied = draft.change(key, MovementKind::Lapsed, Change::debit(left), 0);
        debug_assert!(emptied.is_some(), "what is there can be taken");
    }
    part.lapsed_units = part.lapsed_units.saturating_add(part.given_units);
    part.given_units = 0;
    part.generation = Some(draft.row(key).generation);
    part.is_set = true;
}

/// Gives up to `units`, past the catalog's maximum; tells how many. What is owed is paid by them first.
fn give(draft: &mut Draft<'_>, key: &BalanceKey, units: u64) -> u64 {
    let balance = draft.balance(key);
    let free = Amount::MAX_UNITS.saturating_sub(balance.total_units()).saturating_add(balance.owed_units());
    let given = units.min(free);
    match draft.change(key, MovementKind::Paid, Change::credit(given), units.saturating_sub(given)) {
        Some(()) => given,
        None => 0,
    }
}

/// Takes up to `units` back, and lets the player owe what is not there; tells how many.
fn take(draft: &mut Draft<'_>, key: &BalanceKey, units: u64) -> u64 {
    let balance = draft.balance(key);
    let there = units.min(balance.available_units());
    let owed = units.saturating_sub(there).min(Amount::MAX_UNITS.saturating_sub(balance.owed_units()));
    match draft.change(key, MovementKind::Refunded, Change::take_back(there, owed), 0) {
        Some(()) => there.saturating_add(owed),
        None => 0,
    }
}
