//! The log of one batch, in memory: which operations its keys have, what is begun and what is decided.
//!
//! It is loaded under the locks of the batch's players, and what changed in it is written with the rest of the batch.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use auric_ids::{OperationId, PlayerId};
use auric_keys::{Fingerprint, MutationKey};
use auric_time::Timestamp;

use crate::{Decision, Event, Operation, State, Transition};

/// What an operation begins with.
#[derive(Clone, Debug)]
pub struct NewOperation {
    /// Whose it is.
    pub player: PlayerId,
    /// Its id.
    pub id: OperationId,
    /// Who asked, under which key.
    pub key: MutationKey,
    /// What was asked, shortened.
    pub fingerprint: Fingerprint,
    /// The exact inputs, costs and versions, in the coordinator's own words.
    pub plan: String,
    /// What a rule said before anyone was asked, in the coordinator's own words: the key's answer for ever.
    pub refusal: Option<String>,
}

/// What a key has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nothing: plan, and begin.
    Nothing,
    /// An attempt that came to nothing: plan anew, and begin the next attempt.
    GivenUp,
    /// This operation, which is under way or has ended for ever.
    Operation(Box<Operation>),
    /// It was used for another request, which differs in these fields.
    Reused(Vec<String>),
}

/// What became of an operation that was to be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It may be decided: nobody did before.
    Open,
    /// It was decided before; this is how it stands.
    Before(Box<Operation>),
    /// It is not in the log.
    Unknown,
}

/// A key and its newest attempt.
#[derive(Clone, Debug)]
pub(crate) struct KeyRow {
    pub(crate) key: MutationKey,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) player: PlayerId,
    pub(crate) operation: OperationId,
    /// The attempt that was loaded, which the write compares with; nothing when the key is new.
    pub(crate) loaded: Option<OperationId>,
}

/// What one batch knows of its keys and operations.
#[derive(Clone, Debug, Default)]
pub struct Log {
    keys: BTreeMap<MutationKey, KeyRow>,
    operations: BTreeMap<OperationId, Operation>,
    /// What was changed: begun here, or decided here.
    begun: BTreeSet<OperationId>,
    decided: BTreeSet<OperationId>,
    touched_keys: BTreeSet<MutationKey>,
}

impl Log {
    pub(crate) fn loaded(keys: Vec<KeyRow>, operations: Vec<Operation>) -> Self {
        Self {
            keys: keys.into_iter().map(|row| (row.key.clone(), row)).collect(),
            operations: operations.into_iter().map(|operation| (operation.id.clone(), operation)).collect(),
            ..Self::default()
        }
    }

    /// Looks up what `key` has, for a request that means `fingerprint`.
    #[must_use]
    pub fn find(&self, key: &MutationKey, fingerprint: &Fingerprint) -> Begun {
        let Some(row) = self.keys.get(key) else { return Begun::Nothing };
        if row.fingerprint.digest != fingerprint.digest {
            return Begun::Reused(fingerprint.differing_fields(&row.fingerprint));
        }
        match self.operations.get(&row.operation) {
            // Only when all of it is given back: else the next attempt could be refused for what the last one still holds.
            Some(operation) if operation.is_given_up() && operation.state.is_done() => Begun::GivenUp,
            Some(operation) => Begun::Operation(Box::new(operation.clone())),
            None => Begun::Nothing,
        }
    }

