//! Payments, as the specification says them: every fact is kept, and what follows is reckoned anew from all of them.

use std::collections::{BTreeMap, BTreeSet};

use auric_ids::PlayerId;
use auric_wallet::domain::{AssetKind, DisputeState, Fact, MutationKey, RecordPayment, Share};

use super::{Done, Model, Place, Reply, place};

/// What was heard of one payment, and what followed.
#[derive(Clone, Debug)]
pub struct ModelPayment {
    player: PlayerId,
    facts: Vec<Fact>,
    given: BTreeMap<Place, Given>,
}

/// What a payment gave to one generation of a balance.
#[derive(Clone, Copy, Debug)]
struct Given {
    units: i128,
    generation: u64,
    began_it: bool,
}

/// An event that was acted on.
#[derive(Clone, Debug)]
pub struct ModelEvent {
    object: String,
    kind: &'static str,
    under: MutationKey,
}

impl Model {
    pub(super) fn record(&mut self, record: &RecordPayment, key: &MutationKey) -> Done {
        let name = (record.payment.provider.to_string(), record.payment.object.to_string());
        if self.payments.get(&name).is_some_and(|payment| payment.player != record.player) {
            return Err(Reply::Refused("PAYMENT_OF_ANOTHER_PLAYER"));
        }
        let event = (name.0.clone(), record.event.to_string());
        if let Some(first) = self.events.get(&event) {
            let same = first.object == name.1 && first.kind == record.fact.kind();
            return if same {
                Ok(Reply::LikeBefore(first.under.clone()))
            } else {
                Err(Reply::Refused("PAYMENT_EVENT_REUSED"))
            };
        }
        if !self.fact_fits(&record.fact) {
            return Err(Reply::Unstored("INVALID"));
        }
        let heard = ModelEvent { object: name.1.clone(), kind: record.fact.kind(), under: key.clone() };
        self.events.insert(event, heard);
        let nothing = ModelPayment { player: record.player.clone(), facts: Vec::new(), given: BTreeMap::new() };
        let mut payment = self.payments.remove(&name).unwrap_or(nothing);
        payment.facts.push(record.fact.clone());
        let places: BTreeSet<Place> = payment.gifts().map(|(place, _)| place).collect();
        for place in places {
            self.follow(&mut payment, &place);
        }
        self.payments.insert(name, payment);
        Ok(Reply::Applied)
    }

    fn fact_fits(&self, fact: &Fact) -> bool {
        let catalog = self.catalog();
        fact.gifts().iter().all(|gift| {
            let Some(asset) = catalog.get(&gift.asset).filter(|asset| !asset.retired) else { return false };
            match &asset.kind {
                AssetKind::Credit { pools } => pools.contains(&gift.pool),
                AssetKind::Points => false,
                _ => gift.pool.as_str().is_empty() && !matches!(fact, Fact::Renewal { .. }),
            }
        })
    }

    /// Brings one balance to what is known.
    fn follow(&mut self, payment: &mut ModelPayment, at: &Place) {
        self.settle(&at.0, &at.1);
        let generation = self.generations.get(at).copied().unwrap_or(0);
        let newest = self.periods.get(at).copied().unwrap_or(0);
        let given = payment.given.get(at).copied();
        let is_current = given.is_some_and(|given| given.generation == generation);
        match payment.period(at) {
            None if given.is_none() => {
                payment.given.insert(at.clone(), Given { units: 0, generation, began_it: false });
            }
            Some(period) if is_current && given.is_some_and(|given| given.began_it) => {
                self.periods.insert(at.clone(), newest.max(period));
            }
            Some(period) if period > newest => {
                self.periods.insert(at.clone(), period);
                *self.generations.entry(at.clone()).or_default() += 1;
                let left = self.account(at).available;
                if left > 0 {
                    self.add(at, -left, 0, 0);
                }
                payment.given.insert(at.clone(), Given { units: 0, generation: generation + 1, began_it: true });
            }
            None | Some(_) => {}
        }
        let generation = self.generations.get(at).copied().unwrap_or(0);
        let Some(given) = payment.given.get(at).copied().filter(|given| given.generation == generation) else { return };
        let is_old = payment.period(at).is_some() && !given.began_it;
        let wanted = if is_old { 0 } else { payment.worth(at) };
        if wanted > given.units {
            self.add(at, wanted - given.units, 0, 0);
        } else if wanted < given.units {
            let there = self.account(at).available.min(given.units - wanted);
            self.change(at, [-there, 0, 0, given.units - wanted - there]);
        }
        payment.given.get_mut(at).unwrap().units = wanted;
    }
}

impl ModelPayment {
    fn gifts(&self) -> impl Iterator<Item = (Place, i128)> {
        let gifts = self.facts.iter().flat_map(Fact::gifts);
        gifts.map(|gift| (place(&self.player, &gift.asset, &gift.pool), i128::from(gift.units)))
    }

    /// The newest period that it was said to set the pool for.
    fn period(&self, (_, asset, pool): &Place) -> Option<u64> {
        let periods = self.facts.iter().filter_map(|fact| match fact {
            Fact::Renewal { pools, period } => {
                pools.iter().any(|gift| gift.asset == *asset && gift.pool == *pool).then_some(*period)
            }
            _ => None,
        });
        periods.max()
    }

    /// What it is worth of one asset, less what was paid back.
    fn worth(&self, at: &Place) -> i128 {
        let units = self.gifts().filter(|(place, _)| place == at).map(|(_, units)| units).max().unwrap_or(0);
        let refunds = self.facts.iter().filter_map(|fact| match fact {
            Fact::Refund(share) => Some(*share),
            _ => None,
        });
        let disputes = self.facts.iter().filter_map(|fact| match fact {
            Fact::Dispute { state, share } => Some((*state, *share)),
            _ => None,
        });
        let most = |shares: &[Share], of: fn(&Share) -> u64| shares.iter().map(of).max().unwrap_or(0);
        let refunds: Vec<Share> = refunds.collect();
        let (states, disputed): (Vec<DisputeState>, Vec<Share>) = disputes.unzip();
        let price = most(&refunds, |share| share.price).max(most(&disputed, |share| share.price));
        let stands = !states.is_empty() && !states.contains(&DisputeState::Won);
        let mut returned = most(&refunds, |share| share.of_it);
        if stands {
            returned += most(&disputed, |share| share.of_it);
        }
        if price == 0 { units } else { units - units * i128::from(returned.min(price)) / i128::from(price) }
    }
}
