//! Starting services in this process, and stopping them without losing an answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auric_auth::Door;
use auric_server::{Drain, ServeError, Services, Stop};
use auric_telemetry::{Health, Telemetry};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::background::Background;
use super::{Port, Service, Stops};
use crate::config::{Peers, Settings};
use crate::fault::Fault;
use crate::lock::FileLock;
use crate::output;

/// How long a service may take to become ready before its start is called off.
const READY_WAIT_MAX: Duration = Duration::from_secs(15);

/// How long a database may take to say that it is there: less than a service may, so that it is known which of them is late.
const DATABASE_WAIT_MAX: Duration = Duration::from_millis(1_500);

/// A service that was started, and is not yet ready.
#[derive(Debug)]
pub struct Started {
    /// Where it listens.
    pub address: SocketAddr,
    pub(super) is_serving: oneshot::Receiver<()>,
}

/// Services that run in this process, and what they hold.
#[derive(Debug)]
pub struct Running {
    /// In the order of [`Stops`]: nobody loses its peers in the middle of what it does.
    groups: [Group; 3],
    signals: Signals,
    locks: Vec<FileLock>,
    pub(super) health: Health,
    pub(super) background: Background,
}

/// Services that stop together.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) tasks: JoinSet<Result<Drain, Fault>>,
    pub(super) stop: Stop,
}

/// What a service is served with.
pub(super) struct Serving {
    pub(super) listener: TcpListener,
    pub(super) door: Arc<Door>,
    pub(super) stop: Stop,
    pub(super) health: Health,
    /// Told when it is ready for the first time.
    pub(super) serving: oneshot::Sender<()>,
}

impl Running {
    /// Begins with no service.
    pub fn new(settings: &Settings) -> Result<Self, Fault> {
        let drain_max = Duration::from_secs(settings.drain_seconds);
        let group = || Group { tasks: JoinSet::new(), stop: Stop { token: CancellationToken::new(), drain_max } };
        let groups = [group(), group(), group()];
        let background = Background::new(settings.threads()).map_err(anyhow::Error::from)?;
        Ok(Self { groups, signals: Signals::new()?, locks: Vec::new(), health: Health::new(), background })
    }

    /// Shows metrics and health by HTTP where the settings say so, until the endpoint is dropped.
    ///
    /// # Errors
    ///
    /// [`Fault::Metrics`] when the address cannot be listened on.
    pub async fn show(&self, telemetry: &Telemetry) -> Result<Option<auric_telemetry::Endpoint>, Fault> {
        let endpoint = telemetry.serve(&self.health).await.map_err(Fault::Metrics)?;
        if let Some(endpoint) = &endpoint {
            let metrics = endpoint.address();
            tracing::info!(%metrics, "metrics and health are shown at http://{metrics}");
        }
        Ok(endpoint)
    }

    /// Starts a service on a database that is migrated; `peers` are where the settings name none.
    ///
    /// # Errors
    ///
    /// [`Fault`]; the port and the file are free again.
    pub async fn start<S: Service>(
        &mut self,
        settings: &Settings,
        port: Port<S>,
        peers: &Peers,
    ) -> Result<Started, Fault> {
        let Port { catalog, address, listener, lock, door, .. } = port;
        let service = open::<S>(&self.background, settings, &catalog, peers).await?;
        let health = self.expect::<S>(lock);
        let group = self.group::<S>();
        let (serving, is_serving) = oneshot::channel();
        let with = Serving { listener, door, stop: group.stop.clone(), health, serving };
        group.tasks.spawn(async move {
            let served = serve(&service, with).await;
            service.close().await;
            Ok(served?)
        });
        Ok(Started { address, is_serving })
    }

    /// Holds a service's file, and waits for its database before anything is ready.
    pub(super) fn expect<S: Service>(&mut self, lock: Option<FileLock>) -> Health {
        self.locks.extend(lock);
        self.health.expect(S::DATABASE);
        self.health.clone()
    }

    pub(super) const fn group<S: Service>(&mut self) -> &mut Group {
        let [first, second, last] = &mut self.groups;
        match S::STOPS {
            Stops::First => first,
            Stops::Second => second,
            Stops::Last => last,
        }
    }