    /// Begins an attempt, which its copy has leased for `lease` from `now` on. With a refusal it ends at once.
    pub fn begin(&mut self, new: NewOperation, now: Timestamp, lease: Duration) -> Operation {
        let NewOperation { player, id, key, fingerprint, plan, refusal } = new;
        let before = self.keys.get(&key);
        let attempt = before.and_then(|row| self.operations.get(&row.operation)).map_or(0, |last| last.attempt);
        let loaded = before.and_then(|row| row.loaded.clone());
        let state = if refusal.is_some() { State::Aborted } else { State::Preparing };
        let decision = refusal.map(Decision::Refuse);
        let ended = decision.as_ref().map(|_| now);
        let operation = Operation {
            player: player.clone(),
            id: id.clone(),
            key: key.clone(),
            attempt: attempt.saturating_add(1),
            state,
            plan,
            decision,
            begun_at: now,
            decided_at: ended,
            done_at: ended,
            fence: 1,
            due_at: after(now, lease),
            recoveries: 0,
            last_error: String::new(),
        };
        self.begun.insert(id.clone());
        self.touched_keys.insert(key.clone());
        self.keys.insert(key.clone(), KeyRow { key, fingerprint, player, operation: id.clone(), loaded });
        self.operations.insert(id, operation.clone());
        operation
    }

    /// Makes an operation of what only a participant knows of, decided from the start: ABORT.
    pub fn adopt(&mut self, player: PlayerId, id: OperationId, key: MutationKey, why: String, now: Timestamp) {
        if self.operations.contains_key(&id) {
            return;
        }
        let operation = Operation {
            player,
            id: id.clone(),
            key,
            attempt: 1,
            state: State::Aborting,
            plan: String::new(),
            decision: Some(Decision::GiveUp(why)),
            begun_at: now,
            decided_at: Some(now),
            done_at: None,
            fence: 1,
            due_at: now,
            recoveries: 0,
            last_error: String::new(),
        };
        self.begun.insert(id.clone());
        self.operations.insert(id, operation);
    }

    /// Reads an operation.
    #[must_use]
    pub fn operation(&self, id: &OperationId) -> Option<&Operation> {
        self.operations.get(id)
    }

    /// Finds an undecided operation of a player, among those that were read or begun here.
    #[must_use]
    pub fn undecided(&self, player: &PlayerId) -> Option<&Operation> {
        self.operations.values().find(|operation| operation.player == *player && operation.state == State::Preparing)
    }

    /// Looks up whether an operation may be decided.
    #[must_use]
    pub fn decidable(&self, id: &OperationId) -> Decided {
        match self.operations.get(id) {
            None => Decided::Unknown,
            Some(operation) if operation.state == State::Preparing => Decided::Open,
            Some(operation) => Decided::Before(Box::new(operation.clone())),
        }
    }

    /// Decides an operation that nobody has decided; returns it as it stands then.
    pub fn decide(&mut self, id: &OperationId, decision: Decision, now: Timestamp) -> Option<Operation> {
        let operation = self.operations.get_mut(id)?;
        let event = if matches!(decision, Decision::Commit(_)) { Event::DecideCommit } else { Event::DecideAbort };
        if let Transition::Become(state) = operation.state.on(event) {
            operation.state = state;
            operation.decision = Some(decision);
            operation.decided_at = Some(now);
            self.decided.insert(id.clone());
        }
        Some(operation.clone())
    }

    /// Whether there is anything to write.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.begun.is_empty() && self.decided.is_empty()
    }

    /// What was begun, in ascending order of player and id, as it stands now.
    pub(crate) fn inserts(&self) -> Vec<&Operation> {
        self.sorted(self.begun.iter())
    }

    /// What was loaded and decided, in ascending order of player and id.
    pub(crate) fn updates(&self) -> Vec<&Operation> {
        self.sorted(self.decided.iter().filter(|id| !self.begun.contains(*id)))
    }

    /// Keys that are new, and keys whose attempt changed, each in ascending order.
    pub(crate) fn key_writes(&self) -> (Vec<&KeyRow>, Vec<&KeyRow>) {
        let touched = self.touched_keys.iter().filter_map(|key| self.keys.get(key));
        touched.partition(|row| row.loaded.is_none())
    }

    fn sorted<'a>(&'a self, ids: impl Iterator<Item = &'a OperationId>) -> Vec<&'a Operation> {
        let mut found: Vec<&Operation> = ids.filter_map(|id| self.operations.get(id)).collect();
        found.sort_by(|one, other| (&one.player, &one.id).cmp(&(&other.player, &other.id)));
        found
    }
}

