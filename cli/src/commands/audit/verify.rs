//! `auric audit verify`: whether anybody but the wallet wrote, and whether the services agree.

use std::io::IsTerminal as _;

use auric_api::wallet::v1::{AuditFault, VerifyAuditRequest, VerifyAuditResponse};
use auric_status::{Problem, reason};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tonic::Code;

use super::cross;
use crate::client::Client;
use crate::commands::{Others, Target};
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{Output, grouped};

/// Verifies the audit against itself, the balances, the open holds and every answer that was given, while traffic runs.
///
/// Every fault is named by its player, the number of its entry and its kind; docs/operations.md says what each kind means.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric audit verify
  auric audit verify --player discord:1
  auric audit verify --json | jq '.faults[].kind'
  auric audit verify --cross-service         every summon, upgrade and dissolve: paid if and only if done, in all three databases

Exit codes: 0 whole · 4 the verification was cut · 6 there are faults")]
pub struct Verify {
    /// Only this player's audit [default: every player's].
    #[arg(long)]
    player: Option<String>,

    /// Compares the ends of every summon, upgrade and dissolve in the databases of summon, the wallet and the collection instead.
    #[arg(long, conflicts_with = "player")]
    cross_service: bool,

    #[command(flatten)]
    pub target: Target,

    #[command(flatten)]
    pub others: Others,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    whole: bool,
    players_verified: i64,
    entries_verified: i64,
    mutations_verified: i64,
    faults: Vec<FaultDocument>,
}

#[derive(Debug, Serialize)]
struct FaultDocument {
    player_id: String,
    number: i64,
    kind: String,
    message: String,
}

impl From<AuditFault> for FaultDocument {
    fn from(fault: AuditFault) -> Self {
        let AuditFault { player_id, number, kind, message } = fault;
        Self { player_id, number, kind, message }
    }
}

impl Verify {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        if self.cross_service {
            return cross::run(settings, self.target.wants_json(), output).await;
        }
        let client = Client::connect(&settings.client).await?;
        let request = client.request(VerifyAuditRequest { player_id: self.player.unwrap_or_default() })?;
        let answered = client.wallet().verify_audit(request).await.map_err(|status| client.fault(&status))?;
        let mut stream = answered.into_inner();
        let bar = bar(self.target.wants_json());
        let mut report = Report::default();
        let done = loop {
            let response = stream.message().await.map_err(|status| client.fault(&status))?;
            let Some(response) = response else { break false };
            advance(&bar, &response);
            report.players_verified = response.players_verified;
            report.entries_verified = response.entries_verified;
            report.mutations_verified = response.mutations_verified;
            report.faults.extend(response.faults.into_iter().map(FaultDocument::from));
            if response.done {
                break true;
            }
        };
        bar.finish_and_clear();
        if !done {
            let message = "the verification was cut before its end; what was verified until then is not told";
            return Err(Problem::new(Code::Unavailable, reason::UNAVAILABLE, message).into());
        }
        report.whole = report.faults.is_empty();
        output.show(&report, |report| text(report, output))?;
        if report.whole { Ok(()) } else { Err(Fault::Audit { faults: report.faults.len() }) }
    }
}

/// A bar on a terminal; nothing where a program reads.
fn bar(is_hidden: bool) -> ProgressBar {
    if is_hidden || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} players  {msg}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn advance(bar: &ProgressBar, response: &VerifyAuditResponse) {
    bar.set_length(u64::try_from(response.players_total).unwrap_or_default());
    bar.set_position(u64::try_from(response.players_verified).unwrap_or_default());
    let (entries, answers) = (grouped(response.entries_verified), grouped(response.mutations_verified));
    bar.set_message(format!("{entries} entries, {answers} answers"));
}

fn text(report: &Report, output: Output) -> String {
    let state = if report.whole { "whole" } else { "NOT WHOLE" };
    let [players, entries, answers] =
        [report.players_verified, report.entries_verified, report.mutations_verified].map(grouped);
    let mut text = format!("the audit is {state}; verified: players {players}, entries {entries}, answers {answers}\n");
    if !report.whole {
        let mut table = output.table(&["player", ">entry", "fault", "what"]);
        for fault in &report.faults {
            let number = if fault.number == 0 { String::new() } else { fault.number.to_string() };
            table.add_row([fault.player_id.clone(), number, fault.kind.clone(), fault.message.clone()]);
        }
        text.push_str(&crate::output::render(&table));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_named_by_player_entry_and_kind() {
        let fault = FaultDocument {
            player_id: "discord:1".to_owned(),
            number: 7,
            kind: "CHAIN_BROKEN".to_owned(),
            message: "entry 7 of discord:1 is not what was chained after 6".to_owned(),
        };
        let report = Report { players_verified: 1_000, entries_verified: 7, faults: vec![fault], ..Report::default() };
        insta::assert_snapshot!(text(&report, Output::new(false, true)), @r"
        the audit is NOT WHOLE; verified: players 1,000, entries 7, answers 0
        player     entry  fault         what
        discord:1      7  CHAIN_BROKEN  entry 7 of discord:1 is not what was chained after 6
        ");
    }
}
