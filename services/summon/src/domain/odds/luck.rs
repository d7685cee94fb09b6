//! What earlier hits of a tier make of the next: the states of its luck, and how an item is chosen in each.

use super::decimal::{Decimal, Q63, Q63_ONE};
use super::graph::{END, Graph, join};
use super::settle::settle;
use super::{Chance, OddsFault};
use crate::domain::loot::Slot;
use crate::domain::ppb::Ppb;
use crate::domain::selection::{Luck, Selection};

/// The states that one tier's luck can be in.
#[derive(Debug)]
pub(super) struct Lucks {
    lucks: Vec<Luck>,
    graph: Graph,
}

/// What ends a walk over lucks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nothing does.
    Nothing,
    /// Any featured item.
    Featured,
    /// The item at this place.
    Item(usize),
}

/// Calls `found` with every item that the next hit can be, and its exact chance.
pub(super) fn outcomes(scheme: &dyn Selection, luck: Luck, mut found: impl FnMut(usize, Chance)) {
    if let Some(place) = scheme.certain(luck) {
        found(place, Chance::CERTAIN);
        return;
    }
    let share = scheme.featured(luck).unwrap_or(Ppb::ZERO);
    for (is_featured, share) in [(true, share), (false, Ppb::ONE.minus(share))] {
        if share == Ppb::ZERO {
            continue;
        }
        let side = scheme.side(is_featured);
        for (place, weight) in side.iter() {
            found(place, Chance::of(share).and(weight, side.total().get()));
        }
    }
}

impl Lucks {
    /// Finds all that can follow `start` until what is wanted comes.
    pub fn explore(slot: &Slot, start: Luck, wanted: Wanted) -> Self {
        let scheme = slot.choice.scheme();
        let mut found = Self { lucks: vec![start], graph: Graph::default() };
        let mut next = 0;
        while let Some(luck) = found.lucks.get(next).copied() {
            let mut ways: Vec<(u32, Q63)> = Vec::new();
            outcomes(scheme, luck, |place, chance| {
                let is_wanted = match wanted {
                    Wanted::Nothing => false,
                    Wanted::Featured => scheme.is_featured(place) == Some(true),
                    Wanted::Item(item) => item == place,
                };
                let to = if is_wanted { END } else { found.id_of(scheme.after(luck, place)) };
                join(&mut ways, to, chance.q63());
            });
            found.graph.put(&mut ways);
            next = next.wrapping_add(1);
        }
        found
    }

    fn id_of(&mut self, luck: Luck) -> u32 {
        let place = self.lucks.iter().position(|known| *known == luck).unwrap_or_else(|| {
            self.lucks.push(luck);
            self.lucks.len().saturating_sub(1)
        });
        u32::try_from(place).unwrap_or(END)
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.lucks.len()
    }

    /// The ways that the next hit can go from a luck: to another, or to what was wanted.
    pub fn ways(&self, luck: usize) -> impl Iterator<Item = (Option<usize>, Q63)> {
        let to = |to: u32| usize::try_from(to).ok().filter(|_| to != END);
        self.graph.ways(luck).iter().map(move |(luck, chance)| (to(*luck), *chance))
    }
}

/// How the hits of a tier are shared among its items in the long run; `target` is where a path leads.
pub(super) fn item_shares(slot: &Slot, target: Option<u16>) -> Result<Vec<Decimal>, OddsFault> {
    let scheme = slot.choice.scheme();
    let lucks = Lucks::explore(slot, Luck { target, ..Luck::default() }, Wanted::Nothing);
    let visits = settle(&lucks.graph)?;
    let total = visits.iter().fold(0_u128, |sum, visits| sum.saturating_add(u128::from(*visits)));
    let mut shares = vec![Decimal::ZERO; slot.items.len()];
    for (luck, visits) in lucks.lucks.iter().zip(visits) {
        let often = Decimal::ratio(u128::from(visits), total);
        outcomes(scheme, *luck, |place, chance| {
            shares[place] = shares[place].plus(often.times(chance.decimal()));
        });
    }
    Ok(shares)
}

impl Chance {
    /// It is sure.
    pub const CERTAIN: Self = Self { over: 1, under: 1 };

    /// A chance of a billion.
    #[must_use]
    pub fn of(share: Ppb) -> Self {
        Self { over: u128::from(share.parts()), under: u128::from(Ppb::ONE.parts()) }.reduced()
    }

    /// This, and then one of `weight` among `total`.
    #[must_use]
    pub fn and(self, weight: u64, total: u64) -> Self {
        // At most a billion twice and a total of 2^43: far below 2^128.
        let over = self.over.saturating_mul(u128::from(weight));
        Self { over, under: self.under.saturating_mul(u128::from(total)) }.reduced()
    }

    /// Both, one after the other.
    #[must_use]
    pub fn then(self, other: Self) -> Self {
        Self { over: self.over.saturating_mul(other.over), under: self.under.saturating_mul(other.under) }.reduced()
    }

    fn reduced(self) -> Self {
        let (mut a, mut b) = (self.over, self.under);
        while b != 0 {
            (a, b) = (b, a.checked_rem(b).unwrap_or(0));
        }
        let by = |number: u128| number.checked_div(a).unwrap_or(number);
        Self { over: by(self.over), under: by(self.under) }
    }

    /// As a number that is told.
    #[must_use]
    pub fn decimal(self) -> Decimal {
        Decimal::ratio(self.over, self.under)
    }

    fn q63(self) -> Q63 {
        if self.over == self.under {
            return Q63_ONE;
        }
        // Eighteen digits are sixty bits; three more do no harm and no good.
        let parts = self.decimal().parts();
        let scaled = parts.saturating_mul(u128::from(Q63_ONE)).checked_div(Decimal::ONE.parts()).unwrap_or(0);
        u64::try_from(scaled).unwrap_or(Q63_ONE)
    }
}

#[cfg(test)]
mod tests {
    use super::super::decimal::{part, q63, told};
    use super::*;

    #[test]
    fn chances_are_exact_and_reduced() {
        let chance = Chance::of(Ppb::new(6_000_000).unwrap()).and(1, 3);
        assert_eq!((chance.over, chance.under), (1, 500));
        assert_eq!(chance.then(Chance { over: 5, under: 2 }), Chance { over: 1, under: 200 });
        assert_eq!(
            told(u128::from(part(Chance::of(Ppb::new(500_000_000).unwrap()).q63(), q63(Ppb::ONE)))).to_string(),
            "0.500000000000"
        );
    }
}
