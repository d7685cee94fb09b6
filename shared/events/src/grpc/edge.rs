//! `auric.events.v1.EventsService`: decode, read, encode. What a service's own events are is its [`Source`].

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use auric_api::events::v1 as api;
use auric_api::events::v1::events_service_server::{EventsService, EventsServiceServer};
use auric_db::StoreError;
use auric_edge::Decoder;
use auric_ids::PlayerId;
use auric_server::metadata;
use auric_status::Problem;
use futures::{Stream, StreamExt as _};
use prost::Message;
use serde::de::DeserializeOwned;
use tonic::{Code, Request, Response, Status};

use crate::feed::Filter;
use crate::{Cursor, Feed, Happened, Noted, Page, ReadError, Start};

pub use auric_api::events::v1::event::Payload;

/// Events of one response of a watch.
const WATCH_EVENTS_MAX: usize = 500;

/// Bytes of the events of one answer: below what every client takes, 4 MiB.
const ANSWER_BYTES_MAX: usize = 3 << 20;

/// The reasons that reading events gives besides those of every service; each has a section in `docs/errors.md`.
pub mod reasons {
    /// Events behind the cursor are not kept any more.
    pub const CURSOR_PRUNED: &str = "CURSOR_PRUNED";
    /// The cursor knows of events that are not there.
    pub const CURSOR_AHEAD: &str = "CURSOR_AHEAD";

    /// All of the above, for the test that each is documented.
    pub const ALL: [&str; 2] = [CURSOR_PRUNED, CURSOR_AHEAD];
}

/// What a service tells of.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// What its outbox notes of an event.
    type What: DeserializeOwned + Send + Sync + 'static;

    /// Its feed.
    fn feed(&self) -> &Feed;

    /// The type of an event.
    fn kind(what: &Self::What) -> api::EventType;

    /// Reads and encodes what the events are about.
    ///
    /// # Shape
    ///
    /// One for each event, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    async fn payloads(&self, events: &[Happened<Self::What>]) -> Result<Vec<Payload>, StoreError>;
}

/// The service, to be served.
pub fn service<S: Source>(source: Arc<S>) -> EventsServiceServer<Edge<S>> {
    EventsServiceServer::new(Edge { source })
}

/// A source as gRPC sees it.
#[derive(Debug)]
pub struct Edge<S> {
    source: Arc<S>,
}

/// What a request asks for, of either RPC.
struct Asked<'a> {
    cursor: &'a str,
    start: i32,
    player_id: &'a str,
    types: &'a [i32],
}

#[async_trait]
impl<S: Source> EventsService for Edge<S> {
    async fn list_events(
        &self,
        request: Request<api::ListEventsRequest>,
    ) -> Result<Response<api::ListEventsResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let reader = metadata::caller(&metadata)?;
        let mut decoder = Decoder::default();
        let page_size = decoder.page_size(request.page_size);
        let asked = Asked {
            cursor: &request.cursor,
            start: request.start,
            player_id: &request.player_id,
            types: &request.types,
        };
        let (start, filter) = asked.decode::<S>(decoder)?;
        let feed = self.source.feed();
        let events_max = usize::try_from(page_size).unwrap_or(usize::MAX);
        let cursor = feed.begin(start).await.map_err(|error| refusal(feed.source(), &error.into()))?;
        let Page { events, cursor, more } =
            read(self.source.as_ref(), reader.as_str(), cursor, events_max, &filter).await?;
        Ok(Response::new(api::ListEventsResponse { events, cursor: cursor.to_text(), more }))
    }

    type WatchEventsStream = Pin<Box<dyn Stream<Item = Result<api::WatchEventsResponse, Status>> + Send>>;

    async fn watch_events(
        &self,
        request: Request<api::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let (metadata, _, request) = request.into_parts();
        let reader = metadata::caller(&metadata)?.to_string();
        let asked = Asked {
            cursor: &request.cursor,
            start: request.start,
            player_id: &request.player_id,
            types: &request.types,
        };
        let (start, filter) = asked.decode::<S>(Decoder::default())?;
        let feed = self.source.feed().clone();
        let name = feed.source();
        let cursor = feed.begin(start).await.map_err(|error| refusal(name, &error.into()))?;
        let (source, of) = (Arc::clone(&self.source), reader.clone());
        let pages = feed.watch(cursor, move |cursor| {
            let (source, reader, filter) = (Arc::clone(&source), of.clone(), Arc::clone(&filter));
            async move { read(source.as_ref(), &reader, cursor, WATCH_EVENTS_MAX, &filter).await }
        });
        let pages = pages.map(move |page| {
            let page = page.inspect_err(|status| {
                let said = status.message();
                tracing::warn!(source = name, caller = reader, code = ?status.code(), "a watch of events ended: {said}");
            })?;
            Ok(api::WatchEventsResponse { events: page.events, cursor: page.cursor.to_text() })
        });
        Ok(Response::new(Box::pin(pages)))
    }
}

