//! What a summon does once it is paid: it draws, or takes for spark points; pulls, pity and nonce change together.

use auric_ids::SpeciesId;
use auric_time::Timestamp;
use auric_twophase::Operation;

use super::book::{Book, LoggedPull, Seeds};
use super::operation::{Outcome, Plan, Pull, Refusal, esprit_of};
use super::pity::{SparkFault, exchange};
use super::{Banner, CostOption, FairDraws, Pity, Pulled, pulls};

/// A summon that is being decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deed<'a> {
    /// By the catalog that it was begun under.
    pub banner: &'a Banner,
    /// As it was begun.
    pub operation: &'a Operation,
    /// What it was begun for.
    pub plan: &'a Plan,
    /// When.
    pub now: Timestamp,
}

/// Why there is no outcome.
pub(super) enum NoDeed {
    /// A rule said no.
    Refused(Refusal),
    /// The player has no seed to draw from.
    NoSeed,
}

impl Deed<'_> {
    /// Draws the pulls that are paid by `cost`.
    pub(super) fn draw(&self, book: &mut Book, cost: &CostOption) -> Result<Outcome, NoDeed> {
        let player = book.player(&self.operation.player).ok_or(NoDeed::NoSeed)?;
        let Seeds { server, client } = player.seeds.as_ref().ok_or(NoDeed::NoSeed)?;
        let mut draws = FairDraws::new(server, client, player.nonce);
        let pity = &book.pity(&self.operation.player, &self.plan.group).pity;
        let drawn = pulls(self.banner, cost, self.plan.count, pity, &mut draws);
        self.log(book, drawn)
    }

    /// Takes an esprit of `species` for spark points: logged like a pull, with nothing drawn.
    pub(super) fn take(&self, book: &mut Book, species: &SpeciesId) -> Result<Outcome, NoDeed> {
        let before = book.pity(&self.operation.player, &self.plan.group).pity.clone();
        let (after, tier) =
            exchange(self.banner, &before, species).map_err(|fault| self.refused(species, &before, &fault))?;
        let taken = Pulled {
            slot: 0,
            species: species.clone(),
            tier,
            featured: None,
            floor: None,
            before,
            after,
            draws: vec![],
        };
        self.log(book, vec![taken])
    }

    fn refused(&self, species: &SpeciesId, pity: &Pity, fault: &SparkFault) -> NoDeed {
        let price_points = match fault {
            SparkFault::TooFew { price_points, .. } => *price_points,
            // BEGIN asked the same catalog whether it is offered.
            SparkFault::NoSpark(_) | SparkFault::NotOffered { .. } => u64::MAX,
        };
        NoDeed::Refused(Refusal::SparkPointsShort {
            banner: self.banner.id.clone(),
            species: species.clone(),
            price_points,
            points: pity.spark_points,
        })
    }

    /// Logs what was drawn or taken: each summon has a nonce of its own, whether or not it draws.
    fn log(&self, book: &mut Book, pulled: Vec<Pulled>) -> Result<Outcome, NoDeed> {
        let Self { operation, plan, now, .. } = *self;
        let player = book.player(&operation.player).ok_or(NoDeed::NoSeed)?;
        let (nonce, epoch) = (player.nonce, player.epoch);
        let row = book.pity(&operation.player, &plan.group);
        let pity = pulled.last().map_or_else(|| row.pity.clone(), |last| last.after.clone());
        let mut number = row.pulls;
        let mut outcome = Outcome { nonce, epoch, pulls: Vec::with_capacity(pulled.len()) };
        for pulled in pulled {
            number = number.saturating_add(1);
            outcome.pulls.push(pull(operation, number, pulled).ok_or(NoDeed::NoSeed)?);
        }
        let logged = outcome.pulls.iter().map(|pull| LoggedPull {
            player: operation.player.clone(),
            group: plan.group.clone(),
            banner: plan.banner.clone(),
            operation: operation.id.clone(),
            nonce,
            epoch,
            catalog: plan.catalog,
            time: now,
            pull: pull.clone(),
        });
        let logged = logged.collect();
        book.log_pulls(&operation.player, &plan.group, pity, logged);
        book.change_player(&operation.player, |player| {
            player.nonce = player.nonce.saturating_add(1);
            player.last_time = now;
        });
        Ok(outcome)
    }
}

fn pull(operation: &Operation, number: u64, pulled: Pulled) -> Option<Pull> {
    let json = |pity: &Pity| serde_json::to_string(pity).ok();
    Some(Pull {
        number,
        slot: pulled.slot,
        esprit: esprit_of(&operation.id, pulled.slot).ok()?,
        species: pulled.species,
        rarity: pulled.tier,
        featured: pulled.featured,
        before: json(&pulled.before)?,
        after: json(&pulled.after)?,
        draws: pulled.draws,
    })
}
