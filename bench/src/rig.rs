//! Starts what is measured: databases, wallets of every kind, and the server of the empty call.

mod scheduler;

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::grpc::Fleet;
use crate::process::{Arguments, Process};
use crate::sink::Sink;
use crate::store::Cluster;
use crate::traffic::Routing;

/// Where the program and its catalog are.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The program `auric`.
    pub program: PathBuf,
    /// The folder of a catalog.
    pub catalog: PathBuf,
}

impl Installation {
    /// The program that runs now, so that what is measured is what was built.
    ///
    /// # Errors
    ///
    /// The system does not tell where it is.
    pub fn of_this_program(catalog: &Path) -> Result<Self> {
        let program = std::env::current_exe().context("the system does not tell where this program is")?;
        Ok(Self { program, catalog: std::path::absolute(catalog)? })
    }
}

/// How the lanes of one wallet are set; what is [`None`] is as it ships.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Lanes {
    /// How many.
    pub count: Option<NonZeroU16>,
    /// Mutations in one transaction at most.
    pub batch_max: Option<NonZeroU16>,
    /// Connections to PostgreSQL at most.
    pub connections_max: Option<u32>,
}

impl Lanes {
    /// One transaction a mutation, on a pool of this size.
    pub fn naive(pool: NonZeroU16) -> Self {
        // One more than there are lanes: a player that is new is made on a connection of its own, and health asks on one.
        let connections_max = Some(u32::from(pool.get()) + 2);
        Self { count: Some(pool), batch_max: Some(NonZeroU16::MIN), connections_max }
    }

    fn variables(self) -> Vec<(String, String)> {
        let settings = [
            ("AURIC_WALLET_LANES_COUNT", self.count.map(|count| count.to_string())),
            ("AURIC_WALLET_LANES_BATCH_MAX", self.batch_max.map(|count| count.to_string())),
            ("AURIC_WALLET_CONNECTIONS_MAX", self.connections_max.map(|count| count.to_string())),
        ];
        settings.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

/// The services that have a database of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// It owns every balance.
    Wallet,
    /// It owns what players have collected.
    Collection,
    /// It draws from banners.
    Summon,
    /// It keeps what is to be done when.
    Scheduler,
}

impl Service {
    const fn name(self) -> &'static str {
        match self {
            Self::Wallet => "wallet",
            Self::Collection => "collection",
            Self::Summon => "summon",
            Self::Scheduler => "scheduler",
        }
    }

    /// The variable that names its database.
    fn database_variable(self) -> String {
        format!("AURIC_{}_DATABASE", self.name().to_uppercase())
    }
}

/// A service that can be called: one or more processes, and those that they call in turn.
#[derive(Debug)]
pub struct Target {
    name: &'static str,
    processes: Vec<Process>,
    behind: Vec<(&'static str, Process)>,
}

impl Target {
    fn of(name: &'static str, processes: Vec<Process>) -> Self {
        Self { name, processes, behind: Vec::new() }
    }

    /// Connects to every process that is called.
    ///
    /// # Errors
    ///
    /// A process is gone.
    pub async fn connect(&self, channels: usize, routing: Routing) -> Result<Fleet> {
        let urls: Vec<String> = self.processes.iter().map(|process| process.url().to_owned()).collect();
        Fleet::connect(&urls, channels, routing).await
    }

    /// Connects to a process behind those that are called.
    ///
    /// # Errors
    ///
    /// There is none of that name, or it is gone.
    pub async fn connect_behind(&self, service: Service, channels: usize) -> Result<Fleet> {
        let found = self.behind.iter().find(|(name, _)| *name == service.name());
        let (_, process) = found.with_context(|| format!("no {} is behind", service.name()))?;
        Fleet::connect(&[process.url().to_owned()], channels, Routing::Rendezvous).await
    }

    /// The ids of its processes.
    pub fn pids(&self) -> Vec<u32> {
        self.named_pids().into_iter().map(|(_, pid)| pid).collect()
    }

    /// The ids of its processes with their names, those that are called first.
    pub fn named_pids(&self) -> Vec<(&'static str, u32)> {
        let called = self.processes.iter().map(|process| (self.name, process.pid()));
        called.chain(self.behind.iter().map(|(name, process)| (*name, process.pid()))).collect()
    }

