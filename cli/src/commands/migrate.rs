//! `auric migrate`: brings the databases up to this version.

use auric_collection::Collection;
use auric_gateway::Gateway;
use auric_scheduler::Scheduler;
use auric_summon::Summon;
use auric_wallet::Wallet;
use serde::Serialize;

use super::Places;
use super::services::{self, Schema, Service};
use crate::config::{Flags, Settings};
use crate::fault::Fault;
use crate::lock::{self, FileLock};
use crate::output::Output;

/// Brings the services' databases up to this version's schema.
///
/// Where settings name databases, those; where they name none, every service's file in the data folder. Safe to repeat. `auric up` does it by itself; a
/// deployment does it before `auric serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric migrate                                              the files in ./data
  auric migrate --wallet-database postgres://auric@db/wallet
  auric migrate --service summon --service collection        only theirs, in ./data")]
pub struct Migrate {
    #[command(flatten)]
    places: Places,

    /// Only this service's database; may be given several times.
    #[arg(long = "service", value_name = "SERVICE", value_parser = SERVICES)]
    services: Vec<String>,

    /// The wallet's database: `sqlite://PATH` or `postgres://…` [variable: `AURIC_WALLET_DATABASE`].
    #[arg(long, value_name = "URL")]
    wallet_database: Option<String>,

    /// The collection's database: `sqlite://PATH` or `postgres://…` [variable: `AURIC_COLLECTION_DATABASE`].
    #[arg(long, value_name = "URL")]
    collection_database: Option<String>,

    /// The summon service's database: `sqlite://PATH` or `postgres://…` [variable: `AURIC_SUMMON_DATABASE`].
    #[arg(long, value_name = "URL")]
    summon_database: Option<String>,

    /// The scheduler's database: `sqlite://PATH` or `postgres://…` [variable: `AURIC_SCHEDULER_DATABASE`].
    #[arg(long, value_name = "URL")]
    scheduler_database: Option<String>,

    /// The gateway's database, where there is a gateway: `sqlite://PATH` or `postgres://…` [variable: `AURIC_GATEWAY_DATABASE`].
    #[arg(long, value_name = "URL")]
    gateway_database: Option<String>,

    /// Shows what was done as one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// The services that have a database.
const SERVICES: [&str; 5] = [Wallet::NAME, Collection::NAME, Summon::NAME, Scheduler::NAME, Gateway::NAME];

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
            ("collection.database", self.collection_database.clone()),
            ("summon.database", self.summon_database.clone()),
            ("scheduler.database", self.scheduler_database.clone()),
            ("gateway.database", self.gateway_database.clone()),
        ];
        [self.places.flags(), own].concat()
    }

    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let chosen = self.chosen(settings);
        let mut databases = Vec::new();
        if chosen.contains(&Wallet::NAME) {
            databases.push(migrate::<Wallet>(settings).await?);
        }
        if chosen.contains(&Collection::NAME) {
            databases.push(migrate::<Collection>(settings).await?);
        }
        if chosen.contains(&Summon::NAME) {
            databases.push(migrate::<Summon>(settings).await?);
        }
        if chosen.contains(&Scheduler::NAME) {
            databases.push(migrate::<Scheduler>(settings).await?);
        }
        if chosen.contains(&Gateway::NAME) {
            databases.push(migrate::<Gateway>(settings).await?);
        }
        output.show(&Done { databases }, |done| text(done, output))
    }

    /// Those that are asked for; else those whose databases are named; else all. A deployment of one service is not given files for the others.
    fn chosen(&self, settings: &Settings) -> Vec<&'static str> {
        let asked = |name: &&str| self.services.iter().any(|service| service == name);
        if !self.services.is_empty() {
            return SERVICES.into_iter().filter(asked).collect();
        }
        let all = [
            (Wallet::NAME, Wallet::has_named_database(settings)),
            (Collection::NAME, Collection::has_named_database(settings)),
            (Summon::NAME, Summon::has_named_database(settings)),
            (Scheduler::NAME, Scheduler::has_named_database(settings)),
            (Gateway::NAME, settings.has_gateway()),
        ];
        let is_any_named = all[..4].iter().any(|(_, is_named)| *is_named) || Gateway::has_named_database(settings);
        let is_meant = |(name, is_named): &(&str, bool)| *is_named || (!is_any_named && *name != Gateway::NAME);
        all.into_iter().filter(is_meant).map(|(name, _)| name).collect()
    }
}

async fn migrate<S: Service>(settings: &Settings) -> Result<MigratedDatabase, Fault> {
    let database = S::database(settings)?;
    let _lock = prepare(&database)?;
    let schema = services::migrate::<S>(settings).await?;
    Ok(MigratedDatabase { service: S::NAME, database: services::without_password(&database), schema })
}

/// Makes the folder of a SQLite file, and keeps other processes from the file.
fn prepare(database: &str) -> Result<Option<FileLock>, Fault> {
    if let Some(folder) = lock::sqlite_path(database).as_deref().and_then(std::path::Path::parent) {
        lock::make_folder(folder)?;
    }
    lock::lock(database)
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
