//! Receipts: all that a player needs to prove a pull without trusting the server.
//!
//! A receipt is one line of JSON, its keys in alphabetical order, without spaces. `steps` say what was drawn from: each has `parts` (names
//! and weights) and the number that was drawn below their sum, or none where only one part was left. `seal` is the HMAC-SHA256 under the
//! server seed of the same line without the key `seal`: before the seed is shown nobody can make one but the server, and the server cannot
//! deny one. Once the seed is shown, the draws are those of [`FairDraws`] and the seed's SHA-256 is the commitment.

use std::num::NonZeroU64;

use auric_catalog::CatalogHash;
use auric_ids::{BannerId, CostId, PlayerId, RarityId, SpeciesId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::banner::{Banner, Banners, CostOption};
use super::draws::Draws;
use super::fair::{ClientSeed, FairDraws, ServerSeed};
use super::loot::{Loot, Tiers};
use super::pity::Pity;
use super::pull::{BILLION, Play, Pulled};
use super::state::State;

/// The form of receipts that this version makes.
const VERSION: u32 = 1;

/// Proof of one pull.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// From which banner.
    pub banner: BannerId,
    /// Under which catalog, 64 hexadecimal digits.
    pub catalog: String,
    /// The player's own part of the seed.
    pub client_seed: ClientSeed,
    /// The SHA-256 of the server seed, which was shown before.
    pub commitment: String,
    /// How it was paid.
    pub cost: CostId,
    /// Whether the item is featured; none where nothing of its tier is.
    pub featured: Option<bool>,
    /// The least tier that the summon's floor left to this pull, when it was due.
    pub floor: Option<RarityId>,
    /// Which summon of those from these seeds.
    pub nonce: u64,
    /// The player's pity after it.
    pub pity_after: Pity,
    /// The player's pity before it.
    pub pity_before: Pity,
    /// Whose pull.
    pub player: PlayerId,
    /// The HMAC of all the rest, 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub seal: String,
    /// The server seed, 64 hexadecimal digits, once it was replaced.
    pub server_seed: Option<String>,
    /// Its place in the summon.
    pub slot: u32,
    /// What was drawn.
    pub species: SpeciesId,
    /// What was drawn from, in order.
    pub steps: Vec<Step>,
    /// The tier of what was drawn.
    pub tier: RarityId,
    /// The form of the receipt.
    pub version: u32,
}

/// One thing that was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The number that was drawn; none where there was only one part.
    pub drawn: Option<u64>,
    /// What could be, and its weight.
    pub parts: Vec<(String, u64)>,
    /// What was decided: the `tier`, the `side` (featured or other), the `item`.
    pub what: What,
}

/// What a step decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The tier.
    Tier,
    /// Whether it is featured.
    Side,
    /// The item.
    Item,
}

/// Where a pull stands: whose, paid how, under which seeds.
#[derive(Clone, Debug)]
pub struct Circumstances<'a> {
    /// Whose pull.
    pub player: &'a PlayerId,
    /// How it was paid.
    pub cost: &'a CostOption,
    /// The catalog that was in force.
    pub catalog: CatalogHash,
    /// The server seed; it is in the receipt only when it `is_revealed`.
    pub server_seed: &'a ServerSeed,
    /// Whether it was replaced, and may be shown.
    pub is_revealed: bool,
    /// The player's own part of the seed.
    pub client_seed: &'a ClientSeed,
    /// Which summon of those from these seeds.
    pub nonce: u64,
}

/// Why a receipt proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReceiptFault {
    /// Not a receipt, or not in the form that is sealed.
    #[error("is not a receipt in its one form: {0}")]
    Form(String),
    /// The seed is still in use.
    #[error("has no server seed yet: it is shown when it is replaced")]
    NotRevealed,
    /// The seed is not the one that was committed to.
    #[error("the server seed is not the one that was committed to")]
    Commitment,
    /// Something was changed.
    #[error("the seal does not fit: something was changed")]
    Seal,
    /// A number is not what the seeds give.
    #[error("step {step} has {found:?}, the seeds give {expected:?}")]
    Draw {
        /// Which step, from 0.
        step: usize,
        /// What it says.
        found: Option<u64>,
        /// What it should say.
        expected: Option<u64>,
    },
    /// What was given is not what was drawn.
    #[error("step {step} gives {expected}, the receipt says {found}")]
    Outcome {
        /// Which step, from 0.
        step: usize,
        /// What the receipt says.
        found: String,
        /// What it should say.
        expected: String,
    },
    /// The catalog says otherwise.
    #[error("the catalog {0} says otherwise: {1}")]
    Catalog(CatalogHash, String),
}

