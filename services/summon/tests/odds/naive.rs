//! A second implementation of pity, written from the papers alone: it shares no code with the first.

use std::collections::BTreeMap;

use auric_summon::domain::{SeededWords, Words as _};
use num_rational::BigRational;

/// Tiers from the highest to the lowest; the last has what the others leave.
#[derive(Clone, Debug)]
pub struct Naive {
    pub tiers: Vec<NaiveTier>,
    /// Of a summon of so many pulls one is at least of this tier.
    pub floor: Option<(usize, usize)>,
}

#[derive(Clone, Debug)]
pub struct NaiveTier {
    pub name: &'static str,
    pub base: u64,
    pub pity: Option<(NaivePity, &'static str)>,
}

#[derive(Clone, Debug)]
pub enum NaivePity {
    Hard(u64),
    Soft { from: u64, step: u64, hard: u64 },
    Table(Vec<u64>),
    Meter(u64),
}

/// Pulls since each tier's last hit, by the pull that comes next: 1 at first. And the place in the summon, and whether it kept its floor.
pub type NaiveState = (Vec<u64>, usize, bool);

/// Per state: which tier is hit, which state follows, and the chance.
type Ways = Vec<Vec<(usize, usize, u64)>>;

const ALL: u64 = 1_000_000_000;
const NAMES: [&str; 4] = ["legendary", "epic", "rare", "uncommon"];
const SPECIES: [&str; 4] = ["nerissa", "elder_dryad", "riverglass", "frostpaw"];

impl NaivePity {
    fn chance(&self, base: u64, pull: u64) -> u64 {
        match self {
            Self::Hard(hard) => {
                if pull >= *hard {
                    ALL
                } else {
                    base
                }
            }
            Self::Soft { hard, .. } if pull >= *hard => ALL,
            Self::Soft { from, .. } if pull < *from => base,
            Self::Soft { from, step, .. } => ALL.min(base + (pull - from + 1) * step),
            Self::Table(rates) => rates[rates.len().min(usize::try_from(pull).unwrap()) - 1],
            Self::Meter(gain) => {
                if (pull - 1) * gain >= ALL {
                    ALL
                } else {
                    base
                }
            }
        }
    }

    /// The pull from which on nothing changes any more.
    fn last(&self) -> u64 {
        match self {
            Self::Hard(hard) | Self::Soft { hard, .. } => *hard,
            Self::Table(rates) => rates.len() as u64,
            Self::Meter(gain) => ALL.div_ceil(*gain) + 1,
        }
    }
}

impl Naive {
    /// Makes one up, of two to `tiers_max` tiers that count up to `last`.
    pub fn random(words: &mut SeededWords, tiers_max: u64, last: u64) -> Self {
        let mut up_to = |most: u64| words.word() % most;
        let tiers = 2 + usize::try_from(up_to(tiers_max - 1)).unwrap();
        let mut left = ALL;
        let mut made = Vec::new();
        for (place, name) in NAMES.iter().enumerate().take(tiers) {
            let is_lowest = place == tiers - 1;
            let base = if is_lowest { left } else { 1 + up_to(left / 3) };
            left -= base;
            let on_higher = ["keep", "reset", "freeze"][usize::try_from(up_to(3)).unwrap()];
            let hard = 2 + up_to(last - 1);
            let scheme = match up_to(5) {
                0 => NaivePity::Hard(hard),
                1 => NaivePity::Soft { from: 2 + up_to(hard - 1), step: 1 + up_to(ALL / 4), hard },
                2 => NaivePity::Table(std::iter::once(base).chain((1..hard).map(|_| up_to(ALL + 1))).collect()),
                3 => NaivePity::Meter(ALL / hard + up_to(ALL / 2)),
                _ => {
                    made.push(NaiveTier { name, base, pity: None });
                    continue;
                }
            };
            made.push(NaiveTier { name, base, pity: (!is_lowest).then_some((scheme, on_higher)) });
        }
        Self { tiers: made, floor: None }
    }

