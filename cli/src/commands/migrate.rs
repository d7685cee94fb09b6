//! `auric migrate`: brings the databases up to this version.

use serde::Serialize;

use super::Places;
use super::services::{self, Schema};
use crate::config::{Flags, Settings};
use crate::fault::Fault;
use crate::lock;
use crate::output::Output;

/// Brings every service's database up to this version's schema.
///
/// Safe to repeat. `auric up` does it by itself; a deployment does it before `auric serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric migrate                                              the files in ./data
  auric migrate --wallet-database postgres://auric@db/wallet")]
pub struct Migrate {
    #[command(flatten)]
    places: Places,

    /// The wallet's database: `sqlite://PATH` or `postgres://…` [variable: `AURIC_WALLET_DATABASE`].
    #[arg(long, value_name = "URL")]
    wallet_database: Option<String>,

    /// Shows what was done as one JSON document.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Serialize)]
struct Done {
    databases: Vec<MigratedDatabase>,
}

#[derive(Debug, Serialize)]
struct MigratedDatabase {
    service: &'static str,
    database: String,
    schema: Schema,
}

impl Migrate {
    pub fn flags(&self) -> Flags {
        [self.places.flags(), vec![("wallet.database", self.wallet_database.clone())]].concat()
    }

    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let database = settings.wallet_database()?;
        if let Some(folder) = lock::sqlite_path(&database).as_deref().and_then(std::path::Path::parent) {
            lock::make_folder(folder)?;
        }
        let _lock = lock::lock(&database)?;
        let schema = services::migrate_wallet(settings).await?;
        let database = services::without_password(&database);
        let done = Done { databases: vec![MigratedDatabase { service: "wallet", database, schema }] };
        output.show(&done, |done| text(done, output))
    }
}

fn text(done: &Done, output: Output) -> String {
    let mut table = output.table(&["service", "database", "schema"]);
    for MigratedDatabase { service, database, schema } in &done.databases {
        let schema = if schema.from == schema.to {
            format!("{}, nothing to do", schema.to)
        } else {
            format!("{} → {}", schema.from, schema.to)
        };
        table.add_row([service, database.as_str(), &schema]);
    }
    crate::output::render(&table)
}
