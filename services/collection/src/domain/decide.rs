//! Answers one request: a verb by the table of participants, and what the verb does.

use auric_ids::{OperationId, PlayerId};
use auric_twophase::{Participation, Reaction, Verb};

use super::keyed::decide_keyed;
use super::{
    Action, Ask, BadField, Book, Commit, Esprit, Granted, KeyedOutcome, Outcome, Part, Prepare, Refusal, Rules,
};

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The part stands so.
    Stands {
        /// The part.
        part: Part,
        /// Whether it stood so before: nothing was done now.
        again: bool,
    },
    /// A keyed request was answered; the answer is stored under its key for ever.
    Answered {
        /// The answer.
        outcome: KeyedOutcome,
        /// Whether an earlier request under the key got this answer first.
        replayed: bool,
    },
    /// It has no effect, and is stored nowhere.
    Refused(Refusal),
}

/// Decides `ask` on `book` and keeps what comes of it there.
///
/// A twin finds what the first one did, be it in an earlier batch or in this one. Nothing of a refused request is left in the book.
pub fn decide(book: &mut Book, rules: &Rules, ask: &Ask) -> Verdict {
    let (verb, operation) = match &ask.action {
        Action::Keyed(keyed) => return decide_keyed(book, rules, ask, keyed),
        Action::Prepare(prepare) => (Verb::Prepare, &prepare.operation),
        Action::Commit(commit) => (Verb::Commit, &commit.operation),
        Action::Cancel(cancel) => (Verb::Cancel, &cancel.operation),
    };
    let known = book.part(operation);
    let state = known.map_or(Participation::Absent, |part| part.state);
    if let Some(refusal) = known.and_then(|part| misfit(part, ask)) {
        return Verdict::Refused(refusal);
    }
    match (state.on(verb), known.cloned()) {
        (Reaction::Become(next), known) => {
            let part = known.unwrap_or_else(|| absent(book, ask, operation));
            match become_of(book, rules, ask, next, part) {
                Ok(part) => Verdict::Stands { part, again: false },
                Err(refusal) => Verdict::Refused(refusal),
            }
        }
        (Reaction::Again, Some(part)) => Verdict::Stands { part, again: true },
        (Reaction::Ended, Some(Part { operation, state, updated_at: ended_at, .. })) => {
            Verdict::Refused(Refusal::Ended { operation, state, ended_at })
        }
        (Reaction::NotFound | Reaction::Again | Reaction::Ended, _) => {
            Verdict::Refused(Refusal::NotFound(operation.clone()))
        }
    }
}

/// The part in an operation that nothing was heard of.
fn absent(book: &Book, ask: &Ask, operation: &OperationId) -> Part {
    let time = book.time_for(ask.action.player());
    Part {
        operation: operation.clone(),
        player: ask.action.player().clone(),
        coordinator: ask.caller.clone(),
        state: Participation::Absent,
        catalog: None,
        intent: None,
        outcome: None,
        created_at: time,
        updated_at: time,
    }
}

/// Why `ask` cannot be about the operation that `part` is the part in.
fn misfit(part: &Part, ask: &Ask) -> Option<Refusal> {
    let operation = part.operation.clone();
    let mut fields = Vec::new();
    let is_yours = part.coordinator == ask.caller;
    if part.player != *ask.action.player() {
        fields.push("player_id");
    }
    match &ask.action {
        // A tombstone does not know what would have been promised; it refuses all the same.
        Action::Prepare(_) if part.state == Participation::Voided => return None,
        Action::Prepare(prepare) => {
            if !is_yours {
                fields.push("caller");
            }
            if part.catalog != Some(prepare.catalog) {
                fields.push("catalog_hash");
            }
            if part.intent.as_ref() != Some(&prepare.intent) {
                fields.push("intent");
            }
        }
        Action::Commit(_) | Action::Cancel(_) if !is_yours => return Some(Refusal::NotYours(operation)),
        Action::Commit(commit) => {
            if part.outcome.as_ref().is_some_and(|done| *done != commit.outcome) {
                fields.push("outcome");
            }
        }
        Action::Cancel(_) | Action::Keyed(_) => {}
    }
    if fields.is_empty() { None } else { Some(Refusal::OperationReused { operation, fields }) }
}