impl Receipt {
    /// Makes the receipt of a pull from `banner`, and seals it.
    #[must_use]
    pub fn of(banner: &Banner, pulled: &Pulled, at: &Circumstances<'_>) -> Self {
        let mut receipt = Self {
            banner: banner.id.clone(),
            catalog: at.catalog.to_string(),
            client_seed: at.client_seed.clone(),
            commitment: at.server_seed.commitment().to_string(),
            cost: at.cost.id.clone(),
            featured: pulled.featured,
            floor: pulled.floor.clone(),
            nonce: at.nonce,
            pity_after: pulled.after.clone(),
            pity_before: pulled.before.clone(),
            player: at.player.clone(),
            seal: String::new(),
            server_seed: at.is_revealed.then(|| hex::encode(at.server_seed.reveal())),
            slot: pulled.slot,
            species: pulled.species.clone(),
            steps: steps(banner, at.cost, pulled),
            tier: pulled.tier.clone(),
            version: VERSION,
        };
        receipt.seal = receipt.sealed_by(at.server_seed);
        receipt
    }

    /// Reads one line.
    ///
    /// # Errors
    ///
    /// [`ReceiptFault::Form`] when it is anything but the one way to write this receipt.
    pub fn parse(text: &str) -> Result<Self, ReceiptFault> {
        let form = |reason: String| ReceiptFault::Form(reason);
        let receipt: Self = serde_json::from_str(text).map_err(|error| form(error.to_string()))?;
        if receipt.version != VERSION {
            return Err(form(format!("version {} is not known", receipt.version)));
        }
        if receipt.text() != text {
            return Err(form("the same can be said in one way only".to_owned()));
        }
        Ok(receipt)
    }

    /// The one line.
    #[must_use]
    pub fn text(&self) -> String {
        // Its maps have keys that are texts: nothing of it cannot be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn sealed_by(&self, seed: &ServerSeed) -> String {
        let unsealed = Self { seal: String::new(), ..self.clone() };
        hex::encode(seed.seal(unsealed.text().as_bytes()))
    }

    /// Proves it by itself: the seed is the one committed to, the draws are its own, and what was drawn is what was given.
    ///
    /// # Errors
    ///
    /// [`ReceiptFault`] says what is wrong.
    pub fn verify(&self) -> Result<(), ReceiptFault> {
        let Some(seed) = &self.server_seed else { return Err(ReceiptFault::NotRevealed) };
        let mut bytes = [0; 32];
        hex::decode_to_slice(seed, &mut bytes).map_err(|error| ReceiptFault::Form(error.to_string()))?;
        let seed = ServerSeed::new(bytes);
        if seed.commitment().to_string() != self.commitment {
            return Err(ReceiptFault::Commitment);
        }
        if self.sealed_by(&seed) != self.seal {
            return Err(ReceiptFault::Seal);
        }
        let mut draws = FairDraws::new(&seed, &self.client_seed, self.nonce);
        Draws::begin(&mut draws, self.slot);
        for (step, decided) in self.steps.iter().enumerate() {
            let given = decided.given(step, &mut draws)?;
            let found = match decided.what {
                What::Tier => self.tier.as_str(),
                What::Side if self.featured == Some(true) => "featured",
                What::Side => "other",
                What::Item => self.species.as_str(),
            };
            if given != found {
                let (found, expected) = (found.to_owned(), given.to_owned());
                return Err(ReceiptFault::Outcome { step, found, expected });
            }
        }
        Ok(())
    }

    /// Proves it against the catalog that it names, too: what was drawn from, and what it meant for the pity, is what the catalog says.
    ///
    /// # Errors
    ///
    /// [`ReceiptFault`] says what is wrong.
    pub fn verify_with(&self, banners: &Banners) -> Result<(), ReceiptFault> {
        self.verify()?;
        let fault = |reason: &str| ReceiptFault::Catalog(banners.hash, reason.to_owned());
        if banners.hash.to_string() != self.catalog {
            return Err(fault("it is another one"));
        }
        let banner = banners.get(&self.banner).ok_or_else(|| fault("there is no such banner"))?;
        let cost = banner.cost(&self.cost).ok_or_else(|| fault("there is no such cost"))?;
        let mut drawn = Told(self.steps.iter().filter_map(|step| step.drawn).collect());
        let mut play = Play::new(banner, cost.how(), &self.pity_before);
        let floor = match (&self.floor, &banner.loot) {
            (None, _) => None,
            (Some(_), Loot::Box(_)) => return Err(fault("a box has no floor")),
            (Some(floor), Loot::Tiers(tiers)) => tiers.slots.iter().position(|slot| slot.tier == *floor),
        };
        let again = play.step(floor, &mut drawn);
        if (again.species, again.tier, again.featured) != (&self.species, &self.tier, self.featured) {
            return Err(fault("it gives another item"));
        }
        if play.pity(&self.pity_before) != self.pity_after {
            return Err(fault("it leads to another pity"));
        }
        let pulled = Pulled {
            slot: self.slot,
            species: self.species.clone(),
            tier: self.tier.clone(),
            featured: self.featured,
            floor: self.floor.clone(),
            before: self.pity_before.clone(),
            after: self.pity_after.clone(),
            draws: self.steps.iter().filter_map(|step| step.drawn).collect(),
        };
        if steps(banner, cost, &pulled) != self.steps {
            return Err(fault("it draws from something else"));
        }
        Ok(())
    }
}

