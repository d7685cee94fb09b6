//! What a summon comes to. Decides before anything is written.

use auric_catalog::CatalogHash;
use auric_db::StoreError;
use auric_ids::{AssetId, BannerId, OperationId, PityGroupId, TraceId};
use auric_summon::domain::{Ask, FairDraws, Outcome, Pity, Plan, Price, Pull, Pulled, esprit_of, pulls};
use auric_time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Offer, Opened};

/// The answer that a key has for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The summon's name.
    pub operation: OperationId,
    /// When.
    pub time: Timestamp,
    /// What it came to.
    pub what: What,
}

/// What a summon came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "nearly every summon is delivered")]
pub enum What {
    /// It was paid and delivered.
    Delivered {
        /// What was asked.
        plan: Plan,
        /// What was drawn.
        outcome: Outcome,
    },
    /// A rule said no; nothing was paid and nothing drawn.
    Refused(Refusal),
}

/// Which rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Nobody can summon from the banner now.
    BannerClosed {
        /// Which.
        banner: BannerId,
        /// Why, for a person.
        why: String,
    },
    /// The player has too little.
    InsufficientFunds {
        /// Of which asset.
        asset: AssetId,
        /// How many units there are.
        available: u64,
        /// How many are asked for.
        asked: u64,
    },
}

/// What is to be written.
#[derive(Debug)]
pub struct Written {
    /// The answer, under the key.
    pub answer: Answer,
    /// What else changes; nothing when it was refused.
    pub delivery: Option<Delivery>,
}

/// What a delivered summon changes.
#[derive(Debug)]
pub struct Delivery {
    /// What is paid.
    pub price: Price,
    /// What is left of it.
    pub available_after: u64,
    /// The entry's number.
    pub number: u64,
    /// The entry's hash.
    pub hash: [u8; 32],
    /// The trace that it is of.
    pub trace_id: TraceId,
    /// The catalog that was drawn from.
    pub catalog: CatalogHash,
    /// The banner's group.
    pub group: PityGroupId,
    /// What was drawn.
    pub pulls: Vec<Pull>,
    /// The player's pity, as JSON.
    pub pity: String,
    /// Pulls in the log.
    pub pulls_after: u64,
    /// The player's counter of summons.
    pub nonce_after: u64,
    /// Esprits that were ever delivered.
    pub esprits_after: u64,
}

/// Decides.
///
/// # Errors
///
/// [`StoreError::Corrupt`] when what was drawn cannot be written.
pub fn decide(
    ask: &Ask,
    offer: Offer<'_>,
    opened: &Opened,
    operation: OperationId,
    trace_id: &TraceId,
) -> Result<Written, StoreError> {
    let time = opened.now;
    let refused = |operation, refusal| Written {
        answer: Answer { operation, time, what: What::Refused(refusal) },
        delivery: None,
    };
    if let Err(closed) = offer.banner.check_open(time) {
        return Ok(refused(operation, Refusal::BannerClosed { banner: ask.banner.clone(), why: closed.to_string() }));
    }
    let price = offer.price(ask.wanted.count()).ok_or_else(|| corrupt("what is free is not summoned here"))?;
    let Some(available_after) = opened.available.checked_sub(price.amount.units()) else {
        let (asset, available, asked) = (price.asset, opened.available, price.amount.units());
        return Ok(refused(operation, Refusal::InsufficientFunds { asset, available, asked }));
    };

    let player = &opened.player;
    let mut draws = FairDraws::new(&player.seeds.server, &player.seeds.client, player.nonce);
    let drawn = pulls(offer.banner, offer.cost, ask.wanted.count(), &opened.pity, &mut draws);
    let pity = drawn.last().map_or_else(|| json(&opened.pity), |last| json(&last.after))?;
    let numbers = opened.pulls.saturating_add(1)..;
    let pulls: Vec<Pull> =
        numbers.zip(drawn).map(|(number, pulled)| pull(&operation, number, pulled)).collect::<Result<_, _>>()?;
    let count = u64::from(ask.wanted.count());
    let number = player.last_number.saturating_add(1);
    let delivery = Delivery {
        available_after,
        number,
        hash: chained(&player.last_hash, number, &price, available_after, ask, time),
        trace_id: trace_id.clone(),
        catalog: offer.banners.hash,
        group: offer.banner.group.id.clone(),
        pulls: pulls.clone(),
        pity,
        pulls_after: opened.pulls.saturating_add(count),
        nonce_after: player.nonce.saturating_add(1),
        esprits_after: player.esprits.saturating_add(count),
        price,
    };
    let what = What::Delivered {
        plan: offer.plan(ask.wanted.count()),
        outcome: Outcome { nonce: player.nonce, epoch: 0, pulls },
    };
    Ok(Written { answer: Answer { operation, time, what }, delivery: Some(delivery) })
}

fn pull(operation: &OperationId, number: u64, pulled: Pulled) -> Result<Pull, StoreError> {
    Ok(Pull {
        number,
        slot: pulled.slot,
        esprit: esprit_of(operation, pulled.slot).map_err(corrupt)?,
        species: pulled.species,
        rarity: pulled.tier,
        featured: pulled.featured,
        before: json(&pulled.before)?,
        after: json(&pulled.after)?,
        draws: pulled.draws,
    })
}

/// The chain over this entry and the one before it.
fn chained(before: &[u8; 32], number: u64, price: &Price, after: u64, ask: &Ask, time: Timestamp) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(before);
    for number in [number, price.amount.units(), after] {
        hash.update(number.to_be_bytes());
    }
    for text in [ask.player.as_str(), price.asset.as_str(), ask.key.caller.as_str(), ask.key.key.as_str()] {
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    hash.update(time.micros().to_be_bytes());
    hash.finalize().into()
}

fn json(pity: &Pity) -> Result<String, StoreError> {
    serde_json::to_string(pity).map_err(corrupt)
}

fn corrupt(fault: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(fault.to_string())
}
