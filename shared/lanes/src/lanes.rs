use std::num::NonZeroU16;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use thiserror::Error;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Span;

use crate::lane::{Lane, Shutdown};
use crate::part::{Caller, Submission};
use crate::stats::Counters;
use crate::{Batcher, LaneId, LaneSettings, LaneStats};

/// How long abandoned lanes may take to let go of what they were doing.
const LET_GO_TIME_MAX: Duration = Duration::from_secs(1);

/// Why a submission got no answer. Only after [`Unknown`](Self::Unknown) may it have taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// The lane's queue holds as much as it may. Nothing happened; try again after the delay.
    #[error("the queue is full, try again in {retry_after:?}")]
    QueueFull {
        /// About the time that the lane needs for what is queued.
        retry_after: Duration,
    },

    /// The deadline passed before the work was run. Nothing happened.
    #[error("the deadline passed before the work was run")]
    DeadlinePassed,

    /// The lanes are shutting down. Nothing happened; try another copy.
    #[error("the lanes are shutting down")]
    Draining,

    /// Other transactions were in the way each time. Nothing happened; try again.
    #[error("other transactions were in the way")]
    Contended,

    /// No transaction could begin. Nothing happened; try again.
    #[error("no transaction could begin")]
    Unavailable,

    /// The work fails by itself. Nothing happened, and nothing will; the cause is in the log.
    #[error("the work cannot be done")]
    Fault,

    /// The work may have taken effect, or may not have. Ask again with the same key.
    #[error("the outcome is unknown")]
    Unknown,
}

/// What was in flight or queued when the bound of a drain passed was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the lanes did not drain within {bound:?}")]
pub struct DrainTimedOut {
    bound: Duration,
}

/// The lanes of one service: submissions of `W` in, answers of `A` out.
///
/// Dropping it lets every lane finish what it has; [`drain`](Self::drain) waits for that.
pub struct Lanes<W, A> {
    entrances: Box<[Entrance<W, A>]>,
    settings: Arc<LaneSettings>,
    tasks: TaskTracker,
    shutdown: Shutdown,
}

/// The near end of a lane.
struct Entrance<W, A> {
    id: LaneId,
    queue: mpsc::Sender<Submission<W, A>>,
    counters: Arc<Counters>,
}

impl<W: Send + Sync + 'static, A: Send + 'static> Lanes<W, A> {
    /// Starts the lanes, a task each. `rng` seeds the jitter of their pauses.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub fn start<B>(batcher: B, settings: LaneSettings, rng: &mut impl Rng) -> Self
    where
        B: Batcher<Work = W, Answer = A>,
    {
        let batcher = Arc::new(batcher);
        let settings = Arc::new(settings);
        let tasks = TaskTracker::new();
        let shutdown = Shutdown { closing: CancellationToken::new(), abandoned: CancellationToken::new() };

        let start_one = |number| {
            let id = LaneId::new(number);
            let counters = Arc::new(Counters::new(settings.service, id));
            let (queue, waiting) = mpsc::channel(usize::from(settings.queue_max.get()));
            let lane = Lane {
                id,
                batcher: Arc::clone(&batcher),
                settings: Arc::clone(&settings),
                counters: Arc::clone(&counters),
                rng: SmallRng::from_rng(rng),
            };
            tasks.spawn(lane.live(waiting, shutdown.clone()));
            Entrance { id, queue, counters }
        };
        let entrances = (0..settings.lanes.get()).map(start_one).collect();

        Self { entrances, settings, tasks, shutdown }
    }

    /// Runs `work` in the lane of `key`, and returns its answer once it is durable.
    ///
    /// Works whose keys are equal are run in the order of their submission. `deadline` is the last moment at which a first run may
    /// begin: it keeps the work from being run, and never from being answered.
    ///
    /// # Errors
    ///
    /// [`Refused`]: each variant says whether something may have happened.
    ///
    /// # Cancellation
    ///
    /// Dropping the future withdraws the work if it was not taken yet. Afterwards it is run all the same, and nobody hears.
    pub async fn submit(&self, key: &[u8], work: W, deadline: Option<Instant>) -> Result<A, Refused> {
        self.enqueue(key, work, deadline)?.await
    }

    /// Queues `work` as [`submit`](Self::submit) does, and returns at once, so that one task can have much in flight and in order.
    ///
    /// # Errors
    ///
    /// [`Refused::QueueFull`] and [`Refused::Draining`]; the others come from the ticket.
    pub fn enqueue(&self, key: &[u8], work: W, deadline: Option<Instant>) -> Result<Ticket<A>, Refused> {
        let entrance = self.entrance(key);
        let (reply, answer) = oneshot::channel();
        let submission = Submission { work, caller: Caller { reply, deadline, span: Span::current() } };

        match entrance.queue.try_send(submission) {
            Ok(()) => Ok(Ticket { answer }),
            Err(TrySendError::Full(_)) => {
                let refused = Refused::QueueFull { retry_after: self.retry_after(entrance) };
                entrance.counters.refused(refused, 1);
                Err(refused)
            }
            Err(TrySendError::Closed(_)) => {
                entrance.counters.refused(Refused::Draining, 1);
                Err(Refused::Draining)
            }
        }
    }

