//! Answers one mutation: the key is tested before any state, then what the clock did, then the rules.

use std::collections::BTreeSet;

use auric_ids::PlayerId;
use auric_money::Amount;
use auric_time::Timestamp;

use super::book::Origin;
use super::holding::{self, Ended};
use super::{
    Action, AssetKind, AtMaximum, BadField, BalanceKey, Book, Change, Claim, ClaimRow, Commit, Direction, Draft,
    EventRow, Fingerprint, Hold, Leg, Method, MovementKind, Mutation, Note, Outcome, Post, Posted, Record, Rejection,
    Release, RenewCredits, Rules, SpendStatPoints, Stop, Unstored, paying, posting, retail,
};

/// What a mutation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was answered; the answer is stored under the key for ever.
    Answered {
        /// The answer.
        outcome: Outcome,
        /// Whether an earlier request under the key got this answer first.
        replayed: bool,
    },
    /// It was not decided; nothing is stored.
    Unstored(Unstored),
}

/// Decides `mutation` on `book` and keeps the answer there.
///
/// A twin finds the first one's answer, be it from an earlier batch or from this one. Nothing of a refused mutation is left in the book,
/// but for what the clock did before it: holds of its players whose time was up are given back first.
pub fn decide(book: &mut Book, rules: &Rules, mutation: &Mutation) -> Verdict {
    let fingerprint = mutation.fingerprint();
    if let Some(first) = book.record(&mutation.key) {
        return replay(first, mutation, &fingerprint);
    }
    let players = touched(book, mutation);
    let time = book.time_for(players.iter());
    for player in &players {
        expire_due(book, rules, player, time);
    }

    let outcome = match &mutation.action {
        // The record itself is the effect: a request that comes later finds its key used.
        Action::Void => Err(Rejection::MutationVoided { voided_at: time }),
        action => match act(book, rules, mutation, action, fingerprint.digest, time) {
            Ok(posted) => Ok(posted),
            Err(Stop::Rejected(rejection)) => Err(*rejection),
            Err(Stop::Unstored(unstored)) => return Verdict::Unstored(unstored),
        },
    };
    book.keep(Record {
        key: mutation.key.clone(),
        method: mutation.action.method(),
        fingerprint,
        outcome: outcome.clone(),
        time,
    });
    Verdict::Answered { outcome, replayed: false }
}

fn replay(first: &Record, mutation: &Mutation, fingerprint: &Fingerprint) -> Verdict {
    let voids = matches!(mutation.action, Action::Void) || first.method == Method::VoidMutation;
    if voids || first.fingerprint.digest == fingerprint.digest {
        return Verdict::Answered { outcome: first.outcome.clone(), replayed: true };
    }
    let fields = fingerprint.differing_fields(&first.fingerprint);
    Verdict::Unstored(Unstored::KeyReused { fields, first_method: first.method })
}

/// Every player that the mutation names, or that its hold does.
fn touched(book: &Book, mutation: &Mutation) -> BTreeSet<PlayerId> {
    let mut players: BTreeSet<PlayerId> = mutation.action.players().into_iter().cloned().collect();
    let (Action::Commit(Commit { hold, .. }) | Action::Release(Release { hold, .. })) = &mutation.action else {
        return players;
    };
    if let Some(hold) = book.hold(hold) {
        players.extend(hold.balances().map(|key| key.player.clone()));
    }
    players
}

/// Gives back what the player's holds set aside whose time is up.
pub(super) fn expire_due(book: &mut Book, rules: &Rules, player: &PlayerId, time: Timestamp) {
    if book.player(player).next_expiry.is_none_or(|next| next > time) {
        return;
    }
    for id in book.due_holds(player, time) {
        let Some(hold) = book.hold(&id).cloned() else { continue };
        let mut draft = book.draft(rules, time);
        holding::expire(&mut draft, &hold);
        let changes = draft.finish();
        let trace_id = super::no_trace();
        let origin =
            Origin { note: &hold.terms.note, caller: &hold.caller, key: &hold.made_under, trace_id: &trace_id };
        book.apply(changes, origin, rules);
    }
    book.reckon_next_expiry(player, time);
}

