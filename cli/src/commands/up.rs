//! `auric up`: every service in one process, with nothing else installed.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use auric_collection::Collection;
use auric_gateway::Gateway;
use auric_scheduler::Scheduler;
use auric_summon::Summon;
use auric_wallet::Wallet;
use serde::Serialize;

use super::services::gateway::GatewayPort;
use super::services::{self, Port, Running, Schema, Service};
use super::{Logs, Places};
use crate::config::{Flags, Peers, Settings, Surroundings};
use crate::fault::Fault;
use crate::output::Output;
use crate::{game, lock};

/// Starts every service in this process, on SQLite files, over gRPC on loopback.
///
/// Makes and migrates what is absent. Ctrl-C answers what is under way and stops; the next start has everything.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric up                          everything in ./data: the wallet on port 7401, summon on 7402, the collection on 7403, the
                                    scheduler on 7404
  auric up --data /srv/auric        everything in another folder
  auric up --port 0 --summon-port 0 --collection-port 0 --scheduler-port 0     free ports; the addresses are printed
  auric up --json > ready.json      the same as a document, once it is ready
  auric up --log warn               only what is wrong

The gateway starts where a payment provider is configured, with AURIC_GATEWAY_STRIPE_SECRETS for one.")]
pub struct Up {
    #[command(flatten)]
    places: Places,

    /// Port of the wallet on 127.0.0.1; 0 takes a free one [default: 7401; variable: `AURIC_WALLET_LISTEN`, with the address].
    #[arg(long)]
    port: Option<u16>,

    /// Port of the summon service on 127.0.0.1; 0 takes a free one [default: 7402; variable: `AURIC_SUMMON_LISTEN`, with the address].
    #[arg(long)]
    summon_port: Option<u16>,

    /// Port of the collection on 127.0.0.1; 0 takes a free one [default: 7403; variable: `AURIC_COLLECTION_LISTEN`, with the address].
    #[arg(long)]
    collection_port: Option<u16>,

    /// Port of the scheduler on 127.0.0.1; 0 takes a free one [default: 7404; variable: `AURIC_SCHEDULER_LISTEN`, with the address].
    #[arg(long)]
    scheduler_port: Option<u16>,

    /// Port on 127.0.0.1 that payment providers send events to; 0 takes a free one [default: 7480; variable: `AURIC_GATEWAY_LISTEN`, with the address].
    #[arg(long)]
    webhooks: Option<u16>,

    /// Port on 127.0.0.1 that operators ask the gateway at; 0 takes a free one [default: 7481; variable: `AURIC_GATEWAY_ADMIN_LISTEN`].
    #[arg(long)]
    gateway_admin: Option<u16>,

    #[command(flatten)]
    logs: Logs,

    /// Shows what is running as one JSON document.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Serialize)]
struct Ready {
    version: &'static str,
    ready_ms: u128,
    services: Vec<ReadyService>,
    data: PathBuf,
    catalog: ReadyCatalog,
    example: String,
}

#[derive(Debug, Serialize)]
struct ReadyService {
    name: &'static str,
    address: String,
    health: &'static str,
    database: String,
    schema: Schema,
    /// Where payment providers send events; the gateway alone has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhooks: Option<String>,
}

#[derive(Debug, Serialize)]
struct ReadyCatalog {
    folder: PathBuf,
    assets: usize,
    species: usize,
    banners: usize,
    zones: usize,
    /// The wallet's part of it.
    hash: String,
}

/// What the services need, taken before anything is changed.
struct Ports {
    wallet: Port<Wallet>,
    collection: Port<Collection>,
    summon: Port<Summon>,
    scheduler: Port<Scheduler>,
    gateway: Option<GatewayPort>,
}

/// Keeps this process off huge pages. Its threads use little memory each, of which the allocator makes huge pages: idle it would take four times what it
/// uses. A service by itself takes them, for they make it faster.
#[cfg(target_os = "linux")]
fn keep_to_small_pages() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "huge pages stay: more memory is taken than used");
    }
}

#[cfg(not(target_os = "linux"))]
const fn keep_to_small_pages() {}

impl Up {
    pub fn flags(&self) -> Flags {
        let on_loopback = |port: Option<u16>| port.map(|port| format!("127.0.0.1:{port}"));
        let own = vec![
            ("wallet.listen", on_loopback(self.port)),
            ("summon.listen", on_loopback(self.summon_port)),
            ("collection.listen", on_loopback(self.collection_port)),
            ("scheduler.listen", on_loopback(self.scheduler_port)),
            ("gateway.listen", on_loopback(self.webhooks)),
            ("gateway.admin_listen", on_loopback(self.gateway_admin)),
        ];
        [self.places.flags(), self.logs.flags(), own].concat()
    }

    pub async fn run(self, settings: &Settings, surroundings: &Surroundings, output: Output) -> Result<(), Fault> {
        let begun = Instant::now();
        let telemetry = auric_telemetry::init(&settings.telemetry("auric"))?;
        keep_to_small_pages();
        super::serve::warn_of_unknown(surroundings);
        settings.everybody_is_somebody()?;
        lock::make_folder(&settings.data)?;
        let ports = Ports::take(settings, game::find_or_complete(settings)?).await?;
        let catalog = ports.catalog();
        let example = example(&ports.wallet.url());

        let mut running = Running::new(settings)?;
        let _endpoint = running.show(&telemetry).await?;
        let services = ports.start(&mut running, settings).await?;
        let ready = Ready {
            version: env!("CARGO_PKG_VERSION"),
            ready_ms: begun.elapsed().as_millis(),
            example,
            services,
            data: settings.data.clone(),
            catalog,
        };
        output.show(&ready, |ready| text(ready, output))?;
        running.until_stopped().await
    }
}