    /// The same in `banners.toml`.
    pub fn toml(&self) -> (String, String) {
        let (mut groups, mut tables) = (String::from("[pity_groups.g]\n"), String::new());
        for (tier, species) in self.tiers.iter().zip(SPECIES) {
            let (name, base) = (tier.name, tier.base);
            let table = format!("[tables.t.tiers.{name}]\nrate_ppb = {base}\nitems = {{ {species} = 1 }}\n");
            tables.push_str(&table);
            let Some((scheme, on_higher)) = &tier.pity else { continue };
            let keys = match scheme {
                NaivePity::Hard(hard) => format!("scheme = \"hard\"\nhard_at = {hard}"),
                NaivePity::Soft { from, step, hard } => {
                    format!("scheme = \"soft\"\nsoft_from = {from}\nsoft_step_ppb = {step}\nhard_at = {hard}")
                }
                NaivePity::Table(rates) => format!("scheme = \"table\"\nrates_ppb = {rates:?}"),
                NaivePity::Meter(gain) => format!("scheme = \"meter\"\ngain_ppb = {gain}"),
            };
            let group = format!("[pity_groups.g.tiers.{name}]\n{keys}\non_higher = \"{on_higher}\"\n");
            groups.push_str(&group);
        }
        let floor =
            self.floor.map(|(pulls, tier)| format!("floor = {{ count = {pulls}, tier = \"{}\" }}", NAMES[tier]));
        (groups + &tables, floor.unwrap_or_default())
    }

    pub fn fresh(&self) -> NaiveState {
        (vec![1; self.tiers.len()], 0, false)
    }

    /// The chances of the tiers in the next pull.
    pub fn chances(&self, (pulls, slot, kept): &NaiveState) -> Vec<u64> {
        let due = self.floor.filter(|(of, _)| slot + 1 == *of && !kept).map(|(_, tier)| tier);
        let mut left = ALL;
        let mut chances = Vec::new();
        for (place, (tier, pull)) in self.tiers.iter().zip(pulls).enumerate() {
            let own = tier.pity.as_ref().map_or(tier.base, |(scheme, _)| scheme.chance(tier.base, *pull));
            let takes_all = place + 1 == self.tiers.len() || due == Some(place);
            let chance = if takes_all { left } else { own.min(left) };
            left -= chance;
            chances.push(chance);
        }
        chances
    }

    /// The state after a hit.
    pub fn after(&self, (pulls, slot, kept): &NaiveState, hit: usize) -> NaiveState {
        let next = self.tiers.iter().zip(pulls).enumerate().map(|(place, (tier, pull))| {
            let Some((scheme, on_higher)) = &tier.pity else { return 1 };
            match (place == hit, hit < place, *on_higher) {
                (true, ..) | (_, true, "reset") => 1,
                (_, true, "freeze") => *pull,
                _ => (pull + 1).min(scheme.last()),
            }
        });
        let next = next.collect();
        match self.floor {
            Some((of, tier)) if slot + 1 < of => (next, slot + 1, *kept || hit <= tier),
            _ => (next, 0, false),
        }
    }

    /// All states that can follow a fresh player, and per state where each hit leads.
    fn states(&self) -> (Vec<NaiveState>, Ways) {
        let mut ids = BTreeMap::from([(self.fresh(), 0)]);
        let (mut states, mut ways) = (vec![self.fresh()], Vec::new());
        while ways.len() < states.len() {
            let state = states[ways.len()].clone();
            let mut out = Vec::new();
            for (hit, chance) in self.chances(&state).into_iter().enumerate().filter(|(_, chance)| *chance > 0) {
                let next = self.after(&state, hit);
                let id = *ids.entry(next.clone()).or_insert_with(|| {
                    states.push(next);
                    states.len() - 1
                });
                out.push((hit, id, chance));
            }
            ways.push(out);
        }
        (states, ways)
    }

