//! What a participant does with a verb, by what it did before: the whole table.
//!
//! A verb may come any number of times, in any order, and late. A cancel that comes before its prepare leaves a tombstone, which refuses the
//! prepare for ever. After a yes, a commit is never refused.

/// How one service's part in an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Participation {
    /// Nothing was heard of it.
    Absent,
    /// A yes was given: what the commit needs is set aside.
    Prepared,
    /// Done.
    Committed,
    /// Given up after the yes.
    Cancelled,
    /// Given up before it was prepared: a tombstone.
    Voided,
}

/// What a coordinator asks of a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Promise that a commit will succeed.
    Prepare,
    /// Do what was promised.
    Commit,
    /// Give up what was promised, or what would be.
    Cancel,
}

/// What a verb leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Do it: the part stands so from now on.
    Become(Participation),
    /// It was done before: answer as then.
    Again,
    /// It ended otherwise, and stays so: refuse, for ever.
    Ended,
    /// There is nothing to commit: refuse, and remember nothing.
    NotFound,
}

impl Participation {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Absent, Self::Prepared, Self::Committed, Self::Cancelled, Self::Voided];

    /// Looks up what `verb` leads to.
    #[must_use]
    pub const fn on(self, verb: Verb) -> Reaction {
        match (self, verb) {
            (Self::Absent, Verb::Prepare) => Reaction::Become(Self::Prepared),
            (Self::Absent, Verb::Commit) => Reaction::NotFound,
            (Self::Absent, Verb::Cancel) => Reaction::Become(Self::Voided),
            (Self::Prepared, Verb::Commit) => Reaction::Become(Self::Committed),
            (Self::Prepared, Verb::Cancel) => Reaction::Become(Self::Cancelled),
            // A prepare that comes late, after its commit, is told yes as it was then.
            (Self::Prepared | Self::Committed, Verb::Prepare)
            | (Self::Committed, Verb::Commit)
            | (Self::Cancelled | Self::Voided, Verb::Cancel) => Reaction::Again,
            (Self::Committed, Verb::Cancel) | (Self::Cancelled | Self::Voided, Verb::Prepare | Verb::Commit) => {
                Reaction::Ended
            }
        }
    }
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 3] = [Self::Prepare, Self::Commit, Self::Cancel];
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays `verbs` and returns the state and the last reaction.
    fn play(verbs: &[Verb]) -> (Participation, Reaction) {
        let mut state = Participation::Absent;
        let mut last = Reaction::NotFound;
        for verb in verbs {
            last = state.on(*verb);
            if let Reaction::Become(next) = last {
                state = next;
            }
        }
        (state, last)
    }

    #[test]
    fn an_ended_part_never_changes_again() {
        for state in [Participation::Committed, Participation::Cancelled, Participation::Voided] {
            for verb in Verb::ALL {
                assert!(!matches!(state.on(verb), Reaction::Become(_)), "{state:?} changes on {verb:?}");
            }
        }
    }

    #[test]
    fn a_cancel_before_its_prepare_refuses_it_twice() {
        let (state, reaction) = play(&[Verb::Cancel, Verb::Prepare, Verb::Prepare]);
        assert_eq!((state, reaction), (Participation::Voided, Reaction::Ended));
        assert_eq!(play(&[Verb::Cancel, Verb::Prepare, Verb::Commit]).1, Reaction::Ended);
    }

    #[test]
    fn after_a_yes_a_commit_is_never_refused_unless_it_was_cancelled() {
        // All words of up to five verbs: a refusal of a commit needs a cancel before it, or no prepare.
        let mut words: Vec<Vec<Verb>> = vec![Vec::new()];
        for _ in 0..5 {
            let longer = words.iter().flat_map(|word| Verb::ALL.map(|verb| [word.as_slice(), &[verb]].concat()));
            words = longer.collect();
            for word in &words {
                let (_, last) = play(word);
                let [before @ .., Verb::Commit] = word.as_slice() else { continue };
                let is_promised = before.contains(&Verb::Prepare) && !before.contains(&Verb::Cancel);
                if is_promised {
                    assert!(matches!(last, Reaction::Become(Participation::Committed) | Reaction::Again), "{word:?}");
                }
            }
        }
    }

    #[test]
    fn the_same_verb_again_is_answered_again() {
        for state in Participation::ALL {
            for verb in Verb::ALL {
                if let Reaction::Become(next) = state.on(verb) {
                    assert_eq!(next.on(verb), Reaction::Again, "{state:?} on {verb:?} twice");
                }
            }
        }
    }
}
