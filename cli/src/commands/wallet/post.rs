//! `auric wallet post`: every leg or none, once for a key.

use auric_api::wallet::v1::{AtMaximum, PlayerVersion, PostRequest};
use clap::ValueEnum;

use super::flags::{KeyFlag, NoteFlags, pair};
use super::legs::Legs;
use super::mutate::Sending;
use crate::commands::Target;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::Output;

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

    #[command(flatten)]
    note: NoteFlags,

    #[command(flatten)]
    key: KeyFlag,

    /// What a credit does when the balance would pass its maximum.
    #[arg(long, value_name = "WHAT", default_value = "refuse")]
    at_maximum: AtMaximumFlag,

    /// Refuses when a player's newest entry has another number; can be repeated.
    #[arg(long, value_name = "PLAYER=NUMBER", value_parser = version)]
    expect: Vec<(String, i64)>,

    #[command(flatten)]
    pub target: Target,
}

/// What a credit does at a maximum.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum AtMaximumFlag {
    /// Nothing is applied.
    Refuse,
    /// What fits is added, and what was cut is recorded.
    Clamp,
    /// The maximum is passed.
    Overfill,
}

impl From<AtMaximumFlag> for AtMaximum {
    fn from(flag: AtMaximumFlag) -> Self {
        match flag {
            AtMaximumFlag::Refuse => Self::Refuse,
            AtMaximumFlag::Clamp => Self::Clamp,
            AtMaximumFlag::Overfill => Self::Overfill,
        }
    }
}

impl Post {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let sending = Sending::begin(settings, self.key.key()).await?;
        let expected = self.expect.into_iter().map(|(player_id, version)| PlayerVersion { player_id, version });
        let request = sending.client.request(PostRequest {
            idempotency_key: sending.key(),
            legs: self.legs.into_legs(self.at_maximum.into()),
            context: self.note.context(),
            reason: self.note.reason,
            expected_versions: expected.collect(),
        })?;
        let answered = sending.client.wallet().post(request).await;
        sending.show("posted", answered, |answer| answer.posted, output)
    }
}

fn version(text: &str) -> Result<(String, i64), String> {
    let (player, number) = pair(text).map_err(|_| "wants PLAYER=NUMBER".to_owned())?;
    let number = number.parse().map_err(|_| format!("the number must be a whole number; {number:?} is not"))?;
    Ok((player, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_player_and_a_number() {
        assert_eq!(version("discord:1=7"), Ok(("discord:1".to_owned(), 7)));
        assert!(version("discord:1").is_err());
        assert!(version("discord:1=seven").is_err());
    }
}