impl Asked<'_> {
    fn decode<S: Source>(&self, mut decoder: Decoder) -> Result<(Start, Filter<S::What>), Status> {
        let start = self.start(&mut decoder);
        let player: Option<PlayerId> = decoder.optional_id("player_id", self.player_id);
        let mut types = Vec::new();
        for (index, kind) in self.types.iter().enumerate() {
            match api::EventType::try_from(*kind) {
                Ok(kind) if kind != api::EventType::Unspecified => types.push(kind),
                _ => decoder.fault(format!("types[{index}]"), format!("is no type of an event: {kind}")),
            }
        }
        let start = decoder.finish(start)?;
        let filter = move |Noted(of, _, what): &Noted<S::What>| {
            player.as_ref().is_none_or(|player| player == of) && (types.is_empty() || types.contains(&S::kind(what)))
        };
        Ok((start, Arc::new(filter)))
    }

    fn start(&self, decoder: &mut Decoder) -> Option<Start> {
        let Ok(start) = api::EventStart::try_from(self.start) else {
            decoder.fault("start", format!("is no start: {}", self.start));
            return None;
        };
        match (self.cursor, start) {
            ("", api::EventStart::Unspecified | api::EventStart::Oldest) => Some(Start::Oldest),
            ("", api::EventStart::Now) => Some(Start::Now),
            (_, api::EventStart::Oldest | api::EventStart::Now) => {
                decoder.fault("start", "must be absent beside a cursor");
                None
            }
            (cursor, api::EventStart::Unspecified) => match Cursor::parse(cursor) {
                Ok(cursor) => Some(Start::After(cursor)),
                Err(fault) => {
                    decoder.fault("cursor", fault);
                    None
                }
            },
        }
    }
}

/// Reads and encodes a page: fewer events than asked for, where they would make too large an answer.
async fn read<S: Source>(
    source: &S,
    reader: &str,
    cursor: Cursor,
    mut events_max: usize,
    filter: &Filter<S::What>,
) -> Result<Page<api::Event>, Status> {
    let feed = source.feed();
    loop {
        let page = feed.page(reader, cursor.clone(), events_max, filter).await;
        let page = page.map_err(|error| refusal(feed.source(), &error))?;
        let events = encode(source, &page.events).await?;
        let bytes: usize = events.iter().map(Message::encoded_len).sum();
        if bytes <= ANSWER_BYTES_MAX || events.len() <= 1 {
            return Ok(Page { events, cursor: page.cursor, more: page.more });
        }
        events_max = events.len() / 2;
    }
}

async fn encode<S: Source>(source: &S, events: &[Happened<S::What>]) -> Result<Vec<api::Event>, Status> {
    let name = source.feed().source();
    let payloads = source.payloads(events).await;
    let payloads = payloads.map_err(|error| auric_edge::of_read(&format!("the {name}"), &error))?;
    let encoded = events.iter().zip(payloads).map(|(event, payload)| {
        let (seconds, nanos) = event.time.seconds_and_nanos();
        api::Event {
            event_id: event.id.to_string(),
            source: name.to_owned(),
            r#type: S::kind(&event.what).into(),
            player_id: event.player.to_string(),
            player_version: i64::try_from(event.version).unwrap_or(i64::MAX),
            occur_time: Some(prost_types::Timestamp { seconds, nanos }),
            payload: Some(payload),
        }
    });
    Ok(encoded.collect())
}

/// Why nothing can be read, as a caller is told.
fn refusal(source: &str, error: &ReadError) -> Status {
    let (reason, lane, seq) = match error {
        ReadError::Store(error) => return auric_edge::of_read(&format!("the {source}"), error),
        ReadError::Pruned { lane, seq } => (reasons::CURSOR_PRUNED, lane, seq),
        ReadError::Ahead { lane, seq } => (reasons::CURSOR_AHEAD, lane, seq),
    };
    let message = format!(
        "{error}: take what stands now from the {source}'s reads, and begin with an empty cursor or with EVENT_START_NOW"
    );
    Problem::new(Code::FailedPrecondition, reason, message)
        .with("lane", lane)
        .with("seq", seq)
        .bad_field("cursor", error.to_string())
        .into_status()
}
