//! All copies of a service: found by name, followed as they come and go, chosen by the player that a call is about.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderValue, header};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::config::{ClientConfig, ConfigError, Origin, Policy};
use crate::copy::{Material, ServiceCopy};
use crate::rank::{self, Player};
use crate::resolve::Resolver;

/// The metadata that names the caller where there are no credentials.
const CALLER: &str = "auric-caller";

pub(crate) struct Fleet {
    config: ClientConfig,
    origins: Vec<Origin>,
    resolver: Arc<dyn Resolver>,
    state: ArcSwap<State>,
    /// Chooses for the calls that are about nobody.
    turn: AtomicU64,
    /// Somebody found a copy broken: it may have moved.
    look_again: Notify,
}

/// What is known now; replaced as a whole.
#[derive(Clone, Default)]
struct State {
    copies: Vec<Arc<ServiceCopy>>,
    authorization: Option<HeaderValue>,
    caller: Option<HeaderValue>,
    tls: Option<Material>,
}

impl Fleet {
    /// Reads the files and resolves the names once. A name that cannot be resolved yet is no error.
    pub(crate) async fn open(config: ClientConfig, resolver: Arc<dyn Resolver>) -> Result<Self, ConfigError> {
        let origins = config.targets.iter().map(|target| Origin::parse(target)).collect::<Result<Vec<_>, _>>()?;
        if origins.is_empty() {
            return Err(ConfigError::NoTarget);
        }
        if let (Some(origin), None) = (origins.iter().find(|origin| origin.is_tls), &config.tls.ca) {
            return Err(ConfigError::NoAuthorities { target: origin.uri.to_string() });
        }
        let fleet = Self {
            config,
            origins,
            resolver,
            state: ArcSwap::default(),
            turn: AtomicU64::new(rand::random()),
            look_again: Notify::new(),
        };
        let mut state = fleet.read_files(&State::default())?;
        for (index, address) in fleet.resolve().await.into_iter().flatten().flatten() {
            state.copies.push(Arc::new(fleet.copy(&state, index, address)?));
        }
        fleet.state.store(Arc::new(state));
        Ok(fleet)
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.config.policy
    }

    pub(crate) fn targets(&self) -> String {
        self.config.targets.join(", ")
    }

    /// Starts what follows the copies; it ends with the set.
    pub(crate) fn keepers(self: &Arc<Self>) -> JoinSet<()> {
        let mut keepers = JoinSet::new();
        let fleet = Arc::clone(self);
        keepers.spawn(async move { fleet.follow().await });
        let fleet = Arc::clone(self);
        keepers.spawn(async move { fleet.probe().await });
        keepers
    }

    /// Chooses the copy for a call: one that is well before one that is not, one that was tried less often, and then the player's own.
    pub(crate) fn pick(&self, player: Option<Player>, tried: &[u64]) -> Option<Arc<ServiceCopy>> {
        let player = player.map_or_else(|| self.turn.fetch_add(1, Ordering::Relaxed), Player::hash);
        let state = self.state.load();
        let rank = |copy: &&Arc<ServiceCopy>| {
            let times = tried.iter().filter(|&&hash| hash == copy.hash).count();
            (!copy.is_resting(), std::cmp::Reverse(times), rank::weight(player, copy.hash))
        };
        state.copies.iter().max_by_key(rank).cloned()
    }

    /// Tells whether a copy that is well was not tried yet.
    pub(crate) fn has_another(&self, tried: &[u64]) -> bool {
        self.state.load().copies.iter().any(|copy| !copy.is_resting() && !tried.contains(&copy.hash))
    }

    pub(crate) fn look_again(&self) {
        self.look_again.notify_one();
    }

