//! What happened in the collection, for others to follow.

use std::sync::Arc;

use async_trait::async_trait;
use auric_api::collection::v1 as api;
use auric_api::events::v1::EventType;
use auric_db::StoreError;
use auric_events::grpc::{Payload, Source};
use auric_events::{Feed, Happened};

use super::encode;
use crate::domain::{Esprit, News};
use crate::handlers::Handlers;

/// The collection as its followers see it.
#[derive(Debug)]
pub struct Events {
    pub handlers: Arc<Handlers>,
}

#[async_trait]
impl Source for Events {
    type What = News;

    fn feed(&self) -> &Feed {
        self.handlers.feed()
    }

    fn kind(what: &News) -> EventType {
        match what {
            News::Added(_) => EventType::EspritAdded,
            News::Changed(_) => EventType::EspritChanged,
            News::Dissolved(_) => EventType::EspritDissolved,
            News::Team { .. } => EventType::TeamChanged,
        }
    }

    async fn payloads(&self, events: &[Happened<News>]) -> Result<Vec<Payload>, StoreError> {
        Ok(events.iter().map(payload).collect())
    }
}

fn payload(event: &Happened<News>) -> Payload {
    match &event.what {
        News::Added(esprit) | News::Changed(esprit) | News::Dissolved(esprit) => Payload::Esprit(state(esprit)),
        News::Team { team, version } => Payload::Team(api::TeamState {
            player_id: event.player.to_string(),
            slots: team
                .iter()
                .map(|(slot, esprit)| api::TeamSlot {
                    slot: i32::try_from(*slot).unwrap_or(i32::MAX),
                    esprit_id: esprit.to_string(),
                })
                .collect(),
            version: encode::int64(*version),
        }),
    }
}

fn state(esprit: &Esprit) -> api::EspritState {
    api::EspritState {
        esprit_id: esprit.id.to_string(),
        player_id: esprit.player.to_string(),
        number: encode::int64(esprit.number),
        species_id: esprit.species.to_string(),
        level: i32::try_from(esprit.level).unwrap_or(i32::MAX),
        version: encode::int64(esprit.version),
        operation_id: esprit.operation.to_string(),
        locked: esprit.locked,
        create_time: Some(encode::time(esprit.created_at)),
        update_time: Some(encode::time(esprit.updated_at)),
        dissolve_time: esprit.dissolved_at.map(encode::time),
    }
}
