//! Stands between a copy of summon and one of its participants, carries gRPC messages as bytes, and knows which step each of them is.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, RwLock};

use auric_api::participant::v1 as participant;
use auric_api::wallet::v1 as wallet;
use auric_twophase::Step;
use axum::body::{Body, Bytes, to_bytes};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot};
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server};
use tower::ServiceExt as _;

use super::blows::{Blow, What, When};
use super::{LATE, SLEEP};

/// The longest message that is carried.
const BYTES_MAX: usize = 4 << 20;

/// The how-manieth message of its kind is struck, so that others are in flight.
const STRUCK: u32 = 4;

/// What the world is told to do to a process; it says when it is done.
pub struct Order {
    pub whom: Whom,
    pub done: oneshot::Sender<()>,
}

/// To whom, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    Kill(Process),
    Stop(Process),
    Continue(Process),
}

/// A process of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Process {
    Wallet,
    Collection,
    Summon(usize),
}

/// A message, by the step that it is.
#[derive(Clone, Debug)]
struct Letter {
    step: Step,
    participant: &'static str,
    operation: String,
    is_cancel: bool,
}

/// The blows that wait, shared by all postmen of a world.
pub struct Blows {
    waiting: Mutex<Vec<(Blow, u32)>>,
    struck: Mutex<usize>,
    /// Messages that never arrive, however often they are sent again.
    lost: Mutex<HashSet<(String, Step, &'static str)>>,
    /// Answers of an operation's calls so far, by step.
    answered: Mutex<HashMap<(String, Step), usize>>,
    cancelled: Mutex<HashMap<(String, &'static str), Arc<Notify>>>,
    orders: mpsc::Sender<Order>,
}

impl Blows {
    pub fn new(orders: mpsc::Sender<Order>) -> Self {
        Self {
            waiting: Mutex::default(),
            struck: Mutex::default(),
            lost: Mutex::default(),
            answered: Mutex::default(),
            cancelled: Mutex::default(),
            orders,
        }
    }

    pub fn arm(&self, blows: &[Blow]) {
        *self.waiting.lock().expect("no holder panicked") = blows.iter().map(|blow| (*blow, 0)).collect();
        *self.struck.lock().expect("no holder panicked") = 0;
    }

    pub fn struck(&self) -> usize {
        *self.struck.lock().expect("no holder panicked")
    }

    /// Takes a blow that `matches`, when enough of what it waits for has come by.
    pub fn take(&self, matches: impl Fn(&Blow) -> bool) -> Option<Blow> {
        let mut waiting = self.waiting.lock().expect("no holder panicked");
        let index = waiting.iter().position(|(blow, _)| matches(blow))?;
        waiting[index].1 += 1;
        if waiting[index].1 < STRUCK {
            return None;
        }
        *self.struck.lock().expect("no holder panicked") += 1;
        Some(waiting.remove(index).0)
    }

    /// Gives an order, and waits until it is carried out.
    pub async fn order(&self, whom: Whom) {
        let (done, is_done) = oneshot::channel();
        self.orders.send(Order { whom, done }).await.expect("the world stands");
        is_done.await.expect("the world carries it out");
    }

    fn lose(&self, letter: &Letter) {
        let name = (letter.operation.clone(), letter.step, letter.participant);
        self.lost.lock().expect("no holder panicked").insert(name);
    }

    fn is_lost(&self, letter: &Letter) -> bool {
        let name = (letter.operation.clone(), letter.step, letter.participant);
        letter.step == Step::Prepare && self.lost.lock().expect("no holder panicked").contains(&name)
    }

    fn cancel_of(&self, letter: &Letter) -> Arc<Notify> {
        let mut cancelled = self.cancelled.lock().expect("no holder panicked");
        Arc::clone(cancelled.entry((letter.operation.clone(), letter.participant)).or_default())
    }

    /// Counts an answer; tells whether it is the last of its step.
    fn is_last(&self, letter: &Letter) -> bool {
        let mut answered = self.answered.lock().expect("no holder panicked");
        let count = answered.entry((letter.operation.clone(), letter.step)).or_default();
        *count += 1;
        *count == super::blows::PARTICIPANTS.len()
    }
}

/// Where a participant is now.
pub struct Upstream(RwLock<Channel>);

impl Upstream {
    pub fn new(address: SocketAddr) -> Self {
        Self(RwLock::new(channel(address)))
    }

    pub fn move_to(&self, address: SocketAddr) {
        *self.0.write().expect("no holder panicked") = channel(address);
    }

    pub fn channel(&self) -> Channel {
        self.0.read().expect("no holder panicked").clone()
    }
}

fn channel(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).expect("a URL").connect_lazy()
}

/// Carries what one copy of summon sends to one participant.
#[derive(Clone)]
struct Postman {
    copy: usize,
    participant: Process,
    upstream: Arc<Upstream>,
    blows: Arc<Blows>,
}

/// Starts to carry; returns where.
pub async fn start(copy: usize, participant: Process, upstream: Arc<Upstream>, blows: Arc<Blows>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let postman = Postman { copy, participant, upstream, blows };
    let router = axum::Router::new().fallback(move |request: Request<Body>| {
        let postman = postman.clone();
        async move { postman.carry(request).await }
    });
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    #[expect(clippy::disallowed_methods, reason = "it ends with the runtime of its test")]
    tokio::spawn(async move {
        let server = Server::builder().add_routes(Routes::from(router));
        server.serve_with_incoming(incoming).await.expect("it carries until the end");
    });
    address
}

impl Postman {
    async fn carry(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let Ok(bytes) = to_bytes(body, BYTES_MAX).await else { return unavailable() };
        let mail = Mail { path: parts.uri.path().to_owned(), headers: parts.headers, bytes };
        let Some(letter) = letter(&mail.path, &mail.bytes) else { return self.forward(&mail).await };
        if self.blows.is_lost(&letter) {
            return unavailable();
        }
        let is_here = |blow: &Blow| match blow.participant {
            Some(participant) => blow.step == letter.step && participant == letter.participant,
            // What the coordinator writes is seen by what it sends before and after.
            None => match (blow.step, blow.when) {
                (Step::Begin, When::After) => letter.step == Step::Prepare,
                (Step::Decide, When::After) => letter.step == Step::Finish,
                _ => false,
            },
        };
        // A blow to the deciding ones needs their decision.
        let blow = if letter.is_cancel { None } else { self.blows.take(is_here) };
        let answer = match blow {
            Some(blow) => self.strike(blow, &letter, &mail).await,
            None => self.forward(&mail).await,
        };
        if letter.is_cancel {
            self.blows.cancel_of(&letter).notify_one();
        }
        if self.blows.is_last(&letter) && !letter.is_cancel {
            let is_now = |blow: &Blow| match (blow.participant, blow.step, blow.when) {
                (None, Step::Decide, When::Before) => letter.step == Step::Prepare,
                (None, Step::Done, When::Before) => letter.step == Step::Finish,
                _ => false,
            };
            if self.blows.take(is_now).is_some() {
                self.blows.order(Whom::Kill(Process::Summon(self.copy))).await;
            }
        }
        answer
    }

