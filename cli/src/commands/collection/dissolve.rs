//! `auric collection dissolve`: first what it would give, then exactly that.

use std::io::{self, BufRead as _, IsTerminal as _};

use auric_api::collection::v1 as api;
use serde::Serialize;

use super::CollectionTarget;
use super::documents::{ChangedDocument, EspritDocument, UnitsDocument, esprits_text, note, units_text};
use super::upgrade::{settling, state};
use crate::client::{Client, Peer};
use crate::commands::wallet::flags::KeyFlag;
use crate::commands::wallet::mutate::Sending;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{Output, tell};

/// Dissolves esprits for what they give: shows the exact list and the exact refund, asks, and then does exactly that or nothing.
///
/// Without a terminal nobody is asked: it shows the preview and dissolves nothing, unless --yes is there. What a preview showed is dissolved by its
/// token, and the same command again under the same key gets the same answer.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection dissolve discord:1 0af7651916cd43dd8448eb211c80319c.0      shows what it gives, and asks
  auric collection dissolve discord:1 0af7651916cd43dd8448eb211c80319c.0 --yes
  auric collection dissolve discord:1 $(auric collection list discord:1 --rarity common --duplicates --in-team false --ids)
  auric collection dissolve discord:1 --preview 5d0c… --key interaction-9     exactly what that preview showed

Exit codes: 0 dissolved, or only shown · 2 malformed · 3 refused by a rule · 4 the outcome is unknown: send the same again, with the preview and the key")]
pub struct Dissolve {
    /// Whose.
    player: String,

    /// Which: 1 to 100.
    #[arg(required_unless_present = "preview", conflicts_with = "preview")]
    esprits: Vec<String>,

    /// The token of a preview; nobody is asked again.
    #[arg(long, value_name = "TOKEN")]
    preview: Option<String>,

    /// Dissolves without asking.
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    pub target: CollectionTarget,
}

#[derive(Debug, Serialize)]
struct PreviewDocument {
    player_id: String,
    esprits: Vec<EspritDocument>,
    refund: Vec<UnitsDocument>,
    preview_token: String,
    dissolved: bool,
}

#[derive(Debug, Serialize)]
struct DissolutionDocument {
    operation_id: String,
    esprit_ids: Vec<String>,
    refund: Vec<UnitsDocument>,
    state: &'static str,
    dissolved: bool,
    preview_token: String,
    #[serde(flatten)]
    changed: ChangedDocument,
}

impl Dissolve {
    pub async fn run(mut self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let token = match self.preview.take() {
            Some(token) => token,
            None => match self.preview(settings, output).await? {
                Some(token) => token,
                None => return Ok(()),
            },
        };
        let sending = Sending::begin_at(Peer::Collection, settings, self.key.key()).await?;
        tell(&format!("preview: {token} (to send the same again: --key {} --preview {token})", sending.key()));
        let request = sending.client.request(api::DissolveEspritsRequest {
            idempotency_key: sending.key(),
            player_id: self.player,
            preview_token: token.clone(),
        })?;
        let (answer, replayed) = sending.answer(sending.client.collection().dissolve_esprits(request).await)?;
        let dissolution = answer.dissolution.unwrap_or_default();
        let document = DissolutionDocument {
            state: state(dissolution.state()),
            operation_id: dissolution.operation_id,
            esprit_ids: dissolution.esprit_ids,
            refund: dissolution.refund.into_iter().map(UnitsDocument::from).collect(),
            dissolved: true,
            preview_token: token,
            changed: ChangedDocument::new(sending.key(), replayed, dissolution.changed),
        };
        output.show(&document, text)
    }

    /// Shows what would be done; its token when it is to be done.
    async fn preview(&self, settings: &Settings, output: Output) -> Result<Option<String>, Fault> {
        let client = Client::connect_to(Peer::Collection, &settings.client).await?;
        let request = api::PreviewDissolveRequest { player_id: self.player.clone(), esprit_ids: self.esprits.clone() };
        let answered = client.collection().preview_dissolve(client.request(request)?).await;
        let preview = answered.map_err(|status| client.fault(&status))?.into_inner();
        let document = PreviewDocument {
            player_id: self.player.clone(),
            esprits: preview.esprits.into_iter().map(EspritDocument::from).collect(),
            refund: preview.refund.into_iter().map(UnitsDocument::from).collect(),
            preview_token: preview.preview_token,
            dissolved: false,
        };
        if !self.yes && !can_ask(self.target.asking.json) {
            output.show(&document, |preview| {
                let PreviewDocument { player_id, preview_token, .. } = preview;
                let shown = preview_text(preview, output);
                let how = format!("auric collection dissolve {player_id} --preview {preview_token}");
                format!("{shown}nothing was dissolved; to do it: {how}\n")
            })?;
            return Ok(None);
        }
        if !self.target.asking.json {
            tell(preview_text(&document, output).trim_end());
        }
        if self.yes || asked("dissolve them? [y/N] ") {
            return Ok(Some(document.preview_token));
        }
        tell("nothing was dissolved");
        Ok(None)
    }
}

/// Whether somebody is there to be asked.
fn can_ask(json: bool) -> bool {
    !json && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks on standard error; only a yes is one.
fn asked(question: &str) -> bool {
    tell(question);
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

fn preview_text(preview: &PreviewDocument, output: Output) -> String {
    let (esprits, refund) = (esprits_text(&preview.esprits, output), units_text(&preview.refund));
    format!("{esprits}dissolving {} of {} gives {refund}\n", preview.esprits.len(), preview.player_id)
}

fn text(dissolution: &DissolutionDocument) -> String {
    let DissolutionDocument { esprit_ids, refund, state, changed, .. } = dissolution;
    let ChangedDocument { idempotency_key: key, player_id, update_time: at, replayed, .. } = changed;
    let (note, count, refund) = (note(*replayed), esprit_ids.len(), units_text(refund));
    let settling = if settling(state).is_empty() { "" } else { "; what it gives is on its way" };
    format!("{note}dissolved {count} of {player_id}: {refund}, at {at} under {key}{settling}\n")
}
