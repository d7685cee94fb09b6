//! `auric payments`: what payment providers told, and what waits for a person.

use auric_api::gateway::v1::{
    CountEventsRequest, Event, EventState, GetEventRequest, ListEventsRequest, ReplayEventsRequest,
};
use clap::Subcommand;
use serde::Serialize;

use crate::client::{Client, Peer};
use crate::config::{Flags, Settings};
use crate::fault::Fault;
use crate::output::{self, Output};

/// Events that one page asks for.
const PAGE_SIZE: u32 = 500;

/// Shows events of payment providers that are parked, and sends them on their way again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric payments parked                              what waits for a person, oldest first
  auric payments parked --reason PRICE_UNKNOWN
  auric payments show stripe evt_1PqR                one event, with what the provider sent
  auric payments replay stripe evt_1PqR              after products.toml was mended
  auric payments replay --all --reason PRICE_UNKNOWN")]
pub struct Payments {
    #[command(subcommand)]
    action: Action,

    /// The gateway's URL for operators [default: `http://127.0.0.1:7481`; variable: `AURIC_GATEWAY`].
    #[arg(long, global = true, value_name = "URL")]
    gateway: Option<String>,

    /// Shows the answer as one JSON document.
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Lists what is parked, oldest first, and how much waits.
    Parked(Parked),
    /// Shows one event, with what the provider sent.
    Show(Name),
    /// Sends parked events on their way again, under the products of now.
    Replay(Replay),
}

#[derive(Debug, clap::Args)]
struct Parked {
    /// Only of this provider.
    #[arg(long)]
    provider: Option<String>,

    /// Only parked for this reason, such as `PRICE_UNKNOWN`.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Name {
    /// Whose.
    provider: String,

    /// The provider's name for it.
    event_id: String,
}

#[derive(Debug, clap::Args)]
struct Replay {
    /// Whose: of the one event, or with --all only those of this provider.
    provider: Option<String>,

    /// The one event.
    #[arg(conflicts_with = "all", required_unless_present = "all")]
    event_id: Option<String>,

    /// Everything that is parked.
    #[arg(long)]
    all: bool,

    /// With --all: only those parked for this reason.
    #[arg(long, requires = "all")]
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct ParkedDocument {
    received: u64,
    events: Vec<EventDocument>,
}

#[derive(Debug, Serialize)]
struct EventDocument {
    provider: String,
    event_id: String,
    state: &'static str,
    reason: String,
    detail: String,
    object_id: String,
    player_id: String,
    payment: Option<serde_json::Value>,
    attempts: u32,
    trace_id: String,
    received_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

#[derive(Debug, Serialize)]
struct Replayed {
    events: u64,
}

impl Payments {
    pub fn flags(&self) -> Flags {
        vec![("client.gateway", self.gateway.clone())]
    }

    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Gateway, &settings.client).await?;
        match self.action {
            Action::Parked(parked) => parked.run(&client, output).await,
            Action::Show(name) => name.run(&client, output).await,
            Action::Replay(replay) => replay.run(&client, output).await,
        }
    }
}

impl Parked {
    async fn run(self, client: &Client, output: Output) -> Result<(), Fault> {
        let mut ask = ListEventsRequest {
            state: EventState::Parked.into(),
            provider: self.provider.unwrap_or_default(),
            reason: self.reason.unwrap_or_default(),
            page_size: PAGE_SIZE,
            page_token: String::new(),
        };
        let mut events = Vec::new();
        loop {
            let request = client.request(ask.clone())?;
            let page =
                client.gateway().list_events(request).await.map_err(|status| client.fault(&status))?.into_inner();
            events.extend(page.events.into_iter().map(|event| document(event, None)));
            ask.page_token = page.next_page_token;
            if ask.page_token.is_empty() {
                break;
            }
        }
        let request = client.request(CountEventsRequest {})?;
        let counts = client.gateway().count_events(request).await.map_err(|status| client.fault(&status))?.into_inner();
        let waiting = counts.counts.iter().filter(|count| count.state() == EventState::Received);
        let shown = ParkedDocument { received: waiting.map(|count| count.events).sum(), events };
        output.show(&shown, |shown| parked_text(shown, output))
    }
}

impl Name {
    async fn run(self, client: &Client, output: Output) -> Result<(), Fault> {
        let request = client.request(GetEventRequest { provider: self.provider, event_id: self.event_id })?;
        let answer = client.gateway().get_event(request).await.map_err(|status| client.fault(&status))?.into_inner();
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        let shown = document(answer.event.unwrap_or_default(), Some(body));
        output.show(&shown, |shown| event_text(shown, output))
    }
}

impl Replay {
    async fn run(self, client: &Client, output: Output) -> Result<(), Fault> {
        let ask = ReplayEventsRequest {
            provider: self.provider.unwrap_or_default(),
            event_id: self.event_id.unwrap_or_default(),
            all: self.all,
            reason: self.reason.unwrap_or_default(),
        };
        let mut replayed: u64 = 0;
        loop {
            let request = client.request(ask.clone())?;
            let answer =
                client.gateway().replay_events(request).await.map_err(|status| client.fault(&status))?.into_inner();
            replayed = replayed.saturating_add(answer.events);
            if !answer.more {
                break;
            }
        }
        output.show(&Replayed { events: replayed }, |shown| {
            format!(
                "{} parked events are on their way again\n",
                output::grouped(i64::try_from(shown.events).unwrap_or(i64::MAX))
            )
        })
    }
}

fn document(event: Event, body: Option<String>) -> EventDocument {
    let state = match event.state() {
        EventState::Unspecified => "unspecified",
        EventState::Received => "received",
        EventState::Applied => "applied",
        EventState::Ignored => "ignored",
        EventState::Parked => "parked",
    };
    EventDocument {
        state,
        payment: serde_json::from_str(&event.payment).ok(),
        received_at: output::time(event.received_at.as_ref()),
        updated_at: output::time(event.updated_at.as_ref()),
        provider: event.provider,
        event_id: event.event_id,
        reason: event.reason,
        detail: event.detail,
        object_id: event.object_id,
        player_id: event.player_id,
        attempts: event.attempts,
        trace_id: event.trace_id,
        body,
    }
}

fn parked_text(shown: &ParkedDocument, output: Output) -> String {
    let mut table = output.table(&["received", "provider", "event", "reason", "detail"]);
    for event in &shown.events {
        table.add_row([&event.received_at, &event.provider, &event.event_id, &event.reason, &event.detail]);
    }
    let (parked, received) = (shown.events.len(), shown.received);
    if parked == 0 {
        return format!("nothing is parked; {received} wait to be applied\n");
    }
    format!("{}\n{parked} parked; {received} wait to be applied\n", output::render(&table))
}

fn event_text(event: &EventDocument, output: Output) -> String {
    let mut table = output.table(&["", ""]);
    let payment = event.payment.as_ref().map(ToString::to_string).unwrap_or_default();
    let attempts = event.attempts.to_string();
    for (name, value) in [
        ("provider", &event.provider),
        ("event", &event.event_id),
        ("state", &event.state.to_owned()),
        ("reason", &event.reason),
        ("detail", &event.detail),
        ("object", &event.object_id),
        ("player", &event.player_id),
        ("payment", &payment),
        ("attempts", &attempts),
        ("trace", &event.trace_id),
        ("received", &event.received_at),
        ("updated", &event.updated_at),
    ] {
        if !value.is_empty() {
            table.add_row([name, value]);
        }
    }
    format!("{}\n{}\n", output::render(&table).trim_start_matches('\n'), event.body.as_deref().unwrap_or_default())
}
