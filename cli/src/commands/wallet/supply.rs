//! `auric wallet supply` and `flows`: how much there is, and where it came from.

use auric_api::wallet::v1::{GetFlowsRequest, GetSupplyRequest};
use serde::Serialize;

use super::documents::{FlowDocument, SupplyDocument, documents};
use super::tables::{flows_text, supplies_text};
use crate::client::Client;
use crate::commands::Target;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

/// Shows how many units the players have: of every asset, or of those named.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet supply
  auric wallet supply lumees --json | jq '.supplies[0].outstanding'")]
pub struct SupplyOf {
    /// Of which assets [default: all].
    assets: Vec<String>,

    #[command(flatten)]
    pub target: Target,
}

/// Shows what came into the game and went out of it, by asset, reason and day.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet flows
  auric wallet flows lumees --from 2026-08-01 --to 2026-08-07")]
pub struct Flows {
    /// Of which asset [default: all].
    asset: Option<String>,

    /// From which day on, as YYYY-MM-DD in UTC [default: the first].
    #[arg(long, value_name = "DAY")]
    from: Option<String>,

    /// Up to which day, which is included [default: the last].
    #[arg(long, value_name = "DAY")]
    to: Option<String>,

    #[command(flatten)]
    pub target: Target,
}

#[derive(Debug, Serialize)]
struct Supplies {
    supplies: Vec<SupplyDocument>,
}

#[derive(Debug, Serialize)]
struct FlowList {
    flows: Vec<FlowDocument>,
}

impl SupplyOf {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect(&settings.client).await?;
        let request = client.request(GetSupplyRequest { asset_ids: self.assets })?;
        let answer = client.wallet().get_supply(request).await.map_err(|status| client.fault(&status))?;
        let shown = Supplies { supplies: documents(answer.into_inner().supplies) };
        output.show(&shown, |shown| supplies_text(&shown.supplies, output))
    }
}

impl Flows {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect(&settings.client).await?;
        let request = client.request(GetFlowsRequest {
            asset_id: self.asset.unwrap_or_default(),
            from_day: self.from.unwrap_or_default(),
            to_day: self.to.unwrap_or_default(),
        })?;
        let answer = client.wallet().get_flows(request).await.map_err(|status| client.fault(&status))?;
        let shown = FlowList { flows: documents(answer.into_inner().flows) };
        output.show(&shown, |shown| flows_text(&shown.flows, output))
    }
}