    /// Refuses `works` works at once where the queues have no room for them, so that nothing need be made of them first.
    ///
    /// Which lanes they would go to is not asked, so that some may still be refused one by one. Queues too short for so many at any time are
    /// taken for full while less than a quarter of them is free.
    ///
    /// # Errors
    ///
    /// [`Refused::QueueFull`], counted for each of them.
    pub fn admit(&self, works: usize) -> Result<(), Refused> {
        let free: usize = self.entrances.iter().map(|entrance| entrance.queue.capacity()).sum();
        let all: usize = self.entrances.iter().map(|entrance| entrance.queue.max_capacity()).sum();
        let fullest = self.entrances.iter().max_by_key(|entrance| entrance.depth());
        let Some(fullest) = fullest.filter(|_| free < works.min(all / 4)) else { return Ok(()) };
        let refused = Refused::QueueFull { retry_after: self.retry_after(fullest) };
        fullest.counters.refused(refused, works);
        Err(refused)
    }

    /// Returns the lane of `key`: the same in every process and release that has as many lanes.
    pub fn lane_of(&self, key: &[u8]) -> LaneId {
        self.entrance(key).id
    }

    /// Returns what each lane has done since the start, in the order of their numbers.
    pub fn stats(&self) -> Vec<LaneStats> {
        self.entrances.iter().map(|entrance| entrance.counters.snapshot(entrance.depth())).collect()
    }

    /// Refuses what comes from now on, and returns when all that was queued is answered. May be called again.
    ///
    /// # Errors
    ///
    /// [`DrainTimedOut`] when [`LaneSettings::drain_time_max`] passed first: what was in flight then is
    /// [`Refused::Unknown`] to its callers, and what was queued [`Refused::Draining`].
    pub async fn drain(&self) -> Result<(), DrainTimedOut> {
        self.tasks.close();
        self.shutdown.closing.cancel();

        let bound = self.settings.drain_time_max;
        if timeout(bound, self.tasks.wait()).await.is_ok() {
            return Ok(());
        }
        self.shutdown.abandoned.cancel();
        // A run that blocks its thread cannot be dropped; the bound holds for it as well.
        drop(timeout(LET_GO_TIME_MAX, self.tasks.wait()).await);
        Err(DrainTimedOut { bound })
    }

    fn entrance(&self, key: &[u8]) -> &Entrance<W, A> {
        &self.entrances[lane_index(key, self.settings.lanes)]
    }

    fn retry_after(&self, entrance: &Entrance<W, A>) -> Duration {
        let batches = entrance.depth() / usize::from(self.settings.batch_max.get()) + 1;
        let batches = u32::try_from(batches).unwrap_or(u32::MAX);
        let delay = entrance.counters.recent_settle_time().saturating_mul(batches);
        delay.min(self.settings.retry_after_max).max(self.settings.retry_after_min)
    }
}

impl<W, A> Entrance<W, A> {
    fn depth(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

/// The answer to a queued work, when it comes.
///
/// # Cancellation
///
/// Dropping it withdraws the work if it was not taken yet. Afterwards it is run all the same, and nobody hears.
#[derive(Debug)]
#[must_use = "dropping a ticket withdraws its work"]
pub struct Ticket<A> {
    answer: oneshot::Receiver<Result<A, Refused>>,
}

impl<A> Future for Ticket<A> {
    type Output = Result<A, Refused>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // A lane that let go of a caller without a word was abandoned, or its runtime is gone.
        Pin::new(&mut self.answer).poll(cx).map(|told| told.unwrap_or(Err(Refused::Unknown)))
    }
}

/// Returns the lane of `key` by its 64-bit FNV-1a hash, which, unlike the standard library's, never changes.
fn lane_index(key: &[u8], lanes: NonZeroU16) -> usize {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;

    let hash = key.iter().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
    let index = hash % u64::from(lanes.get());
    usize::try_from(index).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(count: u16) -> NonZeroU16 {
        NonZeroU16::new(count).unwrap()
    }

    #[test]
    fn the_lane_of_a_key_never_changes() {
        let all = lanes(u16::MAX);

        // The published FNV-1a hashes of "", "a" and "foobar", modulo 65,535.
        assert_eq!(lane_index(b"", all), usize::try_from(0xcbf2_9ce4_8422_2325_u64 % 65_535).unwrap());
        assert_eq!(lane_index(b"a", all), usize::try_from(0xaf63_dc4c_8601_ec8c_u64 % 65_535).unwrap());
        assert_eq!(lane_index(b"foobar", all), usize::try_from(0x8594_4171_f739_67e8_u64 % 65_535).unwrap());
    }

    #[test]
    fn keys_that_differ_little_spread_over_the_lanes() {
        for count in [2_u16, 3, 8] {
            let mut players = vec![0_u32; usize::from(count)];
            for number in 0..8_000 {
                players[lane_index(format!("player-{number}").as_bytes(), lanes(count))] += 1;
            }

            let even = 8_000 / u32::from(count);
            for share in players {
                assert!(share.abs_diff(even) < even / 4, "{share} of 8,000 players in one of {count} lanes");
            }
        }
    }
}
