//! `auric wallet balance`.

use auric_api::wallet::v1::GetBalancesRequest;
use serde::Serialize;

use super::documents::{BalanceDocument, documents};
use super::tables::balances_text;
use crate::client::Client;
use crate::commands::Target;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

/// Shows what a player has: of every asset, or of those named.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet balance discord:1
  auric wallet balance discord:1 lumees azurites
  auric wallet balance discord:1 lumees --json | jq '.balances[0].available'")]
pub struct BalanceOf {
    /// Whose.
    player: String,

    /// Of which assets [default: all].
    assets: Vec<String>,

    #[command(flatten)]
    pub target: Target,
}

#[derive(Debug, Serialize)]
struct Balances {
    balances: Vec<BalanceDocument>,
}

impl BalanceOf {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect(&settings.client).await?;
        let request = client.request(GetBalancesRequest { player_ids: vec![self.player], asset_ids: self.assets })?;
        let answer = client.wallet().get_balances(request).await.map_err(|status| client.fault(&status))?;
        let balances = Balances { balances: documents(answer.into_inner().balances) };
        output.show(&balances, |shown| balances_text(&shown.balances, output))
    }
}