impl Ports {
    async fn take(settings: &Settings, catalog: PathBuf) -> Result<Self, Fault> {
        Ok(Self {
            wallet: Port::take(settings, catalog.clone()).await?,
            collection: Port::take(settings, catalog.clone()).await?,
            summon: Port::take(settings, catalog.clone()).await?,
            scheduler: Port::take(settings, catalog.clone()).await?,
            gateway: if settings.has_gateway() { Some(GatewayPort::take(settings, catalog).await?) } else { None },
        })
    }

    fn catalog(&self) -> ReadyCatalog {
        ReadyCatalog {
            folder: self.wallet.catalog.clone(),
            assets: self.wallet.summary.assets.len(),
            species: self.collection.summary.species,
            banners: self.summon.summary.banners,
            zones: self.scheduler.summary.zones,
            hash: self.wallet.summary.hash.clone(),
        }
    }

    /// Starts each service once those that it calls are ready.
    async fn start(self, running: &mut Running, settings: &Settings) -> Result<Vec<ReadyService>, Fault> {
        let peers = Peers {
            wallet: Some(self.wallet.url()),
            collection: Some(self.collection.url()),
            summon: Some(self.summon.url()),
            own: Some(self.scheduler.url()),
        };
        let mut services = vec![
            start(running, settings, self.wallet, &peers).await?,
            start(running, settings, self.collection, &peers).await?,
            start(running, settings, self.summon, &peers).await?,
            start(running, settings, self.scheduler, &peers).await?,
        ];
        if let Some(port) = self.gateway {
            services.push(start_gateway(running, settings, port, &peers).await?);
        }
        Ok(services)
    }
}

async fn start<S: Service>(
    running: &mut Running,
    settings: &Settings,
    port: Port<S>,
    peers: &Peers,
) -> Result<ReadyService, Fault> {
    let schema = services::migrate::<S>(settings).await?;
    let address = port.url();
    let started = running.start(settings, port, peers).await?;
    running.wait_ready(started).await?;
    let database = services::without_password(&S::database(settings)?);
    Ok(ReadyService { name: S::NAME, address, health: "SERVING", database, schema, webhooks: None })
}

async fn start_gateway(
    running: &mut Running,
    settings: &Settings,
    port: GatewayPort,
    peers: &Peers,
) -> Result<ReadyService, Fault> {
    let schema = services::migrate::<Gateway>(settings).await?;
    let (address, webhooks) = (port.admin.url(), Some(port.webhooks_url()));
    let started = running.start_gateway(settings, port, peers).await?;
    running.wait_ready(started).await?;
    let database = services::without_password(&Gateway::database(settings)?);
    Ok(ReadyService { name: Gateway::NAME, address, health: "SERVING", database, schema, webhooks })
}

fn text(ready: &Ready, output: Output) -> String {
    let mut table = output.table(&["service", "address", "health", "database"]);
    for service in &ready.services {
        table.add_row([service.name, &service.address, service.health, &service.database]);
    }
    let mut text = format!("auric {} is up after {} ms\n\n", ready.version, ready.ready_ms);
    text.push_str(&crate::output::render(&table));
    let Ready { catalog, example, .. } = ready;
    let short_hash = catalog.hash.get(..12).unwrap_or(&catalog.hash);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\ndata:    {}", ready.data.display());
    let ReadyCatalog { folder, assets, species, banners, zones, .. } = catalog;
    let _ = writeln!(
        text,
        "catalog: {} ({assets} assets, {short_hash}; {species} species, {banners} banners, {zones} zones)",
        folder.display()
    );
    for webhooks in ready.services.iter().filter_map(|service| service.webhooks.as_deref()) {
        let _ = writeln!(text, "webhooks: {webhooks}<provider>");
    }
    let _ = writeln!(text, "\ntry in another terminal:\n  {example}\nCtrl-C stops; the next start has everything.");
    text
}

/// A call that can be pasted where this program was started.
fn example(url: &str) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "auric".to_owned());
    let target = if url.ends_with(":7401") { String::new() } else { format!(" --wallet {url}") };
    format!("{} wallet post --credit discord:1 lumees 100 --reason gift{target}", quoted(&program))
}

fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "/._-+".contains(character);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_shows_where_everything_is() {
        let ready = Ready {
            version: "0.1.0",
            ready_ms: 123,
            services: vec![ReadyService {
                name: "wallet",
                address: "http://127.0.0.1:7401".to_owned(),
                health: "SERVING",
                database: "sqlite:///srv/data/wallet.db".to_owned(),
                schema: Schema { from: 0, to: 1 },
                webhooks: None,
            }],
            data: "./data".into(),
            catalog: ReadyCatalog {
                folder: "game".into(),
                assets: 9,
                species: 20,
                banners: 3,
                zones: 81,
                hash: "0123456789abcdef".to_owned(),
            },
            example: "auric wallet post --credit discord:1 lumees 100 --reason gift".to_owned(),
        };
        insta::assert_snapshot!(text(&ready, Output::new(false, true)), @r"
        auric 0.1.0 is up after 123 ms

        service  address                health   database
        wallet   http://127.0.0.1:7401  SERVING  sqlite:///srv/data/wallet.db

        data:    ./data
        catalog: game (9 assets, 0123456789ab; 20 species, 3 banners, 81 zones)

        try in another terminal:
          auric wallet post --credit discord:1 lumees 100 --reason gift
        Ctrl-C stops; the next start has everything.
        ");
    }

    #[test]
    fn a_path_with_a_space_can_be_pasted() {
        assert_eq!(quoted("target/release/auric"), "target/release/auric");
        assert_eq!(quoted("/my tools/auric"), "'/my tools/auric'");
    }
}
