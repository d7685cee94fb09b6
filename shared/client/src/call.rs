//! One call: attempts under one deadline, until there is an answer.

use std::convert::Infallible;
use std::error::Error;
use std::time::{Duration, Instant};

use auric_status::{Problem, reason};
use http::{HeaderMap, Request, Response, StatusCode, request};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use prost::bytes::Bytes;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::{Code, ConnectError, Status};
use tower::{Service as _, ServiceExt as _};

use crate::config::Policy;
use crate::copy::ServiceCopy;
use crate::deadline::{Deadline, GRPC_TIMEOUT, timeout_header};
use crate::fleet::Fleet;
use crate::method::Method;
use crate::rank::Player;
use crate::verdict::{self, Again};
use crate::{ANSWER_BYTES_MAX, backoff, figures};

const GRPC_STATUS: &str = "grpc-status";

/// The flag and the length before a message.
const FRAME_BYTES: usize = 5;

/// What a request says about itself.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    method: Method,
    player: Option<Player>,
    /// Until when the caller waits: streams have this one only.
    told: Option<Deadline>,
    /// The same, or the default.
    deadline: Deadline,
}

impl Asked {
    /// Reads the request, and puts the trace of now into it.
    pub(crate) fn read(request: &mut Request<Body>, policy: &Policy) -> Self {
        let mut metadata = MetadataMap::from_headers(std::mem::take(request.headers_mut()));
        auric_telemetry::context::inject(&mut metadata);
        *request.headers_mut() = metadata.into_headers();
        let told = Deadline::of(request);
        Self {
            method: Method::of(request.uri().path()),
            player: request.extensions().get().copied(),
            told,
            deadline: told.unwrap_or_else(|| Deadline::after(policy.call_timeout)),
        }
    }
}

/// What goes out, as often as it must.
struct Call {
    asked: Asked,
    parts: request::Parts,
    message: Bytes,
    began: Instant,
}

/// How an attempt ended.
struct Ended {
    result: Result<Response<Body>, Status>,
    code: Code,
    /// Whether asking again may help; without it the result is the answer.
    again: Option<Again>,
    /// The copy did not answer at all.
    is_broken: bool,
}

impl Ended {
    fn answered(response: Response<Body>, code: Code, again: Option<Again>) -> Self {
        Self { result: Ok(response), code, again, is_broken: false }
    }

    fn failed(status: Status) -> Self {
        Self { code: status.code(), result: Err(status), again: None, is_broken: false }
    }

    fn broken(problem: Problem, outcome_is_unknown: bool) -> Self {
        let again = Some(Again { after: Duration::ZERO, outcome_is_unknown });
        Self { again, is_broken: true, ..Self::failed(problem.into_status()) }
    }

    /// Tells traces and metrics how the call ended.
    fn end(self, call: &Call, attempts: u32) -> Result<Response<Body>, Status> {
        figures::end(call.parts.uri.path(), call.began, self.code, attempts);
        self.result
    }
}

pub(crate) async fn run(fleet: &Fleet, asked: Asked, request: Request<Body>) -> Result<Response<Body>, Status> {
    let (parts, body) = request.into_parts();
    if asked.method == Method::Stream {
        return send_once(fleet, asked, parts, body).await;
    }
    let began = Instant::now();
    let message = body.collect().await?.to_bytes();
    repeat(fleet, &Call { asked, parts, message, began }).await
}

async fn repeat(fleet: &Fleet, call: &Call) -> Result<Response<Body>, Status> {
    let policy = fleet.policy();
    let mut tried = Vec::new();
    let mut outcome_is_unknown = false;
    let mut attempts: u32 = 0;
    loop {
        attempts = attempts.saturating_add(1);
        if call.asked.deadline.remaining().is_zero() {
            return Ended::failed(too_late(attempts, outcome_is_unknown)).end(call, attempts);
        }
        let ended = match fleet.pick(call.asked.player, &tried) {
            Some(copy) => {
                tried.push(copy.hash);
                attempt(fleet, &copy, call).await
            }
            None => Ended::broken(nobody(fleet), false),
        };
        let Some(again) = ended.again else { return ended.end(call, attempts) };
        outcome_is_unknown |= again.outcome_is_unknown;
        if ended.is_broken {
            fleet.look_again();
        }
        let elsewhere = ended.is_broken && fleet.has_another(&tried);
        let wait = if elsewhere { Duration::ZERO } else { backoff::wait(policy, attempts, again.after) };
        if attempts >= policy.attempts_max || wait >= call.asked.deadline.remaining() {
            let hides_it = outcome_is_unknown && !again.outcome_is_unknown;
            return if hides_it {
                Ended::failed(unknown(attempts)).end(call, attempts)
            } else {
                ended.end(call, attempts)
            };
        }
        figures::again(call.parts.uri.path(), ended.code);
        tracing::debug!(attempts, "asking again in {} ms", wait.as_millis());
        tokio::time::sleep(wait).await;
    }
}

