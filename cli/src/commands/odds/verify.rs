//! `auric odds verify`: proof of pulls by their receipts, without any service.

use std::path::PathBuf;

use anyhow::Context as _;
use auric_summon::domain::{Banners, Receipt, ReceiptFault};
use serde_json::json;

use crate::commands::Places;
use crate::config::{Flags, Settings};
use crate::fault::Fault;
use crate::game;
use crate::output::{self, Output};

/// Proves pulls by their receipts, one a line.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric summon verify standard 12 --player discord:1 > receipt.json
  auric odds verify receipt.json
  auric odds verify receipt.json --with-catalog --game ./game     and that it was drawn from what the catalog says

Exit codes: 0 all are proved · 6 one at least is not")]
pub struct Verify {
    /// The file with the receipts, byte for byte as the server gave them.
    receipts: PathBuf,

    /// Tests each against the catalog's folder, too.
    #[arg(long)]
    with_catalog: bool,

    #[command(flatten)]
    places: Places,

    /// Shows the answer as one JSON document.
    #[arg(long)]
    pub json: bool,
}

impl Verify {
    pub fn flags(&self) -> Flags {
        self.places.flags()
    }

    pub fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let text = std::fs::read_to_string(&self.receipts);
        let text = text.with_context(|| format!("{} cannot be read", self.receipts.display()))?;
        let banners = if self.with_catalog { Some(super::catalog(&game::find(settings)?)?) } else { None };
        let said: Vec<(String, Option<String>)> = text.lines().map(|line| check(line, banners.as_ref())).collect();
        let wrong = said.iter().filter(|(_, fault)| fault.is_some()).count();
        let rows = said.iter().map(|(pull, fault)| json!({ "pull": pull, "proved": fault.is_none(), "fault": fault }));
        output.show(&json!({ "receipts": rows.collect::<Vec<_>>() }), |_| {
            let mut table = output.table(&["pull", "", "why"]);
            for (pull, fault) in &said {
                let proved = if fault.is_none() { "proved" } else { "NOT PROVED" };
                table.add_row([pull.as_str(), proved, fault.as_deref().unwrap_or_default()]);
            }
            output::render(&table)
        })?;
        // A file without any receipt proves nothing either.
        if wrong == 0 && !said.is_empty() { Ok(()) } else { Err(Fault::Receipts { wrong, receipts: said.len() }) }
    }
}

/// What it is a receipt of, and why it proves nothing.
fn check(line: &str, banners: Option<&Banners>) -> (String, Option<String>) {
    let receipt = match Receipt::parse(line) {
        Ok(receipt) => receipt,
        Err(fault) => return ("?".to_owned(), Some(fault.to_string())),
    };
    let Receipt { player, banner, species, tier, nonce, slot, .. } = &receipt;
    let pull = format!("{species} ({tier}) for {player} from {banner}, summon {nonce}, slot {slot}");
    let proved: Result<(), ReceiptFault> = match banners {
        Some(banners) => receipt.verify_with(banners),
        None => receipt.verify(),
    };
    (pull, proved.err().map(|fault| fault.to_string()))
}
