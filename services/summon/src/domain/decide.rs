//! BEGIN and DECIDE of a summon, on the book of one batch.
//!
//! Nothing of a draw exists before DECIDE, and nothing of it on ABORT: pity, nonce, free summons and limits change with the decision or not at all.

use std::time::Duration;

use auric_ids::{OperationId, PlayerId};
use auric_keys::MutationKey;
use auric_time::Timestamp;
use auric_twophase::{Decided, Decision, Operation};

use super::Banners;
use super::begin::{Way, begin, text};
use super::book::Book;
use super::change::{Keyed, Told, change, seed};
use super::deed::{Deed, NoDeed};
use super::operation::{Ask, Plan, Unstored};
use super::uses::{note_uses, used_up};

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

/// Draws or takes, unless the player's periods or points were used up in the meantime.
fn commit(
    book: &mut Book,
    catalogs: &impl Catalogs,
    operation: &Operation,
    plan: Option<&Plan>,
    now: Timestamp,
) -> Decision {
    let Some(plan) = plan else { return Decision::GiveUp("its plan cannot be read".to_owned()) };
    let banner = catalogs.of(plan.catalog).and_then(|banners| banners.get(&plan.banner));
    let Some((banner, way)) = banner.and_then(|banner| Some((banner, Way::of(plan, banner)?))) else {
        return Decision::GiveUp(format!("the catalog {} is not known here", plan.catalog));
    };
    let epoch = book.player(&operation.player).map(|player| player.epoch);
    if plan.epoch.is_some() && plan.epoch != epoch {
        return Decision::GiveUp("the player's seeds were replaced in the meantime".to_owned());
    }
    let deed = Deed { banner, operation, plan, now };
    let done = match way {
        Way::Take(species) => deed.take(book, species),
        Way::Draw { cost, count } => {
            if let Some(refusal) = used_up(book, banner, cost, &operation.player, count, now) {
                return Decision::Refuse(text(&refusal));
            }
            deed.draw(book, cost).inspect(|_| note_uses(book, banner, cost, &operation.player, count, now))
        }
    };
    match done {
        Ok(outcome) => Decision::Commit(text(&outcome)),
        Err(NoDeed::Refused(refusal)) => Decision::Refuse(text(&refusal)),
        Err(NoDeed::NoSeed) => Decision::GiveUp("the player has no seed to draw from".to_owned()),
    }
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
