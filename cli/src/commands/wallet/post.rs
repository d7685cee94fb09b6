//! `auric wallet post`: every leg or none, once for a key.

use std::collections::HashMap;

use auric_api::wallet::v1::{AtMaximum, PostRequest};
use auric_ids::IdempotencyKey;
use clap::ValueEnum;
use serde::Serialize;
use uuid::Uuid;

use super::documents::{MovementDocument, documents, movements_text};
use super::legs::Legs;
use crate::client::{self, Client};
use crate::commands::Target;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output, REPLAYED};

/// Moves units: all legs, or none.
///
/// Sent again under the same key it moves nothing, and answers as it did the first time. Without --key a key is made and printed before anything is
/// sent, so that an unknown outcome can be settled by sending the same again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet post --credit discord:1 lumees 100 --reason gift
  auric wallet post --debit alice lumees 50 --credit bob lumees 50 --reason trade --key trade-77
  auric wallet post --credit discord:1 generation_credit 20 bulk --reason purchase --context order=A-17
  auric wallet post --credit discord:1 summon_token 500 --at-maximum clamp --reason event.prize

Exit codes: 0 applied · 2 malformed · 3 refused by a rule · 4 the outcome is unknown: send the same again under the same key")]
pub struct Post {
    #[command(flatten)]
    legs: Legs,

    /// Why, such as quest.reward.
    #[arg(long)]
    reason: String,

    /// What else is to be on the audit; can be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    context: Vec<(String, String)>,

    /// The key that this posting is known by [default: a new one, printed].
    #[arg(long)]
    key: Option<IdempotencyKey>,

    /// What a credit does when the balance would pass its maximum.
    #[arg(long, value_name = "WHAT", default_value = "refuse")]
    at_maximum: AtMaximumFlag,

    #[command(flatten)]
    pub target: Target,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AtMaximumFlag {
    /// Nothing is applied.
    Refuse,
    /// What fits is added, and what was cut is recorded.
    Clamp,
    /// The maximum is passed.
    Overfill,
}

#[derive(Debug, Serialize)]
struct PostedDocument {
    idempotency_key: String,
    replayed: bool,
    create_time: String,
    movements: Vec<MovementDocument>,
}

impl Post {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let (key, is_generated) = match self.key {
            Some(key) => (key.to_string(), false),
            None => (Uuid::now_v7().to_string(), true),
        };
        let at_maximum = match self.at_maximum {
            AtMaximumFlag::Refuse => AtMaximum::Refuse,
            AtMaximumFlag::Clamp => AtMaximum::Clamp,
            AtMaximumFlag::Overfill => AtMaximum::Overfill,
        };
        let client = Client::connect(&settings.client).await?;
        let message = PostRequest {
            idempotency_key: key.clone(),
            legs: self.legs.into_legs(at_maximum),
            reason: self.reason,
            context: self.context.into_iter().collect::<HashMap<_, _>>(),
        };
        let request = client.request(message)?;
        if is_generated {
            output::tell(&format!("key: {key} (to send the same again: --key {key})"));
        }
        let answered = client.wallet().post(request).await;
        let answer =
            answered.map_err(|status| client.fault(&status).under_key(&key, client::is_replayed_refusal(&status)))?;
        let replayed = client::is_replayed(&answer);
        let posted = answer.into_inner().posted.unwrap_or_default();
        let document = PostedDocument {
            idempotency_key: key,
            replayed,
            create_time: output::time(posted.create_time.as_ref()),
            movements: documents(posted.movements),
        };
        output.show(&document, |document| text(document, output))
    }
}

fn text(document: &PostedDocument, output: Output) -> String {
    let mut text = String::new();
    if document.replayed {
        text.push_str(REPLAYED);
        text.push('\n');
    }
    let PostedDocument { create_time, idempotency_key, movements, .. } = document;
    text + &format!("posted at {create_time} under {idempotency_key}\n") + &movements_text(movements, output)
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("wants NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_is_told_first() {
        let document = PostedDocument {
            idempotency_key: "trade-77".to_owned(),
            replayed: true,
            create_time: "2023-11-14T22:13:20.000Z".to_owned(),
            movements: Vec::new(),
        };
        let shown = text(&document, Output::new(false, true));
        assert!(shown.starts_with(REPLAYED), "{shown}");
        assert!(shown.contains("posted at 2023-11-14T22:13:20.000Z under trade-77"), "{shown}");
    }

    #[test]
    fn a_context_value_may_have_an_equals_sign() {
        assert_eq!(parse_pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(parse_pair("a").is_err());
    }
}
