//! BEGIN: what is asked is held against the catalog and the player's periods, and planned; a rule's no is the operation's end.

use auric_ids::{CostId, PlayerId, SpeciesId};
use auric_time::Timestamp;
use auric_twophase::{Begun, NewOperation};

use super::book::Book;
use super::change::seed;
use super::decide::{Begin, Verdict};
use super::operation::{Ask, BadField, Plan, Price, Refusal, Unstored, Wanted};
use super::uses::used_up;
use super::{Banner, Banners, CostOption, pity};

/// Begins what is asked, or finds the operation that its key has.
pub(super) fn begin(book: &mut Book, banners: &Banners, work: &Begin) -> Verdict {
    let Begin { ask, id, fresh_seed, lease } = work;
    let fingerprint = ask.fingerprint();
    match book.log.find(&ask.key, &fingerprint) {
        Begun::Reused(fields) => {
            let first_method = ask.wanted.first_method(&fields);
            return Verdict::Unstored(Unstored::KeyReused { fields, first_method });
        }
        Begun::Operation(operation) => return Verdict::Begun { operation, is_new: false },
        Begun::Nothing | Begun::GivenUp => {}
    }
    let (banner, way) = match find(banners, ask) {
        Ok(found) => found,
        Err(unstored) => return Verdict::Unstored(unstored),
    };
    let now = book.time_for(&ask.player);
    // Shown, and committed to, before anything is drawn from it.
    seed(book, &ask.player, fresh_seed);
    book.change_player(&ask.player, |player| player.last_time = now);
    let epoch = book.player(&ask.player).map(|player| player.epoch);
    let new = NewOperation {
        player: ask.player.clone(),
        id: id.clone(),
        key: ask.key.clone(),
        fingerprint,
        plan: text(&plan(banners, banner, &way, epoch)),
        refusal: refusal(book, banner, &way, &ask.player, now).as_ref().map(text),
    };
    let operation = book.log.begin(new, now, *lease);
    Verdict::Begun { operation: Box::new(operation), is_new: true }
}

/// What is asked for, as the banner has it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way<'a> {
    /// Draws, paid by this option.
    Draw {
        /// Of the banner's.
        cost: &'a CostOption,
        /// How many.
        count: u32,
    },
    /// An esprit of this species, for spark points.
    Take(&'a SpeciesId),
}

impl<'a> Way<'a> {
    /// What was planned; nothing when `banner` has no such option.
    pub(super) fn of(plan: &'a Plan, banner: &'a Banner) -> Option<Self> {
        match (&plan.spark, &plan.cost) {
            (Some(species), _) => Some(Self::Take(species)),
            (None, cost) => Some(Self::Draw { cost: banner.cost(cost.as_ref()?)?, count: plan.count }),
        }
    }
}

fn find<'a>(banners: &'a Banners, ask: &'a Ask) -> Result<(&'a Banner, Way<'a>), Unstored> {
    let Some(banner) = banners.get(&ask.banner) else { return Err(Unstored::BannerNotFound(ask.banner.clone())) };
    let way = match &ask.wanted {
        Wanted::Pulls { cost, count } => {
            find_cost(banner, cost.as_ref(), *count).map(|cost| Way::Draw { cost, count: *count })
        }
        Wanted::Spark(species) => pity::offered(banner, species)
            .map(|_| Way::Take(species))
            .map_err(|fault| BadField { path: "species_id", fault: fault.to_string() }),
    };
    way.map(|way| (banner.as_ref(), way)).map_err(Unstored::Invalid)
}

fn find_cost<'a>(banner: &'a Banner, asked: Option<&CostId>, count: u32) -> Result<&'a CostOption, BadField> {
    let named = match asked {
        Some(id) => banner.cost(id),
        None => banner.costs.first(),
    };
    let Some(cost) = named else {
        let known: Vec<&str> = banner.costs.iter().map(|cost| cost.id.as_str()).collect();
        let asked = asked.map_or("", CostId::as_str);
        let fault = format!("{asked} is no cost option of {}; it has {}", banner.id, known.join(", "));
        return Err(BadField { path: "cost_id", fault });
    };
    if !banner.allows(cost, count) {
        let counts: Vec<String> =
            banner.counts.iter().filter(|count| banner.allows(cost, **count)).map(ToString::to_string).collect();
        let fault = format!("{count} is no count of {} by {}; it has {}", banner.id, cost.id, counts.join(", "));
        return Err(BadField { path: "count", fault });
    }
    Ok(cost)
}

fn plan(banners: &Banners, banner: &Banner, way: &Way<'_>, epoch: Option<u64>) -> Plan {
    let (cost, count, spark) = match way {
        Way::Draw { cost, count } => (Some(cost), *count, None),
        Way::Take(species) => (None, 1, Some((*species).clone())),
    };
    let price = cost.and_then(|cost| cost.total(count));
    Plan {
        banner: banner.id.clone(),
        cost: cost.map(|cost| cost.id.clone()),
        spark,
        count,
        price: price.map(|(asset, amount)| Price { asset: asset.clone(), amount }),
        group: banner.group.id.clone(),
        catalog: banners.hash,
        esprits: banners.esprits_hash,
        epoch,
    }
}

/// What the rules of the banner say: before anyone is asked, when it is begun.
fn refusal(book: &Book, banner: &Banner, way: &Way<'_>, player: &PlayerId, now: Timestamp) -> Option<Refusal> {
    if let Err(closed) = banner.check_open(now) {
        return Some(Refusal::BannerClosed { banner: banner.id.clone(), why: closed.to_string() });
    }
    match way {
        Way::Draw { cost, count } => used_up(book, banner, cost, player, *count, now),
        // Points are counted once, when it is decided.
        Way::Take(_) => None,
    }
}

/// A value as it is kept.
pub(super) fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
