//! What stands before every service, and is changed while it stands.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use auric_reload::Watch;
use auric_status::{Problem, reason};
use auric_time::{Clock, SystemClock};
use http::HeaderMap;
use rustls::ServerConfig;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::AUTHORIZATION;
use crate::callers::{Caller, Callers, CallersError, Refusal};
use crate::scope::scope_of;
use crate::tls::{TlsError, TlsFiles};

/// The path prefix of health: a cluster asks it, and it tells nothing of anybody.
const HEALTH: &str = "/grpc.health.";

/// The path prefix of reflection: whoever is known may read the API.
const REFLECTION: &str = "/grpc.reflection.";

/// Where callers and certificates are; what is absent is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoorFiles {
    /// The registry of callers.
    pub callers: Option<PathBuf>,
    /// The certificates.
    pub tls: Option<TlsFiles>,
}

/// Why a door cannot be built, or was not changed.
#[derive(Debug, Error)]
pub enum DoorError {
    /// The registry is faulty.
    #[error(transparent)]
    Callers(#[from] CallersError),
    /// The certificates are faulty.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The files cannot be watched.
    #[error("the files of callers and certificates cannot be watched: {0}")]
    Watch(#[from] auric_reload::Error),
}

/// Decides who is let in. Registry and certificates change as a whole; requests that were let in go on.
#[derive(Debug)]
pub struct Door {
    files: DoorFiles,
    callers: Option<ArcSwap<Callers>>,
    tls: Option<ArcSwap<ServerConfig>>,
    clock: Arc<dyn Clock>,
}

impl Door {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// [`DoorError`] with the file, the key and the reason.
    pub fn new(files: DoorFiles, clock: Arc<dyn Clock>) -> Result<Self, DoorError> {
        let callers = files.callers.as_deref().map(Callers::read).transpose()?;
        let tls = files.tls.as_ref().map(TlsFiles::load).transpose()?;
        let (callers, tls) = (callers.map(ArcSwap::from_pointee), tls.map(ArcSwap::from_pointee));
        Ok(Self { files, callers, tls, clock })
    }

    /// Lets in whoever reaches it: for loopback.
    #[must_use]
    pub fn open() -> Self {
        Self { files: DoorFiles::default(), callers: None, tls: None, clock: Arc::new(SystemClock) }
    }

    /// Whether it asks who comes, over TLS: what an address beyond loopback needs.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.callers.is_some() && self.tls.is_some()
    }

    /// The TLS in force for the next connection; [`None`] where connections are plain.
    #[must_use]
    pub fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.as_ref().map(ArcSwap::load_full)
    }

    /// Says who calls the method at `path`; [`None`] where nobody is asked, or where the method is everybody's.
    ///
    /// # Errors
    ///
    /// `UNAUTHENTICATED` and `PERMISSION_DENIED`, before anything is looked up.
    pub fn admit(
        &self,
        path: &str,
        headers: &HeaderMap,
        certificates: &[String],
    ) -> Result<Option<Arc<Caller>>, Box<Problem>> {
        let Some(callers) = &self.callers else { return Ok(None) };
        if path.starts_with(HEALTH) {
            return Ok(None);
        }
        let authorization = headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes);
        let caller = callers
            .load()
            .authenticate(authorization, certificates, self.clock.now())
            .map_err(|refusal| Box::new(unauthenticated(refusal)))?;
        if path.starts_with(REFLECTION) || caller.may_call(path) {
            return Ok(Some(caller));
        }
        Err(Box::new(denied(&caller, path)))
    }

    /// Reads the files anew; what is faulty is refused, and both stay as they were.
    ///
    /// # Errors
    ///
    /// [`DoorError`], and nothing has changed.
    pub fn reload(&self) -> Result<(), DoorError> {
        let callers = self.files.callers.as_deref().map(Callers::read).transpose()?;
        let tls = self.files.tls.as_ref().map(TlsFiles::load).transpose()?;
        if let (Some(kept), Some(new)) = (&self.callers, callers) {
            kept.store(Arc::new(new));
        }
        if let (Some(kept), Some(new)) = (&self.tls, tls) {
            kept.store(Arc::new(new));
        }
        Ok(())
    }

    /// Reloads whenever a file changes, until `stop`; nothing is to be watched where nobody is asked.
    ///
    /// # Errors
    ///
    /// [`DoorError::Watch`] at once.
    pub fn follow(self: Arc<Self>, stop: CancellationToken) -> Result<impl Future<Output = ()> + Send, DoorError> {
        let is_read = self.paths().next().is_some();
        let watch = is_read.then(|| Watch::files(self.paths())).transpose()?;
        Ok(async move {
            let following = async move {
                let Some(mut watch) = watch else { return std::future::pending().await };
                loop {
                    watch.changed().await;
                    match self.reload() {
                        Ok(()) => tracing::info!(callers = self.count(), "callers and certificates were read anew"),
                        Err(error) => {
                            tracing::error!(%error, "callers or certificates were refused, the old ones stay: {error}");
                        }
                    }
                }
            };
            stop.run_until_cancelled_owned(following).await;
        })
    }

    fn count(&self) -> usize {
        self.callers.as_ref().map_or(0, |callers| callers.load().len())
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.callers.as_deref().into_iter().chain(self.files.tls.iter().flat_map(TlsFiles::paths))
    }
}

fn unauthenticated(refusal: Refusal) -> Problem {
    let problem = Problem::new(Code::Unauthenticated, reason::UNAUTHENTICATED, refusal.to_string());
    match refusal {
        Refusal::Expired { caller, not_after } => problem.with("caller", caller).with("not_after", not_after),
        Refusal::Missing | Refusal::Malformed | Refusal::Unknown | Refusal::Ambiguous => problem,
    }
}

fn denied(caller: &Caller, path: &str) -> Problem {
    let (name, method) = (&caller.name, path.trim_start_matches('/'));
    let scope = scope_of(path);
    let message = scope.map_or_else(
        || format!("{name} may not call {method}: there is no such method"),
        |scope| format!("{name} may not call {method}: it has not been granted {scope}"),
    );
    let problem = Problem::new(Code::PermissionDenied, reason::PERMISSION_DENIED, message);
    let problem = problem.with("caller", name).with("method", method);
    match scope {
        Some(scope) => problem.with("scope", scope),
        None => problem,
    }
}