    /// The shares of the tiers in the long run, by so many steps of plain averaging.
    #[expect(clippy::cast_precision_loss, reason = "a share of a billion is exact in 53 bits")]
    pub fn averaged(&self) -> Option<Vec<f64>> {
        let (states, ways) = self.states();
        let mut now = vec![0.0_f64; states.len()];
        now[0] = 1.0;
        for _ in 0..20_000 {
            let mut next = vec![0.0; states.len()];
            for (mass, ways) in now.iter().zip(&ways) {
                for (_, to, chance) in ways {
                    next[*to] += mass * *chance as f64 / ALL as f64;
                }
            }
            let change: f64 = now.iter().zip(&next).map(|(now, next)| (now - next).abs()).sum();
            // Half of both: what goes in circles comes to rest.
            now = now.iter().zip(&next).map(|(now, next)| f64::midpoint(*now, *next)).collect();
            if change < 1e-14 {
                let mut shares = vec![0.0; self.tiers.len()];
                for (mass, ways) in now.iter().zip(&ways) {
                    for (hit, _, chance) in ways {
                        shares[*hit] += mass * *chance as f64 / ALL as f64;
                    }
                }
                return Some(shares);
            }
        }
        None
    }

    /// The same without any error: the linear equations solved in fractions. None when they have more than one solution.
    pub fn exact(&self) -> Option<Vec<BigRational>> {
        let (states, ways) = self.states();
        let count = states.len();
        // What flows out of a state flows into it; the first equation says instead that all states are one together.
        let mut rows = vec![vec![zero(); count + 1]; count];
        for (from, ways) in ways.iter().enumerate() {
            rows[from][from] -= one();
            for (_, to, chance) in ways {
                rows[*to][from] += fraction(*chance);
            }
        }
        rows[0] = vec![one(); count + 1];
        let visits = solve(rows)?;
        let mut shares = vec![zero(); self.tiers.len()];
        for (visits, ways) in visits.iter().zip(&ways) {
            for (hit, _, chance) in ways {
                shares[*hit] += visits * fraction(*chance);
            }
        }
        Some(shares)
    }

    /// The pulls until a tier, on the average, for a fresh player; in fractions.
    pub fn exact_until(&self, tier: usize) -> Option<BigRational> {
        let (states, ways) = self.states();
        let count = states.len();
        let mut rows = vec![vec![zero(); count + 1]; count];
        for (from, ways) in ways.iter().enumerate() {
            rows[from][from] += one();
            rows[from][count] = one();
            for (_, to, chance) in ways.iter().filter(|(hit, ..)| *hit != tier) {
                rows[from][*to] -= fraction(*chance);
            }
        }
        Some(solve(rows)?.swap_remove(0))
    }
}

fn zero() -> BigRational {
    BigRational::from_integer(0.into())
}

fn one() -> BigRational {
    BigRational::from_integer(1.into())
}

fn fraction(parts: u64) -> BigRational {
    BigRational::new(parts.into(), ALL.into())
}

/// Gauss and Jordan, in fractions; the last column is the right side.
fn solve(mut rows: Vec<Vec<BigRational>>) -> Option<Vec<BigRational>> {
    let count = rows.len();
    for column in 0..count {
        let pivot = (column..count).find(|row| rows[*row][column] != zero())?;
        rows.swap(column, pivot);
        let by = rows[column][column].clone();
        rows[column].iter_mut().for_each(|cell| *cell /= by.clone());
        let pivot = rows[column].clone();
        for (place, row) in rows.iter_mut().enumerate() {
            if place != column && row[column] != zero() {
                let times = row[column].clone();
                row.iter_mut().zip(&pivot).for_each(|(cell, pivot)| *cell -= times.clone() * pivot);
            }
        }
    }
    Some(rows.into_iter().map(|mut row| row.swap_remove(count)).collect())
}
