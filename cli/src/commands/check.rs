//! `auric check`: whether everything is in order, before a start and while it runs.

use std::path::Path;

use auric_collection::Collection;
use auric_gateway::Gateway;
use auric_scheduler::{CatalogSummary, Scheduler};
use auric_summon::Summon;
use auric_wallet::Wallet;
use serde::Serialize;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::services::{self, Service, check_catalog};
use super::{Others, Places, Target};
use crate::client::{Client, Peer};
use crate::config::{Flags, Settings, Surroundings};
use crate::fault::Fault;
use crate::output::Output;
use crate::{game, lock};

/// Checks the settings, the catalog, the databases, and the health of the running services.
///
/// What is not there yet (a database before the first start, a service that is not running) is absent, and no failure.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric check                     a table, and exit code 5 when something is wrong
  auric check --serving           a service that is not running is a failure too
  auric check --json | jq .ok")]
pub struct Check {
    #[command(flatten)]
    places: Places,

    /// The wallet's database: `sqlite://PATH` or `postgres://…` [variable: `AURIC_WALLET_DATABASE`].
    #[arg(long, value_name = "URL")]
    wallet_database: Option<String>,

    /// Makes it a failure when a service is not running.
    #[arg(long)]
    serving: bool,

    #[command(flatten)]
    pub target: Target,

    #[command(flatten)]
    others: Others,

    /// The scheduler's URL [default: `http://127.0.0.1:7404`; variable: `AURIC_SCHEDULER`].
    #[arg(long, value_name = "URL")]
    scheduler: Option<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    checks: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    name: String,
    state: State,
    detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Absent,
    Failed,
}

impl Check {
    pub fn flags(&self) -> Flags {
        let own = vec![("wallet.database", self.wallet_database.clone()), ("client.scheduler", self.scheduler.clone())];
        [self.places.flags(), self.target.flags(), self.others.flags(), own].concat()
    }

    pub async fn run(
        self,
        settings: Result<Settings, Fault>,
        surroundings: &Surroundings,
        output: Output,
    ) -> Result<(), Fault> {
        let checks = match settings {
            Ok(settings) => {
                let catalog = game::find(&settings);
                let mut lines = vec![config_line(surroundings), catalog_line(&settings, catalog.as_deref())];
                lines.push(database_line::<Wallet>(&settings).await);
                lines.push(service_line::<Wallet>(&settings, Peer::Wallet, self.serving).await);
                lines.push(database_line::<Collection>(&settings).await);
                lines.push(service_line::<Collection>(&settings, Peer::Collection, self.serving).await);
                lines.push(database_line::<Summon>(&settings).await);
                lines.push(service_line::<Summon>(&settings, Peer::Summon, self.serving).await);
                lines.push(database_line::<Scheduler>(&settings).await);
                lines.push(service_line::<Scheduler>(&settings, Peer::Scheduler, self.serving).await);
                if settings.has_gateway() {
                    lines.push(database_line::<Gateway>(&settings).await);
                    lines.push(service_line::<Gateway>(&settings, Peer::Gateway, self.serving).await);
                }
                lines
            }
            Err(fault) => vec![Line::of("config", Err(fault))],
        };
        let failed = checks.iter().filter(|line| line.state == State::Failed).count();
        let report = Report { ok: failed == 0, checks };
        output.show(&report, |report| text(report, output))?;
        if failed > 0 { Err(Fault::Check { failed, checks: report.checks.len() }) } else { Ok(()) }
    }
}

impl Line {
    fn of(name: impl Into<String>, checked: Result<String, Fault>) -> Self {
        match checked {
            Ok(detail) => Self { name: name.into(), state: State::Ok, detail },
            Err(fault) => Self { name: name.into(), state: State::Failed, detail: fault.to_string() },
        }
    }

    fn absent(name: impl Into<String>, detail: String) -> Self {
        Self { name: name.into(), state: State::Absent, detail }
    }
}

