//! BEGIN and DECIDE of a summon, on the book of one batch.
//!
//! Nothing of a draw exists before DECIDE, and nothing of it on ABORT: pity, nonce, free summons and limits change with the decision or not at all.

use std::time::Duration;

use auric_ids::{OperationId, PlayerId};
use auric_keys::MutationKey;
use auric_time::Timestamp;
use auric_twophase::{Begun, Decided, Decision, NewOperation, Operation};

use super::book::{Book, LoggedPull, UseKey};
use super::change::{Keyed, Told, change, seed};
use super::operation::{Ask, BadField, Outcome, Plan, Price, Pull, Refusal, Unstored, esprit_of};
use super::{Banner, Banners, CostOption, FairDraws, Payment, Period, Pity, Pulled, pulls};

/// One thing that a batch does.
#[derive(Clone, Debug)]
pub enum Work {
    /// Begins a summon, or finds the one that its key has.
    Begin(Box<Begin>),
    /// Decides one.
    Decide(Box<Decide>),
    /// Makes an operation of what only a participant knows of.
    Adopt {
        /// Whose.
        player: PlayerId,
        /// Which.
        id: OperationId,
        /// Under whose name.
        key: MutationKey,
    },
    /// Gives a player seeds who has none.
    Seed {
        /// Whose.
        player: PlayerId,
        /// The server's part if it is needed, drawn at random.
        fresh_seed: [u8; 32],
    },
    /// Changes seeds or a path.
    Change(Box<Keyed>),
}

/// A summon that is to be begun.
#[derive(Clone, Debug)]
pub struct Begin {
    /// What is asked.
    pub ask: Ask,
    /// The name of the operation if it is begun here, drawn at random.
    pub id: OperationId,
    /// The server's seed of a player who has none, drawn at random.
    pub fresh_seed: [u8; 32],
    /// How long its copy has it for itself.
    pub lease: Duration,
}

/// A summon that is to be decided.
#[derive(Clone, Debug)]
pub struct Decide {
    /// The operation as it was begun.
    pub operation: Operation,
    /// What was begun; nothing when it cannot be read, which only an ABORT survives.
    pub plan: Option<Plan>,
    /// Why not; nothing when every participant said yes.
    pub proposal: Option<Decision>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This is the operation under the key.
    Begun {
        /// As it stands.
        operation: Box<Operation>,
        /// Whether it was begun by this work.
        is_new: bool,
    },
    /// This is the operation, decided by this work or before.
    Decided(Box<Operation>),
    /// It is in the log.
    Adopted,
    /// Nothing was begun, and nothing is stored.
    Unstored(Unstored),
    /// The operation is not in the log.
    Unknown,
    /// The player has seeds.
    Seeded,
    /// What became of a change.
    Changed(Box<Told>),
}

/// Where draws find the catalog that a summon was begun under.
pub trait Catalogs {
    /// The catalog in force.
    fn current(&self) -> &Banners;

    /// The catalog of that hash, if it was ever in force here.
    fn of(&self, hash: auric_catalog::CatalogHash) -> Option<&Banners>;
}

/// Does `work` on `book`.
pub fn decide(book: &mut Book, catalogs: &impl Catalogs, work: &Work) -> Verdict {
    match work {
        Work::Begin(work) => begin(book, catalogs.current(), work),
        Work::Decide(work) => settle(book, catalogs, work),
        Work::Adopt { player, id, key } => {
            let why = "a participant held something for it, and nobody knew of it".to_owned();
            let now = book.time_for(player);
            book.log.adopt(player.clone(), id.clone(), key.clone(), why, now);
            Verdict::Adopted
        }
        Work::Seed { player, fresh_seed } => {
            seed(book, player, fresh_seed);
            Verdict::Seeded
        }
        Work::Change(keyed) => Verdict::Changed(Box::new(change(book, catalogs.current(), keyed))),
    }
}

fn begin(book: &mut Book, banners: &Banners, work: &Begin) -> Verdict {
    let Begin { ask, id, fresh_seed, lease } = work;
    let fingerprint = ask.fingerprint();
    match book.log.find(&ask.key, &fingerprint) {
        Begun::Reused(fields) => return Verdict::Unstored(Unstored::KeyReused { fields }),
        Begun::Operation(operation) => return Verdict::Begun { operation, is_new: false },
        Begun::Nothing | Begun::GivenUp => {}
    }
    let (banner, cost) = match find(banners, ask) {
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
        plan: text(&plan(banners, banner, cost, (ask.count, epoch))),
        refusal: refusal(book, banner, cost, ask, now).as_ref().map(text),
    };
    let operation = book.log.begin(new, now, *lease);
    Verdict::Begun { operation: Box::new(operation), is_new: true }
}

