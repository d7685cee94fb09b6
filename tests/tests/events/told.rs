//! Everything that a service ever told, read page by page.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use auric_api::events::v1 as api;
use auric_api::events::v1::events_service_client::EventsServiceClient;

use crate::operations::services::client;

/// Reads all events of the service at `address`: each once, and no player's going back.
pub async fn everything_told(address: SocketAddr, source: &str) -> Vec<api::Event> {
    let channel = auric_client::connect(client(address, "test")).await.expect("a channel");
    let mut events = EventsServiceClient::new(channel);
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let request = api::ListEventsRequest { cursor, page_size: 37, ..Default::default() };
        let page = events.list_events(request).await.expect("a page").into_inner();
        cursor = page.cursor;
        all.extend(page.events);
        if !page.more {
            break;
        }
    }
    let mut ids = BTreeSet::new();
    let mut versions: BTreeMap<&str, i64> = BTreeMap::new();
    for event in &all {
        assert_eq!(event.source, source);
        assert!(ids.insert(&event.event_id), "{} is told twice", event.event_id);
        let version = versions.entry(&event.player_id).or_default();
        assert!(event.player_version > 0 && *version <= event.player_version, "{event:?} goes back");
        *version = event.player_version;
    }
    all
}

/// Reads the collection's events of one player, and gives what they end with: each esprit, and the team.
pub async fn collection_told(address: SocketAddr, player: &str) -> Ends {
    let mut ends = Ends::default();
    for event in everything_told(address, "collection").await.into_iter().filter(|event| event.player_id == player) {
        match event.payload.expect("a payload") {
            api::event::Payload::Esprit(esprit) => {
                let is_added = event.r#type == i32::from(api::EventType::EspritAdded);
                let before = ends.esprits.get(&esprit.esprit_id).map(|before| before.version);
                assert_eq!(before.is_none(), is_added, "{} comes first, and once", esprit.esprit_id);
                assert!(before.is_none_or(|before| before < esprit.version), "{} goes back", esprit.esprit_id);
                let is_gone = event.r#type == i32::from(api::EventType::EspritDissolved);
                assert_eq!(esprit.dissolve_time.is_some(), is_gone);
                ends.esprits.insert(esprit.esprit_id.clone(), esprit);
            }
            api::event::Payload::Team(team) => ends.team = Some(team),
            other => panic!("{other:?} is nothing of a collection"),
        }
    }
    ends
}

/// What a player's collection comes to by what was told of it.
#[derive(Debug, Default)]
pub struct Ends {
    pub esprits: BTreeMap<String, auric_api::collection::v1::EspritState>,
    pub team: Option<auric_api::collection::v1::TeamState>,
}
