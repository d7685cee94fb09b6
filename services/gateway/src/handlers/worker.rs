//! Takes up what is due, a bounded number at a time; any number of copies share the work.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry::trace::FutureExt as _;
use tokio::task::JoinSet;

use super::{Handlers, figures};
use crate::store::Leased;

/// How often the counts that metrics show are read anew.
const COUNT_EVERY: Duration = Duration::from_secs(10);

impl Handlers {
    /// Begins to apply what is due, until the gateway closes.
    pub fn begin_to_work(self: &Arc<Self>) {
        figures::observe(self);
        let handlers = Arc::clone(self);
        self.tasks.spawn(async move { handlers.work().await });
    }

    async fn work(self: Arc<Self>) {
        let mut running: JoinSet<()> = JoinSet::new();
        let mut counted: Option<Instant> = None;
        while !self.closing.is_cancelled() {
            let busy = u16::try_from(running.len()).unwrap_or(u16::MAX);
            let room = self.worker.parallel_max.get().saturating_sub(busy);
            let taken = if room == 0 { 0 } else { self.take_up(room, &mut running).await };
            if taken == 0 {
                if counted.is_none_or(|at| at.elapsed() >= COUNT_EVERY) {
                    counted = Some(Instant::now());
                    self.count().await;
                }
                self.rest(&mut running).await;
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Leases what is due and begins on it; tells how much that was.
    async fn take_up(self: &Arc<Self>, room: u16, running: &mut JoinSet<()>) -> usize {
        let leased = match self.inbox.lease(room, self.worker.lease).await {
            Ok(leased) if leased.is_empty() => match self.inbox.wake().await {
                Ok(0) => return 0,
                Ok(_) => self.inbox.lease(room, self.worker.lease).await,
                Err(error) => Err(error),
            },
            leased => leased,
        };
        match leased {
            Ok(leased) => {
                let taken = leased.len();
                for event in leased {
                    self.begin(event, running);
                }
                taken
            }
            Err(error) => {
                tracing::warn!(%error, "the inbox does not answer, what is due waits: {error}");
                0
            }
        }
    }

    /// Goes on with the trace that the event came with.
    fn begin(self: &Arc<Self>, event: Leased, running: &mut JoinSet<()>) {
        let mut headers = http::HeaderMap::new();
        if let Ok(value) = http::HeaderValue::try_from(event.traceparent.as_str()) {
            headers.insert(auric_telemetry::context::TRACEPARENT, value);
        }
        let context = auric_telemetry::context::extract(&headers);
        let handlers = Arc::clone(self);
        running.spawn(async move { handlers.apply(event).await }.with_context(context));
    }

    /// Waits for something to do: an arrival, the end of something that makes room, or time to look for what others left.
    async fn rest(&self, running: &mut JoinSet<()>) {
        tokio::select! {
            () = self.closing.cancelled() => {}
            () = self.arrived.notified() => {}
            () = tokio::time::sleep(self.worker.poll) => {}
            Some(_) = running.join_next() => {}
        }
    }

    async fn count(&self) {
        if let Ok(counts) = self.inbox.counts().await {
            self.counts.store(Arc::new(counts));
        }
    }
}