/// Gives back what the holds of `player` set aside whose time is up, without a request: what whoever acts for the player next would do first.
///
/// # Shape
///
/// How many holds lapsed.
pub fn settle(book: &mut Book, rules: &Rules, player: &PlayerId) -> usize {
    let time = book.time_for(std::iter::once(player));
    let due = book.due_holds(player, time).len();
    expire_due(book, rules, player, time);
    due
}

/// Does what the action says, and makes it part of the book.
fn act(
    book: &mut Book,
    rules: &Rules,
    mutation: &Mutation,
    action: &Action,
    asked: [u8; 32],
    time: Timestamp,
) -> Result<Posted, Stop> {
    let mut draft = book.draft(rules, time);
    let mut hold = None;
    let done = match action {
        Action::Post(post) => posting::post(&mut draft, MovementKind::Posted, post).map(|()| Ended::Anew)?,
        Action::Transfer(post) => {
            let done = posting::post(&mut draft, MovementKind::Transferred, post);
            done.map(|()| Ended::Anew).map_err(of_transfer)?
        }
        Action::Claim(claim) => self::claim(&mut draft, claim).map(|()| Ended::Anew)?,
        Action::SpendStatPoints(spend) => spend_stat_points(&mut draft, spend).map(|()| Ended::Anew)?,
        Action::RenewCredits(renew) => renew_credits(&mut draft, renew).map(|()| Ended::Anew)?,
        Action::Reserve(reserve) => holding::reserve(&mut draft, reserve, &mutation.key, asked)?,
        Action::Commit(commit) => {
            let (done, ended) = holding::commit(&mut draft, commit, mutation)?;
            hold = ended;
            done
        }
        Action::Release(release) => {
            let (done, ended) = holding::release(&mut draft, release, mutation)?;
            hold = ended;
            done
        }
        Action::RecordPayment(record) => paying::record(&mut draft, record)?,
        Action::IssueRetailToken(issue) => retail::issue(&mut draft, issue, &mutation.key)?,
        Action::RedeemRetailToken(redeem) => retail::redeem(&mut draft, redeem, &mutation.key)?,
        Action::Void => Ended::Anew,
    };
    if let Ended::Before(answer) = done {
        return Ok(answer);
    }
    let mut changes = draft.finish();
    hold = hold.or_else(|| changes.holds.pop());
    let note = note(action, hold.as_ref());
    let origin =
        Origin { note: &note, caller: &mutation.key.caller, key: &mutation.key.key, trace_id: &mutation.trace_id };
    let retail_token = changes.token.as_ref().map(|token| token.id.clone());
    let movements = book.apply(changes, origin, rules);
    let expires_at = hold.as_ref().filter(|hold| hold.is_open()).and_then(|hold| hold.expires_at);
    let voided = hold.as_ref().is_some_and(|hold| matches!(hold.state, super::HoldState::Voided { .. }));
    let posted = Posted { movements, time, expires_at, voided, retail_token };
    if let Some(hold) = hold {
        book.put_hold(hold.answered(&posted));
    }
    remember(book, mutation, &posted);
    Ok(posted)
}

/// Keeps by what a request under another key finds this one: its claim, or what a provider told.
fn remember(book: &mut Book, mutation: &Mutation, posted: &Posted) {
    match &mutation.action {
        Action::Claim(claim) => {
            let (guard, key) = (claim.guard.clone(), mutation.key.clone());
            book.keep_claim(ClaimRow { guard, key, outcome: Ok(posted.clone()) });
        }
        Action::RecordPayment(record) => book.keep_event(EventRow {
            key: record.event_key(),
            object: record.payment.object.clone(),
            player: record.player.clone(),
            kind: record.fact.kind().to_owned(),
            under: mutation.key.clone(),
            answer: posted.clone(),
        }),
        _ => {}
    }
}