/// A moment later.
pub(crate) fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.plus_micros(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(30);
    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn key() -> MutationKey {
        MutationKey { caller: "bot".parse().unwrap(), key: "k1".parse().unwrap() }
    }

    fn asked(what: &str) -> Fingerprint {
        Fingerprint::of("Summon", vec![("banner_id", auric_keys::Canon::of(what))])
    }

    fn new(id: char) -> NewOperation {
        let id = std::iter::repeat_n(id, 32).collect::<String>().parse().unwrap();
        let (player, fingerprint) = ("p1".parse().unwrap(), asked("standard"));
        NewOperation { player, id, key: key(), fingerprint, plan: "plan".to_owned(), refusal: None }
    }

    #[test]
    fn a_key_has_one_operation_until_it_is_given_up() {
        let mut log = Log::default();
        assert_eq!(log.find(&key(), &asked("standard")), Begun::Nothing);
        let first = log.begin(new('a'), NOW, LEASE);
        assert_eq!(log.find(&key(), &asked("standard")), Begun::Operation(Box::new(first.clone())));
        assert_eq!(log.find(&key(), &asked("premium")), Begun::Reused(vec!["banner_id".to_owned()]));

        let given_up = log.decide(&first.id, Decision::GiveUp("lost".to_owned()), NOW).unwrap();
        assert_eq!(
            log.find(&key(), &asked("standard")),
            Begun::Operation(Box::new(given_up.clone())),
            "not yet given back"
        );
        let done = Operation { state: State::Aborted, ..given_up };
        let row = log.keys.values().next().cloned().unwrap();
        let mut log = Log::loaded(vec![KeyRow { loaded: Some(done.id.clone()), ..row }], vec![done]);
        assert_eq!(log.find(&key(), &asked("standard")), Begun::GivenUp);
        let second = log.begin(new('b'), NOW, LEASE);
        assert_eq!((second.attempt, second.state), (2, State::Preparing));
        assert_eq!(log.find(&key(), &asked("standard")), Begun::Operation(Box::new(second)));
    }

    #[test]
    fn a_rule_that_says_no_is_the_keys_answer_for_ever() {
        let mut log = Log::default();
        let refused = log.begin(NewOperation { refusal: Some("closed".to_owned()), ..new('a') }, NOW, LEASE);
        assert_eq!(
            (refused.state, refused.decision.clone()),
            (State::Aborted, Some(Decision::Refuse("closed".to_owned())))
        );
        assert_eq!(log.find(&key(), &asked("standard")), Begun::Operation(Box::new(refused)));
    }

    #[test]
    fn whoever_decides_second_finds_what_was_decided() {
        let mut log = Log::default();
        let begun = log.begin(new('a'), NOW, LEASE);
        assert_eq!(log.decidable(&begun.id), Decided::Open);
        log.decide(&begun.id, Decision::GiveUp("its lease ran out".to_owned()), NOW);
        let late = log.decide(&begun.id, Decision::Commit("drawn".to_owned()), NOW).unwrap();
        assert_eq!(late.state, State::Aborting);
        assert!(matches!(late.decision, Some(Decision::GiveUp(_))));
        assert!(matches!(log.decidable(&begun.id), Decided::Before(_)));
    }

    #[test]
    fn a_player_is_undecided_until_the_last_operation_is_decided() {
        let mut log = Log::default();
        assert_eq!(log.undecided(&"p1".parse().unwrap()), None);
        let begun = log.begin(new('a'), NOW, LEASE);
        assert_eq!(log.undecided(&"p1".parse().unwrap()), Some(&begun));
        assert_eq!(log.undecided(&"p2".parse().unwrap()), None);
        log.decide(&begun.id, Decision::Commit("drawn".to_owned()), NOW);
        assert_eq!(log.undecided(&"p1".parse().unwrap()), None);
    }
}