impl Step {
    /// The name of the part that the draws give.
    fn given(&self, step: usize, draws: &mut FairDraws) -> Result<&str, ReceiptFault> {
        let form = |reason: &str| ReceiptFault::Form(format!("step {step} {reason}"));
        let sum = self.parts.iter().try_fold(0_u64, |sum, (_, weight)| sum.checked_add(*weight));
        let bound = sum.and_then(NonZeroU64::new).ok_or_else(|| form("has no parts"))?;
        let Some(found) = self.drawn else {
            return match self.parts.as_slice() {
                [(only, _)] => Ok(only),
                _ => Err(form("has more than one part and no draw")),
            };
        };
        let expected = draws.below(bound);
        if found != expected {
            return Err(ReceiptFault::Draw { step, found: Some(found), expected: Some(expected) });
        }
        let mut rest = found;
        for (name, weight) in &self.parts {
            let Some(beyond) = rest.checked_sub(*weight) else { return Ok(name) };
            rest = beyond;
        }
        Err(form("has no part there"))
    }
}

/// Draws what a receipt says was drawn; what is out of bounds becomes 0, and another outcome.
struct Told(Vec<u64>);

impl Draws for Told {
    fn below(&mut self, bound: NonZeroU64) -> u64 {
        let drawn = if self.0.is_empty() { 0 } else { self.0.remove(0) };
        if drawn < bound.get() { drawn } else { 0 }
    }
}

/// What a pull was drawn from.
fn steps(banner: &Banner, cost: &CostOption, pulled: &Pulled) -> Vec<Step> {
    let play = Play::new(banner, cost.how(), &pulled.before);
    let mut draws = pulled.draws.iter().copied();
    match &banner.loot {
        Loot::Tiers(tiers) => {
            let state = if cost.resets_pity { *play.state() } else { State::NO_PITY };
            tier_steps(tiers, &state, pulled, &mut draws)
        }
        Loot::Box(loot) => {
            let left = loot.items.iter().zip(play.left()).filter(|(_, left)| **left > 0);
            let parts = left.map(|(item, left)| (item.species.to_string(), u64::from(*left))).collect();
            let item = Step { drawn: draws.next(), parts, what: What::Item };
            let tier = Step { drawn: None, parts: vec![(pulled.tier.to_string(), 1)], what: What::Tier };
            vec![item, tier]
        }
    }
}

fn tier_steps(tiers: &Tiers, state: &State, pulled: &Pulled, draws: &mut impl Iterator<Item = u64>) -> Vec<Step> {
    let place = |tier: &RarityId| tiers.slots.iter().position(|slot| slot.tier == *tier);
    let floor = state.floor(tiers, pulled.floor.as_ref().and_then(place));
    let shares = tiers.slots.iter().zip(state.shares(&tiers.slots, floor));
    let parts = shares.map(|(slot, share)| (slot.tier.to_string(), u64::from(share.parts())));
    let parts = parts.filter(|(_, weight)| *weight > 0).collect();
    let mut steps = vec![Step { drawn: draws.next(), parts, what: What::Tier }];
    let Some(hit) = place(&pulled.tier) else { return steps };
    let (slot, luck) = (&tiers.slots[hit], state.lucks[hit]);
    let scheme = slot.choice.scheme();
    if let Some(certain) = scheme.certain(luck) {
        steps.push(Step { drawn: None, parts: vec![(slot.items[certain].to_string(), 1)], what: What::Item });
        return steps;
    }
    let billion = BILLION.get();
    if let Some(share) = scheme.featured(luck) {
        let featured = u64::from(share.parts());
        let parts = [("featured", featured), ("other", billion.saturating_sub(featured))];
        let parts: Vec<_> = parts.into_iter().filter(|(_, weight)| *weight > 0).collect();
        let drawn = if parts.len() > 1 { draws.next() } else { None };
        let parts = parts.into_iter().map(|(name, weight)| (name.to_owned(), weight)).collect();
        steps.push(Step { drawn, parts, what: What::Side });
    }
    let side = scheme.side(pulled.featured == Some(true));
    let parts = side.iter().map(|(place, weight)| (slot.items[place].to_string(), weight)).collect();
    steps.push(Step { drawn: draws.next(), parts, what: What::Item });
    steps
}