    async fn strike(&self, blow: Blow, letter: &Letter, mail: &Mail) -> Response<Body> {
        let coordinator = Process::Summon(self.copy);
        match (blow.what, blow.when) {
            (What::KillCoordinator, When::Before) => {
                self.blows.order(Whom::Kill(coordinator)).await;
                unavailable()
            }
            (What::KillParticipant, When::Before) => {
                self.blows.order(Whom::Kill(self.participant)).await;
                unavailable()
            }
            (What::StopCoordinator, When::Before) => {
                // What it sent arrives when another copy has finished without it.
                self.blows.order(Whom::Stop(coordinator)).await;
                tokio::time::sleep(SLEEP).await;
                let answer = self.forward(mail).await;
                self.blows.order(Whom::Continue(coordinator)).await;
                answer
            }
            (What::KillCoordinator, When::After) => {
                let answer = self.forward(mail).await;
                self.blows.order(Whom::Kill(coordinator)).await;
                answer
            }
            (What::KillParticipant, When::After) => {
                self.forward(mail).await;
                self.blows.order(Whom::Kill(self.participant)).await;
                unavailable()
            }
            (What::StopCoordinator, When::After) => {
                let answer = self.forward(mail).await;
                self.blows.order(Whom::Stop(coordinator)).await;
                tokio::time::sleep(SLEEP).await;
                self.blows.order(Whom::Continue(coordinator)).await;
                answer
            }
            (What::LoseRequest, _) => {
                self.blows.lose(letter);
                unavailable()
            }
            (What::LoseAnswer, _) => {
                self.blows.lose(letter);
                self.forward(mail).await;
                unavailable()
            }
            (What::Twice, _) => {
                self.forward(mail).await;
                self.forward(mail).await
            }
            (What::Late, _) => {
                self.blows.lose(letter);
                self.later(mail, async { tokio::time::sleep(LATE).await });
                unavailable()
            }
            (What::AfterCancel, _) => {
                self.blows.lose(letter);
                let cancelled = self.blows.cancel_of(letter);
                self.later(mail, async move { cancelled.notified().await });
                unavailable()
            }
        }
    }

