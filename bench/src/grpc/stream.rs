//! Postings that flow: a few streams, each with many postings under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, Result};
use auric_api::wallet::v1::post_stream_response::Result as Posting;
use auric_api::wallet::v1::{PostStreamRequest, PostStreamResponse};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::post::{one_leg, request};
use super::{Ground, refusal_outcome};
use crate::load::{ANSWER_WAIT_MAX, Plan, checked};
use crate::measure::{Outcome, Recorder, Tally, Times};

/// Keeps `plan.in_flight` postings under way on `streams` streams, closed loop: each answer is followed by the next posting.
///
/// # Errors
///
/// A stream broke, or a posting failed.
pub async fn drive_streams(ground: Ground, streams: usize, plan: Plan) -> Result<Tally> {
    let recorder = Arc::new(Recorder::new(plan.window));
    let numbers = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let streams = streams.clamp(1, plan.in_flight.max(1));
    let mut tasks = JoinSet::new();
    for index in 0..streams {
        let worker = Worker {
            index,
            slots: vec![Duration::ZERO; plan.in_flight / streams],
            ground: ground.clone(),
            plan,
            begun,
            numbers: Arc::clone(&numbers),
            recorder: Arc::clone(&recorder),
        };
        tasks.spawn(worker.live());
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("a stream of the load generator panicked")??;
    }
    checked(recorder.tally())
}

/// One stream.
struct Worker {
    index: usize,
    /// When the posting of each place was sent. A key ends with its place.
    slots: Vec<Duration>,
    ground: Ground,
    plan: Plan,
    begun: Instant,
    numbers: Arc<AtomicU64>,
    recorder: Arc<Recorder>,
}

impl Worker {
    async fn live(mut self) -> Result<()> {
        let (sender, receiver) = mpsc::channel(self.slots.len().max(1));
        let mut under_way = 0_usize;
        for slot in 0..self.slots.len() {
            under_way += usize::from(self.send(&sender, slot).await?);
        }
        let number = u64::try_from(self.index).unwrap_or(0);
        let (_, mut client) = self.ground.of_call(number);
        let mut answers = client.post_stream(ReceiverStream::new(receiver)).await?.into_inner();
        while under_way > 0 {
            let slot = self.receive(&mut answers).await?;
            if !self.send(&sender, slot).await? {
                under_way -= 1;
            }
        }
        Ok(())
    }

    /// Sends the next posting, unless it is over.
    async fn send(&mut self, sender: &mpsc::Sender<PostStreamRequest>, slot: usize) -> Result<bool> {
        let number = self.numbers.fetch_add(1, Relaxed);
        let sent = self.begun.elapsed();
        if sent >= self.plan.window.end() || number >= self.plan.calls_max {
            return Ok(false);
        }
        let Ground { players, keys, .. } = &self.ground;
        let key = format!("{}/{slot}", keys.of_call(number));
        let post = Some(request(key, vec![one_leg(players.of_call(number), number)]));
        self.slots[slot] = sent;
        sender.send(PostStreamRequest { post }).await.context("the stream was closed")?;
        Ok(true)
    }

    /// Takes one answer, notes it, and tells which place is free now.
    async fn receive(&self, answers: &mut Streaming<PostStreamResponse>) -> Result<usize> {
        let answer =
            tokio::time::timeout(ANSWER_WAIT_MAX, answers.message()).await.context("no answer on a stream")??;
        let answer = answer.context("a stream ended before every posting was answered")?;
        let place = answer.idempotency_key.rsplit_once('/').and_then(|(_, slot)| slot.parse().ok());
        let slot: usize =
            place.filter(|slot| *slot < self.slots.len()).context("an answer to a key that was not sent")?;
        let outcome = match answer.result {
            Some(Posting::Posted(_)) => Outcome::Done { units: 1 },
            Some(Posting::Refusal(refusal)) => refusal_outcome(&refusal),
            None => Outcome::Failed("a posting without a result".to_owned()),
        };
        let sent = self.slots[slot];
        self.recorder.record(self.index, outcome, Times { due: sent, sent, answered: self.begun.elapsed() });
        Ok(slot)
    }
}