async fn attempt(fleet: &Fleet, copy: &ServiceCopy, call: &Call) -> Ended {
    let left = call.asked.deadline.remaining();
    let within = left.min(fleet.policy().attempt_timeout);
    let connection = copy.connection();
    let sent = send(fleet, copy, connection.channel.clone(), call, within);
    let ended = match tokio::time::timeout(within, sent).await {
        Ok(ended) => ended,
        Err(_) => Ended::broken(late(copy, within), true),
    };
    // A caller in a hurry says nothing about the copy.
    let is_hurried = within == left && call.asked.deadline.remaining().is_zero();
    if ended.is_broken && !is_hurried {
        copy.rest(&connection);
    }
    ended
}

async fn send(
    fleet: &Fleet,
    copy: &ServiceCopy,
    mut channel: tonic::transport::Channel,
    call: &Call,
    within: Duration,
) -> Ended {
    let mut request = Request::from_parts(call.parts.clone(), Body::new(Full::new(call.message.clone())));
    let is_unary = call.asked.method == Method::Unary;
    let timeout = if is_unary { Some(within) } else { call.asked.told.map(Deadline::remaining) };
    prepare(fleet, copy, timeout, request.headers_mut());
    let sent = match channel.ready().await {
        Ok(channel) => channel.call(request).await,
        Err(fault) => Err(fault),
    };
    match sent {
        Ok(response) if is_unary => whole(copy, response, within).await,
        Ok(response) => {
            let status = status_of(response.headers());
            let code = status.as_ref().map_or(Code::Ok, Status::code);
            Ended::answered(response, code, status.as_ref().and_then(verdict::again))
        }
        Err(fault) => {
            let is_sent = !has::<ConnectError>(&fault);
            let status = Status::from_error(Box::new(fault));
            if verdict::is_timeout(&status) {
                return Ended::broken(late(copy, within), is_sent);
            }
            Ended::broken(broken(copy, &chain(&status), is_sent), is_sent)
        }
    }
}

/// Sends a stream, whose messages exist only once.
async fn send_once(fleet: &Fleet, asked: Asked, parts: request::Parts, body: Body) -> Result<Response<Body>, Status> {
    let Some(copy) = fleet.pick(asked.player, &[]) else { return Err(nobody(fleet).into_status()) };
    let connection = copy.connection();
    let mut request = Request::from_parts(parts, body);
    prepare(fleet, &copy, asked.told.map(Deadline::remaining), request.headers_mut());
    let mut channel = connection.channel.clone();
    let sent = async { channel.ready().await?.call(request).await };
    sent.await.map_err(|fault| {
        copy.rest(&connection);
        fleet.look_again();
        let is_sent = !has::<ConnectError>(&fault);
        broken(&copy, &chain(&Status::from_error(Box::new(fault))), is_sent).into_status()
    })
}

fn prepare(fleet: &Fleet, copy: &ServiceCopy, timeout: Option<Duration>, headers: &mut HeaderMap) {
    headers.remove(GRPC_TIMEOUT);
    if let Some(timeout) = timeout.and_then(timeout_header) {
        headers.insert(GRPC_TIMEOUT, timeout);
    }
    fleet.identify(copy, headers);
}

