//! The public door: the one place that knows HTTP. It bounds what strangers can make the gateway do, and tells them nothing.

mod serve;

use std::sync::Arc;
use std::time::Duration;

use auric_telemetry::context::TRACEPARENT;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use opentelemetry::trace::FutureExt as _;
use tokio::sync::Semaphore;
use tracing::Instrument as _;

use crate::handlers::{Handlers, Refusal};
use crate::payments::EVENT_BYTES_MAX;

pub use serve::{ListenError, listen, serve};

/// Requests that are worked on at the same time; one more is told to come again.
const REQUESTS_MAX: usize = 256;

/// How long a body may take to arrive.
const BODY_WAIT_MAX: Duration = Duration::from_secs(10);

/// Where providers send their events.
const ROUTE: &str = "/webhooks/{provider}";

#[derive(Clone, Debug)]
struct Door {
    handlers: Arc<Handlers>,
    room: Arc<Semaphore>,
}

/// What a sender is told.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    text: String,
}

impl Answer {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, [(CONTENT_TYPE, "text/plain")], self.text + "\n").into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, http::HeaderValue::from_static("1"));
        }
        response
    }
}

/// The routes of the public door.
pub fn router(handlers: Arc<Handlers>) -> Router {
    let door = Door { handlers, room: Arc::new(Semaphore::new(REQUESTS_MAX)) };
    Router::new().route(ROUTE, post(webhook)).with_state(door)
}

async fn webhook(State(door): State<Door>, Path(provider): Path<String>, mut request: Request) -> Answer {
    let (span, context) = auric_telemetry::http::begin("POST", ROUTE, request.headers_mut());
    let answer = async {
        let answer = take(&door, &provider, request).await.unwrap_or_else(|answer| answer);
        tracing::Span::current().record("http.response.status_code", answer.status.as_u16());
        answer
    };
    if span.is_disabled() { answer.with_context(context).await } else { answer.instrument(span).await }
}

/// From the cheapest test to the dearest: name, type, length, what the signature says of itself, then the body, then the signature.
async fn take(door: &Door, provider: &str, request: Request) -> Result<Answer, Answer> {
    let Ok(_permit) = door.room.try_acquire() else {
        return Err(Answer::new(StatusCode::SERVICE_UNAVAILABLE, "too much is being taken at once"));
    };
    let header = door.handlers.signature_header(provider).map_err(|refusal| refuse(&refusal))?;
    check_head(request.headers())?;
    let signature = request.headers().get(header).map(http::HeaderValue::as_bytes);
    let claim = door.handlers.claim(provider, signature).map_err(|refusal| refuse(&refusal))?;
    let traceparent = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
    let traceparent = traceparent.unwrap_or_default().to_owned();
    let body = read(request.into_body()).await?;
    let accepted = door.handlers.accept(claim, body, traceparent).await.map_err(|refusal| refuse(&refusal))?;
    tracing::debug!(provider, ?accepted, "an event of {provider} was taken");
    // The same for a repeat: its sender must stop sending it.
    Ok(Answer::new(StatusCode::OK, "taken"))
}

fn check_head(headers: &HeaderMap) -> Result<(), Answer> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Answer::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "events are application/json"));
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > EVENT_BYTES_MAX) { Err(too_long()) } else { Ok(()) }
}

async fn read(body: Body) -> Result<Vec<u8>, Answer> {
    let collected = Limited::new(body, EVENT_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_WAIT_MAX, collected).await {
        Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
        Ok(Err(fault)) if fault.is::<LengthLimitError>() => Err(too_long()),
        Ok(Err(_)) => Err(Answer::new(StatusCode::BAD_REQUEST, "the body broke off")),
        Err(_) => Err(Answer::new(StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}

fn too_long() -> Answer {
    Answer::new(StatusCode::PAYLOAD_TOO_LARGE, format!("an event has at most {EVENT_BYTES_MAX} bytes"))
}

fn refuse(refusal: &Refusal) -> Answer {
    let status = match refusal {
        Refusal::NoProvider => StatusCode::NOT_FOUND,
        Refusal::Forged(_) => StatusCode::UNAUTHORIZED,
        Refusal::NoEvent(_) => StatusCode::BAD_REQUEST,
        Refusal::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    Answer::new(status, refusal.to_string())
}
