//! BEGIN and DECIDE of an operation that the collection coordinates, on the book of one batch.
//!
//! BEGIN marks the esprits with the operation's id, and fixes versions, cost and refund. Whoever meets a mark is sent away, so that nothing of a
//! marked esprit changes. DECIDE takes the mark off again, in the transaction of the decision, whatever is decided; with COMMIT it does the deed.

use std::collections::BTreeMap;
use std::time::Duration;

use auric_ids::{EspritId, OperationId, PlayerId};
use auric_keys::MutationKey;
use auric_time::Timestamp;
use auric_twophase::{Begun, Decided, Decision, NewOperation, Operation};

use super::operation::{Deed, Denial, Effect, Kind, Plan, Preview, Request, Seen, sum};
use super::{
    Ask, BadField, Book, Catalog, Changed, Esprit, Record, Refusal, Rejection, Rules, Team, Units, Verdict, decide,
};

/// Units that one operation may give of an asset: what every store and every JSON reader can hold.
const UNITS_MAX: u64 = (1 << 53) - 1;

/// One thing that a batch does.
#[derive(Clone, Debug)]
pub enum Work {
    /// Decides a request that is the collection's own.
    Ask(Ask),
    /// Begins an operation, or finds the one that its key has.
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
}

/// An operation that is to be begun.
#[derive(Clone, Debug)]
pub struct Begin {
    /// What is asked.
    pub request: Request,
    /// Its name if it is begun here, drawn at random.
    pub id: OperationId,
    /// How long its copy has it for itself.
    pub lease: Duration,
}

/// An operation that is to be decided.
#[derive(Clone, Debug)]
pub struct Decide {
    /// As it was begun.
    pub operation: Operation,
    /// What it does.
    pub plan: Plan,
    /// Why not; nothing when every participant said yes.
    pub proposal: Option<Decision>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// A request of the collection's own was answered.
    Answered(Verdict),
    /// This is the operation under the key.
    Begun {
        /// As it stands.
        operation: Box<Operation>,
        /// Whether it was begun by this work.
        is_new: bool,
    },
    /// Nothing was begun, and nothing is stored.
    Unstored(Refusal),
    /// This is the operation, decided by this work or before.
    Decided(Box<Operation>),
    /// It is in the log.
    Adopted,
    /// The operation is not in the log.
    Unknown,
}

/// Why a deed cannot be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A rule said no: kept under the key.
    Rejected(Rejection),
    /// Never decided: not kept.
    Refused(Refusal),
}

/// Does `work` on `book`.
pub fn work(book: &mut Book, rules: &Rules, work: &Work) -> Done {
    match work {
        Work::Ask(ask) => Done::Answered(decide(book, rules, ask)),
        Work::Begin(work) => begin(book, rules, work),
        Work::Decide(work) => settle(book, work),
        Work::Adopt { player, id, key } => {
            let why = "a participant held something for it, and nobody knew of it".to_owned();
            let now = book.time_for(player);
            book.log.adopt(player.clone(), id.clone(), key.clone(), why, now);
            Done::Adopted
        }
    }
}

fn begin(book: &mut Book, rules: &Rules, work: &Begin) -> Done {
    let Begin { request, id, lease } = work;
    let fingerprint = request.fingerprint();
    let method = request.deed.kind().method();
    // The key may be one of a request that is the collection's own.
    let record = book.record(&request.key);
    let is_kept = record.is_some();
    if let Some(first) = record.filter(|record| record.fingerprint.digest != fingerprint.digest) {
        let fields = fingerprint.differing_fields(&first.fingerprint);
        return Done::Unstored(Refusal::KeyReused { fields, first_method: first.method.clone() });
    }
    match book.log.find(&request.key, &fingerprint) {
        Begun::Reused(fields) => {
            return Done::Unstored(Refusal::KeyReused { fields, first_method: method.to_owned() });
        }
        Begun::Operation(operation) => return Done::Begun { operation, is_new: false },
        Begun::Nothing | Begun::GivenUp => {}
    }
    let now = book.time_for(&request.player);
    let (plan, refusal) = match draft(book, &rules.catalog, request) {
        Ok(plan) => {
            mark(book, &request.player, &plan.esprits, None, Some(id));
            let player = book.player(&request.player);
            book.put_player(&request.player, player, now);
            (text(&plan), None)
        }
        Err(Stop::Rejected(rejection)) => (String::new(), Some(text(&Denial::Rule(rejection)))),
        Err(Stop::Refused(refusal)) => return Done::Unstored(refusal),
    };
    if !is_kept {
        // One table has all keys, so that no key is a request's of one kind and of another's too.
        let (key, fingerprint) = (request.key.clone(), fingerprint.clone());
        book.keep(Record { key, method: method.to_owned(), fingerprint, outcome: None, time: now });
    }
    let (player, key) = (request.player.clone(), request.key.clone());
    let new = NewOperation { player, id: id.clone(), key, fingerprint, plan, refusal };
    let operation = book.log.begin(new, now, *lease);
    Done::Begun { operation: Box::new(operation), is_new: true }
}