    /// Waits until `started` says that it is ready.
    ///
    /// # Errors
    ///
    /// What ended it, when it ended; or that it did not become ready in time.
    pub async fn wait_ready(&mut self, started: Started) -> Result<(), Fault> {
        let Started { address, is_serving } = started;
        let late = || {
            anyhow::anyhow!(
                "the service at {address} is not ready after {} s; its log says why",
                READY_WAIT_MAX.as_secs()
            )
        };
        tokio::select! {
            Ok(()) = is_serving => Ok(()),
            () = tokio::time::sleep(READY_WAIT_MAX) => Err(Fault::Other(late())),
            fault = any_ended_early(&mut self.groups) => Err(fault),
        }
    }

    /// Serves until a signal arrives, or a service ends by itself; then drains, first those that call others.
    ///
    /// # Errors
    ///
    /// What ended the service; [`Fault::Interrupted`] when a second signal cuts the drain.
    pub async fn until_stopped(mut self) -> Result<(), Fault> {
        let broken = tokio::select! {
            () = self.signals.next() => None,
            fault = any_ended_early(&mut self.groups) => Some(fault),
        };
        if broken.is_none() {
            output::tell("stopping: what is under way is answered first (again to stop at once)");
        }
        self.health.drain();
        let groups = self.groups;
        let drained = async {
            let mut cut: usize = 0;
            for group in groups {
                cut = cut.saturating_add(group.drain().await?);
            }
            Ok::<_, Fault>(cut)
        };
        let cut = tokio::select! {
            cut = drained => cut?,
            () = self.signals.next() => return Err(Fault::Interrupted),
        };
        drop(self.locks);
        match (broken, cut) {
            (Some(fault), _) => return Err(fault),
            (None, 0) => output::tell("stopped; everything is kept"),
            (None, requests) => output::tell(&format!(
                "stopped; {requests} requests were cut, and their callers do not know the outcome"
            )),
        }
        Ok(())
    }
}

impl Group {
    /// Stops its services; tells how many requests were cut.
    async fn drain(mut self) -> Result<usize, Fault> {
        self.stop.token.cancel();
        let mut cut: usize = 0;
        while let Some(ended) = self.tasks.join_next().await {
            if let Drain::Cut { requests } = ended.map_err(anyhow::Error::from)?? {
                cut = cut.saturating_add(requests);
            }
        }
        Ok(cut)
    }
}

/// Opens a service, and says what in the surroundings keeps it from that.
pub(super) async fn open<S: Service>(
    background: &Background,
    settings: &Settings,
    catalog: &std::path::Path,
    peers: &Peers,
) -> Result<S, Fault> {
    let database = S::database(settings)?;
    let opened = background.open(Box::pin(S::open(settings, catalog.to_owned(), peers))).await;
    opened.map_err(|trouble| trouble.into_fault(catalog, &database))
}

/// Serves until the drain has ended; streams end when it begins, since they would hold it up.
pub(super) async fn serve<S: Service>(service: &S, with: Serving) -> Result<Drain, ServeError> {
    let Serving { listener, door, stop, health, serving } = with;
    let draining = stop.token.clone();
    let ready = || async {
        let late = |_| Err(format!("no answer within {} ms", DATABASE_WAIT_MAX.as_millis()));
        let answer = tokio::time::timeout(DATABASE_WAIT_MAX, service.ready()).await.unwrap_or_else(late);
        health.tell(S::DATABASE, answer.clone());
        answer
    };
    let services = Services { routes: service.routes(), names: S::names(), serving: Some(serving) };
    let serving = auric_server::serve(listener, services, door, ready, stop);
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => return served,
        () = draining.cancelled() => service.end_streams(),
    }
    serving.await
}

/// Waits for a service of any group that ends although nobody told it to.
async fn any_ended_early([first, second, last]: &mut [Group; 3]) -> Fault {
    tokio::select! {
        fault = ended_early(&mut first.tasks) => fault,
        fault = ended_early(&mut second.tasks) => fault,
        fault = ended_early(&mut last.tasks) => fault,
    }
}

/// Waits for a service that ends although nobody told it to; for ever when there is none.
async fn ended_early(tasks: &mut JoinSet<Result<Drain, Fault>>) -> Fault {
    match tasks.join_next().await {
        Some(Ok(Err(fault))) => fault,
        Some(Ok(Ok(_))) => Fault::Other(anyhow::anyhow!("a service ended by itself")),
        Some(Err(error)) => Fault::Other(error.into()),
        None => std::future::pending().await,
    }
}

/// The signals that ask for a stop.
#[derive(Debug)]
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self, Fault> {
        let listen = |kind| signal(kind).map_err(anyhow::Error::from);
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