fn config_line(surroundings: &Surroundings) -> Line {
    let unknown = surroundings.unknown();
    let detail = if unknown.is_empty() {
        "every key is known".to_owned()
    } else {
        format!("no settings, and ignored: {}", unknown.join(", "))
    };
    Line::of("config", Ok(detail))
}

fn catalog_line(settings: &Settings, catalog: Result<&Path, &Fault>) -> Line {
    const NAME: &str = "catalog";
    match catalog {
        Ok(folder) => Line::of(NAME, whole_catalog(settings, folder)),
        // `auric up` brings its own catalog, so that none is no fault yet.
        Err(fault) => Line::absent(NAME, fault.to_string()),
    }
}

fn whole_catalog(settings: &Settings, folder: &Path) -> Result<String, Fault> {
    let wallet = check_catalog::<Wallet>(folder)?;
    let collection = check_catalog::<Collection>(folder)?;
    let summon = check_catalog::<Summon>(folder)?;
    let CatalogSummary { zones, broken } = check_catalog::<Scheduler>(folder)?;
    if let Some(broken) = broken.first() {
        return Err(Fault::Catalog { folder: folder.to_owned(), reason: broken.to_string() });
    }
    settings.scheduler.maintenance.jobs()?;
    if settings.has_gateway() || folder.join("products.toml").exists() {
        check_catalog::<Gateway>(folder)?;
    }
    let auric_wallet::CatalogSummary { assets, hash } = wallet;
    let unknown = collection.assets.iter().chain(&summon.assets).find(|(_, asset)| !assets.contains(asset));
    if let Some((place, asset)) = unknown {
        let reason = format!("{place}: {asset} is no asset of assets.toml that is in use");
        return Err(Fault::Catalog { folder: folder.to_owned(), reason });
    }
    let (assets, species, banners) = (assets.len(), collection.species, summon.banners);
    let counts = format!("{assets} assets, {hash}; {species} species, {banners} banners, {zones} zones");
    Ok(format!("{}: {counts}", folder.display()))
}

async fn database_line<S: Service>(settings: &Settings) -> Line {
    let name = format!("{} database", S::NAME);
    let database = match S::database(settings) {
        Ok(database) => database,
        Err(fault) => return Line::of(name, Err(fault)),
    };
    let shown = services::without_password(&database);
    if lock::sqlite_path(&database).is_some_and(|path| !path.exists()) {
        return Line::absent(name, format!("{shown} is not made yet: `auric up` or `auric migrate` makes it"));
    }
    let looked = services::look_at_database::<S>(settings).await;
    Line::of(name, looked.map(|()| format!("{shown} answers and is migrated")))
}

async fn service_line<S: Service>(settings: &Settings, peer: Peer, serving: bool) -> Line {
    let name = format!("{} service", S::NAME);
    let client = match Client::connect_to(peer, &settings.client).await {
        Ok(client) => client,
        Err(fault @ Fault::Problem { .. }) if !serving => return Line::absent(name, fault.to_string()),
        Err(fault) => return Line::of(name, Err(fault)),
    };
    let url = peer.url(&settings.client);
    let asked = async {
        let service = S::names().first().copied().unwrap_or_default().to_owned();
        let request = client.request(HealthCheckRequest { service })?;
        let answer =
            HealthClient::new(client.channel.clone()).check(request).await.map_err(|status| client.fault(&status))?;
        match answer.into_inner().status() {
            ServingStatus::Serving => Ok(format!("{url} is SERVING")),
            status => {
                let message = format!("{url} is {}; its log says why", status.as_str_name());
                Err(auric_status::Problem::new(Code::Unavailable, "UNAVAILABLE", message).into())
            }
        }
    };
    Line::of(name, asked.await)
}

fn text(report: &Report, output: Output) -> String {
    let mut table = output.table(&["check", "state", "detail"]);
    for line in &report.checks {
        let state = match line.state {
            State::Ok => "ok",
            State::Absent => "absent",
            State::Failed => "FAILED",
        };
        table.add_row([line.name.as_str(), state, &line.detail]);
    }
    crate::output::render(&table)
}
