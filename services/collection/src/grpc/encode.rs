//! From the domain to protobuf.

use auric_api::collection::v1 as api;
use auric_api::participant::v1 as participant;
use auric_time::Timestamp;
use auric_twophase::Participation;

use crate::domain::{Catalog, Esprit, Intent, Outcome, Part};

/// An esprit as it stands; what only the catalog knows is empty where this copy's catalog does not know the species.
pub fn esprit(esprit: &Esprit, catalog: &Catalog) -> api::Esprit {
    let species = catalog.species.get(&esprit.species);
    api::Esprit {
        esprit_id: esprit.id.to_string(),
        player_id: esprit.player.to_string(),
        species_id: esprit.species.to_string(),
        name: species.map(|species| species.name.clone()).unwrap_or_default(),
        rarity: species.map(|species| species.rarity.to_string()).unwrap_or_default(),
        element: species.map(|species| species.element.to_string()).unwrap_or_default(),
        class: species.map(|species| species.class.to_string()).unwrap_or_default(),
        level: i32::try_from(esprit.level).unwrap_or(i32::MAX),
        version: int64(esprit.version),
        operation_id: esprit.operation.to_string(),
        create_time: Some(time(esprit.created_at)),
        update_time: Some(time(esprit.updated_at)),
    }
}

/// A part as it stands.
pub fn participation(part: &Part) -> participant::Participation {
    let intent = part.intent.as_ref().map(|Intent::Grant { esprits }| participant::GrantIntent {
        esprits: i32::try_from(*esprits).unwrap_or(i32::MAX),
    });
    let grant = part.outcome.as_ref().map(|Outcome::Grant(grant)| participant::Grant {
        esprits: grant
            .esprits
            .iter()
            .map(|granted| participant::GrantedEsprit {
                esprit_id: granted.esprit.to_string(),
                species_id: granted.species.to_string(),
            })
            .collect(),
    });
    participant::Participation {
        operation_id: part.operation.to_string(),
        coordinator: part.coordinator.to_string(),
        player_id: part.player.to_string(),
        state: state(part.state).into(),
        catalog_hash: part.catalog.map(|hash| hash.to_string()).unwrap_or_default(),
        grant_intent: intent,
        grant,
        create_time: Some(time(part.created_at)),
        update_time: Some(time(part.updated_at)),
    }
}

const fn state(state: Participation) -> participant::ParticipationState {
    match state {
        Participation::Absent => participant::ParticipationState::Unspecified,
        Participation::Prepared => participant::ParticipationState::Prepared,
        Participation::Committed => participant::ParticipationState::Committed,
        Participation::Cancelled => participant::ParticipationState::Cancelled,
        Participation::Voided => participant::ParticipationState::Voided,
    }
}

fn time(time: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = time.seconds_and_nanos();
    prost_types::Timestamp { seconds, nanos }
}

/// A count as the API has it.
pub fn int64(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
