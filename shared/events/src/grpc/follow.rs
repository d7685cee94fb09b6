//! Following a source: reads its events, gives them to a sink, and comes back to whatever breaks.

use std::time::Duration;

use auric_api::events::v1 as api;
use auric_api::events::v1::events_service_client::EventsServiceClient;
use auric_client::Channel;
use auric_db::StoreError;
use auric_status::Problem;
use rand::RngExt as _;
use thiserror::Error;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::reasons;
use crate::consumer::{Sink, Step};

/// How to follow.
#[derive(Clone, Copy, Debug)]
pub struct FollowSettings {
    /// The longest pause before what broke is taken up again, the first time; it doubles.
    pub backoff_first: Duration,
    /// The longest such pause.
    pub backoff_max: Duration,
    /// How long a source may say nothing before its stream counts as broken: longer than its heartbeat.
    pub silence_max: Duration,
}

impl Default for FollowSettings {
    fn default() -> Self {
        Self {
            backoff_first: Duration::from_millis(50),
            backoff_max: Duration::from_secs(5),
            silence_max: Duration::from_secs(15),
        }
    }
}

/// Why a stream was left.
#[derive(Debug, Error)]
enum Left {
    #[error("the source said {:?}: {}", .0.code(), .0.message())]
    Source(#[from] Status),
    #[error("the source ended the stream")]
    Ended,
    #[error("the source said nothing for {0:?}")]
    Silent(Duration),
    #[error("the consumer's store failed: {0}")]
    Store(#[from] StoreError),
}

/// Gives every event of a source to `sink`, in order, until `closing` is cancelled; what `decode` leaves out is passed over.
///
/// A failure is met by a pause and a new stream from the cursor that the sink has come to then: nothing is kept in memory that could be ahead of the
/// sink's own transaction.
///
/// # Errors
///
/// The source's refusal, when no patience helps: the cursor is not good any more, or the request is refused. What stands now must be taken from the
/// source's reads before events are followed again.
///
/// # Cancellation
///
/// A step that is under way when `closing` is cancelled is ended first; dropping the future may leave its outcome unknown, and the cursor tells.
pub async fn follow<S: Sink>(
    channel: Channel,
    sink: &S,
    decode: impl Fn(api::Event) -> Option<S::Event> + Send + Sync,
    settings: FollowSettings,
    closing: &CancellationToken,
) -> Result<(), Status> {
    let mut client = EventsServiceClient::new(channel);
    let mut failures: u32 = 0;
    while !closing.is_cancelled() {
        let mut steps: u64 = 0;
        let Err(left) = stream(&mut client, sink, &decode, settings, closing, &mut steps).await else { return Ok(()) };
        if let Left::Source(status) = &left
            && is_final(status)
        {
            return Err(status.clone());
        }
        failures = if steps > 0 { 0 } else { failures.saturating_add(1) };
        let factor = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
        let pause = settings.backoff_first.saturating_mul(factor).min(settings.backoff_max);
        if matches!(left, Left::Store(StoreError::Contended(..))) {
            tracing::debug!(error = %left, steps, "another copy of the consumer is at work");
        } else {
            tracing::warn!(error = %left, steps, "a stream of events is taken up again");
        }
        let pause = pause.mul_f64(rand::rng().random_range(0.5..1.0));
        closing.run_until_cancelled(sleep(pause)).await;
    }
    Ok(())
}

/// Takes one stream until it breaks; ends well only when `closing` is cancelled.
async fn stream<S: Sink>(
    client: &mut EventsServiceClient<Channel>,
    sink: &S,
    decode: &(impl Fn(api::Event) -> Option<S::Event> + Send + Sync),
    settings: FollowSettings,
    closing: &CancellationToken,
    steps: &mut u64,
) -> Result<(), Left> {
    let mut from = sink.cursor().await?;
    let request = api::WatchEventsRequest { cursor: from.clone(), ..Default::default() };
    let Some(opened) = closing.run_until_cancelled(client.watch_events(request)).await else { return Ok(()) };
    let mut answers = opened?.into_inner();
    loop {
        let silence_max = settings.silence_max;
        let Some(answer) = closing.run_until_cancelled(timeout(silence_max, answers.message())).await else {
            return Ok(());
        };
        let answer = answer.map_err(|_| Left::Silent(silence_max))??.ok_or(Left::Ended)?;
        let to = answer.cursor;
        if to != from {
            let events = answer.events.into_iter().filter_map(decode).collect();
            sink.take(Step { from, to: to.clone(), events }).await?;
            *steps = steps.saturating_add(1);
            from = to;
        }
    }
}

/// Whether asking again is in vain.
fn is_final(status: &Status) -> bool {
    match status.code() {
        Code::InvalidArgument | Code::PermissionDenied | Code::Unauthenticated | Code::Unimplemented => true,
        Code::FailedPrecondition => reasons::ALL.contains(&Problem::from_status(status).reason.as_str()),
        _ => false,
    }
}
