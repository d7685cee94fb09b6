//! Which firing of a job may run beside which.

use auric_time::Timestamp;

use super::{FiringKey, Overlap, Stage};

/// An open firing of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub key: FiringKey,
    /// How far it has come.
    pub stage: Stage,
    /// Whether its time has come, or its lease has run out.
    pub is_ready: bool,
    /// What becomes of it beside others.
    pub overlap: Overlap,
    /// Whether it was triggered by hand.
    pub triggered: bool,
}

/// All open firings of one job, read after the job was locked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turns(pub Vec<Candidate>);

/// What becomes of an open firing now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is leased.
    Run(FiringKey),
    /// It never runs.
    Skip(FiringKey, bool),
}

/// Says what becomes of a job's firings that are ready; of what is not named nothing becomes now.
///
/// Never more than one of those that allow no other beside them is begun at a time: one that failed and waits has begun. It comes before all that did not.
#[must_use]
pub fn take_turns(turns: &Turns) -> Vec<Turn> {
    let mut open: Vec<&Candidate> = turns.0.iter().collect();
    open.sort_by_key(|candidate| {
        (candidate.stage == Stage::Pending, candidate.key.scheduled_for, candidate.key.incarnation)
    });
    let mut busy = false;
    let mut queued: Option<Timestamp> = None;
    let mut decided = Vec::new();
    for candidate in open {
        let is_alone = candidate.overlap != Overlap::Allow;
        match candidate.stage {
            Stage::Running if !candidate.is_ready => busy = true,
            // A lease that ran out, or a retry that is due.
            Stage::Running | Stage::Retrying if candidate.is_ready => {
                if !busy && is_alone {
                    decided.push(Turn::Run(candidate.key.clone()));
                }
                busy = true;
            }
            Stage::Running | Stage::Retrying => busy = true,
            Stage::Pending if !candidate.is_ready || !is_alone => {}
            Stage::Pending if !busy => {
                busy = true;
                decided.push(Turn::Run(candidate.key.clone()));
            }
            Stage::Pending if candidate.overlap == Overlap::QueueOne && queued.is_none() => {
                queued = Some(candidate.key.scheduled_for);
            }
            Stage::Pending => decided.push(Turn::Skip(candidate.key.clone(), candidate.triggered)),
        }
    }
    decided
}

#[cfg(test)]
mod tests {
    use auric_time::Timestamp;
    use proptest::prelude::*;

    use super::{Candidate, Turn, Turns, take_turns};
    use crate::domain::{FiringKey, Incarnation, Overlap, Stage};

    fn candidate(number: i64, stage: Stage, is_ready: bool, overlap: Overlap) -> Candidate {
        let scheduled_for = Timestamp::from_micros(number);
        let key = FiringKey { job: "j".parse().unwrap(), scheduled_for, incarnation: Incarnation::from_number(1) };
        Candidate { key, stage, is_ready, overlap, triggered: false }
    }

    fn check(overlap: Overlap, open: &[(Stage, bool)], run: &[i64], skip: &[i64]) {
        let open = open.iter().zip(1..).map(|(&(stage, is_ready), number)| candidate(number, stage, is_ready, overlap));
        let decided = take_turns(&Turns(open.collect()));
        let of = |wanted: bool| -> Vec<i64> {
            let numbers = decided.iter().filter_map(|turn| match turn {
                Turn::Run(key) if wanted => Some(key.scheduled_for.micros()),
                Turn::Skip(key, _) if !wanted => Some(key.scheduled_for.micros()),
                _ => None,
            });
            numbers.collect()
        };
        assert_eq!((of(true), of(false)), (run.to_vec(), skip.to_vec()));
    }

    const DUE: (Stage, bool) = (Stage::Pending, true);
    const LATER: (Stage, bool) = (Stage::Pending, false);
    const RUNS: (Stage, bool) = (Stage::Running, false);
    const RAN_OUT: (Stage, bool) = (Stage::Running, true);
    const WAITS: (Stage, bool) = (Stage::Retrying, false);
    const AGAIN: (Stage, bool) = (Stage::Retrying, true);

    #[test]
    fn the_oldest_runs_and_the_others_are_skipped() {
        check(Overlap::Skip, &[DUE, DUE, DUE, LATER], &[1], &[2, 3]);
        check(Overlap::Skip, &[RUNS, DUE, DUE, LATER], &[], &[2, 3]);
    }

    #[test]
    fn one_waits_for_its_turn() {
        check(Overlap::QueueOne, &[DUE, DUE, DUE, LATER], &[1], &[3]);
        check(Overlap::QueueOne, &[RUNS, DUE, DUE, DUE], &[], &[3, 4]);
    }

    #[test]
    fn what_has_begun_comes_first() {
        check(Overlap::Skip, &[DUE, AGAIN], &[2], &[1]);
        check(Overlap::QueueOne, &[DUE, RAN_OUT], &[2], &[]);
        check(Overlap::Skip, &[DUE, WAITS], &[], &[1]);
    }

    proptest! {
        /// Whatever is open, at most one that wants to be alone is begun when all is decided.
        #[test]
        fn never_two_at_once(open in prop::collection::vec((0..6_usize, prop::sample::select(vec![Overlap::Skip, Overlap::QueueOne])), 0..12)) {
            let kinds = [DUE, LATER, RUNS, RAN_OUT, WAITS, AGAIN];
            // There is never more than one that has begun: that is what is to be shown of the next state, too.
            let mut begun = false;
            let mut turns = Vec::new();
            for ((kind, overlap), number) in open.into_iter().zip(1..) {
                let (stage, is_ready) = kinds[kind];
                let stage = if stage != Stage::Pending && begun { Stage::Pending } else { stage };
                begun |= stage != Stage::Pending;
                turns.push(candidate(number, stage, is_ready, overlap));
            }
            let decided = take_turns(&Turns(turns.clone()));
            let runs: Vec<_> = decided.iter().filter_map(|turn| match turn { Turn::Run(key) => Some(key), Turn::Skip(..) => None }).collect();
            prop_assert!(runs.len() <= 1);
            let already = turns.iter().find(|candidate| candidate.stage != Stage::Pending);
            if let (Some(already), Some(run)) = (already, runs.first()) {
                prop_assert_eq!(&already.key, *run, "only what has begun goes on");
            }
            let is_any_due = turns.iter().any(|candidate| candidate.is_ready);
            let is_held_up = already.is_some_and(|candidate| !candidate.is_ready);
            prop_assert_eq!(runs.len() == 1, is_any_due && !is_held_up, "and nothing waits for nothing");
        }
    }
}
