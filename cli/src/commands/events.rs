//! `auric wallet|summon|collection events`: what happened in a service, and where one has come.

use std::time::{Duration, Instant};

use auric_api::events::v1 as api;
use auric_api::events::v1::event::Payload;
use auric_api::events::v1::events_service_client::EventsServiceClient;
use auric_status::{Problem, reason};
use serde::Serialize;
use serde_json::{Value, json};
use tonic::Code;
use tonic::transport::Channel;

use super::wallet::documents::{EntryDocument, HoldDocument};
use crate::client::{Client, Peer};
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output};

/// Events of one page.
const PAGE_SIZE: i32 = 200;

/// The pause before a stream is taken up again.
const PAUSE: Duration = Duration::from_millis(250);

/// Which events, and from where to where.
#[derive(Debug, clap::Args)]
pub struct EventsOf {
    /// Only events behind this cursor, which an answer before gave [default: the oldest that is kept].
    #[arg(long, value_name = "CURSOR", default_value = "", hide_default_value = true)]
    from: String,

    /// Only what happens from now on; with --follow.
    #[arg(long, requires = "follow", conflicts_with = "from")]
    now: bool,

    /// Goes on as events come, until Ctrl-C. A stream that breaks is taken up again where it was.
    #[arg(long)]
    follow: bool,

    /// Only what happened to this player.
    #[arg(long, value_name = "PLAYER", default_value = "", hide_default_value = true)]
    player: String,

    /// Ends after so many events [default: never].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

/// One event, as a line.
#[derive(Debug, Serialize)]
struct EventDocument {
    event_id: String,
    source: String,
    r#type: String,
    player_id: String,
    player_version: i64,
    occur_time: String,
    payload: Value,
    #[serde(skip)]
    words: String,
}

/// Where the reader has come: the last line.
#[derive(Debug, Serialize)]
struct CursorDocument<'a> {
    cursor: &'a str,
}

/// How one stream ended.
enum Ended {
    /// As many events were shown as were asked for.
    Enough,
    /// It broke, or the service closed it.
    Broken(Fault),
}

impl EventsOf {
    /// Shows events, and at the end the cursor behind them.
    ///
    /// # Errors
    ///
    /// What the service refuses; that nothing has answered for as long as an answer is waited for.
    pub async fn run(mut self, peer: Peer, settings: &Settings, output: Output) -> Result<(), Fault> {
        if self.follow {
            self.follow(peer, settings, output).await?;
        } else {
            self.list(peer, settings, output).await?;
        }
        output.show_line(&CursorDocument { cursor: &self.from }, |at| format!("cursor: {}\n", at.cursor))
    }

    async fn list(&mut self, peer: Peer, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(peer, &settings.client).await?;
        loop {
            let left = self.limit.and_then(|left| i32::try_from(left).ok()).unwrap_or(PAGE_SIZE);
            let request = client.request(api::ListEventsRequest {
                cursor: self.from.clone(),
                page_size: left.min(PAGE_SIZE),
                player_id: self.player.clone(),
                ..Default::default()
            })?;
            let page =
                service(&client).list_events(request).await.map_err(|status| client.fault(&status))?.into_inner();
            if self.show(page.events, page.cursor, output)? || !page.more {
                return Ok(());
            }
        }
    }

