//! `auric collection upgrade`: an esprit rises by a level, and its owner pays for it.

use auric_api::collection::v1::{OperationState, UpgradeEspritRequest};
use serde::Serialize;

use super::Changing;
use super::documents::{ChangedDocument, UnitsDocument, note, units_text};
use crate::client::Peer;
use crate::commands::wallet::mutate::Sending;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

/// Raises an esprit by one level, and takes what that costs; both, or neither.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection upgrade discord:1 0af7651916cd43dd8448eb211c80319c.0
  auric collection upgrade discord:1 0af7651916cd43dd8448eb211c80319c.0 --expect 3 --key interaction-9

Exit codes: 0 raised · 2 malformed · 3 refused by a rule · 4 the outcome is unknown: send the same again under the same key")]
pub struct Upgrade {
    /// Whose.
    player: String,

    /// Which.
    esprit: String,

    #[command(flatten)]
    pub changing: Changing,
}

#[derive(Debug, Serialize)]
struct UpgradeDocument {
    operation_id: String,
    esprit_id: String,
    level: i32,
    cost: Vec<UnitsDocument>,
    state: &'static str,
    #[serde(flatten)]
    changed: ChangedDocument,
}

impl Upgrade {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let expected_version = self.changing.expected();
        let sending = Sending::begin_at(Peer::Collection, settings, self.changing.key.key()).await?;
        let request = sending.client.request(UpgradeEspritRequest {
            idempotency_key: sending.key(),
            player_id: self.player,
            esprit_id: self.esprit,
            expected_version,
        })?;
        let (answer, replayed) = sending.answer(sending.client.collection().upgrade_esprit(request).await)?;
        let upgrade = answer.upgrade.unwrap_or_default();
        let document = UpgradeDocument {
            state: state(upgrade.state()),
            operation_id: upgrade.operation_id,
            esprit_id: upgrade.esprit_id,
            level: upgrade.level,
            cost: upgrade.cost.into_iter().map(UnitsDocument::from).collect(),
            changed: ChangedDocument::new(sending.key(), replayed, upgrade.changed),
        };
        output.show(&document, text)
    }
}

/// How far an operation has come, in a word.
pub const fn state(state: OperationState) -> &'static str {
    match state {
        OperationState::Unspecified => "unspecified",
        OperationState::Settling => "settling",
        OperationState::Done => "done",
    }
}

/// What is still to come, where something is.
pub fn settling(state: &str) -> &'static str {
    if state == "settling" { "; what is paid for it is on its way" } else { "" }
}

fn text(upgrade: &UpgradeDocument) -> String {
    let UpgradeDocument { esprit_id, level, cost, state, changed, .. } = upgrade;
    let ChangedDocument { idempotency_key: key, player_id, update_time: at, replayed, .. } = changed;
    let (note, cost, settling) = (note(*replayed), units_text(cost), settling(state));
    format!("{note}raised {esprit_id} of {player_id} to level {level}: {cost}, at {at} under {key}{settling}\n")
}
