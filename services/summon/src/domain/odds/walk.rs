//! What can follow what: the states that a player's pulls can lead to, and how they lead there.
//!
//! It is walked with the very rules that a pull is drawn with ([`shares`], [`counted`], [`first_after`]); only counts are replaced by
//! their place in the scheme's row of counts, and all parts of a state are folded into one number.

use std::cmp::Ordering;

use super::OddsFault;
use super::decimal::{Q63, part, q63};
use super::luck::Lucks;
use crate::domain::loot::{Promise, Slot, Tiers};
use crate::domain::pity::Hazard as _;
use crate::domain::ppb::Ppb;
use crate::domain::state::{How, State, counted, first_after, shares};

/// The most states that are followed.
pub const STATES_MAX: usize = 1 << 20;

/// The parts of a state besides the tiers' counts: luck, the first pulls' promise, the place in the summon.
const OTHERS: usize = 3;

/// What is walked: which tiers, which promises, and what ends the walk.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    how: How,
    /// The tiers that are told apart.
    rows: Vec<Row>,
    /// Whether there are lower ones.
    has_lower: bool,
    first: Option<Promise>,
    floor: Option<Promise>,
    target: Option<Target<'a>>,
    /// How many values each of the other parts has, and what one more of it adds to the number of the state.
    others: [(usize, usize); OTHERS],
    states: usize,
}

/// One tier's counts, by place in the row.
#[derive(Debug)]
struct Row {
    rates: Vec<Ppb>,
    /// What becomes of the place when a lower tier is hit, this one, a higher one; times the stride.
    moves: Vec<[usize; 3]>,
    stride: usize,
}

/// What ends the walk.
#[derive(Debug)]
pub(super) enum Target<'a> {
    /// A hit of this tier, or of a higher one too.
    Tier { slot: usize, or_higher: bool },
    /// A hit of this tier, if its luck says so.
    Lucky { slot: usize, lucks: &'a Lucks },
}

/// Where a pull leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To another state.
    To(usize),
    /// To the target.
    End,
}

impl<'a> Scope<'a> {
    /// Walks all tiers for ever, in summons that `floor` promises something to, after the first pulls are over.
    pub fn forever(tiers: &Tiers, how: How, floor: Option<Promise>) -> Result<Self, OddsFault> {
        Self::new(tiers, how, tiers.slots.len(), floor, None)
    }

    /// Walks until `target`; tiers below it make no difference.
    pub fn until(tiers: &Tiers, how: How, target: Target<'a>) -> Result<Self, OddsFault> {
        let (Target::Tier { slot, .. } | Target::Lucky { slot, .. }) = &target;
        Self::new(tiers, how, slot.saturating_add(1), None, Some(target))
    }

    fn new(
        tiers: &Tiers,
        how: How,
        depth: usize,
        floor: Option<Promise>,
        target: Option<Target<'a>>,
    ) -> Result<Self, OddsFault> {
        // A promise of a lower tier takes nothing from the higher ones.
        let first = tiers.first.filter(|first| target.is_some() && how.resets && first.slot < depth);
        let floor = floor.filter(|floor| floor.slot < depth);
        let wide = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let radices = [
            if let Some(Target::Lucky { lucks, .. }) = &target { lucks.len() } else { 1 },
            first.map_or(1, |first| wide(first.pulls).saturating_add(1)),
            floor.map_or(1, |floor| wide(floor.pulls).saturating_mul(2)),
        ];
        let mut states: usize = 1;
        let others = radices.map(|radix| {
            let stride = states;
            states = states.saturating_mul(radix);
            (radix, stride)
        });
        let mut rows: Vec<Row> = Vec::new();
        for slot in tiers.slots[..depth.min(tiers.slots.len())].iter().rev() {
            let row = Row::new(slot, how, states);
            states = states.saturating_mul(row.rates.len());
            rows.insert(0, row);
        }
        if states > STATES_MAX {
            return Err(OddsFault::TooDeep { states, states_max: STATES_MAX });
        }
        let has_lower = depth < tiers.slots.len();
        Ok(Self { how, rows, has_lower, first, floor, target, others, states })
    }

    /// How many states there are, whether anything leads to them or not.
    pub const fn states(&self) -> usize {
        self.states
    }

    /// How many pulls it takes at most until every count has come to rest.
    pub fn rest(&self) -> usize {
        let counts = self.rows.iter().fold(0_usize, |sum, row| sum.saturating_add(row.rates.len()));
        self.others.iter().fold(counts, |sum, (radix, _)| sum.saturating_add(*radix))
    }

    /// The number of the state that a player with `state` begins in.
    pub fn start(&self, tiers: &Tiers, state: &State) -> usize {
        let mut start: usize = 0;
        for ((row, slot), count) in self.rows.iter().zip(&tiers.slots).zip(state.counts) {
            let Some(track) = slot.track.as_ref().filter(|_| self.how.resets) else { continue };
            // A count that the scheme no longer reaches is as good as its last.
            let level = track.scheme.counts().take_while(|reached| *reached < count).count();
            let last = row.rates.len().saturating_sub(1);
            start = start.wrapping_add(level.min(last).wrapping_mul(row.stride));
        }
        let pulls = self.first.map_or(0, |first| if state.first_kept { first.pulls } else { state.pulls });
        self.with(start, 1, wide(pulls))
    }