/// Does what leads to the state `next`.
fn become_of(book: &mut Book, rules: &Rules, ask: &Ask, next: Participation, mut part: Part) -> Result<Part, Refusal> {
    let id = ask.action.player();
    let time = book.time_for(id);
    let promised = part.intent.as_ref().map_or(0, super::Intent::esprits);
    let mut player = book.player(id);
    match &ask.action {
        Action::Prepare(prepare) => {
            check_promise(book, rules, prepare)?;
            part.catalog = Some(prepare.catalog);
            part.intent = Some(prepare.intent.clone());
            player.promised = player.promised.saturating_add(prepare.intent.esprits());
            book.put_player(id, player, time);
        }
        Action::Commit(commit) => {
            let Outcome::Grant(grant) = &commit.outcome;
            check_grant(book, id, promised, &grant.esprits)?;
            for granted in &grant.esprits {
                player.last_number = player.last_number.saturating_add(1);
                player.esprits = player.esprits.saturating_add(1);
                book.put_esprit(arrival(commit, granted, player.last_number, time));
            }
            part.outcome = Some(commit.outcome.clone());
            player.promised = player.promised.saturating_sub(promised);
            book.put_player(id, player, time);
        }
        Action::Cancel(_) => {
            if promised > 0 {
                player.promised = player.promised.saturating_sub(promised);
                book.put_player(id, player, time);
            }
        }
        Action::Keyed(_) => {}
    }
    part.state = next;
    part.updated_at = time;
    book.put_part(part.clone());
    Ok(part)
}

/// Everything that can speak against a promise.
fn check_promise(book: &Book, rules: &Rules, prepare: &Prepare) -> Result<(), Refusal> {
    if prepare.catalog != rules.catalog.esprits_hash && !book.has_catalog(prepare.catalog) {
        return Err(Refusal::CatalogUnknown(prepare.catalog));
    }
    let player = book.player(&prepare.player);
    let (asked, maximum) = (prepare.intent.esprits(), rules.catalog.settings.esprits_max);
    if player.esprits.saturating_add(player.promised).saturating_add(asked) > maximum {
        let (esprits, promised) = (player.esprits, player.promised);
        return Err(Refusal::CollectionFull { player: prepare.player.clone(), esprits, promised, asked, maximum });
    }
    Ok(())
}

/// A commit does what was promised, and no more: whatever else it says is malformed.
fn check_grant(book: &Book, player: &PlayerId, promised: u64, granted: &[Granted]) -> Result<(), Refusal> {
    let mut bad = Vec::new();
    let count = u64::try_from(granted.len()).unwrap_or(u64::MAX);
    if count > promised {
        bad.push(BadField::new("grant.esprits", format!("must have at most the {promised} promised, has {count}")));
    }
    for (index, granted) in granted.iter().enumerate() {
        if let Some(esprit) = book.esprit(player, &granted.esprit) {
            let fault = format!("is an esprit that the operation {} brought", esprit.operation);
            bad.push(BadField::new(format!("grant.esprits[{index}].esprit_id"), fault));
        }
    }
    if bad.is_empty() { Ok(()) } else { Err(Refusal::Invalid(bad)) }
}

/// An esprit as it comes.
fn arrival(commit: &Commit, granted: &Granted, number: u64, time: auric_time::Timestamp) -> Esprit {
    Esprit {
        id: granted.esprit.clone(),
        player: commit.player.clone(),
        number,
        species: granted.species.clone(),
        level: 1,
        version: 1,
        operation: commit.operation.clone(),
        locked: false,
        busy: None,
        created_at: time,
        updated_at: time,
        dissolved_at: None,
    }
}