    /// Carries it to its end when `wait` is over; nobody hears the answer.
    fn later(&self, mail: &Mail, wait: impl Future<Output = ()> + Send + 'static) {
        let (postman, mail) = (self.clone(), mail.clone());
        #[expect(clippy::disallowed_methods, reason = "nobody owns what is late in the network")]
        tokio::spawn(async move {
            wait.await;
            postman.forward(&mail).await;
        });
    }

    async fn forward(&self, mail: &Mail) -> Response<Body> {
        let mut request = Request::post(mail.path.as_str());
        if let Some(headers) = request.headers_mut() {
            headers.clone_from(&mail.headers);
        }
        let body = tonic::body::Body::new(Full::new(mail.bytes.clone()));
        let Ok(request) = request.body(body) else { return unavailable() };
        let Ok(response) = self.upstream.channel().oneshot(request).await else { return unavailable() };
        let (parts, body) = response.into_parts();
        let Ok(collected) = body.collect().await else { return unavailable() };
        let trailers = collected.trailers().cloned();
        let body = Full::new(collected.to_bytes());
        let body = body.with_trailers(async move { trailers.map(Ok::<HeaderMap, std::convert::Infallible>) });
        Response::from_parts(parts, Body::new(body))
    }
}

/// A request that can be sent again.
#[derive(Clone)]
struct Mail {
    path: String,
    headers: HeaderMap,
    bytes: Bytes,
}

/// Which step a request is; nothing for what is none.
fn letter(path: &str, bytes: &[u8]) -> Option<Letter> {
    // One byte for compression, four for the length.
    let message = bytes.get(5..)?;
    let of_hold = |hold: &str| hold.strip_prefix("summon:").map(str::to_owned);
    let (step, participant, operation, is_cancel) = match path.rsplit_once('/')? {
        ("/auric.wallet.v1.WalletService", "Reserve") => {
            (Step::Prepare, "wallet", of_hold(&wallet::ReserveRequest::decode(message).ok()?.hold_id)?, false)
        }
        ("/auric.wallet.v1.WalletService", "Commit") => {
            (Step::Finish, "wallet", of_hold(&wallet::CommitRequest::decode(message).ok()?.hold_id)?, false)
        }
        ("/auric.wallet.v1.WalletService", "Release") => {
            (Step::Finish, "wallet", of_hold(&wallet::ReleaseRequest::decode(message).ok()?.hold_id)?, true)
        }
        ("/auric.participant.v1.ParticipantService", "Prepare") => {
            (Step::Prepare, "collection", participant::PrepareRequest::decode(message).ok()?.operation_id, false)
        }
        ("/auric.participant.v1.ParticipantService", "Commit") => {
            (Step::Finish, "collection", participant::CommitRequest::decode(message).ok()?.operation_id, false)
        }
        ("/auric.participant.v1.ParticipantService", "Cancel") => {
            (Step::Finish, "collection", participant::CancelRequest::decode(message).ok()?.operation_id, true)
        }
        _ => return None,
    };
    Some(Letter { step, participant, operation, is_cancel })
}

/// What a broken connection looks like to a caller.
fn unavailable() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from_static("14"));
    headers.insert("grpc-message", HeaderValue::from_static("lost by the test"));
    response
}
