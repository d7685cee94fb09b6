//! Deployment settings: what the flags say, then the environment, then the file, then the defaults.
//!
//! This is the one file of the program that reads the environment. A key that nobody reads is refused with its name, since a mistyped limit that is
//! silently not in force is worse than a program that does not start. An unknown `AURIC_…` variable is only told: clusters set some of their own.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use auric_ids::CallerId;
use auric_telemetry::{LogFormat, Otlp, SampleRatio, TelemetryConfig};
use auric_wallet::config::{LanesConfig, WalletConfig};
use config::{Config, ConfigError, Environment, File, FileFormat};
use serde::Deserialize;

use crate::fault::Fault;

/// The file that is read when no other is named and it is there.
const FILE_DEFAULT: &str = "auric.toml";

/// The variable that names another file.
const FILE_VARIABLE: &str = "AURIC_CONFIG";

/// Every variable that is read, and the key of the file that it stands for.
pub const VARIABLES: [(&str, &str); 19] = [
    ("AURIC_DATA", "data"),
    ("AURIC_GAME", "game"),
    ("AURIC_DRAIN_SECONDS", "drain_seconds"),
    ("AURIC_LOG", "log.filter"),
    ("AURIC_LOG_FORMAT", "log.format"),
    ("AURIC_OTLP_ENDPOINT", "telemetry.otlp_endpoint"),
    ("AURIC_SAMPLE_RATIO", "telemetry.sample_ratio"),
    ("AURIC_METRICS_LISTEN", "telemetry.listen"),
    ("AURIC_WALLET_LISTEN", "wallet.listen"),
    ("AURIC_WALLET_DATABASE", "wallet.database"),
    ("AURIC_WALLET_AUDIT_KEY", "wallet.audit_key"),
    ("AURIC_WALLET_CONNECTIONS_MAX", "wallet.connections_max"),
    ("AURIC_WALLET_NAMED_STATEMENTS", "wallet.named_statements"),
    ("AURIC_WALLET_LANES_COUNT", "wallet.lanes.count"),
    ("AURIC_WALLET_LANES_BATCH_MAX", "wallet.lanes.batch_max"),
    ("AURIC_WALLET_LANES_QUEUE_MAX", "wallet.lanes.queue_max"),
    ("AURIC_WALLET", "client.wallet"),
    ("AURIC_CALLER", "client.caller"),
    ("AURIC_TIMEOUT_SECONDS", "client.timeout_seconds"),
];

/// What holds where nothing is said.
const DEFAULTS: [(&str, &str); 9] = [
    ("data", "./data"),
    ("drain_seconds", "10"),
    ("log.filter", "info"),
    ("log.format", "auto"),
    ("telemetry.sample_ratio", "0.1"),
    ("wallet.listen", "127.0.0.1:7401"),
    ("client.wallet", "http://127.0.0.1:7401"),
    ("client.caller", "local"),
    ("client.timeout_seconds", "10"),
];

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
    /// The log.
    pub log: LogSettings,
    /// Traces, metrics and health by HTTP.
    pub telemetry: TelemetrySettings,
    /// The wallet service.
    pub wallet: WalletSettings,
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
    pub audit_key: Option<String>,
    /// Connections to PostgreSQL at most.
    pub connections_max: Option<u32>,
    /// `false` behind a pooler in transaction mode.
    pub named_statements: Option<bool>,
    /// The lanes that mutations go through.
    #[serde(default)]
    pub lanes: LanesConfig,
}

/// The client's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// The wallet's URL.
    pub wallet: String,
    /// Who asks.
    pub caller: CallerId,
    /// How long an answer is waited for.
    pub timeout_seconds: u64,
}

