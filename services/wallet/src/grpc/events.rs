//! What happened in the wallet, for others to follow.

use std::sync::Arc;

use async_trait::async_trait;
use auric_api::events::v1::EventType;
use auric_api::wallet::v1 as api;
use auric_db::StoreError;
use auric_events::grpc::{Payload, Source};
use auric_events::{Feed, Happened};

use super::encode;
use crate::domain::{EventRow, Told};
use crate::handlers::{Handlers, Thing};

/// The wallet as its followers see it.
#[derive(Debug)]
pub struct Events {
    pub handlers: Arc<Handlers>,
}

#[async_trait]
impl Source for Events {
    type What = Told;

    fn feed(&self) -> &Feed {
        self.handlers.feed()
    }

    fn kind(what: &Told) -> EventType {
        match what {
            Told::Entry => EventType::EntryAdded,
            Told::HoldOpened(_) => EventType::HoldOpened,
            Told::HoldEnded(_) => EventType::HoldEnded,
            Told::Payment(..) => EventType::PaymentRecorded,
        }
    }

    async fn payloads(&self, events: &[Happened<Told>]) -> Result<Vec<Payload>, StoreError> {
        let things = self.handlers.told(events).await?;
        Ok(things.iter().map(payload).collect())
    }
}

fn payload(thing: &Thing) -> Payload {
    match thing {
        Thing::Entry(entry) => Payload::Entry(encode::entry(entry)),
        // However it stands now: it was held then.
        Thing::HoldOpened(kept) => Payload::Hold(api::Hold {
            state: api::HoldState::Held.into(),
            committed_amounts: Vec::new(),
            update_time: Some(encode::time(kept.created_at)),
            ..encode::hold(kept, kept.created_at)
        }),
        Thing::HoldEnded(kept) => Payload::Hold(encode::hold(kept, kept.updated_at)),
        Thing::Payment(event) => Payload::PaymentNotice(notice(event)),
    }
}

fn notice(event: &EventRow) -> api::PaymentNotice {
    api::PaymentNotice {
        provider: event.key.provider.to_string(),
        event_id: event.key.event.to_string(),
        object_id: event.object.to_string(),
        player_id: event.player.to_string(),
        kind: event.kind.clone(),
        caller: event.under.caller.to_string(),
        idempotency_key: event.under.key.to_string(),
    }
}
