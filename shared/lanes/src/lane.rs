//! One lane: takes what waits, runs it, and deals with what goes wrong until everyone is answered.

use std::any::Any;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use rand::RngExt;
use rand::rngs::SmallRng;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error, field, warn};

use crate::part::{Part, Submission};
use crate::recovery::{Failure, Next};
use crate::stats::Counters;
use crate::{BatchError, Batcher, LaneId, LaneSettings, Refused};

/// How a lane ends.
#[derive(Clone)]
pub(crate) struct Shutdown {
    /// Nothing more is taken in; what is queued is still run.
    pub(crate) closing: CancellationToken,
    /// Nothing more is run either.
    pub(crate) abandoned: CancellationToken,
}

/// What a lane's task owns.
pub(crate) struct Lane<B> {
    pub(crate) id: LaneId,
    pub(crate) batcher: Arc<B>,
    pub(crate) settings: Arc<LaneSettings>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) rng: SmallRng,
}

type Queue<B> = mpsc::Receiver<Submission<<B as Batcher>::Work, <B as Batcher>::Answer>>;
type PartOf<B> = Part<<B as Batcher>::Work, <B as Batcher>::Answer>;

#[derive(Debug, Error)]
#[error("the run took longer than {0:?}")]
struct RunTimedOut(Duration);

impl<B: Batcher> Lane<B> {
    /// Runs batch after batch until the queue is closed and empty, or the lane is abandoned.
    pub(crate) async fn live(mut self, mut queue: Queue<B>, shutdown: Shutdown) {
        let batch_max = usize::from(self.settings.batch_max.get());
        let mut taken = Vec::new();
        let mut batch = Part::empty();
        let mut closing = pin!(shutdown.closing.cancelled());

        loop {
            tokio::select! {
                biased;
                () = &mut closing, if !queue.is_closed() => queue.close(),
                count = queue.recv_many(&mut taken, batch_max) => {
                    if count == 0 {
                        return;
                    }
                    batch.fill(&mut taken);
                    tokio::select! {
                        biased;
                        rest = self.settle(batch) => batch = rest,
                        () = shutdown.abandoned.cancelled() => return self.refuse_all(queue).await,
                    }
                }
            }
        }
    }

    /// Answers every caller of `batch`. Returns an empty part, whose buffers the next batch can use.
    async fn settle(&mut self, batch: PartOf<B>) -> PartOf<B> {
        self.counters.taken(batch.len());
        let begun = Instant::now();
        let mut spent = Part::empty();
        // What is left of the batch, the next part last: their order is kept.
        let mut todo = vec![batch];
        while let Some(mut part) = todo.pop() {
            self.counters.withdrawn(part.withdraw(Instant::now()));
            if part.is_empty() {
                continue;
            }
            if begun.elapsed() >= self.settings.settle_time_max {
                self.give_up(part);
                continue;
            }
            match self.run(&part).await {
                Ok(answers) => {
                    self.counters.answered(answers.len());
                    part.answer(answers);
                    spent = part;
                }
                Err(failure) => self.recover(part, &failure, &mut todo).await,
            }
        }
        self.counters.settled(begun.elapsed());
        spent
    }

    /// Runs `part` once, as one transaction.
    async fn run(&self, part: &PartOf<B>) -> Result<Vec<B::Answer>, Failure> {
        let size = part.len();
        let span = part.span(self.id);

        let begun = Instant::now();
        // The call itself is inside the block, so that a panic before the first await is caught as well.
        let run = AssertUnwindSafe(async { self.batcher.run(self.id, part.works()).await });
        let ran = timeout(self.settings.run_time_max, run.catch_unwind().instrument(span.clone())).await;
        self.counters.ran(size, begun.elapsed());

        let outcome = match ran {
            Ok(Ok(Ok(answers))) if answers.len() == size => Ok(answers),
            Ok(Ok(Ok(answers))) => Err(Failure::Miscounted { answers: answers.len(), works: size }),
            Ok(Ok(Err(error))) => Err(Failure::Batch(error)),
            Ok(Err(panic)) => Err(Failure::Panicked { message: panic_message(panic.as_ref()) }),
            Err(_) => Err(Failure::Batch(BatchError::Lost(RunTimedOut(self.settings.run_time_max).into()))),
        };
        if let Err(failure) = &outcome {
            span.record("auric.batch.failure", field::display(failure));
            span.record("otel.status_code", "ERROR");
        }
        outcome
    }

    /// Puts back into `todo` what of a failed `part` is to be run again, after a pause, and refuses the rest.
    async fn recover(&mut self, mut part: PartOf<B>, failure: &Failure, todo: &mut Vec<PartOf<B>>) {
        let size = part.len();
        let next = part.history.after(failure, size, &self.settings);
        self.log(failure, &next, size);
        self.counters.failed(failure, &next);

        match next {
            Next::Together(pause) => {
                self.pause(pause).await;
                todo.push(part);
            }
            Next::Singly(pause) => {
                self.pause(pause).await;
                todo.extend(part.singles().rev());
            }
            Next::Halves => {
                let (first, second) = part.halve();
                todo.extend([second, first]);
            }
            Next::Refuse(refused) => {
                self.counters.refused(refused, size);
                part.refuse(refused);
            }
        }
    }

    /// Refuses what has held up its lane for too long.
    fn give_up(&self, mut part: PartOf<B>) {
        let (lane, size) = (self.id.number(), part.len());
        let refused = part.history.refusal(Refused::Unavailable);
        warn!(lane, size, %refused, "a batch took too long, and what is left of it is given up");
        self.counters.refused(refused, size);
        part.refuse(refused);
    }

    /// Sleeps for a random part of `ceiling`, at least half of it, so that copies that met once do not meet again.
    async fn pause(&mut self, ceiling: Duration) {
        sleep(self.rng.random_range(ceiling / 2..=ceiling)).await;
    }

    /// Tells those whose work was queued in an abandoned lane that it will not be run.
    async fn refuse_all(&self, mut queue: Queue<B>) {
        queue.close();
        while let Some(submission) = queue.recv().await {
            self.counters.refused(Refused::Draining, 1);
            submission.caller.tell(Err(Refused::Draining));
        }
    }

    fn log(&self, failure: &Failure, next: &Next, size: usize) {
        let lane = self.id.number();
        let failure_text: &(dyn Error + 'static) = failure;
        match (failure, next) {
            (Failure::Panicked { .. } | Failure::Miscounted { .. }, _) => {
                error!(lane, size, error = failure_text, "the batcher has a bug");
            }
            (_, Next::Refuse(Refused::Fault)) => error!(lane, error = failure_text, "a work fails by itself"),
            (_, Next::Refuse(refused)) => warn!(lane, size, error = failure_text, %refused, "a batch is given up"),
            (Failure::Batch(BatchError::Lost(_)), _) => {
                warn!(lane, size, error = failure_text, "a batch is run again by key");
            }
            _ => debug!(lane, size, error = failure_text, ?next, "a batch is run again"),
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}