impl Settings {
    /// The wallet's database: the one that is named, or a SQLite file in the data folder.
    ///
    /// # Errors
    ///
    /// [`Fault::Data`] when the data folder's path is not text.
    pub fn wallet_database(&self) -> Result<String, Fault> {
        if let Some(database) = &self.wallet.database {
            return Ok(database.clone());
        }
        let fault = |reason: String| Fault::Data { folder: self.data.clone(), reason };
        let path = std::path::absolute(self.data.join("wallet.db")).map_err(|error| fault(error.to_string()))?;
        let text = path.to_str().ok_or_else(|| fault("the path must be UTF-8".to_owned()))?;
        Ok(format!("sqlite://{text}"))
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
            audit_key: self.wallet.audit_key.clone(),
            connections_max: self.wallet.connections_max,
            named_statements: self.wallet.named_statements,
            lanes: self.wallet.lanes,
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
mod tests {
    use super::*;

    fn surroundings(variables: &[(&str, &str)]) -> Surroundings {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Surroundings { variables: variables.iter().map(owned).collect() }
    }

    fn load_text(text: &str, variables: &[(&str, &str)], flags: &Flags) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auric.toml");
        std::fs::write(&path, text).unwrap();
        let shown = path.display().to_string();
        load(Some(&path), &surroundings(variables), flags).map_err(|fault| fault.to_string().replace(&shown, "FILE"))
    }

    #[test]
    fn a_flag_is_stronger_than_the_environment_than_the_file_than_the_default() {
        let file = "data = 'file'\n[client]\ntimeout_seconds = 3\n[wallet]\nlisten = '127.0.0.1:1'";
        let variables =
            [("AURIC_DATA", "variable"), ("AURIC_WALLET_LISTEN", "127.0.0.1:2"), ("AURIC_WALLET", "http://here")];
        let settings = load_text(file, &variables, &vec![("data", Some("flag".to_owned())), ("game", None)]).unwrap();
        assert_eq!(settings.data, Path::new("flag"));
        assert_eq!(settings.wallet.listen.port(), 2);
        assert_eq!(settings.client.timeout_seconds, 3);
        assert_eq!(settings.client.wallet, "http://here");
        assert_eq!(settings.drain_seconds, 10);
        assert_eq!(settings.game, None);
    }

    #[test]
    fn nothing_at_all_is_enough() {
        assert!(load(None, &Surroundings::default(), &Flags::new()).is_ok());
    }

    fn fault(text: &str, variables: &[(&str, &str)], flags: &Flags) -> String {
        load_text(text, variables, flags).unwrap_err()
    }

    #[test]
    fn a_key_that_nobody_reads_is_named() {
        insta::assert_snapshot!(fault("[wallet]\nlistem = '127.0.0.1:1'", &[], &Flags::new()), @"config: FILE: wallet: unknown field `listem`, expected one of `listen`, `database`, `audit_key`, `connections_max`, `named_statements`, `lanes`");
        insta::assert_snapshot!(fault("datta = 'x'", &[], &Flags::new()), @"config: FILE: unknown field `datta`, expected one of `data`, `game`, `drain_seconds`, `log`, `telemetry`, `wallet`, `client`");
    }

    #[test]
    fn a_wrong_value_is_named_with_its_source_and_its_key() {
        insta::assert_snapshot!(fault("drain_seconds = 'soon'", &[], &Flags::new()), @r#"
        config: FILE: drain_seconds: string "soon" is given, an integer is wanted
        "#);
        insta::assert_snapshot!(fault("", &[("AURIC_DRAIN_SECONDS", "soon")], &Flags::new()), @r#"
        config: AURIC_DRAIN_SECONDS: drain_seconds: string "soon" is given, an integer is wanted
        "#);
        insta::assert_snapshot!(fault("[wallet]\nlisten = 'here'", &[], &Flags::new()), @"config: FILE: wallet.listen: invalid socket address syntax");
        insta::assert_snapshot!(fault("[log]\nformat = 'xml'", &[], &Flags::new()), @r#"
        config: FILE: log.format: must be one of auto, text, json; "xml" is not
        "#);
        insta::assert_snapshot!(fault("", &[("AURIC_SAMPLE_RATIO", "7")], &Flags::new()), @"config: AURIC_SAMPLE_RATIO: telemetry.sample_ratio: must be from 0 to 1, is 7");
        insta::assert_snapshot!(fault("", &[("AURIC_CALLER", "two words")], &Flags::new()), @"config: AURIC_CALLER: client.caller: has ' ' at position 4; allowed are A-Z a-z 0-9 _ . : -");
        insta::assert_snapshot!(fault("", &[], &vec![("client.caller", Some(String::new()))]), @"config: flag: client.caller: must not be empty");
        insta::assert_snapshot!(fault("[wallet", &[], &Flags::new()), @"config: FILE: TOML parse error at line 1, column 8: unclosed table, expected `]`");
    }

    #[test]
    fn a_file_that_is_named_must_be_there() {
        let fault = load(Some(Path::new("/nowhere/auric.toml")), &Surroundings::default(), &Flags::new()).unwrap_err();
        insta::assert_snapshot!(fault, @"config: /nowhere/auric.toml: there is no such file");
    }

    #[test]
    fn every_setting_is_in_the_table_of_operations() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
        let page = std::fs::read_to_string(path).unwrap();
        for (variable, key) in VARIABLES {
            let row = format!("| `{key}` | `{variable}` |");
            assert!(page.lines().any(|line| line.starts_with(&row)), "docs/operations.md has no row {row}");
        }
    }

    #[test]
    fn a_mistyped_variable_is_told() {
        let variables = surroundings(&[("AURIC_DTA", "x"), ("AURIC_DATA", "x"), ("AURIC_CONFIG", "x"), ("PATH", "x")]);
        assert_eq!(variables.unknown(), ["AURIC_DTA"]);
    }
}