/// What is to be done, for what: fixed here.
fn draft(book: &Book, catalog: &Catalog, request: &Request) -> Result<Plan, Stop> {
    let kind = request.deed.kind();
    let plan = |esprits, cost, refund| Plan { kind, esprits, cost, refund, catalog: catalog.hash };
    match &request.deed {
        Deed::Upgrade { esprit, expected_version } => {
            let found = idle(book, &request.player, esprit)?;
            let seen = Seen { esprit: esprit.clone(), version: found.version };
            check_version(found, *expected_version)?;
            let unknown = || Stop::Refused(Refusal::SpeciesUnknown(found.species.clone()));
            let maximum = catalog.level_max(&found.species).ok_or_else(unknown)?;
            if found.level >= maximum {
                let (esprit, level) = (esprit.clone(), found.level);
                return Err(Stop::Rejected(Rejection::EspritAtLevelMax { esprit, level, maximum }));
            }
            let mut cost = catalog.upgrade_cost(&found.species, found.level).ok_or_else(unknown)?;
            cost.sort_by(|one, other| one.asset.cmp(&other.asset));
            Ok(plan(vec![seen], cost, Vec::new()))
        }
        Deed::Dissolve(Preview { esprits, refund }) => {
            let mut all = Vec::with_capacity(esprits.len());
            for Seen { esprit, version } in esprits {
                let found = idle(book, &request.player, esprit)?;
                check_version(found, Some(*version))?;
                all.push(found);
            }
            let team = book.player(&request.player).team;
            let is_worn_by =
                |id: &EspritId| book.pieces(&request.player).any(|piece| piece.esprit.as_ref() == Some(id));
            let given = refund_of(catalog, &team, is_worn_by, &all)?;
            if given != *refund {
                return Err(Stop::Rejected(Rejection::PreviewOutdated { seen: refund.clone(), found: given }));
            }
            Ok(plan(esprits.clone(), Vec::new(), given))
        }
    }
}

/// What dissolving `esprits` gives, in the order of assets, unless one of them is in use.
///
/// # Errors
///
/// [`Stop`] for the first that is in the way.
pub fn refund_of(
    catalog: &Catalog,
    team: &Team,
    is_worn_by: impl Fn(&EspritId) -> bool,
    esprits: &[&Esprit],
) -> Result<Vec<Units>, Stop> {
    let mut given = Vec::new();
    for Esprit { id, species, locked, .. } in esprits {
        let esprit = id.clone();
        if *locked {
            return Err(Stop::Rejected(Rejection::EspritLocked { esprit }));
        }
        if team.values().any(|member| member == id) {
            return Err(Stop::Rejected(Rejection::EspritInTeam { esprit }));
        }
        if is_worn_by(id) {
            return Err(Stop::Rejected(Rejection::EspritEquipped { esprit }));
        }
        let rewards = catalog.dissolve_rewards(species);
        given.extend(rewards.ok_or_else(|| Stop::Refused(Refusal::SpeciesUnknown(species.clone())))?);
    }
    sum(given, UNITS_MAX).ok_or_else(|| {
        let fault = format!("would give more than {UNITS_MAX} units of an asset: dissolve fewer");
        Stop::Refused(Refusal::Invalid(vec![BadField::new("esprit_ids", fault)]))
    })
}

/// An esprit that is there, and that no operation is about to change.
fn idle<'a>(book: &'a Book, player: &PlayerId, id: &EspritId) -> Result<&'a Esprit, Stop> {
    let Some(esprit) = book.esprit(player, id) else {
        return Err(Stop::Refused(Refusal::EspritNotFound { player: player.clone(), esprit: id.clone() }));
    };
    if let Some(dissolved_at) = esprit.dissolved_at {
        return Err(Stop::Rejected(Rejection::EspritDissolved { esprit: id.clone(), dissolved_at }));
    }
    if let Some(operation) = &esprit.busy {
        let (esprit, operation) = (id.clone(), operation.clone());
        return Err(Stop::Refused(Refusal::EspritBusy { esprit, operation }));
    }
    Ok(esprit)
}