    async fn follow(&mut self, peer: Peer, settings: &Settings, output: Output) -> Result<(), Fault> {
        let patience = Duration::from_secs(settings.client.timeout_seconds);
        let mut heard = Instant::now();
        loop {
            let Ended::Broken(fault) = self.one_stream(peer, settings, output, &mut heard).await? else {
                return Ok(());
            };
            if !is_passing(&fault) || heard.elapsed() > patience {
                return Err(fault);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Shows what one stream brings. The deadline of a call ends it too; it is taken up again then, and nobody is told.
    async fn one_stream(
        &mut self,
        peer: Peer,
        settings: &Settings,
        output: Output,
        heard: &mut Instant,
    ) -> Result<Ended, Fault> {
        let client = match Client::connect_to(peer, &settings.client).await {
            Ok(client) => client,
            Err(fault) => return Ok(Ended::Broken(fault)),
        };
        let start = if self.now && self.from.is_empty() { api::EventStart::Now } else { api::EventStart::Unspecified };
        let request = client.request(api::WatchEventsRequest {
            cursor: self.from.clone(),
            start: start.into(),
            player_id: self.player.clone(),
            ..Default::default()
        })?;
        let mut stream = match service(&client).watch_events(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return Ok(Ended::Broken(client.fault(&status))),
        };
        loop {
            *heard = Instant::now();
            let answer = match stream.message().await {
                Ok(Some(answer)) => answer,
                Ok(None) => {
                    let message = "the service closed the stream; is it shutting down?";
                    return Ok(Ended::Broken(Problem::new(Code::Unavailable, reason::UNAVAILABLE, message).into()));
                }
                Err(status) => return Ok(Ended::Broken(client.fault(&status))),
            };
            if self.show(answer.events, answer.cursor, output)? {
                return Ok(Ended::Enough);
            }
        }
    }

    /// Shows events, and moves behind them when all were shown; tells whether they were enough.
    fn show(&mut self, events: Vec<api::Event>, cursor: String, output: Output) -> Result<bool, Fault> {
        let mut events = events.into_iter();
        while self.limit != Some(0) {
            let Some(event) = events.next() else { break };
            output.show_line(&EventDocument::from(event), event_line)?;
            self.limit = self.limit.map(|limit| limit.saturating_sub(1));
        }
        if events.len() == 0 {
            self.from = cursor;
        }
        Ok(self.limit == Some(0))
    }
}

fn service(client: &Client) -> EventsServiceClient<Channel> {
    EventsServiceClient::new(client.channel.clone())
}

/// Whether a stream that ended so is worth taking up again.
fn is_passing(fault: &Fault) -> bool {
    let Fault::Problem { problem, .. } = fault else { return false };
    [Code::Unavailable, Code::Cancelled, Code::DeadlineExceeded, Code::ResourceExhausted].contains(&problem.code)
}

fn event_line(event: &EventDocument) -> String {
    let EventDocument { event_id, r#type, player_id, player_version, occur_time, words, .. } = event;
    format!("{event_id:<12} {occur_time}  {player_id:<24} {player_version:>6}  {type:<17} {words}\n")
}

impl From<api::Event> for EventDocument {
    fn from(event: api::Event) -> Self {
        let kind = event.r#type().as_str_name().trim_start_matches("EVENT_TYPE_").to_lowercase();
        let (payload, words) = event.payload.map(told).unwrap_or_default();
        Self {
            event_id: event.event_id,
            source: event.source,
            r#type: kind,
            player_id: event.player_id,
            player_version: event.player_version,
            occur_time: output::time(event.occur_time.as_ref()),
            payload,
            words,
        }
    }
}

/// A payload as a document, and in a few words.
fn told(payload: Payload) -> (Value, String) {
    match payload {
        Payload::Entry(entry) => {
            let entry = EntryDocument::from(entry);
            let moved = &entry.movement;
            let words = format!("{:+} {} ({})", moved.available_change, moved.asset_id, entry.reason);
            (serde_json::to_value(&entry).unwrap_or_default(), words)
        }
        Payload::Hold(hold) => {
            let hold = HoldDocument::from(hold);
            let words = format!("{} is {}", hold.hold_id, hold.state.to_lowercase());
            (serde_json::to_value(&hold).unwrap_or_default(), words)
        }
        Payload::PaymentNotice(notice) => {
            let words = format!("{} of {} ({})", notice.kind, notice.object_id, notice.provider);
            let document = json!({
                "provider": notice.provider,
                "event_id": notice.event_id,
                "object_id": notice.object_id,
                "kind": notice.kind,
                "caller": notice.caller,
                "idempotency_key": notice.idempotency_key,
            });
            (document, words)
        }
        Payload::PullsDrawn(drawn) => {
            let species: Vec<&str> = drawn.pulls.iter().map(|pull| pull.species_id.as_str()).collect();
            let pull = |pull: &auric_api::summon::v1::Pull| {
                json!({
                    "number": pull.number,
                    "esprit_id": pull.esprit_id,
                    "species_id": pull.species_id,
                    "rarity": pull.rarity,
                    "featured": pull.featured,
                })
            };
            let document = json!({
                "operation_id": drawn.operation_id,
                "banner_id": drawn.banner_id,
                "pity_group_id": drawn.pity_group_id,
                "pulls": drawn.pulls.iter().map(pull).collect::<Vec<_>>(),
            });
            (document, format!("{}: {}", drawn.banner_id, species.join(", ")))
        }
        Payload::Esprit(esprit) => {
            let words = format!("{} {} level {}", esprit.esprit_id, esprit.species_id, esprit.level);
            let document = json!({
                "esprit_id": esprit.esprit_id,
                "species_id": esprit.species_id,
                "number": esprit.number,
                "level": esprit.level,
                "version": esprit.version,
                "operation_id": esprit.operation_id,
                "locked": esprit.locked,
                "dissolved": esprit.dissolve_time.is_some(),
            });
            (document, words)
        }
        Payload::Team(team) => {
            let slot =
                |slot: &auric_api::collection::v1::TeamSlot| json!({"slot": slot.slot, "esprit_id": slot.esprit_id});
            let slots: Vec<Value> = team.slots.iter().map(slot).collect();
            let words = format!("{} in the team", slots.len());
            (json!({"version": team.version, "slots": slots}), words)
        }
    }
}
