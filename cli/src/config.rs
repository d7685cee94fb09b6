//! Deployment settings: what the flags say, then the environment, then the file, then the defaults.
//!
//! This is the one file of the program that reads the environment. A key that nobody reads is refused with its name, since a mistyped limit that is
//! silently not in force is worse than a program that does not start. An unknown `AURIC_…` variable is only told: clusters set some of their own.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auric_auth::{Door, DoorFiles, TlsFiles};
use auric_events::EventsConfig;
use auric_ids::CallerId;
use auric_lanes::LanesConfig;
use auric_telemetry::{LogFormat, Otlp, SampleRatio, TelemetryConfig};
use auric_time::SystemClock;
use auric_wallet::config::WalletConfig;
use config::{Config, ConfigError, Environment, File, FileFormat};
use serde::Deserialize;

use crate::fault::Fault;

mod collection;
mod gateway;
mod peer;
mod scheduler;
mod summon;
mod variables;

pub use collection::CollectionSettings;
pub use gateway::GatewaySettings;
pub use scheduler::SchedulerSettings;
pub use summon::{Peers, SummonSettings};
use variables::{DEFAULTS, VARIABLES};

/// The file that is read when no other is named and it is there.
const FILE_DEFAULT: &str = "auric.toml";

/// The variable that names another file.
const FILE_VARIABLE: &str = "AURIC_CONFIG";

/// All settings, each from the strongest source that names it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The folder of everything that is kept.
    pub data: PathBuf,
    /// The folder of the catalog, where one is named.
    pub game: Option<PathBuf>,
    /// How long requests in flight may take when a service stops.
    pub drain_seconds: u64,
    /// Threads that work on requests.
    pub threads: Option<NonZeroUsize>,
    /// The log.
    pub log: LogSettings,
    /// Traces, metrics and health by HTTP.
    pub telemetry: TelemetrySettings,
    /// Who may call the services of this process.
    #[serde(default)]
    pub access: AccessSettings,
    /// The wallet service.
    pub wallet: WalletSettings,
    /// The collection service.
    pub collection: CollectionSettings,
    /// The summon service.
    pub summon: SummonSettings,
    /// The gateway service.
    pub gateway: GatewaySettings,
    /// The scheduler.
    pub scheduler: SchedulerSettings,
    /// What the commands that talk to a service need.
    pub client: ClientSettings,
}

/// The log's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// Which lines are written, such as `warn,auric_wallet=debug`.
    pub filter: String,
    /// What they look like.
    pub format: LogFormat,
}

/// Who may call the services of this process, and over which TLS.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessSettings {
    /// The registry of callers; without it nobody is asked, which only loopback allows.
    pub callers: Option<PathBuf>,
    /// The servers' certificate with what it was issued by, PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
    /// Who issues the client certificates that are accepted, PEM.
    pub client_ca: Option<PathBuf>,
}

impl AccessSettings {
    /// Reads callers and certificates.
    ///
    /// # Errors
    ///
    /// [`Fault::Config`] with the file, the key and the reason.
    pub fn door(&self) -> Result<Arc<Door>, Fault> {
        let tls = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                let client_ca = self.client_ca.clone();
                Some(TlsFiles { certificate: certificate.clone(), key: key.clone(), client_ca })
            }
            (None, None) if self.client_ca.is_none() => None,
            _ => {
                return Err(Fault::Config(
                    "access: certificate and key go together, and client_ca needs both".to_owned(),
                ));
            }
        };
        let files = DoorFiles { callers: self.callers.clone(), tls };
        let door = Door::new(files, Arc::new(SystemClock)).map_err(|error| Fault::Config(error.to_string()))?;
        Ok(Arc::new(door))
    }
}

/// What a service tells besides its log, and where.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySettings {
    /// The collector that traces, metrics and logs are sent to, where one is named.
    pub otlp_endpoint: Option<String>,
    /// How many of the traces that begin here are kept.
    pub sample_ratio: SampleRatio,
    /// Where metrics and health can be asked for by HTTP, where that is wanted.
    pub listen: Option<SocketAddr>,
}

