//! `auric migrate`: brings the databases up to this version.

use serde::Serialize;

use super::Places;
use super::services::gateway::migrate_gateway;
use super::services::{self, Schema};
use crate::config::{Flags, Settings};
use crate::fault::Fault;
use crate::lock::{self, FileLock};
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

    /// The gateway's database, where there is a gateway: `sqlite://PATH` or `postgres://…` [variable: `AURIC_GATEWAY_DATABASE`].
    #[arg(long, value_name = "URL")]
    gateway_database: Option<String>,

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
        let own = vec![
            ("wallet.database", self.wallet_database.clone()),
            ("gateway.database", self.gateway_database.clone()),
        ];
        [self.places.flags(), own].concat()
    }

    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let database = settings.wallet_database()?;
        let _wallet_lock = prepare(&database)?;
        let schema = services::migrate_wallet(settings).await?;
        let mut databases = vec![migrated("wallet", &database, schema)];
        if settings.has_gateway() {
            let database = settings.gateway_database()?;
            let _gateway_lock = prepare(&database)?;
            databases.push(migrated("gateway", &database, migrate_gateway(settings).await?));
        }
        let done = Done { databases };
        output.show(&done, |done| text(done, output))
    }
}

/// Makes the folder of a SQLite file, and keeps other processes from the file.
fn prepare(database: &str) -> Result<Option<FileLock>, Fault> {
    if let Some(folder) = lock::sqlite_path(database).as_deref().and_then(std::path::Path::parent) {
        lock::make_folder(folder)?;
    }
    lock::lock(database)
}

fn migrated(service: &'static str, database: &str, schema: Schema) -> MigratedDatabase {
    MigratedDatabase { service, database: services::without_password(database), schema }
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
