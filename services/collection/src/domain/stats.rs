//! How strong an esprit is. Every number of an esprit's strength comes from the two formulas here, and from nowhere else.

use super::{Catalog, Class, EquipmentKind, Esprit, Growth, Species};

/// What a thousandth is a part of.
const WHOLE: u64 = 1_000;

/// One thing that an esprit is good at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stat {
    /// How much it bears.
    Hp,
    /// How hard it hits.
    Attack,
    /// How much it parries.
    Defense,
    /// How early it acts.
    Speed,
}

/// A number for each stat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// For [`Stat::Hp`].
    pub hp: u64,
    /// For [`Stat::Attack`].
    pub attack: u64,
    /// For [`Stat::Defense`].
    pub defense: u64,
    /// For [`Stat::Speed`].
    pub speed: u64,
}

/// How strong one esprit is, with what it wears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// Its stats.
    pub stats: Stats,
    /// All of them in one number, by its class.
    pub power: u64,
}

impl Stat {
    /// Every stat.
    pub const ALL: [Self; 4] = [Self::Hp, Self::Attack, Self::Defense, Self::Speed];
}

impl Stats {
    /// The number for `stat`.
    #[must_use]
    pub const fn get(&self, stat: Stat) -> u64 {
        match stat {
            Stat::Hp => self.hp,
            Stat::Attack => self.attack,
            Stat::Defense => self.defense,
            Stat::Speed => self.speed,
        }
    }

    /// The number that `of` gives for each stat.
    #[must_use]
    pub fn each(of: impl Fn(Stat) -> u64) -> Self {
        Self { hp: of(Stat::Hp), attack: of(Stat::Attack), defense: of(Stat::Defense), speed: of(Stat::Speed) }
    }
}

/// Calculates one stat: what the species has at level 1, grown by its level, with the flat and then the relative bonuses of what is worn.
///
/// Integers only; each of the two steps is rounded down.
#[must_use]
pub fn calculate_stat(stat: Stat, species: &Species, level: u32, growth: &Growth, worn: &[&EquipmentKind]) -> u64 {
    let levels = u64::from(level.saturating_sub(1));
    let grown_permille = WHOLE.saturating_add(growth.permille_per_level.saturating_mul(levels));
    let grown = permille_of(species.base_stats.get(stat), grown_permille);
    let flat = worn.iter().map(|kind| kind.flat.get(stat)).fold(0, u64::saturating_add);
    let permille = worn.iter().map(|kind| kind.permille.get(stat)).fold(WHOLE, u64::saturating_add);
    permille_of(grown.saturating_add(flat), permille)
}

/// Calculates how strong `stats` make an esprit of `class`: what each point is worth to the class, added up.
#[must_use]
pub fn calculate_power(stats: &Stats, class: &Class) -> u64 {
    let worth = |stat| stats.get(stat).saturating_mul(class.power_weights.get(stat));
    Stat::ALL.into_iter().map(worth).fold(0, u64::saturating_add).checked_div(WHOLE).unwrap_or_default()
}

/// How strong `esprit` is with what it wears; nothing when the catalog does not know its species.
#[must_use]
pub fn sheet(esprit: &Esprit, worn: &[&EquipmentKind], catalog: &Catalog) -> Option<Sheet> {
    let species = catalog.species.get(&esprit.species)?;
    let class = catalog.classes.get(&species.class)?;
    let stats = Stats::each(|stat| calculate_stat(stat, species, esprit.level, &catalog.growth, worn));
    Some(Sheet { stats, power: calculate_power(&stats, class) })
}

/// So many thousandths of `number`, rounded down.
#[must_use]
pub fn permille_of(number: u64, permille: u64) -> u64 {
    number.saturating_mul(permille).checked_div(WHOLE).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn species(base_stats: Stats) -> Species {
        Species {
            name: "Fox".to_owned(),
            rarity: "common".parse().unwrap(),
            element: "fire".parse().unwrap(),
            class: "striker".parse().unwrap(),
            base_stats,
            retired: false,
        }
    }

    fn kind(flat: u64, permille: u64) -> EquipmentKind {
        EquipmentKind {
            name: "Fang".to_owned(),
            slot: "weapon".parse().unwrap(),
            flat: Stats { attack: flat, ..Stats::default() },
            permille: Stats { attack: permille, ..Stats::default() },
        }
    }

    #[test]
    fn a_stat_is_grown_then_added_to_then_raised() {
        // R-C2, by hand: 20 at level 11 with 6 % a level is 32; 8 more are 40; 15 % more are 46.
        let fox = species(Stats { hp: 70, attack: 20, defense: 8, speed: 11 });
        let growth = Growth { permille_per_level: 60, level_max: std::collections::BTreeMap::new() };
        let (flat, both) = (kind(8, 50), kind(0, 100));
        assert_eq!(calculate_stat(Stat::Attack, &fox, 1, &growth, &[]), 20);
        assert_eq!(calculate_stat(Stat::Attack, &fox, 11, &growth, &[]), 32);
        assert_eq!(calculate_stat(Stat::Attack, &fox, 11, &growth, &[&flat, &both]), 46);
        assert_eq!(calculate_stat(Stat::Attack, &fox, 11, &growth, &[&both, &flat]), 46, "in any order");
        assert_eq!(calculate_stat(Stat::Speed, &fox, 2, &growth, &[&flat]), 11, "11.66 is rounded down");
    }

    #[test]
    fn a_stat_never_falls_with_level_or_equipment_and_never_overflows() {
        let growth = Growth { permille_per_level: 1_000, level_max: std::collections::BTreeMap::new() };
        let strong = species(Stats { attack: 1_000_000, ..Stats::default() });
        let fang = kind(1_000_000, 1_000);
        let mut before = 0;
        for level in [1, 2, 3, 50, 1_000, u32::MAX] {
            let stat = calculate_stat(Stat::Attack, &strong, level, &growth, &[]);
            let worn = calculate_stat(Stat::Attack, &strong, level, &growth, &[&fang]);
            assert!(stat > before && worn > stat, "level {level}");
            before = stat;
        }
    }

    #[test]
    fn power_is_what_each_point_is_worth_to_the_class() {
        let striker = Class {
            name: "Striker".to_owned(),
            power_weights: Stats { hp: 250, attack: 2_200, defense: 700, speed: 1_100 },
        };
        // 17.5 + 44 + 5.6 + 12.1 = 79.2
        assert_eq!(calculate_power(&Stats { hp: 70, attack: 20, defense: 8, speed: 11 }, &striker), 79);
        assert_eq!(calculate_power(&Stats { hp: u64::MAX, ..Stats::default() }, &striker), u64::MAX / 1_000);
    }
}
