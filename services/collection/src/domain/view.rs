//! What a player has, as it was at one moment, and what can be read of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use auric_ids::{ClassId, ElementId, EspritId, RarityId, SpeciesId};
use auric_time::Timestamp;

use super::optimize::{BestTeam, Candidate, optimize};
use super::synergy::{TeamPower, Traits, team_power};
use super::{Catalog, EquipmentKind, Esprit, NODES_MAX, Piece, Sheet, StateTag, Team, sheet};

/// What a player has, as it was at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Portrait {
    /// How the state is told from every other.
    pub tag: StateTag,
    /// Counts all changes; 0 for a player who was never seen.
    pub version: u64,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// Who is in the team.
    pub team: Team,
    /// Counts the changes of the team.
    pub team_version: u64,
    /// Esprits that are there, newest first.
    pub esprits: Vec<Esprit>,
    /// All equipment, in the order of ids.
    pub pieces: Vec<Piece>,
}

/// Which esprits are wanted; what is absent means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this species.
    pub species: Option<SpeciesId>,
    /// Of this rarity.
    pub rarity: Option<RarityId>,
    /// Of this element.
    pub element: Option<ElementId>,
    /// Of this class.
    pub class: Option<ClassId>,
    /// Of this level or higher.
    pub level_min: Option<u32>,
    /// Of this level or lower.
    pub level_max: Option<u32>,
    /// Locked, or not.
    pub locked: Option<bool>,
    /// In the team, or not.
    pub in_team: Option<bool>,
    /// Only those whose species the player has more than once.
    pub duplicates: bool,
}

/// In which order esprits are wanted; equal ones newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Newest first.
    #[default]
    Newest,
    /// Highest level first.
    Level,
    /// Strongest first.
    Power,
    /// Rarest first.
    Rarity,
    /// By what players call the species.
    Name,
}

/// Which esprits are wanted at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Of all, these.
    pub filter: Filter,
    /// In this order.
    pub order: Order,
    /// From behind this one on; absent from the first.
    pub after: Option<Position>,
    /// So many at most.
    pub limit: usize,
}

/// An esprit's place in a list: they are in ascending order of these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    key: Key,
    number: Reverse<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Largest(Reverse<u64>),
    Text(String),
}

/// What a profile says in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Species of which there is at least one.
    pub species: usize,
    /// How many esprits there are of each rarity.
    pub rarities: BTreeMap<RarityId, u64>,
    /// The power of the strongest esprit.
    pub best_power: u64,
    /// What the team is worth, and why.
    pub team_power: TeamPower,
}

/// A portrait under one catalog. Neither changes, so that what has to look at all esprits is calculated once.
#[derive(Debug)]
pub struct View {
    /// What the player has.
    pub portrait: Arc<Portrait>,
    /// What gives it names and strength.
    pub catalog: Arc<Catalog>,
    /// Where in the portrait the pieces are that an esprit wears.
    worn: HashMap<EspritId, Vec<usize>>,
    members: BTreeMap<u32, EspritId>,
    /// The power of each esprit, in the portrait's order.
    powers: OnceLock<Vec<u64>>,
    profile: OnceLock<Profile>,
}

/// Esprits of a list that are wanted at once.
#[derive(Debug)]
pub struct Listed<'a> {
    /// In the order that was asked for.
    pub esprits: Vec<&'a Esprit>,
    /// How many there are on all pages together.
    pub total: usize,
    /// Where the last one stands, if there are more.
    pub last: Option<Position>,
}

impl View {
    /// Looks at `portrait` with the eyes of `catalog`.
    #[must_use]
    pub fn new(portrait: Arc<Portrait>, catalog: Arc<Catalog>) -> Self {
        let mut worn: HashMap<EspritId, Vec<usize>> = HashMap::new();
        for (place, piece) in portrait.pieces.iter().enumerate() {
            if let Some(esprit) = &piece.esprit {
                worn.entry(esprit.clone()).or_default().push(place);
            }
        }
        // A team that has become smaller hides who is beyond its last place.
        let size = catalog.settings.team_size;
        let is_a_place = |slot: u32| usize::try_from(slot).is_ok_and(|slot| slot <= size);
        let members = portrait.team.iter().filter(|(slot, _)| is_a_place(**slot));
        let members = members.map(|(slot, esprit)| (*slot, esprit.clone())).collect();
        Self { portrait, catalog, worn, members, powers: OnceLock::new(), profile: OnceLock::new() }
    }

