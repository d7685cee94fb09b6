//! Waiting for an operation that somebody drives, this copy or another.

use std::time::Duration;

use auric_db::StoreError;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{Driver, Operation};

/// The first pause between two looks at the log; it doubles up to the last.
const LOOK_MIN: Duration = Duration::from_millis(10);
const LOOK_MAX: Duration = Duration::from_millis(200);

impl Driver {
    /// Waits until `operation` has ended everywhere, or `deadline` has passed; returns it as it stands then.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the log cannot be read.
    pub async fn wait(&self, operation: Operation, deadline: Instant) -> Result<Operation, StoreError> {
        let mut operation = operation;
        let mut pause = LOOK_MIN;
        while !operation.state.is_done() {
            if let Some(mut progress) = self.progress(&operation.id) {
                let seen = timeout_at(deadline, progress.wait_for(Option::is_some)).await;
                if let Ok(Ok(ended)) = seen {
                    return Ok(ended.clone().unwrap_or(operation));
                }
            }
            let now = Instant::now();
            if now < deadline {
                sleep(pause.min(deadline - now)).await;
            }
            pause = pause.saturating_mul(2).min(LOOK_MAX);
            if let Some(found) = self.operations.get(&operation.player, &operation.id).await? {
                operation = found;
            }
            if now >= deadline {
                break;
            }
        }
        Ok(operation)
    }
}
