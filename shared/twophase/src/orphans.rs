//! What participants hold for operations that nobody knows of: after a restore from an older copy, or a BEGIN that never was.

use std::sync::Arc;

use crate::{Driver, Participant};

impl Driver {
    /// Looks for orphans now and then, until the coordinator closes.
    pub(crate) async fn adopt_orphans(self: Arc<Self>) {
        while self.closing.run_until_cancelled(tokio::time::sleep(self.settings.orphan_every)).await.is_some() {
            drop(self.look_for_orphans().await);
        }
    }

    /// Looks at every participant once.
    ///
    /// # Errors
    ///
    /// The last that did not answer, and why; the others were looked at.
    pub(crate) async fn look_for_orphans(&self) -> Result<(), String> {
        let mut looked = Ok(());
        for participant in &self.participants {
            if let Err(why) = self.adopt_of(participant.as_ref()).await {
                let name = participant.name();
                tracing::warn!(participant = name, error = why, "the orphans at {name} are not known: {why}");
                looked = Err(format!("the orphans at {name} are not known: {why}"));
            }
        }
        looked
    }

    /// Decides ABORT for everything that `participant` has held for long and that is not in the log; recovery does the rest.
    async fn adopt_of(&self, participant: &dyn Participant) -> Result<(), String> {
        let held = participant.orphans(self.settings.orphan_age).await.map_err(|fault| fault.to_string())?;
        if held.is_empty() {
            return Ok(());
        }
        let known = self.operations.known(&held).await.map_err(|error| error.to_string())?;
        for (player, id) in held.into_iter().filter(|(_, id)| !known.contains(id)) {
            let name = participant.name();
            tracing::error!(
                participant = name,
                player_id = %player,
                operation_id = %id,
                "{name} holds something for operation {id}, which nobody knows of; it is given back"
            );
            self.coordinator.adopt(player, id).await.map_err(|fault| fault.to_string())?;
        }
        Ok(())
    }
}
