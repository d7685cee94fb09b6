//! What may follow what in an operation: the whole table, and the steps between which something may break.

use serde::{Deserialize, Serialize};

/// How an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Participants are being asked; nothing is decided.
    Preparing,
    /// COMMIT is decided: every participant will commit.
    Committing,
    /// ABORT is decided: every participant will cancel.
    Aborting,
    /// Every participant has committed.
    Committed,
    /// Every participant has cancelled, or none was ever asked.
    Aborted,
}

/// What happens to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// Every participant said yes, and the coordinator's rules too.
    DecideCommit,
    /// A participant or a rule said no, or nobody knows any more.
    DecideAbort,
    /// Every participant did what was decided.
    Finish,
}

/// What an event leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The operation stands so from now on.
    Become(State),
    /// It happened before.
    Again,
    /// It was decided otherwise before, and stays so.
    Late,
    /// It may not happen yet.
    TooEarly,
}

/// A step of an operation: something may break before its effect, and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The operation is written.
    Begin,
    /// A participant is asked to promise.
    Prepare,
    /// The decision is written, with all that follows from it in the coordinator's own database.
    Decide,
    /// A participant is told the decision.
    Finish,
    /// That all have finished is written.
    Done,
}

/// The steps of an operation, in order.
pub const STEPS: [Step; 5] = [Step::Begin, Step::Prepare, Step::Decide, Step::Finish, Step::Done];

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Preparing, Self::Committing, Self::Aborting, Self::Committed, Self::Aborted];

    /// Looks up what `event` leads to.
    #[must_use]
    pub const fn on(self, event: Event) -> Transition {
        match (self, event) {
            (Self::Preparing, Event::DecideCommit) => Transition::Become(Self::Committing),
            (Self::Preparing, Event::DecideAbort) => Transition::Become(Self::Aborting),
            (Self::Preparing, Event::Finish) => Transition::TooEarly,
            (Self::Committing, Event::Finish) => Transition::Become(Self::Committed),
            (Self::Aborting, Event::Finish) => Transition::Become(Self::Aborted),
            (Self::Committing | Self::Committed, Event::DecideCommit)
            | (Self::Aborting | Self::Aborted, Event::DecideAbort)
            | (Self::Committed | Self::Aborted, Event::Finish) => Transition::Again,
            (Self::Committing | Self::Committed, Event::DecideAbort)
            | (Self::Aborting | Self::Aborted, Event::DecideCommit) => Transition::Late,
        }
    }

    /// Whether COMMIT was decided.
    #[must_use]
    pub const fn is_commit(self) -> bool {
        matches!(self, Self::Committing | Self::Committed)
    }

    /// Whether nothing is left to do.
    #[must_use]
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Committed | Self::Aborted)
    }

    /// The word that is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Committing => "committing",
            Self::Aborting => "aborting",
            Self::Committed => "committed",
            Self::Aborted => "aborted",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl Step {
    /// The word for it in traces, metrics and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Prepare => "prepare",
            Self::Decide => "decide",
            Self::Finish => "finish",
            Self::Done => "done",
        }
    }

    /// Whether it is a call to each participant; the others are writes of the coordinator.
    #[must_use]
    pub const fn is_call(self) -> bool {
        matches!(self, Self::Prepare | Self::Finish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 3] = [Event::DecideCommit, Event::DecideAbort, Event::Finish];

    #[test]
    fn a_decision_is_made_once() {
        for state in State::ALL {
            let decided = |event| matches!(state.on(event), Transition::Become(_));
            let is_open = state == State::Preparing;
            assert_eq!(decided(Event::DecideCommit), is_open, "{state:?}");
            assert_eq!(decided(Event::DecideAbort), is_open, "{state:?}");
        }
    }

    #[test]
    fn what_is_decided_never_changes_its_direction() {
        for state in State::ALL.into_iter().filter(|state| *state != State::Preparing) {
            for event in EVENTS {
                if let Transition::Become(next) = state.on(event) {
                    assert_eq!(next.is_commit(), state.is_commit(), "{state:?} on {event:?}");
                }
            }
        }
    }

    #[test]
    fn every_operation_ends_and_what_ended_stays() {
        for state in State::ALL {
            let moves = EVENTS.into_iter().filter(|event| matches!(state.on(*event), Transition::Become(_))).count();
            assert_eq!(moves == 0, state.is_done(), "{state:?}");
        }
    }

    #[test]
    fn the_same_event_again_changes_nothing() {
        for state in State::ALL {
            for event in EVENTS {
                if let Transition::Become(next) = state.on(event) {
                    assert_eq!(next.on(event), Transition::Again, "{state:?} on {event:?} twice");
                }
            }
        }
    }

    #[test]
    fn every_word_is_read_back() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        assert_eq!(State::parse("held"), None);
    }
}
