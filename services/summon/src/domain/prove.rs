//! Proof of a pull that was logged: its summon is drawn again from the player's seeds, and must come to the same. Of what was taken for spark
//! points nothing was drawn: its proof is that the points were there, and are gone.

use auric_ids::PlayerId;
use thiserror::Error;

use super::begin::Way;
use super::book::{LoggedPull, Seeds};
use super::operation::{Outcome, Plan, Pull};
use super::pity::exchange;
use super::{Banner, Banners, Circumstances, CostOption, FairDraws, Pity, Receipt, pulls};

/// What a proof is made of.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// The catalog that the summon was drawn from.
    pub banners: &'a Banners,
    /// What the summon was to do.
    pub plan: &'a Plan,
    /// What it drew.
    pub outcome: &'a Outcome,
    /// The seeds that it was drawn from.
    pub seeds: &'a Seeds,
    /// Whether the server seed may be shown.
    pub is_revealed: bool,
}

/// What was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proved {
    /// It was drawn as this says.
    Drawn(Box<Receipt>),
    /// It was taken for spark points, which the player had.
    Taken,
}

/// Why there is no proof: something that is kept was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unproved {
    /// The catalog that it names has no such banner or cost.
    #[error("the catalog {0} has nothing of it")]
    Catalog(auric_catalog::CatalogHash),
    /// A pity cannot be read.
    #[error("the pity before it cannot be read")]
    Pity,
    /// The log says something else than the summon.
    #[error("the log of pulls is not what the summon drew")]
    Log,
    /// The seeds give something else.
    #[error("slot {slot} is not what the seeds give")]
    Draws {
        /// Which.
        slot: u32,
    },
    /// The pity before it does not come to the pity after it.
    #[error("the spark points before and after it are not those of an exchange")]
    Exchange,
}

impl Evidence<'_> {
    /// Makes the receipt of `logged`, if it was drawn.
    ///
    /// # Errors
    ///
    /// [`Unproved`] when what is kept contradicts itself.
    pub fn prove(&self, logged: &LoggedPull) -> Result<Proved, Unproved> {
        let Self { banners, plan, outcome, .. } = self;
        let found = banners.get(&plan.banner).and_then(|banner| Some((banner, Way::of(plan, banner)?)));
        let (banner, way) = found.ok_or(Unproved::Catalog(plan.catalog))?;
        let first = outcome.pulls.first().ok_or(Unproved::Log)?;
        let kept = outcome.pulls.iter().find(|pull| pull.slot == logged.pull.slot);
        if kept != Some(&logged.pull) || outcome.nonce != logged.nonce || outcome.epoch != logged.epoch {
            return Err(Unproved::Log);
        }
        match way {
            Way::Draw { cost, .. } => self.drawn(banner, cost, first, logged).map(Box::new).map(Proved::Drawn),
            Way::Take(species) => {
                let found = exchange(banner, &pity(&first.before)?, species);
                let (after, tier) = found.map_err(|_| Unproved::Exchange)?;
                let is_same = (&first.species, &first.rarity) == (species, &tier) && first.draws.is_empty();
                let is_exchange = is_same && pity(&first.after)? == after;
                is_exchange.then_some(Proved::Taken).ok_or(Unproved::Exchange)
            }
        }
    }

    fn drawn(
        &self,
        banner: &Banner,
        cost: &CostOption,
        first: &Pull,
        logged: &LoggedPull,
    ) -> Result<Receipt, Unproved> {
        let Self { plan, outcome, seeds, is_revealed, .. } = self;
        let mut draws = FairDraws::new(&seeds.server, &seeds.client, outcome.nonce);
        let drawn = pulls(banner, cost, plan.count, &pity(&first.before)?, &mut draws);
        for (pull, drawn) in outcome.pulls.iter().zip(&drawn) {
            let Pull { slot, species, rarity, featured, before, after, draws, .. } = pull;
            let is_same = (slot, species, rarity, featured, draws)
                == (&drawn.slot, &drawn.species, &drawn.tier, &drawn.featured, &drawn.draws);
            if !is_same || pity(before)? != drawn.before || pity(after)? != drawn.after {
                return Err(Unproved::Draws { slot: *slot });
            }
        }
        let drawn = drawn.iter().find(|drawn| drawn.slot == logged.pull.slot).ok_or(Unproved::Log)?;
        Ok(Receipt::of(banner, drawn, &self.circumstances(&logged.player, cost, *is_revealed)))
    }

    const fn circumstances<'a>(
        &'a self,
        player: &'a PlayerId,
        cost: &'a CostOption,
        is_revealed: bool,
    ) -> Circumstances<'a> {
        Circumstances {
            player,
            cost,
            catalog: self.plan.catalog,
            server_seed: &self.seeds.server,
            is_revealed,
            client_seed: &self.seeds.client,
            nonce: self.outcome.nonce,
        }
    }
}

fn pity(text: &str) -> Result<Pity, Unproved> {
    serde_json::from_str(text).map_err(|_| Unproved::Pity)
}