    /// Sets one of the other parts, which is nothing so far.
    const fn with(&self, state: usize, which: usize, value: usize) -> usize {
        state.wrapping_add(value.wrapping_mul(self.others[which].1))
    }

    fn other(&self, state: usize, which: usize) -> usize {
        let (radix, stride) = self.others[which];
        digit(state, stride, radix)
    }

    /// The chance of each of the tiers that are told apart, and after them of all lower ones together.
    pub fn shares(&self, state: usize) -> impl Iterator<Item = Ppb> {
        let rates = self.rows.iter().map(move |row| row.rates[row.level(state)]);
        let slots = self.rows.len().saturating_add(usize::from(self.has_lower));
        // Of what is left, the lower ones together have all.
        shares(rates.chain(self.has_lower.then_some(Ppb::ONE)), slots, self.floor_of(state))
    }

    fn floor_of(&self, state: usize) -> Option<usize> {
        let is_last = |promise: &Promise, which| self.other(state, which).wrapping_add(1) == wide(promise.pulls);
        let first = self.first.filter(|first| is_last(first, 1));
        // The last pull of a summon that has not kept its promise.
        let floor = self.floor.filter(|floor| is_last(floor, 2));
        first.into_iter().chain(floor).map(|promise| promise.slot).min()
    }

    /// Calls `found` for each way that a pull can go.
    pub fn ways(&self, state: usize, mut found: impl FnMut(Way, Q63)) {
        let mut levels = [[0_usize; 3]; crate::domain::loot::TIERS_MAX];
        let mut lower: usize = 0;
        for (row, levels) in self.rows.iter().zip(&mut levels) {
            *levels = row.moves[row.level(state)];
            lower = lower.wrapping_add(levels[2]);
        }
        let mut higher: usize = 0;
        for (hit, share) in self.shares(state).enumerate() {
            let [missed, own, by_higher] = levels.get(hit).copied().unwrap_or_default();
            lower = lower.wrapping_sub(by_higher);
            if share > Ppb::ZERO {
                let next = higher.wrapping_add(own).wrapping_add(lower);
                self.lead(state, hit, self.others_after(state, hit, next), q63(share), &mut found);
            }
            higher = higher.wrapping_add(missed);
        }
    }

    fn lead(&self, state: usize, hit: usize, next: usize, chance: Q63, found: &mut impl FnMut(Way, Q63)) {
        match &self.target {
            Some(Target::Tier { slot, or_higher }) if hit == *slot || (*or_higher && hit < *slot) => {
                found(Way::End, chance);
            }
            Some(Target::Lucky { slot, lucks }) if hit == *slot => {
                for (luck, of_these) in lucks.ways(self.other(state, 0)) {
                    let way = luck.map_or(Way::End, |luck| Way::To(self.with(next, 0, luck)));
                    found(way, part(chance, of_these));
                }
            }
            Some(Target::Lucky { .. }) => found(Way::To(self.with(next, 0, self.other(state, 0))), chance),
            _ => found(Way::To(next), chance),
        }
    }

    fn others_after(&self, state: usize, hit: usize, mut next: usize) -> usize {
        if let Some(first) = self.first {
            let pulls = u32::try_from(self.other(state, 1)).unwrap_or(u32::MAX);
            next = self.with(next, 1, wide(first_after(first, pulls, pulls >= first.pulls, hit).0));
        }
        if let Some(floor) = self.floor {
            // The pulls of a summon that has not kept its promise, then those of one that has.
            let (pulls, phase) = (wide(floor.pulls), self.other(state, 2));
            let is_kept = phase >= pulls || hit <= floor.slot;
            let slot = phase.checked_rem(pulls).unwrap_or(0).wrapping_add(1);
            let after = if slot >= pulls { 0 } else { slot.wrapping_add(if is_kept { pulls } else { 0 }) };
            next = self.with(next, 2, after);
        }
        next
    }
}

/// One part of a state's number.
fn digit(state: usize, stride: usize, radix: usize) -> usize {
    if radix == 1 { 0 } else { state.checked_div(stride).and_then(|rest| rest.checked_rem(radix)).unwrap_or(0) }
}

fn wide(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Row {
    fn new(slot: &Slot, how: How, stride: usize) -> Self {
        let Some(track) = slot.track.as_ref().filter(|_| how.resets) else {
            return Self { rates: vec![slot.rate_at(0)], moves: vec![[0; 3]], stride };
        };
        let rates: Vec<Ppb> = track.scheme.counts().map(|count| track.scheme.rate(slot.rate, count)).collect();
        let last = rates.len().saturating_sub(1);
        let moves = (0..rates.len()).map(|level| {
            let missed = level.saturating_add(1).min(last);
            [Ordering::Less, Ordering::Equal, Ordering::Greater]
                .map(|place| counted(track.on_higher, level, missed, place, how).saturating_mul(stride))
        });
        let moves = moves.collect();
        Self { rates, moves, stride }
    }

    fn level(&self, state: usize) -> usize {
        digit(state, self.stride, self.rates.len())
    }
}
