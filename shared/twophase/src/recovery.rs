//! What goes on beside the operations: signs of life, what others left, and ends that are written.

use std::sync::Arc;
use std::time::Duration;

use auric_db::StoreError;
use auric_ids::{OperationId, PlayerId};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::{Driver, figures};

/// Ends that one statement writes.
const DONE_BATCH_MAX: usize = 512;

/// How long ends are collected: nobody waits for them.
const DONE_PAUSE: Duration = Duration::from_millis(20);

/// How often what is open is counted.
const COUNT_EVERY: Duration = Duration::from_secs(5);

impl Driver {
    /// Writes the ends of operations, many at a time. One that is lost is found again when its lease runs out.
    pub(crate) async fn write_ends(self: Arc<Self>, mut ended: mpsc::Receiver<(PlayerId, OperationId)>) {
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                biased;
                count = ended.recv_many(&mut batch, DONE_BATCH_MAX) => if count == 0 { return },
                // Only this task and those that watch are left: nobody drives any more.
                () = self.all_driven() => return,
            }
            if let Err(error) = self.operations.done(&batch).await {
                tracing::warn!(%error, "the ends of {} operations are not written yet: {error}", batch.len());
            }
            batch.clear();
            tokio::select! {
                () = sleep(DONE_PAUSE) => {}
                () = self.closing.cancelled() => {}
            }
        }
    }

    /// Waits until the coordinator closes and nothing is driven any more.
    async fn all_driven(&self) {
        self.closing.cancelled().await;
        while !self.leases().is_empty() {
            sleep(DONE_PAUSE).await;
        }
    }

    /// Shows signs of life as long as anything is driven.
    pub(crate) async fn keep_alive(self: Arc<Self>) {
        tokio::select! {
            () = self.all_driven() => {}
            () = self.beat() => {}
        }
    }

    /// Renews the leases of what this copy drives for longer than a heartbeat, for ever.
    async fn beat(&self) {
        let mut before: Vec<OperationId> = Vec::new();
        loop {
            sleep(self.settings.heartbeat()).await;
            let leases = self.leases();
            let slow: Vec<_> = leases.iter().filter(|lease| before.contains(&lease.id)).cloned().collect();
            if !slow.is_empty()
                && let Err(error) = self.operations.renew(&slow, self.settings.lease).await
            {
                tracing::warn!(%error, "{} leases are not renewed: {error}", slow.len());
            }
            before = leases.into_iter().map(|lease| lease.id).collect();
        }
    }

    /// Takes up what nobody drives any more, until the coordinator closes.
    pub(crate) async fn recover(self: Arc<Self>) {
        let mut since_count = COUNT_EVERY;
        while self.closing.run_until_cancelled(sleep(self.settings.heartbeat())).await.is_some() {
            drop(self.take_up().await);
            since_count = since_count.saturating_add(self.settings.heartbeat());
            if since_count >= COUNT_EVERY {
                since_count = Duration::ZERO;
                if let Ok((open, oldest_s)) = self.operations.count_open().await {
                    figures::open(self.settings.service, open, oldest_s);
                }
            }
        }
    }

    /// Takes up what nobody drives any more, and looks for what nobody knows of, at once: what this copy does by itself now and then.
    ///
    /// Any number of copies may do it at any time: operations are leased.
    ///
    /// # Shape
    ///
    /// How many operations were taken up.
    ///
    /// # Errors
    ///
    /// What did not answer; the rest was done.
    pub async fn rouse(self: &Arc<Self>) -> Result<u32, String> {
        if self.closing.is_cancelled() {
            return Err("this copy is about to stop".to_owned());
        }
        let taken_up = self.take_up().await.map_err(|error| error.to_string())?;
        self.look_for_orphans().await?;
        Ok(taken_up)
    }

    async fn take_up(self: &Arc<Self>) -> Result<u32, StoreError> {
        let busy = u32::try_from(self.leases().len()).unwrap_or(u32::MAX);
        // What callers began goes first: it is not counted against what is taken up, but makes it wait when there is much.
        let room = self.settings.recoveries_max.saturating_sub(busy.min(self.settings.recoveries_max / 2));
        let leased = self.operations.lease(room, self.settings.lease).await.inspect_err(|error| {
            tracing::warn!(%error, "the log of operations does not answer, what was left waits: {error}");
        })?;
        let mut taken_up: u32 = 0;
        for operation in leased {
            if self.goes_on(&operation) {
                continue;
            }
            figures::recovered();
            tracing::info!(
                operation_id = %operation.id,
                player_id = %operation.player,
                state = operation.state.as_str(),
                recoveries = operation.recoveries,
                "operation {} is taken up",
                operation.id
            );
            taken_up = taken_up.saturating_add(1);
            self.drive(operation);
        }
        Ok(taken_up)
    }
}
