//! `auric summon show`: how a summon stands.

use auric_api::summon::v1::GetSummonRequest;

use super::SummonTarget;
use super::documents::SummonDocument;
use super::draw::{names, summon_text};
use crate::client::{Client, Peer};
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

/// Shows how a summon stands, by its key or by its operation.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric summon show interaction-9
  auric summon show interaction-9 --of discord-gateway
  auric summon show --player discord:1 --operation 0af7651916cd43dd8448eb211c80319c

Exit codes: 0 shown · 3 it was not seen, which is no promise that it will not arrive")]
pub struct Show {
    /// The key that it was sent under.
    #[arg(required_unless_present = "operation")]
    key: Option<String>,

    /// Who sent it [default: who asks].
    #[arg(long, value_name = "CALLER", requires = "key")]
    of: Option<String>,

    /// The operation, where no key is given.
    #[arg(long, conflicts_with = "key", requires = "player")]
    operation: Option<String>,

    /// Whose operation.
    #[arg(long, requires = "operation")]
    player: Option<String>,

    #[command(flatten)]
    pub target: SummonTarget,
}

impl Show {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Summon, &settings.client).await?;
        let key = self.key.unwrap_or_default();
        let request = client.request(GetSummonRequest {
            idempotency_key: key.clone(),
            caller: self.of.unwrap_or_default(),
            player_id: self.player.unwrap_or_default(),
            operation_id: self.operation.clone().unwrap_or_default(),
        })?;
        let answer = client.summon().get_summon(request).await.map_err(|status| client.fault(&status))?;
        let summon = answer.into_inner().summon.unwrap_or_default();
        let names = names(settings, &summon.player_id).await;
        let called = self.operation.unwrap_or(key);
        let document = SummonDocument::new(called, false, summon, &names);
        output.show(&document, |document| summon_text(document, output))
    }
}
