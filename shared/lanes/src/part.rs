//! Works and those who wait for them.

use std::mem;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{Span, field, info_span};

use crate::recovery::History;
use crate::{LaneId, Refused};

/// A work on its way into a lane.
pub(crate) struct Submission<W, A> {
    pub(crate) work: W,
    pub(crate) caller: Caller<A>,
}

/// Who waits for an answer, how long, and under which span.
pub(crate) struct Caller<A> {
    pub(crate) reply: oneshot::Sender<Result<A, Refused>>,
    pub(crate) deadline: Option<Instant>,
    /// Held open until the answer, so that a batch can still link to it when the caller has gone.
    pub(crate) span: Span,
}

/// Why a work is not run at all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Withdrawal {
    DeadlinePassed,
    CallerGone,
}

/// How many works were dropped before they were run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Withdrawn {
    pub(crate) deadline_passed: u64,
    pub(crate) caller_gone: u64,
}

impl<A> Caller<A> {
    fn withdrawal(&self, now: Instant) -> Option<Withdrawal> {
        if self.reply.is_closed() {
            return Some(Withdrawal::CallerGone);
        }
        self.deadline.filter(|deadline| *deadline <= now).map(|_| Withdrawal::DeadlinePassed)
    }

    pub(crate) fn tell(self, outcome: Result<A, Refused>) {
        // A caller that went away after its work was taken hears nothing; asking again with its key tells it.
        drop(self.reply.send(outcome));
    }
}

/// Works that are run together, which is a batch or what is left of one.
///
/// Invariant: `works` and `callers` are of one length, and stand in the same order.
pub(crate) struct Part<W, A> {
    works: Vec<W>,
    callers: Vec<Caller<A>>,
    pub(crate) history: History,
}

impl<W, A> Part<W, A> {
    pub(crate) fn empty() -> Self {
        Self { works: Vec::new(), callers: Vec::new(), history: History::default() }
    }

    /// Takes all that was submitted, with no history. What it held must have been answered.
    pub(crate) fn fill(&mut self, submissions: &mut Vec<Submission<W, A>>) {
        self.works.clear();
        self.callers.clear();
        self.history = History::default();
        for Submission { work, caller } in submissions.drain(..) {
            self.works.push(work);
            self.callers.push(caller);
        }
    }

    pub(crate) fn works(&self) -> &[W] {
        &self.works
    }

    pub(crate) fn len(&self) -> usize {
        self.works.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.works.is_empty()
    }

    /// Drops the works whose deadline has passed or whose caller has gone, unless they may have taken effect already.
    pub(crate) fn withdraw(&mut self, now: Instant) -> Withdrawn {
        let mut withdrawn = Withdrawn::default();
        if self.history.exposed() || self.callers.iter().all(|caller| caller.withdrawal(now).is_none()) {
            return withdrawn;
        }

        let works = mem::take(&mut self.works);
        let callers = mem::take(&mut self.callers);
        for (work, caller) in works.into_iter().zip(callers) {
            match caller.withdrawal(now) {
                None => {
                    self.works.push(work);
                    self.callers.push(caller);
                }
                Some(Withdrawal::CallerGone) => withdrawn.caller_gone += 1,
                Some(Withdrawal::DeadlinePassed) => {
                    withdrawn.deadline_passed += 1;
                    caller.tell(Err(Refused::DeadlinePassed));
                }
            }
        }
        withdrawn
    }

    /// Makes the span of a run, linked with that of every caller that has one, both ways: from a mutation one finds its batch. Where no caller
    /// has a span the run has none either, which costs nothing.
    pub(crate) fn span(&self, lane: LaneId) -> Span {
        let mut traced = self.callers.iter().map(|caller| &caller.span).filter(|span| !span.is_disabled()).peekable();
        if traced.peek().is_none() {
            return Span::none();
        }
        let batch = info_span!(
            parent: None,
            "batch",
            auric.lane = lane.number(),
            auric.batch.size = self.len(),
            auric.batch.failure = field::Empty,
            otel.status_code = field::Empty,
        );
        for span in traced {
            batch.follows_from(span);
            span.follows_from(&batch);
        }
        batch
    }

    /// Gives every caller its answer, in order. The works are done with.
    pub(crate) fn answer(&mut self, answers: Vec<A>) {
        debug_assert_eq!(answers.len(), self.callers.len(), "the lane counts the answers before it gives them");
        self.works.clear();
        for (caller, answer) in self.callers.drain(..).zip(answers) {
            caller.tell(Ok(answer));
        }
    }

    /// Tells every caller the same. The works are done with.
    pub(crate) fn refuse(&mut self, refused: Refused) {
        self.works.clear();
        for caller in self.callers.drain(..) {
            caller.tell(Err(refused));
        }
    }

    /// Splits in two, the first at least as large.
    pub(crate) fn halve(mut self) -> (Self, Self) {
        let middle = self.len().div_ceil(2);
        let history = self.history.of_fewer();
        let second = Self { works: self.works.split_off(middle), callers: self.callers.split_off(middle), history };
        (Self { history, ..self }, second)
    }

    /// Splits into parts of one work each, in order.
    pub(crate) fn singles(self) -> impl DoubleEndedIterator<Item = Self> {
        let history = self.history.of_fewer();
        let both = self.works.into_iter().zip(self.callers);
        both.map(move |(work, caller)| Self { works: vec![work], callers: vec![caller], history })
    }
}