fn find<'a>(banners: &'a Banners, ask: &Ask) -> Result<(&'a Banner, &'a CostOption), Unstored> {
    let Some(banner) = banners.get(&ask.banner) else { return Err(Unstored::BannerNotFound(ask.banner.clone())) };
    let named = match &ask.cost {
        Some(id) => banner.cost(id),
        None => banner.costs.first(),
    };
    let Some(cost) = named else {
        let known: Vec<&str> = banner.costs.iter().map(|cost| cost.id.as_str()).collect();
        let asked = ask.cost.as_ref().map_or("", auric_ids::CostId::as_str);
        let fault = format!("{asked} is no cost option of {}; it has {}", banner.id, known.join(", "));
        return Err(Unstored::Invalid(BadField { path: "cost_id", fault }));
    };
    if !banner.allows(cost, ask.count) {
        let counts: Vec<String> =
            banner.counts.iter().filter(|count| banner.allows(cost, **count)).map(ToString::to_string).collect();
        let fault = format!("{} is no count of {} by {}; it has {}", ask.count, banner.id, cost.id, counts.join(", "));
        return Err(Unstored::Invalid(BadField { path: "count", fault }));
    }
    Ok((banner, cost))
}

fn plan(banners: &Banners, banner: &Banner, cost: &CostOption, (count, epoch): (u32, Option<u64>)) -> Plan {
    Plan {
        banner: banner.id.clone(),
        cost: cost.id.clone(),
        count,
        price: cost.total(count).map(|(asset, amount)| Price { asset: asset.clone(), amount }),
        group: banner.group.id.clone(),
        catalog: banners.hash,
        esprits: banners.esprits_hash,
        epoch,
    }
}

/// What the rules of the banner say: before anyone is asked, when it is begun.
fn refusal(book: &Book, banner: &Banner, cost: &CostOption, ask: &Ask, now: Timestamp) -> Option<Refusal> {
    if let Err(closed) = banner.check_open(now) {
        return Some(Refusal::BannerClosed { banner: banner.id.clone(), why: closed.to_string() });
    }
    used_up(book, banner, cost, &ask.player, ask.count, now)
}

/// What the player's own periods say: when it is begun, and again when it is decided.
fn used_up(
    book: &Book,
    banner: &Banner,
    cost: &CostOption,
    player: &PlayerId,
    count: u32,
    now: Timestamp,
) -> Option<Refusal> {
    if let Payment::Free { period } = &cost.payment
        && book.used(&free_use(player, banner, cost), period.id_at(now).as_str()) > 0
    {
        let again_at = period.ends_at(now);
        return Some(Refusal::FreeUsed { banner: banner.id.clone(), cost: cost.id.clone(), again_at });
    }
    let limit = banner.limit.as_ref()?;
    let used = book.used(&limit_use(player, banner), limit.period.id_at(now).as_str());
    let left = limit.pulls.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX));
    (count > left).then(|| Refusal::LimitReached {
        banner: banner.id.clone(),
        limit: limit.pulls,
        left,
        count,
        again_at: limit.period.ends_at(now),
    })
}

/// What counts the free summons of a cost option.
#[must_use]
pub fn free_use(player: &PlayerId, banner: &Banner, cost: &CostOption) -> UseKey {
    UseKey { player: player.clone(), banner: banner.id.clone(), what: cost.id.to_string() }
}

/// What counts the pulls of a banner with a limit.
#[must_use]
pub fn limit_use(player: &PlayerId, banner: &Banner) -> UseKey {
    UseKey { player: player.clone(), banner: banner.id.clone(), what: String::new() }
}

fn settle(book: &mut Book, catalogs: &impl Catalogs, work: &Decide) -> Verdict {
    let Decide { operation, plan, proposal } = work;
    match book.log.decidable(&operation.id) {
        Decided::Unknown => return Verdict::Unknown,
        Decided::Before(operation) => return Verdict::Decided(operation),
        Decided::Open => {}
    }
    let now = book.time_for(&operation.player);
    let decision = match proposal {
        Some(decision) => decision.clone(),
        None => commit(book, catalogs, operation, plan.as_ref(), now),
    };
    match book.log.decide(&operation.id, decision, now) {
        Some(decided) => Verdict::Decided(Box::new(decided)),
        None => Verdict::Unknown,
    }
}

