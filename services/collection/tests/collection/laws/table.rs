//! The table of participants over the real store: every word of verbs, twins and late ones included (R-W6).

use auric_collection::Handlers;
use auric_collection::domain::{Ask, Refusal, Verdict, word_of};
use auric_twophase::{Participation, Reaction, Verb};
use futures::future::join_all;

use crate::asks::{cancel, commit, operation, prepare};
use crate::harness::{Shelf, esprits, on_every_store, send};

on_every_store!(every_word_of_up_to_four_verbs_comes_to_what_the_table_says);

/// Verbs of one word at most.
const VERBS_MAX: usize = 4;

/// Esprits that an operation of these laws grants.
const ESPRITS: usize = 2;

fn words() -> Vec<Vec<Verb>> {
    let mut all = Vec::new();
    let mut longest: Vec<Vec<Verb>> = vec![Vec::new()];
    for _ in 0..VERBS_MAX {
        let longer = longest.iter().flat_map(|word| Verb::ALL.map(|verb| [word.as_slice(), &[verb]].concat()));
        longest = longer.collect();
        all.extend(longest.iter().cloned());
    }
    all
}

fn message(verb: Verb, number: u64, name: &str) -> Ask {
    match verb {
        Verb::Prepare => prepare(number, name, 2),
        Verb::Commit => commit(number, name, ESPRITS),
        Verb::Cancel => cancel(number, name),
    }
}

/// Plays one word, verb by verb, against the table.
async fn check(collection: &Handlers, word: &[Verb], number: u64) {
    let name = format!("p{number}");
    let mut state = Participation::Absent;
    for verb in word {
        let verdict = send(collection, message(*verb, number, &name)).await;
        match (state.on(*verb), verdict) {
            (Reaction::Become(next), Verdict::Stands { part, again: false }) => {
                assert_eq!(part.state, next, "{word:?}");
                state = next;
            }
            (Reaction::Again, Verdict::Stands { part, again: true }) => assert_eq!(part.state, state, "{word:?}"),
            (Reaction::Ended, Verdict::Refused(Refusal::Ended { state: ended, .. })) => {
                assert_eq!(ended, state, "{word:?}");
            }
            (Reaction::NotFound, Verdict::Refused(Refusal::NotFound(_))) => {}
            (reaction, verdict) => panic!("{word:?}: {verb:?} on {state:?} is {reaction:?}, came to {verdict:?}"),
        }
        let kept = collection.part(&operation(number)).await.unwrap();
        let kept = kept.map_or(Participation::Absent, |part| part.state);
        assert_eq!(word_of(kept), word_of(state), "{word:?}");
    }
    let expected = if state == Participation::Committed { ESPRITS } else { 0 };
    assert_eq!(esprits(collection, &name).await.len(), expected, "{word:?}");
}

async fn every_word_of_up_to_four_verbs_comes_to_what_the_table_says(shelf: Shelf) {
    let collection = shelf.copy().await;
    let words = words();
    assert_eq!(words.len(), 3 + 9 + 27 + 81);
    // Each word has a player and an operation of its own, so that they run side by side and share batches.
    join_all(words.iter().zip(1..).map(|(word, number)| check(&collection, word, number))).await;
    shelf.assert_whole().await;
}