    /// Whether it is made of several kinds of processes.
    pub fn has_several_kinds(&self) -> bool {
        !self.behind.is_empty()
    }
}

/// The place where everything is started, in one folder that goes with it.
pub struct Rig {
    installation: Installation,
    postgres_url: Option<String>,
    follows_statements: bool,
    cluster: Option<Cluster>,
    sink: Option<Sink>,
    started: u32,
    folder: TempDir,
}

impl Rig {
    /// Begins with nothing started. Without a URL the PostgreSQL is a private one.
    ///
    /// # Errors
    ///
    /// No folder can be made.
    pub fn new(installation: Installation, postgres_url: Option<String>, follows_statements: bool) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("auric-bench-").tempdir()?;
        Ok(Self { installation, postgres_url, follows_statements, cluster: None, sink: None, started: 0, folder })
    }

    /// The PostgreSQL, started when it is asked for first.
    ///
    /// # Errors
    ///
    /// As [`Cluster::open`].
    pub async fn cluster(&mut self) -> Result<&mut Cluster> {
        let opened = match self.cluster.take() {
            Some(cluster) => cluster,
            None => Cluster::open(self.postgres_url.as_deref(), self.follows_statements).await?,
        };
        Ok(self.cluster.insert(opened))
    }

    /// The PostgreSQL, if it was needed.
    pub fn started_cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    /// Makes a database for a wallet, with its schema.
    ///
    /// # Errors
    ///
    /// The server refuses, or a migration fails.
    pub async fn database(&mut self, name: &str) -> Result<String> {
        self.database_of(Service::Wallet, name).await
    }

    /// Makes a database without a schema.
    ///
    /// # Errors
    ///
    /// The server refuses.
    pub async fn empty_database(&mut self, name: &str) -> Result<String> {
        self.cluster().await?.create_database(name).await
    }

    async fn database_of(&mut self, service: Service, name: &str) -> Result<String> {
        let url = self.empty_database(name).await?;
        self.migrate(service, &url).await?;
        Ok(url)
    }

    /// Starts `copies` wallets on one database.
    ///
    /// # Errors
    ///
    /// One does not start; the end of its log says why.
    pub async fn wallet(&mut self, database: &str, lanes: Lanes, copies: usize) -> Result<Target> {
        self.wallet_with(database, lanes.variables(), copies).await
    }

    /// Starts a wallet that keeps one trace in ten, and sends traces, metrics and logs to a collector.
    ///
    /// # Errors
    ///
    /// As [`Self::wallet`].
    pub async fn traced_wallet(&mut self, database: &str, lanes: Lanes) -> Result<Target> {
        let sink = match self.sink.take() {
            Some(sink) => sink,
            None => Sink::start().await?,
        };
        let url = self.sink.insert(sink).url();
        let mut variables = lanes.variables();
        variables.push(("AURIC_OTLP_ENDPOINT".to_owned(), url));
        variables.push(("AURIC_SAMPLE_RATIO".to_owned(), "0.1".to_owned()));
        self.wallet_with(database, variables, 1).await
    }

    async fn wallet_with(
        &mut self,
        database: &str,
        mut variables: Vec<(String, String)>,
        copies: usize,
    ) -> Result<Target> {
        let service = Service::Wallet;
        variables.push((service.database_variable(), database.to_owned()));
        let arguments = Arguments { words: self.serve(service), variables };
        let mut processes = Vec::new();
        for _ in 0..copies {
            processes.push(self.start(service.name(), &arguments).await?);
        }
        Ok(Target::of(service.name(), processes))
    }

    /// Starts the three services of a summon as they ship, each on a database of its own.
    ///
    /// # Errors
    ///
    /// As [`Self::wallet`].
    pub async fn summon(&mut self) -> Result<Target> {
        let mut behind = Vec::new();
        let mut urls = Vec::new();
        for service in [Service::Wallet, Service::Collection] {
            let process = self.service(service, Vec::new()).await?;
            urls.push((format!("AURIC_SUMMON_{}", service.name().to_uppercase()), process.url().to_owned()));
            behind.push((service.name(), process));
        }
        let summon = self.service(Service::Summon, urls).await?;
        Ok(Target { behind, ..Target::of(Service::Summon.name(), vec![summon]) })
    }

