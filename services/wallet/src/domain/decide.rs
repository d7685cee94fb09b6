//! Answers one mutation: the key is tested before any state, then the rules.

use super::{Action, Book, Mutation, Outcome, Posted, Record, Rejection, Unstored, book::Rules, posting};

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

/// Why a draft did not become part of the book.
#[derive(Debug)]
pub enum Stop {
    /// A rule said no: kept under the key.
    Rejected(Rejection),
    /// Never decided: not kept.
    Unstored(Unstored),
}

/// Decides `mutation` on `book` and keeps the answer there.
///
/// A twin finds the first one's answer, be it from an earlier batch or from this one. Nothing of a refused mutation is left in the book.
pub fn decide(book: &mut Book, rules: &Rules, mutation: &Mutation) -> Verdict {
    let fingerprint = mutation.fingerprint();
    if let Some(first) = book.record(&mutation.key) {
        if first.fingerprint.digest == fingerprint.digest {
            return Verdict::Answered { outcome: first.outcome.clone(), replayed: true };
        }
        let fields = fingerprint.differing_fields(&first.fingerprint);
        return Verdict::Unstored(Unstored::KeyReused { fields, first_method: first.method });
    }

    let Action::Post(post) = &mutation.action;
    let time = book.time_for(post.players());
    let mut draft = book.draft();
    let outcome = match posting::post(&mut draft, rules, post, time) {
        Ok(()) => {
            let changes = draft.finish();
            Ok(Posted { movements: book.apply(changes, mutation, time, rules), time })
        }
        Err(Stop::Rejected(rejection)) => Err(rejection),
        Err(Stop::Unstored(unstored)) => return Verdict::Unstored(unstored),
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
