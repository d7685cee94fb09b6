//! The collection's answers as documents: the field names are those of the API, and stay.

use std::collections::BTreeMap;

use auric_api::collection::v1 as api;
use serde::Serialize;

use crate::output::{self, Output, REPLAYED, grouped, signed};

/// One esprit of a player.
#[derive(Debug, Serialize)]
pub struct EspritDocument {
    pub esprit_id: String,
    pub player_id: String,
    pub species_id: String,
    pub name: String,
    pub rarity: String,
    pub element: String,
    pub class: String,
    pub level: i32,
    pub power: i64,
    pub stats: Option<StatsDocument>,
    pub equipment: Vec<PieceDocument>,
    pub locked: bool,
    pub in_team: bool,
    pub version: i64,
    pub operation_id: String,
    pub create_time: String,
    pub update_time: String,
    pub dissolve_time: String,
}

/// A number for each stat.
#[derive(Debug, Serialize)]
pub struct StatsDocument {
    pub hp: i64,
    pub attack: i64,
    pub defense: i64,
    pub speed: i64,
}

/// One piece of equipment.
#[derive(Debug, Serialize)]
pub struct PieceDocument {
    pub equipment_id: String,
    pub player_id: String,
    pub kind_id: String,
    pub name: String,
    pub slot_id: String,
    pub esprit_id: String,
    pub version: i64,
    pub create_time: String,
    pub update_time: String,
}

/// Some units of an asset.
#[derive(Debug, Serialize)]
pub struct UnitsDocument {
    pub asset_id: String,
    pub amount: i64,
}

/// What a team is worth.
#[derive(Debug, Default, Serialize)]
pub struct PowerDocument {
    pub base: i64,
    pub total: i64,
    pub synergies: Vec<SynergyDocument>,
}

/// One synergy that holds.
#[derive(Debug, Serialize)]
pub struct SynergyDocument {
    pub synergy_id: String,
    pub name: String,
    pub power_permille: i64,
    pub power: i64,
}

/// What a change came to.
#[derive(Debug, Serialize)]
pub struct ChangedDocument {
    pub idempotency_key: String,
    pub replayed: bool,
    pub player_id: String,
    pub collection_version: i64,
    pub versions: BTreeMap<String, i64>,
    pub update_time: String,
}

impl From<api::Esprit> for EspritDocument {
    fn from(esprit: api::Esprit) -> Self {
        let stats = |api::Stats { hp, attack, defense, speed }| StatsDocument { hp, attack, defense, speed };
        Self {
            create_time: output::time(esprit.create_time.as_ref()),
            update_time: output::time(esprit.update_time.as_ref()),
            dissolve_time: output::time(esprit.dissolve_time.as_ref()),
            esprit_id: esprit.esprit_id,
            player_id: esprit.player_id,
            species_id: esprit.species_id,
            name: esprit.name,
            rarity: esprit.rarity,
            element: esprit.element,
            class: esprit.class,
            level: esprit.level,
            power: esprit.power,
            stats: esprit.stats.map(stats),
            equipment: esprit.equipment.into_iter().map(PieceDocument::from).collect(),
            locked: esprit.locked,
            in_team: esprit.in_team,
            version: esprit.version,
            operation_id: esprit.operation_id,
        }
    }
}

impl EspritDocument {
    /// What is special about it.
    pub fn marks(&self) -> String {
        let is_gone = !self.dissolve_time.is_empty();
        let marks = [(is_gone, "dissolved"), (self.in_team, "in the team"), (self.locked, "locked")];
        marks.into_iter().filter_map(|(is_so, mark)| is_so.then_some(mark)).collect::<Vec<_>>().join(", ")
    }

    /// What it wears, by name.
    pub fn wears(&self) -> String {
        self.equipment.iter().map(|piece| piece.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl From<api::Equipment> for PieceDocument {
    fn from(piece: api::Equipment) -> Self {
        Self {
            create_time: output::time(piece.create_time.as_ref()),
            update_time: output::time(piece.update_time.as_ref()),
            equipment_id: piece.equipment_id,
            player_id: piece.player_id,
            kind_id: piece.kind_id,
            name: piece.name,
            slot_id: piece.slot_id,
            esprit_id: piece.esprit_id,
            version: piece.version,
        }
    }
}

impl From<api::Units> for UnitsDocument {
    fn from(api::Units { asset_id, amount }: api::Units) -> Self {
        Self { asset_id, amount }
    }
}

impl From<api::TeamPower> for PowerDocument {
    fn from(power: api::TeamPower) -> Self {
        let line = |api::SynergyLine { synergy_id, name, power_permille, power }| SynergyDocument {
            synergy_id,
            name,
            power_permille,
            power,
        };
        Self { base: power.base, total: power.total, synergies: power.synergies.into_iter().map(line).collect() }
    }
}

impl ChangedDocument {
    /// Takes what was answered under `key`.
    pub fn new(key: String, replayed: bool, changed: Option<api::Changed>) -> Self {
        let changed = changed.unwrap_or_default();
        Self {
            idempotency_key: key,
            replayed,
            update_time: output::time(changed.update_time.as_ref()),
            player_id: changed.player_id,
            collection_version: changed.collection_version,
            versions: changed.versions.into_iter().map(|version| (version.id, version.version)).collect(),
        }
    }

    /// Says what was done, in the word of `verb`.
    pub fn text(&self, verb: &str, output: Output) -> String {
        let Self { idempotency_key: key, update_time: at, player_id, .. } = self;
        let mut table = output.table(&["of", ">version"]);
        for (id, version) in &self.versions {
            table.add_row([id, &version.to_string()]);
        }
        format!("{}{verb} for {player_id} at {at} under {key}\n{}", note(self.replayed), output::render(&table))
    }
}

/// Says that an answer is not new, where it is not.
pub fn note(replayed: bool) -> String {
    if replayed { format!("{REPLAYED}\n") } else { String::new() }
}

/// Writes units for a person; `nothing` when there are none.
pub fn units_text(units: &[UnitsDocument]) -> String {
    let texts = units.iter().map(|units| format!("{} {}", grouped(units.amount), units.asset_id));
    let text = texts.collect::<Vec<_>>().join(" + ");
    if text.is_empty() { "nothing".to_owned() } else { text }
}

/// Shows esprits, one a line.
pub fn esprits_text(esprits: &[EspritDocument], output: Output) -> String {
    let heads = ["esprit", "rarity", "element", "class", ">level", ">power", "is", "since", "id"];
    let mut table = output.table(&heads);
    for esprit in esprits {
        let EspritDocument { name, rarity, element, class, create_time, esprit_id, .. } = esprit;
        let level = esprit.level.to_string();
        let (power, is) = (grouped(esprit.power), esprit.marks());
        table.add_row([name, rarity, element, class, &level, &power, &is, create_time, esprit_id]);
    }
    output::render(&table)
}

/// Shows what a team is worth, and why.
pub fn power_text(power: &PowerDocument, output: Output) -> String {
    let mut table = output.table(&[">power", "of"]);
    table.add_row([grouped(power.base), "its members".to_owned()]);
    for SynergyDocument { name, power_permille, power, .. } in &power.synergies {
        let (percent, tenths) = (power_permille / 10, power_permille % 10);
        table.add_row([signed(*power), format!("{name} (+{percent}.{tenths} %)")]);
    }
    table.add_row([grouped(power.total), "in all".to_owned()]);
    output::render(&table)
}