    /// Starts a collection on a database, keeping at most so many rows in memory; [`None`] is as it ships.
    ///
    /// # Errors
    ///
    /// As [`Self::wallet`].
    pub async fn collection(&mut self, database: &str, views_rows_max: Option<u32>) -> Result<Target> {
        let service = Service::Collection;
        let mut variables = vec![(service.database_variable(), database.to_owned())];
        let rows = views_rows_max.map(|rows| ("AURIC_COLLECTION_VIEWS_ROWS_MAX".to_owned(), rows.to_string()));
        variables.extend(rows);
        let arguments = Arguments { words: self.serve(service), variables };
        Ok(Target::of(service.name(), vec![self.start(service.name(), &arguments).await?]))
    }

    /// Makes a database for a collection, with its schema.
    ///
    /// # Errors
    ///
    /// As [`Self::database`].
    pub async fn collection_database(&mut self, name: &str) -> Result<String> {
        self.database_of(Service::Collection, name).await
    }

    /// The folder of the catalog.
    pub fn catalog(&self) -> &Path {
        &self.installation.catalog
    }

    async fn service(&mut self, service: Service, mut variables: Vec<(String, String)>) -> Result<Process> {
        let database = self.database_of(service, &format!("summon_{}", service.name())).await?;
        variables.push((service.database_variable(), database));
        let arguments = Arguments { words: self.serve(service), variables };
        self.start(service.name(), &arguments).await
    }

    /// Starts the monolith on a pool of this size.
    ///
    /// # Errors
    ///
    /// As [`Self::wallet`].
    pub async fn monolith(&mut self, database: &str, pool: NonZeroU16) -> Result<Target> {
        let mut words = words(&["bench", "monolith", "--listen", "{address}", "--database", database, "--game"]);
        words.push(self.installation.catalog.clone().into());
        words.extend(["--connections".into(), pool.to_string().into()]);
        let logs = [("AURIC_LOG", "info"), ("AURIC_LOG_FORMAT", "json")];
        let variables = logs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Ok(Target::of("monolith", vec![self.start("monolith", &Arguments { words, variables }).await?]))
    }

    /// The words that serve it with the log that a deployment has.
    fn serve(&self, service: Service) -> Vec<std::ffi::OsString> {
        let mut words = words(&["serve", service.name(), "--listen", "{address}", "--log", "info"]);
        words.extend(["--log-format", "json", "--game"].map(Into::into));
        words.push(self.installation.catalog.clone().into());
        words
    }

    /// Starts everything in one process on SQLite, as `auric up` does.
    ///
    /// # Errors
    ///
    /// As [`Self::wallet`].
    pub async fn up(&mut self) -> Result<Target> {
        let mut words = words(&["up", "--port", "{port}"]);
        for other in ["--summon-port", "--collection-port", "--scheduler-port"] {
            words.extend([other.into(), "0".into()]);
        }
        words.extend(["--log", "info", "--log-format", "json", "--game"].map(Into::into));
        words.push(self.installation.catalog.clone().into());
        words.push("--data".into());
        words.push(self.folder.path().join(format!("data-{}", self.started)).into());
        let process = self.start("up", &Arguments { words, variables: Vec::new() }).await?;
        Ok(Target::of("up", vec![process]))
    }

    /// Starts the server of the empty call.
    ///
    /// # Errors
    ///
    /// As [`Self::wallet`].
    pub async fn echo(&mut self) -> Result<Target> {
        let words = words(&["bench", "echo", "--listen", "{address}"]);
        let process = self.start("echo", &Arguments { words, variables: Vec::new() }).await?;
        Ok(Target::of("echo", vec![process]))
    }

    /// Drops the databases that were made.
    ///
    /// # Errors
    ///
    /// The server refuses.
    pub async fn close(self) -> Result<()> {
        match self.cluster {
            Some(cluster) => cluster.close().await,
            None => Ok(()),
        }
    }

    async fn start(&mut self, name: &str, arguments: &Arguments) -> Result<Process> {
        self.started += 1;
        let name = format!("{name}-{}", self.started);
        Process::start(&self.installation.program, self.folder.path(), &name, arguments).await
    }

    async fn migrate(&self, service: Service, database: &str) -> Result<()> {
        let migrated = tokio::process::Command::new(&self.installation.program)
            .arg("migrate")
            .env_clear()
            .env(service.database_variable(), database)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .with_context(|| format!("{} cannot be run", self.installation.program.display()))?;
        if !migrated.status.success() {
            bail!("the migrations fail: {}", String::from_utf8_lossy(&migrated.stderr).trim());
        }
        Ok(())
    }
}

fn words(texts: &[&str]) -> Vec<std::ffi::OsString> {
    texts.iter().map(Into::into).collect()
}