/// Reads the answer to its end: only there it says what came of the request.
async fn whole(copy: &ServiceCopy, response: Response<Body>, within: Duration) -> Ended {
    let (parts, body) = response.into_parts();
    let collected = match Limited::new(body, ANSWER_BYTES_MAX + FRAME_BYTES).collect().await {
        Ok(collected) => collected,
        Err(fault) if fault.is::<LengthLimitError>() => {
            let message = format!("the answer is longer than {ANSWER_BYTES_MAX} bytes");
            return Ended::failed(Status::out_of_range(message));
        }
        Err(fault) => return Ended::broken(broken(copy, &chain(&*fault), true), true),
    };
    let trailers = collected.trailers().cloned();
    let status = trailers.as_ref().and_then(status_of).or_else(|| status_of(&parts.headers));
    let (code, again) = match &status {
        // The copy lives; its own clock rang first, and called it by another name.
        Some(status) if verdict::is_timeout(status) => {
            return Ended { is_broken: false, ..Ended::broken(late(copy, within), true) };
        }
        Some(status) => (status.code(), verdict::again(status)),
        None if parts.status == StatusCode::OK => {
            return Ended::broken(broken(copy, "the answer ended too early", true), true);
        }
        None => (Code::Unknown, again_of_proxy(parts.status)),
    };
    let body = Full::new(collected.to_bytes());
    let body = body.with_trailers(async move { trailers.map(Ok::<_, Infallible>) });
    Ended::answered(Response::from_parts(parts, Body::new(body)), code, again)
}

/// What stands between may answer in its own way.
///
/// # Source
///
/// gRPC, *HTTP to gRPC status code mapping*: these are UNAVAILABLE.
fn again_of_proxy(status: StatusCode) -> Option<Again> {
    let is_passing = matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    );
    is_passing.then_some(Again { after: Duration::ZERO, outcome_is_unknown: true })
}

fn status_of(headers: &HeaderMap) -> Option<Status> {
    headers.contains_key(GRPC_STATUS).then(|| Status::from_header_map(headers)).flatten()
}

fn late(copy: &ServiceCopy, within: Duration) -> Problem {
    let (address, timeout_ms) = (copy.address, within.as_millis());
    let message = format!(
        "{address} did not answer within {timeout_ms} ms; the outcome is unknown, send the same idempotency key again"
    );
    Problem::new(Code::DeadlineExceeded, reason::DEADLINE_EXCEEDED, message)
        .with("address", address)
        .with("timeout_ms", timeout_ms)
}

fn broken(copy: &ServiceCopy, why: &str, is_sent: bool) -> Problem {
    let address = copy.address;
    let message = if is_sent {
        format!("the connection to {address} broke: {why}; the outcome is unknown, send the same idempotency key again")
    } else {
        format!("nothing answers at {address}: {why}; nothing was sent")
    };
    Problem::new(Code::Unavailable, reason::UNAVAILABLE, message).with("address", address)
}

fn nobody(fleet: &Fleet) -> Problem {
    let message = format!("{} has no address now; nothing was sent", fleet.targets());
    Problem::new(Code::Unavailable, reason::UNAVAILABLE, message)
}

/// The deadline passed between two attempts, or before the first.
fn too_late(attempts: u32, outcome_is_unknown: bool) -> Status {
    let attempts = attempts.saturating_sub(1);
    let outcome = if outcome_is_unknown {
        "the outcome is unknown, send the same idempotency key again"
    } else {
        "nothing was done"
    };
    let message = format!("the deadline passed after {attempts} attempts; {outcome}");
    Problem::new(Code::DeadlineExceeded, reason::DEADLINE_EXCEEDED, message).with("attempts", attempts).into_status()
}

/// The last attempt says that nothing was done, but an earlier one may have arrived.
fn unknown(attempts: u32) -> Status {
    let message = format!(
        "no answer in {attempts} attempts; the outcome of an earlier one is unknown, send the same idempotency key again"
    );
    Problem::new(Code::Unavailable, reason::UNAVAILABLE, message).with("attempts", attempts).into_status()
}

/// The error and its sources.
fn below<'a>(fault: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(fault), |&fault| fault.source())
}

fn has<E: Error + 'static>(fault: &(dyn Error + 'static)) -> bool {
    below(fault).any(<dyn Error>::is::<E>)
}

/// Says an error with everything that is below it, each thing once.
fn chain(fault: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for fault in below(fault) {
        let part = fault.to_string();
        if !text.contains(&part) {
            let colon = if text.is_empty() { "" } else { ": " };
            text.push_str(colon);
            text.push_str(&part);
        }
    }
    text
}
