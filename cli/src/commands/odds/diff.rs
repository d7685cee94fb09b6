//! `auric odds diff`: what players would notice of another catalog.

use std::path::PathBuf;

use serde_json::json;

use crate::fault::Fault;
use crate::output::{self, Output};

/// Shows what players would notice of one catalog after another: banners, costs, times, and the odds in the long run.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric odds diff ./game ./next
  auric odds diff ./game ./next --json | jq '.differences[] | select(.what | startswith(\"rate\"))'

Exit codes: 0 nothing differs · 5 something does · 10 a catalog is wrong")]
pub struct Diff {
    /// Folder of the catalog before.
    old: PathBuf,

    /// Folder of the catalog after.
    new: PathBuf,

    /// Shows the answer as one JSON document.
    #[arg(long)]
    pub json: bool,
}

impl Diff {
    pub fn run(self, output: Output) -> Result<(), Fault> {
        let (old, new) = (super::catalog(&self.old)?, super::catalog(&self.new)?);
        let found = auric_summon::domain::odds::diff(&old, &new);
        let rows = found.iter().map(|found| {
            json!({ "banner_id": found.banner, "what": found.what, "before": found.before, "after": found.next })
        });
        let rows: Vec<_> = rows.collect();
        output.show(&json!({ "differences": rows }), |_| {
            let mut table = output.table(&["banner", "what", "before", "after"]);
            for found in &found {
                let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "none".to_owned());
                table.add_row([found.banner.to_string(), found.what.clone(), side(&found.before), side(&found.next)]);
            }
            if found.is_empty() { "nothing differs\n".to_owned() } else { output::render(&table) }
        })?;
        if found.is_empty() { Ok(()) } else { Err(Fault::OddsDiffer { differences: found.len() }) }
    }
}