    /// Says who asks, in the way that this copy may be told.
    pub(crate) fn identify(&self, copy: &ServiceCopy, headers: &mut HeaderMap) {
        let state = self.state.load();
        if let Some(authorization) = &state.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        } else if let Some(caller) = &state.caller
            && copy.address.ip().is_loopback()
            && !(self.origins[copy.origin].is_tls && state.tls.as_ref().is_some_and(Material::has_identity))
        {
            headers.insert(CALLER, caller.clone());
        }
    }

    async fn follow(&self) {
        loop {
            // Not more often than this, however many calls find a copy broken.
            tokio::time::sleep(self.policy().probe_every).await;
            let due = self.policy().resolve_every.saturating_sub(self.policy().probe_every);
            // Whichever comes first; the time alone is no error.
            let _ = tokio::time::timeout(due, self.look_again.notified()).await;
            self.refresh().await;
        }
    }

    async fn probe(&self) {
        let within = self.policy().connect_timeout.max(Duration::from_secs(1));
        loop {
            tokio::time::sleep(self.policy().probe_every).await;
            let copies = self.state.load().copies.clone();
            let mut probes = JoinSet::new();
            for copy in copies.into_iter().filter(|copy| copy.is_resting()) {
                probes.spawn(async move { copy.probe(within).await });
            }
            probes.join_all().await;
        }
    }

    /// Takes over what changed: files, addresses. Copies that stay keep their connections; calls to those that go end where they are.
    async fn refresh(&self) {
        let before = self.state.load_full();
        let mut state = match self.read_files(&before) {
            Ok(state) => state,
            Err(fault) => {
                tracing::error!(%fault, "the files of the client cannot be used, the old ones stay in force: {fault}");
                State::clone(&before)
            }
        };
        let is_new_tls = state.tls != before.tls;
        let old = |index, address| {
            before.copies.iter().find(|copy| copy.origin == index && copy.address == address).map(Arc::clone)
        };
        for (index, found) in self.resolve().await.into_iter().enumerate() {
            let stays = before.copies.iter().filter(|copy| copy.origin == index).map(|copy| (index, copy.address));
            // A name that cannot be resolved now, or has nobody, has the copies that it had.
            for (index, address) in found.filter(|found| !found.is_empty()).unwrap_or_else(|| stays.collect()) {
                let kept = old(index, address).filter(|_| !is_new_tls);
                match kept.map_or_else(|| self.copy(&state, index, address).map(Arc::new), Ok) {
                    Ok(copy) => state.copies.push(copy),
                    Err(fault) => {
                        tracing::error!(%fault, %address, "{address} is left out: {fault}");
                        state.copies.extend(old(index, address));
                    }
                }
            }
        }
        let addresses = |state: &State| state.copies.iter().map(|copy| copy.address).collect::<HashSet<_>>();
        if addresses(&state) != addresses(&before) {
            let addresses = addresses(&state);
            tracing::info!(?addresses, "{} has {} copies now: {addresses:?}", self.targets(), addresses.len());
        }
        self.state.store(Arc::new(state));
    }

    /// Reads the secrets; the copies are yet to be found.
    fn read_files(&self, before: &State) -> Result<State, ConfigError> {
        let authorization = self.config.credential.as_ref().map(crate::Credential::read).transpose()?;
        let caller = self.config.caller.as_ref().and_then(|caller| HeaderValue::try_from(caller.as_str()).ok());
        let tls = Material::read(&self.config.tls)?;
        if tls != before.tls {
            // A pair that does not belong together is refused before it takes the place of one that does.
            if let Some((index, origin)) = self.origins.iter().enumerate().find(|(_, origin)| origin.is_tls) {
                let nowhere = SocketAddr::from(([127, 0, 0, 1], origin.port));
                ServiceCopy::new((index, origin), nowhere, self.policy(), tls.as_ref())?;
            }
        }
        Ok(State { copies: Vec::new(), authorization, caller, tls })
    }

    fn copy(&self, state: &State, index: usize, address: SocketAddr) -> Result<ServiceCopy, ConfigError> {
        let origin = &self.origins[index];
        if state.authorization.is_some() && !origin.is_tls && !address.ip().is_loopback() {
            return Err(ConfigError::ClearText { address });
        }
        Ok(ServiceCopy::new((index, origin), address, self.policy(), state.tls.as_ref())?)
    }

    /// Asks for the addresses of every target, in order; nothing for one that cannot be resolved.
    async fn resolve(&self) -> Vec<Option<Vec<(usize, SocketAddr)>>> {
        let mut all = Vec::new();
        for (index, origin) in self.origins.iter().enumerate() {
            let asked = self.resolver.resolve(&origin.host, origin.port);
            let found = match tokio::time::timeout(self.policy().resolve_every, asked).await {
                Ok(Ok(addresses)) => Some(addresses),
                Ok(Err(fault)) => {
                    tracing::warn!(%fault, "{} cannot be resolved: {fault}", origin.host);
                    None
                }
                Err(_) => {
                    tracing::warn!("{} cannot be resolved: the resolver does not answer", origin.host);
                    None
                }
            };
            let distinct = |addresses: Vec<SocketAddr>| {
                let mut seen = HashSet::new();
                addresses.into_iter().filter(|&address| seen.insert(address)).map(|address| (index, address)).collect()
            };
            all.push(found.map(distinct));
        }
        all
    }
}
