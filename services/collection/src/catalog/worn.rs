//! `equipment.toml` and `synergies.toml`: what is worn, and what members of a team do for each other.

use std::collections::BTreeMap;

use auric_catalog::CatalogError;
use auric_ids::{ClassId, ElementId, EquipmentKindId, EquipmentSlotId, SynergyId};
use serde::Deserialize;

use super::numbers::Numbers;
use super::{COLLECTION, EQUIPMENT, SYNERGIES};
use crate::domain::{Condition, EquipmentKind, Stats, Synergy};

/// The most that one piece may add to a stat.
const FLAT_MAX: u64 = 1_000_000;

/// The most thousandths that one piece or one synergy may add.
const PERMILLE_MAX: u64 = 1_000;

/// One `[kind]` of `equipment.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EquipmentTable {
    name: String,
    slot: EquipmentSlotId,
    #[serde(default)]
    flat: BonusTable,
    #[serde(default)]
    permille: BonusTable,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BonusTable {
    hp: u64,
    attack: u64,
    defense: u64,
    speed: u64,
}

/// One `[synergy]` of `synergies.toml`: every condition that it names must hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SynergyTable {
    name: String,
    power_permille: u64,
    same_element: Option<usize>,
    distinct_elements: Option<usize>,
    #[serde(default)]
    elements: BTreeMap<ElementId, usize>,
    #[serde(default)]
    classes: BTreeMap<ClassId, usize>,
}

/// The kinds of equipment that the tables describe.
pub fn equipment(
    tables: BTreeMap<EquipmentKindId, EquipmentTable>,
) -> Result<BTreeMap<EquipmentKindId, EquipmentKind>, CatalogError> {
    let one = |(id, table): (EquipmentKindId, EquipmentTable)| {
        let EquipmentTable { name, slot, flat, permille } = table;
        for (which, bonus, maximum) in [("flat", flat, FLAT_MAX), ("permille", permille, PERMILLE_MAX)] {
            let stats =
                [("hp", bonus.hp), ("attack", bonus.attack), ("defense", bonus.defense), ("speed", bonus.speed)];
            if let Some((key, found)) = stats.into_iter().find(|(_, found)| *found > maximum) {
                let reason = format!("must be 0 to {maximum}, is {found}");
                return Err(CatalogError::new(EQUIPMENT, format!("{id}.{which}.{key}"), reason));
            }
        }
        Ok((id, EquipmentKind { name, slot, flat: flat.stats(), permille: permille.stats() }))
    };
    tables.into_iter().map(one).collect()
}

/// The synergies that the tables describe.
pub fn synergies(
    tables: BTreeMap<SynergyId, SynergyTable>,
    numbers: &Numbers,
) -> Result<BTreeMap<SynergyId, Synergy>, CatalogError> {
    tables.into_iter().map(|(id, table)| Ok((id.clone(), table.synergy(&id, numbers)?))).collect()
}

impl BonusTable {
    const fn stats(self) -> Stats {
        Stats { hp: self.hp, attack: self.attack, defense: self.defense, speed: self.speed }
    }
}

impl SynergyTable {
    fn synergy(self, id: &SynergyId, numbers: &Numbers) -> Result<Synergy, CatalogError> {
        let fault = |key: &str, reason: String| Err(CatalogError::new(SYNERGIES, format!("{id}.{key}"), reason));
        let Self { name, power_permille, same_element, distinct_elements, elements, classes } = self;
        if !(1..=PERMILLE_MAX).contains(&power_permille) {
            return fault("power_permille", format!("must be 1 to {PERMILLE_MAX}, is {power_permille}"));
        }
        if let Some(stray) = elements.keys().find(|id| !numbers.elements.contains_key(*id)) {
            return fault("elements", format!("{stray} is not in {COLLECTION}"));
        }
        if let Some(stray) = classes.keys().find(|id| !numbers.classes.contains_key(*id)) {
            return fault("classes", format!("{stray} is not in {COLLECTION}"));
        }
        let asked: usize = elements.values().chain(classes.values()).copied().fold(0, usize::max);
        let asked = asked.max(same_element.unwrap_or_default()).max(distinct_elements.unwrap_or_default());
        if asked > numbers.settings.team_size {
            return fault("-", format!("asks for {asked} members, a team has {}", numbers.settings.team_size));
        }
        let mut conditions: Vec<Condition> = Vec::new();
        conditions.extend(same_element.map(Condition::SameElement));
        conditions.extend(distinct_elements.map(Condition::DistinctElements));
        conditions.extend(elements.into_iter().map(|(element, count)| Condition::Element(element, count)));
        conditions.extend(classes.into_iter().map(|(class, count)| Condition::Class(class, count)));
        if conditions.is_empty() {
            return fault("-", "must name a condition".to_owned());
        }
        Ok(Synergy { name, conditions, power_permille })
    }
}