/// Draws, unless the player's own periods were used up in the meantime.
fn commit(
    book: &mut Book,
    catalogs: &impl Catalogs,
    operation: &Operation,
    plan: Option<&Plan>,
    now: Timestamp,
) -> Decision {
    let Some(plan) = plan else { return Decision::GiveUp("its plan cannot be read".to_owned()) };
    let found = catalogs.of(plan.catalog).and_then(|banners| {
        let banner = banners.get(&plan.banner)?;
        Some((banner, banner.cost(&plan.cost)?))
    });
    let Some((banner, cost)) = found else {
        return Decision::GiveUp(format!("the catalog {} is not known here", plan.catalog));
    };
    let epoch = book.player(&operation.player).map(|player| player.epoch);
    if plan.epoch.is_some() && plan.epoch != epoch {
        return Decision::GiveUp("the player's seeds were replaced in the meantime".to_owned());
    }
    if let Some(refusal) = used_up(book, banner, cost, &operation.player, plan.count, now) {
        return Decision::Refuse(text(&refusal));
    }
    let Some(outcome) = draw(book, banner, cost, operation, plan, now) else {
        return Decision::GiveUp("the player has no seed to draw from".to_owned());
    };
    note_uses(book, banner, cost, &operation.player, plan.count, now);
    Decision::Commit(text(&outcome))
}

fn note_uses(book: &mut Book, banner: &Banner, cost: &CostOption, player: &PlayerId, count: u32, now: Timestamp) {
    let mut note = |key: UseKey, period: &Period, count: u32| {
        book.use_up(key, period.id_at(now).as_str(), u64::from(count));
    };
    if let Payment::Free { period } = &cost.payment {
        note(free_use(player, banner, cost), period, 1);
    }
    if let Some(limit) = &banner.limit {
        note(limit_use(player, banner), &limit.period, count);
    }
}

fn draw(
    book: &mut Book,
    banner: &Banner,
    cost: &CostOption,
    operation: &Operation,
    plan: &Plan,
    now: Timestamp,
) -> Option<Outcome> {
    let player = book.player(&operation.player)?;
    let (nonce, epoch) = (player.nonce, player.epoch);
    let seeds = player.seeds.as_ref()?;
    let mut draws = FairDraws::new(&seeds.server, &seeds.client, nonce);
    let row = book.pity(&operation.player, &plan.group);
    let drawn = pulls(banner, cost, plan.count, &row.pity, &mut draws);
    let pity = drawn.last().map_or_else(|| row.pity.clone(), |last| last.after.clone());
    let mut number = row.pulls;
    let mut outcome = Outcome { nonce, epoch, pulls: Vec::with_capacity(drawn.len()) };
    for pulled in drawn {
        number = number.saturating_add(1);
        outcome.pulls.push(pull(operation, number, pulled)?);
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
    Some(outcome)
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

/// A value as it is kept.
fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Adds what `work` may touch to what a batch loads.
pub fn touch(keys: &mut super::book::BatchKeys, work: &Work) {
    match work {
        Work::Begin(begin) => {
            let Ask { key, player, banner, .. } = &begin.ask;
            keys.players.insert(player.clone());
            keys.banners.insert((player.clone(), banner.clone()));
            keys.log.keys.insert(key.clone());
        }
        Work::Decide(decide) => {
            let Operation { player, id, .. } = &decide.operation;
            keys.players.insert(player.clone());
            keys.log.operations.insert((player.clone(), id.clone()));
            if let Some(plan) = &decide.plan {
                keys.banners.insert((player.clone(), plan.banner.clone()));
                keys.groups.insert((player.clone(), plan.group.clone()));
            }
        }
        Work::Adopt { player, id, .. } => {
            keys.players.insert(player.clone());
            keys.log.operations.insert((player.clone(), id.clone()));
        }
        Work::Seed { player, .. } => {
            keys.players.insert(player.clone());
        }
        Work::Change(keyed) => keyed.touch(keys),
    }
}

impl Work {
    /// Whose it is: the lane that it goes through.
    #[must_use]
    pub fn player(&self) -> &PlayerId {
        match self {
            Self::Begin(begin) => &begin.ask.player,
            Self::Decide(decide) => &decide.operation.player,
            Self::Adopt { player, .. } | Self::Seed { player, .. } => player,
            Self::Change(keyed) => &keyed.player,
        }
    }
}