/// The wallet service's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalletSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its database, where one is named: `postgres://…` or `sqlite://PATH`.
    pub database: Option<String>,
    /// The secret that its audit is chained with.
    pub audit_key: Option<Secret>,
    /// Connections to PostgreSQL at most.
    pub connections_max: Option<u32>,
    /// `false` behind a pooler in transaction mode.
    pub named_statements: Option<bool>,
    /// The lanes that mutations go through.
    #[serde(default)]
    pub lanes: LanesConfig,
    /// How long its events are kept.
    #[serde(default)]
    pub events: EventsConfig,
}

/// The client's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// The wallet's URL.
    pub wallet: String,
    /// The summon service's URL.
    pub summon: String,
    /// The collection's URL.
    pub collection: String,
    /// The gateway's URL for operators.
    pub gateway: String,
    /// The scheduler's URL.
    pub scheduler: String,
    /// Who asks.
    pub caller: CallerId,
    /// How long an answer is waited for.
    pub timeout_seconds: u64,
    /// What it presents to a service that asks who comes.
    pub credential: Option<Secret>,
    /// A file with the credential, which a variable or a list of processes does not show.
    pub credential_file: Option<PathBuf>,
    /// Who issues the service's certificate, PEM.
    pub ca: Option<PathBuf>,
    /// A client certificate, PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
}

/// A setting that is never shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("…")
    }
}

impl Settings {
    /// Threads that work on requests, and as many for what is apart from them: half of the processors where nothing is said. Each further one costs
    /// the others wake-ups and locks, and the database wants processors too.
    pub fn threads(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.threads.map_or_else(|| processors().div_ceil(2), NonZeroUsize::get)
    }

    /// The wallet's database: the one that is named, or a SQLite file in the data folder.
    ///
    /// # Errors
    ///
    /// [`Fault::Data`] when the data folder's path is not text.
    pub fn wallet_database(&self) -> Result<String, Fault> {
        self.database(self.wallet.database.as_ref(), "wallet.db")
    }

    fn database(&self, named: Option<&String>, file: &str) -> Result<String, Fault> {
        if let Some(database) = named {
            return Ok(database.clone());
        }
        let fault = |reason: String| Fault::Data { folder: self.data.clone(), reason };
        let path = std::path::absolute(self.data.join(file)).map_err(|error| fault(error.to_string()))?;
        let text = path.to_str().ok_or_else(|| fault("the path must be UTF-8".to_owned()))?;
        Ok(format!("sqlite://{text}"))
    }

    /// Tests that a service of `auric up` can come to the others, where those ask who comes.
    ///
    /// # Errors
    ///
    /// [`Fault::Config`] when one of them has nothing to present.
    pub fn everybody_is_somebody(&self) -> Result<(), Fault> {
        let all = [self.summon.presented(), self.collection.presented(), self.scheduler.presented()];
        let nobody = all.into_iter().find(|one| !one.is_somebody());
        let Some(nobody) = nobody.filter(|_| self.access.callers.is_some()) else { return Ok(()) };
        let service = nobody.service;
        let reason = "access.callers asks who comes, and this service has nothing to present";
        Err(Fault::Config(format!("{service}.credential: {reason}")))
    }

    /// What a process that runs as `service` tells, and where.
    pub fn telemetry(&self, service: &'static str) -> TelemetryConfig {
        let TelemetrySettings { otlp_endpoint, sample_ratio, listen } = self.telemetry.clone();
        let otlp = otlp_endpoint.map(|endpoint| Otlp { endpoint, sample_ratio });
        TelemetryConfig { service, filter: self.log.filter.clone(), format: self.log.format, otlp, listen }
    }

    /// The wallet service's own settings.
    ///
    /// # Errors
    ///
    /// As [`Self::wallet_database`].
    pub fn wallet_config(&self, catalog: PathBuf) -> Result<WalletConfig, Fault> {
        Ok(WalletConfig {
            database: self.wallet_database()?,
            catalog,
            audit_key: self.wallet.audit_key.as_ref().map(|key| key.reveal().to_owned()),
            connections_max: self.wallet.connections_max,
            named_statements: self.wallet.named_statements,
            lanes: self.wallet.lanes,
            events: self.wallet.events,
        })
    }
}