/// Names the fields of a transfer's request: the legs are ours.
fn of_transfer(stop: Stop) -> Stop {
    let Stop::Unstored(Unstored::Invalid(faults)) = stop else { return stop };
    let mut own: Vec<BadField> = Vec::new();
    for BadField { path, fault } in faults {
        let path = if path.ends_with(".pool_id") { "pool_id" } else { "asset_id" };
        if own.iter().all(|field| field.path != path) {
            own.push(BadField::new(path, fault));
        }
    }
    Stop::Unstored(Unstored::Invalid(own))
}

/// Why, for the entries: a hold's end has the reason of its beginning.
fn note(action: &Action, hold: Option<&Hold>) -> Note {
    let given = action.note().or_else(|| hold.map(|hold| &hold.terms.note));
    given.cloned().unwrap_or_else(super::no_note)
}

fn claim(draft: &mut Draft<'_>, claim: &Claim) -> Result<(), Stop> {
    if let Some(made) = draft.book().claim(&claim.guard) {
        let first = made.outcome.clone().unwrap_or_default();
        let (caller, idempotency_key) = (made.key.caller.clone(), made.key.key.clone());
        return Err(Stop::rejected(Rejection::ClaimMade { caller, idempotency_key, first }));
    }
    posting::post(draft, MovementKind::Claimed, &claim.post)
}

fn spend_stat_points(draft: &mut Draft<'_>, spend: &SpendStatPoints) -> Result<(), Stop> {
    let Some(progression) = draft.rules.assets.progression() else {
        return Err(Stop::invalid("stat_id", "the catalog has no progression"));
    };
    let Some(spent) = progression.stats.get(&spend.stat) else {
        let known: Vec<&str> = progression.stats.keys().map(auric_ids::StatId::as_str).collect();
        let fault = format!("{} is not in the catalog; it has {}", spend.stat, known.join(", "));
        return Err(Stop::invalid("stat_id", fault));
    };
    let leg = |asset: &auric_ids::AssetId, direction| Leg {
        player: spend.player.clone(),
        asset: asset.clone(),
        pool: None,
        direction,
        amount: spend.points,
    };
    let legs = vec![leg(&progression.stat_points, Direction::Debit), leg(spent, Direction::Credit(AtMaximum::Refuse))];
    let post = Post { legs, note: spend.note.clone(), expected_versions: std::collections::BTreeMap::new() };
    posting::post(draft, MovementKind::Spent, &post)
}

fn renew_credits(draft: &mut Draft<'_>, renew: &RenewCredits) -> Result<(), Stop> {
    let fault = match draft.rules.assets.get(&renew.asset).map(|asset| (&asset.kind, asset.retired)) {
        None => Some(("asset_id", format!("{} is not in the catalog", renew.asset))),
        Some((_, true)) => Some(("asset_id", format!("{} is retired", renew.asset))),
        Some((AssetKind::Credit { pools }, false)) if pools.contains(&renew.pool) => None,
        Some((AssetKind::Credit { .. }, false)) => {
            Some(("pool_id", format!("{} has no pool {}", renew.asset, renew.pool)))
        }
        Some(_) => Some(("asset_id", format!("{} has no pools", renew.asset))),
    };
    if let Some((field, fault)) = fault {
        return Err(Stop::invalid(field, fault));
    }
    let key = BalanceKey { player: renew.player.clone(), asset: renew.asset.clone(), pool: renew.pool.clone() };
    let before = draft.balance(&key);
    let limit = draft.rules.assets.get(&renew.asset).map_or(Amount::MAX_UNITS, super::Asset::limit);
    let kept = before.total_units().saturating_sub(before.available_units());
    if renew.units.saturating_add(kept) > limit {
        let fault = super::BoundFault::above_maximum(&key, kept, renew.units, limit);
        return Err(Stop::rejected(Rejection::OutOfBounds { faults: vec![fault] }));
    }
    draft.renew(&key);
    // What was left of the old generation goes, then the new one comes: each is a movement, and what is owed is paid by the second.
    let left = before.available_units();
    let emptied = left == 0 || draft.change(&key, MovementKind::Lapsed, Change::debit(left), 0).is_some();
    let filled = draft.change(&key, MovementKind::Renewed, Change::credit(renew.units), 0).is_some();
    debug_assert!(emptied && filled, "the bounds were tested");
    Ok(())
}