fn check_version(esprit: &Esprit, expected: Option<u64>) -> Result<(), Stop> {
    let (found, id) = (esprit.version, esprit.id.to_string());
    match expected.filter(|expected| *expected != found) {
        Some(expected) => Err(Stop::Rejected(Rejection::StaleVersion { id, expected, found })),
        None => Ok(()),
    }
}

/// Puts the mark `to` on those esprits that have the mark `from`. A mark is no change that anybody sees: the version stays.
fn mark(book: &mut Book, player: &PlayerId, esprits: &[Seen], from: Option<&OperationId>, to: Option<&OperationId>) {
    for Seen { esprit, .. } in esprits {
        let marked = book.esprit(player, esprit).filter(|esprit| esprit.busy.as_ref() == from).cloned();
        if let Some(marked) = marked {
            book.put_esprit(Esprit { busy: to.cloned(), ..marked });
        }
    }
}

fn settle(book: &mut Book, work: &Decide) -> Done {
    let Decide { operation, plan, proposal } = work;
    match book.log.decidable(&operation.id) {
        Decided::Unknown => return Done::Unknown,
        Decided::Before(operation) => return Done::Decided(operation),
        Decided::Open => {}
    }
    let now = book.time_for(&operation.player);
    let decision = match proposal {
        Some(decision) => decision.clone(),
        None => match still_there(book, operation, plan) {
            Ok(esprits) => Decision::Commit(text(&apply(book, operation, plan, esprits, now))),
            Err(rejection) => Decision::Refuse(text(&Denial::Rule(rejection))),
        },
    };
    if !matches!(decision, Decision::Commit(_)) {
        mark(book, &operation.player, &plan.esprits, Some(&operation.id), None);
        let player = book.player(&operation.player);
        book.put_player(&operation.player, player, now);
    }
    match book.log.decide(&operation.id, decision, now) {
        Some(decided) => Done::Decided(Box::new(decided)),
        None => Done::Unknown,
    }
}

/// The esprits of `plan`, if each is as it was when the operation was begun.
fn still_there(book: &Book, operation: &Operation, plan: &Plan) -> Result<Vec<Esprit>, Rejection> {
    let as_it_was = |Seen { esprit, version }: &Seen| {
        let found = book.esprit(&operation.player, esprit);
        let kept = found.filter(|found| found.version == *version && found.busy.as_ref() == Some(&operation.id));
        kept.filter(|kept| kept.dissolved_at.is_none()).cloned().ok_or_else(|| Rejection::StaleVersion {
            id: esprit.to_string(),
            expected: *version,
            found: found.map(|found| found.version).unwrap_or_default(),
        })
    };
    plan.esprits.iter().map(as_it_was).collect()
}

/// Does the deed, and takes the marks off.
fn apply(book: &mut Book, operation: &Operation, plan: &Plan, esprits: Vec<Esprit>, now: Timestamp) -> Effect {
    let id = &operation.player;
    let mut player = book.player(id);
    let mut versions = BTreeMap::new();
    let mut level = None;
    for esprit in esprits {
        let version = esprit.version.saturating_add(1);
        versions.insert(esprit.id.to_string(), version);
        let mut done = Esprit { busy: None, version, updated_at: now, ..esprit };
        match plan.kind {
            Kind::Upgrade => {
                done.level = done.level.saturating_add(1);
                level = Some(done.level);
            }
            Kind::Dissolve => {
                done.dissolved_at = Some(now);
                player.esprits = player.esprits.saturating_sub(1);
            }
        }
        book.put_esprit(done);
    }
    book.put_player(id, player, now);
    let collection_version = book.player(id).version;
    Effect { changed: Changed { player: id.clone(), collection_version, versions, time: now }, level }
}

/// A value as it is kept.
fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl Work {
    /// Whose it is: the lane that it goes through.
    #[must_use]
    pub const fn player(&self) -> &PlayerId {
        match self {
            Self::Ask(ask) => ask.action.player(),
            Self::Begin(begin) => &begin.request.player,
            Self::Decide(decide) => &decide.operation.player,
            Self::Adopt { player, .. } => player,
        }
    }
}