    /// What an esprit wears, in the order of ids.
    pub fn worn(&self, esprit: &Esprit) -> impl Iterator<Item = &Piece> {
        let places = self.worn.get(&esprit.id).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|place| self.portrait.pieces.get(*place))
    }

    /// How strong an esprit is; nothing when the catalog does not know its species.
    #[must_use]
    pub fn sheet(&self, esprit: &Esprit) -> Option<Sheet> {
        let kind = |piece: &Piece| self.catalog.equipment.get(&piece.kind);
        let worn: Vec<&EquipmentKind> = self.worn(esprit).filter_map(kind).collect();
        sheet(esprit, &worn, &self.catalog)
    }

    /// Whether an esprit is in the team.
    #[must_use]
    pub fn is_in_team(&self, esprit: &Esprit) -> bool {
        self.members.values().any(|member| *member == esprit.id)
    }

    /// An esprit that is there.
    #[must_use]
    pub fn esprit(&self, id: &EspritId) -> Option<&Esprit> {
        self.portrait.esprits.iter().find(|esprit| esprit.id == *id)
    }

    /// Every place of the team, from 1, and who is there.
    pub fn places(&self) -> impl Iterator<Item = (u32, Option<&Esprit>)> {
        let last = u32::try_from(self.catalog.settings.team_size).unwrap_or(u32::MAX);
        (1..=last).map(|slot| (slot, self.members.get(&slot).and_then(|id| self.esprit(id))))
    }

    /// What the team is worth, and why.
    #[must_use]
    pub fn team_power(&self) -> TeamPower {
        let members = self.places().filter_map(|(_, esprit)| esprit);
        let candidates: Vec<Candidate<'_>> = members.filter_map(|esprit| self.candidate(esprit)).collect();
        let members: Vec<_> = candidates.iter().map(|candidate| (candidate.traits, candidate.power)).collect();
        team_power(&self.catalog.synergies, &members)
    }

    /// The strongest team of all esprits that are there.
    #[must_use]
    pub fn best_team(&self) -> BestTeam {
        let candidates: Vec<Candidate<'_>> =
            self.portrait.esprits.iter().filter_map(|esprit| self.candidate(esprit)).collect();
        optimize(&candidates, &self.catalog.synergies, self.catalog.settings.team_size, NODES_MAX)
    }

    /// The esprits that `query` wants.
    #[must_use]
    pub fn list(&self, query: &Query) -> Listed<'_> {
        let Query { filter, order, after, limit } = query;
        if *order == Order::Newest && *filter == Filter::default() {
            return self.newest(after.as_ref(), *limit);
        }
        let doubles = if filter.duplicates { self.doubles() } else { BTreeSet::new() };
        let all = self.portrait.esprits.iter().enumerate();
        let wanted = all.filter(|(_, esprit)| self.is_wanted(esprit, filter, &doubles));
        let mut listed: Vec<(Position, &Esprit)> =
            wanted.map(|(place, esprit)| (self.position(place, esprit, *order), esprit)).collect();
        let total = listed.len();
        listed.sort_by(|(one, _), (other, _)| one.cmp(other));
        if let Some(after) = after {
            listed.retain(|(position, _)| position > after);
        }
        let more = listed.len() > *limit;
        listed.truncate(*limit);
        let last = listed.last().filter(|_| more).map(|(position, _)| position.clone());
        Listed { esprits: listed.into_iter().map(|(_, esprit)| esprit).collect(), total, last }
    }

    /// All esprits as they are kept, newest first: a page costs no look at the others.
    fn newest(&self, after: Option<&Position>, limit: usize) -> Listed<'_> {
        let all = &self.portrait.esprits;
        let begin = after.map_or(0, |after| all.partition_point(|esprit| Position::newest(esprit) <= *after));
        let esprits: Vec<&Esprit> = all.iter().skip(begin).take(limit).collect();
        let more = all.len().saturating_sub(begin) > limit;
        let last = esprits.last().filter(|_| more).map(|last| Position::newest(last));
        Listed { esprits, total: all.len(), last }
    }

    /// What there is, in numbers.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        self.profile.get_or_init(|| {
            let mut species = BTreeSet::new();
            let mut rarities: BTreeMap<RarityId, u64> = BTreeMap::new();
            for esprit in &self.portrait.esprits {
                species.insert(&esprit.species);
                if let Some(known) = self.catalog.species.get(&esprit.species) {
                    let count = rarities.entry(known.rarity.clone()).or_default();
                    *count = count.saturating_add(1);
                }
            }
            let best_power = self.powers().iter().copied().max().unwrap_or_default();
            Profile { species: species.len(), rarities, best_power, team_power: self.team_power() }
        })
    }

    fn powers(&self) -> &[u64] {
        let power = |esprit| self.sheet(esprit).map(|sheet| sheet.power).unwrap_or_default();
        self.powers.get_or_init(|| self.portrait.esprits.iter().map(power).collect())
    }

    fn candidate<'a>(&'a self, esprit: &'a Esprit) -> Option<Candidate<'a>> {
        let species = self.catalog.species.get(&esprit.species)?;
        let traits = Traits { element: &species.element, class: &species.class };
        Some(Candidate { id: &esprit.id, traits, power: self.sheet(esprit)?.power })
    }

    /// The species of which there are several.
    fn doubles(&self) -> BTreeSet<&SpeciesId> {
        let (mut seen, mut doubles) = (BTreeSet::new(), BTreeSet::new());
        for esprit in &self.portrait.esprits {
            if !seen.insert(&esprit.species) {
                doubles.insert(&esprit.species);
            }
        }
        doubles
    }

    fn is_wanted(&self, esprit: &Esprit, filter: &Filter, doubles: &BTreeSet<&SpeciesId>) -> bool {
        let Filter { species, rarity, element, class, level_min, level_max, locked, in_team, duplicates } = filter;
        let known = self.catalog.species.get(&esprit.species);
        species.as_ref().is_none_or(|species| *species == esprit.species)
            && rarity.as_ref().is_none_or(|rarity| known.is_some_and(|known| known.rarity == *rarity))
            && element.as_ref().is_none_or(|element| known.is_some_and(|known| known.element == *element))
            && class.as_ref().is_none_or(|class| known.is_some_and(|known| known.class == *class))
            && level_min.is_none_or(|level| esprit.level >= level)
            && level_max.is_none_or(|level| esprit.level <= level)
            && locked.is_none_or(|locked| esprit.locked == locked)
            && in_team.is_none_or(|in_team| self.is_in_team(esprit) == in_team)
            && (!duplicates || doubles.contains(&esprit.species))
    }

    fn position(&self, place: usize, esprit: &Esprit, order: Order) -> Position {
        let species = self.catalog.species.get(&esprit.species);
        let rank = || species.and_then(|species| self.catalog.rarities.get(&species.rarity)).map(|rarity| rarity.rank);
        let key = match order {
            Order::Newest => return Position::newest(esprit),
            Order::Level => Key::Largest(Reverse(u64::from(esprit.level))),
            Order::Power => Key::Largest(Reverse(self.powers().get(place).copied().unwrap_or_default())),
            Order::Rarity => Key::Largest(Reverse(rank().map(u64::from).unwrap_or_default())),
            Order::Name => Key::Text(species.map(|species| species.name.clone()).unwrap_or_default()),
        };
        Position { key, number: Reverse(esprit.number) }
    }
}

impl Position {
    const fn newest(esprit: &Esprit) -> Self {
        Self { key: Key::Largest(Reverse(0)), number: Reverse(esprit.number) }
    }
}

impl Portrait {
    /// How many rows it is made of: what it costs to keep.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.esprits.len().saturating_add(self.pieces.len()).saturating_add(1)
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Reverse(number) = self.number;
        match &self.key {
            Key::Largest(Reverse(key)) => write!(formatter, "{number} n {key}"),
            Key::Text(key) => write!(formatter, "{number} t {key}"),
        }
    }
}

impl std::str::FromStr for Position {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = "is no place in a list";
        let (number, rest) = text.split_once(' ').ok_or(fault)?;
        let number = Reverse(number.parse().map_err(|_| fault)?);
        let key = match rest.split_once(' ').ok_or(fault)? {
            ("n", key) => Key::Largest(Reverse(key.parse().map_err(|_| fault)?)),
            ("t", key) => Key::Text(key.to_owned()),
            _ => return Err(fault),
        };
        Ok(Self { key, number })
    }
}
