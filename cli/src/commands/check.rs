//! `auric check`: whether everything is in order, before a start and while it runs.

use auric_db::{Database, PostgresSettings};
use auric_wallet::StartError;
use serde::Serialize;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::services::gateway::{check_products, gateway_fault};
use super::services::{self, check_catalog, wallet_fault};
use super::{Places, Target};
use crate::client::Client;
use crate::config::{Flags, Settings, Surroundings};
use crate::fault::Fault;
use crate::output::Output;
use crate::{game, lock};

/// Checks the settings, the catalog, the database, and the health of the running service.
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
}

#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    checks: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
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
        [self.places.flags(), self.target.flags(), vec![("wallet.database", self.wallet_database.clone())]].concat()
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
                let mut lines = vec![
                    config_line(surroundings),
                    catalog_line(catalog.as_deref()),
                    database_line(&settings).await,
                    wallet_line(&settings, self.serving).await,
                ];
                if settings.has_gateway() {
                    lines.push(inbox_line(&settings).await);
                    lines.push(gateway_line(&settings, self.serving).await);
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
    fn of(name: &'static str, checked: Result<String, Fault>) -> Self {
        match checked {
            Ok(detail) => Self { name, state: State::Ok, detail },
            Err(fault) => Self { name, state: State::Failed, detail: fault.to_string() },
        }
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

fn catalog_line(catalog: Result<&std::path::Path, &Fault>) -> Line {
    let folder = match catalog {
        Ok(folder) => folder,
        // `auric up` brings its own catalog, so that none is no fault yet.
        Err(fault) => return Line { name: "catalog", state: State::Absent, detail: fault.to_string() },
    };
    let valid = |summary: auric_wallet::CatalogSummary| {
        check_products(folder)?;
        Ok(format!("{}: {} assets, {}", folder.display(), summary.assets, summary.hash))
    };
    Line::of("catalog", check_catalog(folder).and_then(valid))
}

async fn database_line(settings: &Settings) -> Line {
    const NAME: &str = "wallet database";
    let database = match settings.wallet_database() {
        Ok(database) => database,
        Err(fault) => return Line::of(NAME, Err(fault)),
    };
    let shown = services::without_password(&database);
    if lock::sqlite_path(&database).is_some_and(|path| !path.exists()) {
        let detail = format!("{shown} is not made yet: `auric up` or `auric migrate` makes it");
        return Line { name: NAME, state: State::Absent, detail };
    }
    let looked = look_at_database(&database, settings.wallet.named_statements).await;
    let looked = looked.map_err(|error| wallet_fault(error, std::path::Path::new(""), &database));
    Line::of(NAME, looked.map(|()| format!("{shown} answers and is migrated")))
}

/// Connects beside what may be running, and changes nothing.
async fn look_at_database(database: &str, named_statements: Option<bool>) -> Result<(), StartError> {
    let named_statements = named_statements.unwrap_or(PostgresSettings::default().named_statements);
    let database = Database::connect(database, PostgresSettings { connections_max: 1, named_statements }).await?;
    let pending = auric_db::pending(&database, auric_wallet::store::migrator(&database)).await;
    database.close().await;
    match pending? {
        None => Ok(()),
        Some(pending) => Err(StartError::NotMigrated { pending }),
    }
}

async fn inbox_line(settings: &Settings) -> Line {
    const NAME: &str = "gateway database";
    let database = match settings.gateway_database() {
        Ok(database) => database,
        Err(fault) => return Line::of(NAME, Err(fault)),
    };
    let shown = services::without_password(&database);
    if lock::sqlite_path(&database).is_some_and(|path| !path.exists()) {
        let detail = format!("{shown} is not made yet: `auric up` or `auric migrate` makes it");
        return Line { name: NAME, state: State::Absent, detail };
    }
    let looked = look_at_inbox(&database, settings.gateway.named_statements).await;
    let looked = looked.map_err(|error| gateway_fault(error, std::path::Path::new(""), &database));
    Line::of(NAME, looked.map(|()| format!("{shown} answers and is migrated")))
}

async fn look_at_inbox(database: &str, named: Option<bool>) -> Result<(), auric_gateway::StartError> {
    let named_statements = named.unwrap_or(PostgresSettings::default().named_statements);
    let database = Database::connect(database, PostgresSettings { connections_max: 1, named_statements }).await?;
    let pending = auric_db::pending(&database, auric_gateway::store::migrator(&database)).await;
    database.close().await;
    match pending? {
        None => Ok(()),
        Some(pending) => Err(auric_gateway::StartError::NotMigrated { pending }),
    }
}

async fn wallet_line(settings: &Settings, serving: bool) -> Line {
    let client = Client::connect(&settings.client).await;
    service_line("wallet service", &settings.client.wallet, client, auric_wallet::SERVICE_NAME, serving).await
}

async fn gateway_line(settings: &Settings, serving: bool) -> Line {
    let client = Client::connect_to_gateway(&settings.client).await;
    service_line("gateway service", &settings.client.gateway, client, auric_gateway::SERVICE_NAME, serving).await
}

async fn service_line(
    name: &'static str,
    url: &str,
    client: Result<Client, Fault>,
    service: &str,
    serving: bool,
) -> Line {
    let client = match client {
        Ok(client) => client,
        Err(fault @ Fault::Problem { .. }) if !serving => {
            return Line { name, state: State::Absent, detail: fault.to_string() };
        }
        Err(fault) => return Line::of(name, Err(fault)),
    };
    let asked = async {
        let request = client.request(HealthCheckRequest { service: service.to_owned() })?;
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
        table.add_row([line.name, state, &line.detail]);
    }
    crate::output::render(&table)
}
