//! `auric summon fairness | seed | rotate | verify`: what a player's draws come from, and proof of them.

use auric_api::summon::v1 as api;
use serde_json::{Value, json};

use super::SummonTarget;
use crate::client::{Client, Peer};
use crate::commands::wallet::flags::KeyFlag;
use crate::commands::wallet::mutate::Sending;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output, REPLAYED};

/// Shows what a player's draws come from, and the seeds that went out of use.
#[derive(Debug, clap::Args)]
pub struct Fairness {
    /// Whose.
    #[arg(long)]
    player: String,

    #[command(flatten)]
    pub target: SummonTarget,
}

/// Sets the player's own part of the seed.
#[derive(Debug, clap::Args)]
pub struct Seed {
    /// 1 to 64 visible ASCII characters of the player's own choice.
    client_seed: String,

    /// Whose.
    #[arg(long)]
    player: String,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    pub target: SummonTarget,
}

/// Shows the server seed, which proves every pull that was drawn from it, and commits to a new one.
#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// Whose.
    #[arg(long)]
    player: String,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    pub target: SummonTarget,
}

/// Gives the receipt of a pull: one line, to be kept byte for byte.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric summon verify standard 12 --player discord:1 > receipt.json
  auric odds verify receipt.json

It proves the pull once its server seed is shown: `auric summon rotate` shows it.")]
pub struct VerifyPull {
    /// Of which pity group.
    pity_group: String,

    /// Its place in the player's log of the group; `auric summon pulls` shows it.
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    number: i64,

    /// Whose.
    #[arg(long)]
    player: String,

    #[command(flatten)]
    pub target: SummonTarget,
}

impl Fairness {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Summon, &settings.client).await?;
        let (mut ended, mut page_token) = (Vec::new(), String::new());
        loop {
            let player_id = self.player.clone();
            let request = client.request(api::GetFairnessRequest { player_id, page_size: 500, page_token })?;
            let answer = client.summon().get_fairness(request).await.map_err(|status| client.fault(&status))?;
            let page = answer.into_inner();
            ended.extend(page.ended);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                let now = page.fairness.unwrap_or_default();
                let rows: Vec<Value> = ended.iter().map(end).collect();
                return output.show(&json!({ "fairness": fairness(&now), "ended": rows }), |_| {
                    let mut table =
                        output.table(&["pair", "summons", "client seed", "commitment", "server seed", "ended"]);
                    for ended in &ended {
                        let summons = format!("{} to {}", ended.first_nonce, ended.next_nonce);
                        let server = if ended.server_seed.is_empty() { "still in use" } else { &ended.server_seed };
                        let (epoch, time) = (ended.epoch.to_string(), output::time(ended.end_time.as_ref()));
                        table.add_row([&epoch, &summons, &ended.client_seed, &ended.commitment, server, &time]);
                    }
                    let table = if ended.is_empty() { String::new() } else { format!("\n{}", output::render(&table)) };
                    format!("{}{table}", text(&now))
                });
            }
        }
    }
}

impl Seed {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let sending = Sending::begin_at(Peer::Summon, settings, self.key.key()).await?;
        let request = sending.client.request(api::SetClientSeedRequest {
            idempotency_key: sending.key(),
            player_id: self.player,
            client_seed: self.client_seed,
        })?;
        let (answer, replayed) = sending.answer(sending.client.summon().set_client_seed(request).await)?;
        let now = answer.fairness.unwrap_or_default();
        let document = json!({ "idempotency_key": sending.key(), "replayed": replayed, "fairness": fairness(&now) });
        output.show(&document, |_| format!("{}{}", note(replayed), text(&now)))
    }
}

impl Rotate {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let sending = Sending::begin_at(Peer::Summon, settings, self.key.key()).await?;
        let request = api::RotateSeedRequest { idempotency_key: sending.key(), player_id: self.player };
        let request = sending.client.request(request)?;
        let (answer, replayed) = sending.answer(sending.client.summon().rotate_seed(request).await)?;
        let (now, ended) = (answer.fairness.unwrap_or_default(), answer.ended.unwrap_or_default());
        let document = json!({
            "idempotency_key": sending.key(), "replayed": replayed, "fairness": fairness(&now), "ended": end(&ended),
        });
        output.show(&document, |_| {
            let shown = format!("server seed of {}: {}\n", ended.commitment, ended.server_seed);
            let set = "set a client seed now: the new server seed was committed to before the server knows it\n";
            format!("{}{shown}{}{set}", note(replayed), text(&now))
        })
    }
}

impl VerifyPull {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Summon, &settings.client).await?;
        let (player_id, pity_group_id, number) = (self.player, self.pity_group, self.number);
        let request = client.request(api::VerifyPullRequest { player_id, pity_group_id, number })?;
        let answer = client.summon().verify_pull(request).await.map_err(|status| client.fault(&status))?;
        let api::VerifyPullResponse { receipt, revealed, verified, fault, exchanged } = answer.into_inner();
        if !verified {
            output::tell(&format!("not proved yet: {fault}"));
        }
        if exchanged {
            output::tell(
                "it was taken for spark points, which the player had: nothing was drawn, and there is no receipt",
            );
        }
        let document = json!({
            "receipt": receipt, "revealed": revealed, "verified": verified, "fault": fault, "exchanged": exchanged,
        });
        let line = if exchanged { String::new() } else { format!("{receipt}\n") };
        output.show(&document, |_| line)
    }
}

const fn note(replayed: bool) -> &'static str {
    if replayed { REPLAYED } else { "" }
}

fn text(now: &api::Fairness) -> String {
    format!(
        "commitment {}\nclient seed {}\nnext summon {}, pair {}\n",
        now.commitment, now.client_seed, now.nonce, now.epoch
    )
}

fn fairness(now: &api::Fairness) -> Value {
    json!({
        "player_id": now.player_id, "commitment": now.commitment, "client_seed": now.client_seed, "nonce": now.nonce,
        "epoch": now.epoch,
    })
}

fn end(ended: &api::EndedSeeds) -> Value {
    json!({
        "epoch": ended.epoch, "commitment": ended.commitment, "server_seed": ended.server_seed,
        "client_seed": ended.client_seed, "first_nonce": ended.first_nonce, "next_nonce": ended.next_nonce,
        "end_time": output::time(ended.end_time.as_ref()),
    })
}