/// What the process was started with, read once.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    variables: HashMap<String, String>,
}

impl Surroundings {
    /// Reads the environment of this process; what is not UTF-8 is not there.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { variables: std::env::vars_os().filter_map(text).collect() }
    }

    /// Lists the variables that look like settings and are none.
    pub fn unknown(&self) -> Vec<&str> {
        let is_known = |name: &str| name == FILE_VARIABLE || VARIABLES.iter().any(|&(variable, _)| variable == name);
        let mut unknown: Vec<&str> = self
            .variables
            .keys()
            .map(String::as_str)
            .filter(|name| name.starts_with("AURIC_") && !is_known(name))
            .collect();
        unknown.sort_unstable();
        unknown
    }

    /// Whether colours are refused, by the convention of <https://no-color.org>.
    pub fn refuses_colours(&self) -> bool {
        self.variables.get("NO_COLOR").is_some_and(|value| !value.is_empty())
    }

    /// What the variables say, under the keys of the file.
    fn settings(&self) -> HashMap<String, String> {
        let named = |&(variable, key): &(&str, &str)| Some((key.to_owned(), self.variables.get(variable)?.clone()));
        VARIABLES.iter().filter_map(named).collect()
    }
}

/// What the flags say, under the keys of the file; what is [`None`] was not said.
pub type Flags = Vec<(&'static str, Option<String>)>;

/// Reads all sources.
///
/// # Errors
///
/// [`Fault::Config`] with the source, the key and the reason.
pub fn load(file: Option<&Path>, surroundings: &Surroundings, flags: &Flags) -> Result<Settings, Fault> {
    let named = file.map(Path::to_owned).or_else(|| surroundings.variables.get(FILE_VARIABLE).map(PathBuf::from));
    let is_required = named.is_some();
    let path = named.unwrap_or_else(|| PathBuf::from(FILE_DEFAULT));
    if is_required && !path.is_file() {
        return Err(Fault::Config(format!("{}: there is no such file", path.display())));
    }
    let variables = surroundings.settings();
    read(&path, &variables, flags).map_err(|error| {
        let (key, reason) = key_and_reason(error);
        let is_said_by_flag = flags.iter().any(|(flag, value)| *flag == key && value.is_some());
        let variable = VARIABLES.iter().find(|(_, named)| *named == key && variables.contains_key(&key));
        let source = match variable {
            _ if is_said_by_flag => "flag".to_owned(),
            Some((variable, _)) => (*variable).to_owned(),
            None => path.display().to_string(),
        };
        let key = if key.is_empty() { key } else { format!("{key}: ") };
        Fault::Config(format!("{source}: {key}{reason}"))
    })
}

fn read(path: &Path, variables: &HashMap<String, String>, flags: &Flags) -> Result<Settings, ConfigError> {
    let mut builder = Config::builder();
    for (key, value) in DEFAULTS {
        builder = builder.set_default(key, value)?;
    }
    builder = builder.add_source(File::from(path).format(FileFormat::Toml).required(false));
    // Keys have their dots already, so the separator only unfolds them.
    builder = builder.add_source(Environment::default().separator(".").source(Some(variables.clone())));
    for (key, value) in flags {
        builder = builder.set_override_option(*key, value.clone())?;
    }
    builder.build()?.try_deserialize()
}

/// Takes apart what the crate says, whose sentence names the wrong source for a value that it could read and we could not.
fn key_and_reason(error: ConfigError) -> (String, String) {
    match error {
        ConfigError::At { error, key, .. } => (key.unwrap_or_default(), error.to_string()),
        ConfigError::Type { unexpected, expected, key, .. } => {
            (key.unwrap_or_default(), format!("{unexpected} is given, {expected} is wanted"))
        }
        ConfigError::FileParse { cause, .. } => {
            let text = cause.to_string();
            let place = text.lines().next().unwrap_or_default();
            let reason = text.lines().last().unwrap_or_default();
            (String::new(), format!("{place}: {reason}"))
        }
        error => (String::new(), error.to_string()),
    }
}

#[cfg(test)]
mod tests;
