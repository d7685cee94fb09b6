//! `auric wallet token`: what lets a player generate something once, and what was generated.

use auric_api::wallet::v1 as api;
use clap::Subcommand;
use serde::Serialize;

use super::flags::{KeyFlag, NoteFlags};
use super::mutate::Sending;
use crate::client::Client;
use crate::commands::Target;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output};

/// The most that one page may have.
const PAGE_MAX: u32 = 500;

/// Issues, uses and shows retail tokens: each lets a player generate something once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet token issue discord:1 --reason support.sorry
  auric wallet token issue discord:1 --provider stripe --object pi_1 --reason shop.retail
  auric wallet token redeem 4f0c… picture-9 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  auric wallet token show 4f0c…
  auric wallet token list --player discord:1

Exit codes: 0 done · 2 malformed · 3 used before, or no such token · 4 the outcome is unknown: send the same again under the same key")]
pub struct Token {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Issue(Issue),
    Redeem(Redeem),
    Show(Show),
    List(List),
}

/// Makes a token; for a payment that has one, tells that one.
#[derive(Debug, clap::Args)]
struct Issue {
    /// Whose.
    player: String,

    /// The provider of the payment that it is for.
    #[arg(long, requires = "object")]
    provider: Option<String>,

    /// The provider's name for the payment that it is for.
    #[arg(long, requires = "provider")]
    object: Option<String>,

    #[command(flatten)]
    note: NoteFlags,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    target: Target,
}

/// Uses a token up, and records what was generated with it.
#[derive(Debug, clap::Args)]
struct Redeem {
    /// Which.
    token: String,

    /// A name for what was generated.
    generation: String,

    /// The SHA-256 of what was generated, 64 hexadecimal digits.
    payload_hash: String,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    target: Target,
}

/// Shows a token, and what was generated with it.
#[derive(Debug, clap::Args)]
struct Show {
    /// Which.
    token: String,

    #[command(flatten)]
    target: Target,
}

/// Shows what was generated with tokens, in the order of the tokens.
#[derive(Debug, clap::Args)]
struct List {
    /// Only with this player's tokens.
    #[arg(long)]
    player: Option<String>,

    /// How many at most.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,

    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Serialize)]
struct TokenDocument {
    token: String,
    player_id: String,
    provider: String,
    object_id: String,
    caller: String,
    reason: String,
    create_time: String,
    generation: Option<GenerationDocument>,
}

#[derive(Debug, Serialize)]
struct GenerationDocument {
    generation_id: String,
    payload_hash: String,
    token: String,
    player_id: String,
    caller: String,
    create_time: String,
}

#[derive(Debug, Serialize)]
struct Generations {
    generations: Vec<GenerationDocument>,
    more: bool,
}

impl From<api::Generation> for GenerationDocument {
    fn from(made: api::Generation) -> Self {
        Self {
            generation_id: made.generation_id,
            payload_hash: made.payload_hash,
            token: made.token,
            player_id: made.player_id,
            caller: made.caller,
            create_time: output::time(made.create_time.as_ref()),
        }
    }
}

impl From<api::RetailToken> for TokenDocument {
    fn from(token: api::RetailToken) -> Self {
        Self {
            token: token.token,
            player_id: token.player_id,
            provider: token.provider,
            object_id: token.object_id,
            caller: token.caller,
            reason: token.reason,
            create_time: output::time(token.create_time.as_ref()),
            generation: token.generation.map(Into::into),
        }
    }
}

impl Token {
    pub const fn target(&self) -> &Target {
        match &self.action {
            Action::Issue(issue) => &issue.target,
            Action::Redeem(redeem) => &redeem.target,
            Action::Show(show) => &show.target,
            Action::List(list) => &list.target,
        }
    }

    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        match self.action {
            Action::Issue(issue) => issue.run(settings, output).await,
            Action::Redeem(redeem) => redeem.run(settings, output).await,
            Action::Show(show) => show.run(settings, output).await,
            Action::List(list) => list.run(settings, output).await,
        }
    }
}

impl Issue {
    async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let sending = Sending::begin(settings, self.key.key()).await?;
        let request = sending.client.request(api::IssueRetailTokenRequest {
            idempotency_key: sending.key(),
            player_id: self.player,
            provider: self.provider.unwrap_or_default(),
            object_id: self.object.unwrap_or_default(),
            context: self.note.context(),
            reason: self.note.reason,
        })?;
        let answered = sending.client.wallet().issue_retail_token(request).await;
        sending.show("issued", answered, |answer| answer.posted, output)
    }
}

impl Redeem {
    async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let sending = Sending::begin(settings, self.key.key()).await?;
        let request = sending.client.request(api::RedeemRetailTokenRequest {
            idempotency_key: sending.key(),
            token: self.token,
            generation_id: self.generation,
            payload_hash: self.payload_hash,
        })?;
        let answered = sending.client.wallet().redeem_retail_token(request).await;
        sending.show("used", answered, |answer| answer.posted, output)
    }
}

impl Show {
    async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect(&settings.client).await?;
        let request = client.request(api::GetRetailTokenRequest { token: self.token })?;
        let answer = client.wallet().get_retail_token(request).await.map_err(|status| client.fault(&status))?;
        let document = TokenDocument::from(answer.into_inner().retail_token.unwrap_or_default());
        output.show(&document, |document| {
            let TokenDocument { token, player_id, create_time, caller, reason, .. } = document;
            let made = document.generation.as_ref().map_or_else(
                || "unused".to_owned(),
                |made| format!("made {} at {}, for {}", made.generation_id, made.create_time, made.caller),
            );
            format!("{token} of {player_id}, issued at {create_time} by {caller} for {reason}: {made}\n")
        })
    }
}

impl List {
    async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect(&settings.client).await?;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let mut made: Vec<api::Generation> = Vec::new();
        let mut page_token = String::new();
        let more = loop {
            let request = client.request(api::ListGenerationsRequest {
                player_id: self.player.clone().unwrap_or_default(),
                // Every page has the same size: a token belongs to a request with the same fields.
                page_size: i32::try_from(self.limit.min(PAGE_MAX)).unwrap_or(i32::MAX),
                page_token,
            })?;
            let page = client.wallet().list_generations(request).await.map_err(|status| client.fault(&status))?;
            let page = page.into_inner();
            made.extend(page.generations);
            page_token = page.next_page_token;
            if made.len() >= limit || page_token.is_empty() {
                break made.len() > limit || !page_token.is_empty();
            }
        };
        made.truncate(limit);
        let shown = Generations { generations: made.into_iter().map(Into::into).collect(), more };
        output.show(&shown, |shown| {
            let mut table = output.table(&["generation", "token", "player", "time", "caller"]);
            for made in &shown.generations {
                table.add_row([&made.generation_id, &made.token, &made.player_id, &made.create_time, &made.caller]);
            }
            let mut text = output::render(&table);
            if shown.more {
                text.push_str("there are more: raise --limit to see them\n");
            }
            text
        })
    }
}
