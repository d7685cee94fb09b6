//! From the domain to protobuf.

use auric_api::collection::v1 as api;
use auric_api::participant::v1 as participant;
use auric_ids::PlayerId;
use auric_time::Timestamp;
use auric_twophase::Participation;

use crate::domain::{
    Catalog, Changed, Esprit, Intent, Outcome, Part, Piece, Stat, Stats, SynergyLine, TeamPower, View,
};
use crate::store::Stamp;

/// An esprit as it stands; what only the catalog knows is empty where this copy's catalog does not know the species.
pub fn esprit(esprit: &Esprit, view: &View) -> api::Esprit {
    let species = view.catalog.species.get(&esprit.species);
    let sheet = view.sheet(esprit);
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
        locked: esprit.locked,
        in_team: view.is_in_team(esprit),
        stats: sheet.map(|sheet| stats(&sheet.stats)),
        power: sheet.map(|sheet| int64(sheet.power)).unwrap_or_default(),
        equipment: view.worn(esprit).map(|piece| self::piece(piece, &view.catalog)).collect(),
        dissolve_time: esprit.dissolved_at.map(time),
    }
}

/// A piece of equipment as it stands.
pub fn piece(piece: &Piece, catalog: &Catalog) -> api::Equipment {
    let kind = catalog.equipment.get(&piece.kind);
    api::Equipment {
        equipment_id: piece.id.to_string(),
        player_id: piece.player.to_string(),
        kind_id: piece.kind.to_string(),
        name: kind.map(|kind| kind.name.clone()).unwrap_or_default(),
        slot_id: kind.map(|kind| kind.slot.to_string()).unwrap_or_default(),
        esprit_id: piece.esprit.as_ref().map(ToString::to_string).unwrap_or_default(),
        version: int64(piece.version),
        create_time: Some(time(piece.created_at)),
        update_time: Some(time(piece.updated_at)),
    }
}

/// A team as it stands.
pub fn team(player: &PlayerId, view: &View) -> api::Team {
    let slot = |(slot, member): (u32, Option<&Esprit>)| api::TeamSlot {
        slot: i32::try_from(slot).unwrap_or(i32::MAX),
        esprit_id: member.map(|esprit| esprit.id.to_string()).unwrap_or_default(),
    };
    let members = view.places().filter_map(|(_, member)| member);
    api::Team {
        player_id: player.to_string(),
        slots: view.places().map(slot).collect(),
        members: members.map(|member| esprit(member, view)).collect(),
        power: Some(team_power(&view.team_power())),
        version: int64(view.portrait.team_version),
    }
}

/// What a team is worth.
pub fn team_power(power: &TeamPower) -> api::TeamPower {
    let line = |line: &SynergyLine| api::SynergyLine {
        synergy_id: line.id.to_string(),
        name: line.name.clone(),
        power_permille: int64(line.power_permille),
        power: int64(line.power),
    };
    api::TeamPower {
        base: int64(power.base),
        total: int64(power.total),
        synergies: power.lines.iter().map(line).collect(),
    }
}

/// What a player has collected, in numbers.
pub fn profile(player: &PlayerId, view: &View) -> api::GetProfileResponse {
    let (portrait, catalog, profile) = (&view.portrait, &view.catalog, view.profile());
    api::GetProfileResponse {
        player_id: player.to_string(),
        esprits: int64(portrait.esprits.len()),
        esprits_max: int64(catalog.settings.esprits_max),
        equipment: int64(portrait.pieces.len()),
        species: int64(profile.species),
        species_max: int64(catalog.species.values().filter(|species| !species.retired).count()),
        rarities: profile.rarities.iter().map(|(rarity, count)| (rarity.to_string(), int64(*count))).collect(),
        team_power: Some(team_power(&profile.team_power)),
        best_power: int64(profile.best_power),
        collection_version: int64(portrait.version),
    }
}

/// What a change came to.
pub fn changed(changed: &Changed) -> api::Changed {
    let version = |(id, version): (&String, &u64)| api::ChangedVersion { id: id.clone(), version: int64(*version) };
    api::Changed {
        player_id: changed.player.to_string(),
        collection_version: int64(changed.collection_version),
        versions: changed.versions.iter().map(version).collect(),
        update_time: Some(time(changed.time)),
    }
}

/// A state that was reached.
pub fn stamp(stamp: Stamp) -> api::WatchCollectionResponse {
    api::WatchCollectionResponse { collection_version: int64(stamp.version), update_time: Some(time(stamp.updated_at)) }
}

fn stats(stats: &Stats) -> api::Stats {
    let [hp, attack, defense, speed] = Stat::ALL.map(|stat| int64(stats.get(stat)));
    api::Stats { hp, attack, defense, speed }
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

/// A point in time as the API has it.
pub fn time(time: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = time.seconds_and_nanos();
    prost_types::Timestamp { seconds, nanos }
}

/// A count as the API has it.
pub fn int64(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
