//! What the collection coordinates: whether each upgrade and each dissolve is paid as it was planned if and only if it was done.
//!
//! Open holds are read before the log: BEGIN is durable before anybody is asked for anything, so that whatever is not in the log then was never begun.
//! Esprits are read after the part of the log that names them: one that is behind is a fault, one that is ahead may have been changed since, and is
//! held against the log once more. The log is in the order of players, so that no more than one player's esprits are kept, and those that are ahead.

mod compare;

use std::collections::{BTreeMap, HashMap};

use auric_api::collection::v1::{GetEspritRequest, ListOperationsRequest, Operation, Units};
use auric_api::wallet::v1 as wallet;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::ProgressBar;

use super::compare::{Kind, hold_word};
use super::read::{Services, found};
use super::{AT_ONCE, FaultDocument, PAGE, Report};
use crate::commands::collection::operations;
use crate::fault::Fault;
use compare::{Amounts, Hold, Seen, Standing, Tally, Told, compare, compare_esprit};

/// Who coordinates upgrades and dissolves: the caller of their holds, and what the names of those begin with.
const COORDINATOR: &str = "collection";

/// An esprit of a player.
type Named = (String, String);

/// An esprit to which more was done than the log said.
struct Suspect {
    seen: Option<Seen>,
    tally: Tally,
}

/// Compares everything that the collection coordinates.
pub async fn verify(services: &Services, report: &mut Report, bar: &ProgressBar) -> Result<(), Fault> {
    let mut open = open_holds(services).await?;
    report.holds_open = report.holds_open.saturating_add(super::count(open.len()));
    let mut suspects: HashMap<Named, Suspect> = HashMap::new();
    let mut tallies: BTreeMap<Named, Tally> = BTreeMap::new();
    let mut token = String::new();
    loop {
        let (page, next) = page(services, token).await?;
        let compared = stream::iter(page).map(async |told| {
            let hold = hold(services, &told.operation_id).await?;
            Ok::<_, Fault>((told, hold))
        });
        let compared: Vec<(Told, Option<Hold>)> = compared.buffered(AT_ONCE).try_collect().await?;
        for (told, hold) in compared {
            open.remove(&told.operation_id);
            report.note(&told.operation_id, &told.player_id, compare(&told, hold.as_ref()));
            if tallies.keys().next().is_some_and(|(player, _)| *player != told.player_id) {
                esprits(services, std::mem::take(&mut tallies), report, &mut suspects).await?;
            }
            add_up(&told, &mut tallies);
        }
        bar.set_message(format!("{} operations", report.operations_compared));
        token = next;
        if token.is_empty() {
            break;
        }
    }
    esprits(services, tallies, report, &mut suspects).await?;
    look_again(services, suspects, report).await?;
    report.faults.extend(open.into_iter().map(|(operation_id, (player_id, state))| FaultDocument {
        operation_id,
        player_id,
        kind: Kind::HoldWithoutOperation,
        message: format!("a hold is {state}, and no operation made it"),
    }));
    Ok(())
}

/// Adds what `told` did to what was done to its esprits before.
fn add_up(told: &Told, tallies: &mut BTreeMap<Named, Tally>) {
    for esprit in &told.esprits {
        let tally = tallies.entry((told.player_id.clone(), esprit.clone())).or_default();
        told.operation_id.clone_into(&mut tally.operation_id);
        match told.kind.as_str() {
            "upgrade" if told.is_commit() => tally.raised = tally.raised.saturating_add(1),
            "dissolve" if told.is_commit() => tally.dissolved = tally.dissolved.saturating_add(1),
            _ => {}
        }
    }
}

/// Compares one player's esprits with what was done to them; those that are ahead become suspects.
async fn esprits(
    services: &Services,
    tallies: BTreeMap<Named, Tally>,
    report: &mut Report,
    suspects: &mut HashMap<Named, Suspect>,
) -> Result<(), Fault> {
    let read = stream::iter(tallies).map(async |(named, tally)| {
        let seen = esprit(services, &named).await?;
        Ok::<_, Fault>((named, tally, seen))
    });
    let read: Vec<(Named, Tally, Option<Seen>)> = read.buffered(AT_ONCE).try_collect().await?;
    for (named, tally, seen) in read {
        match compare_esprit(&named.1, &tally, seen) {
            Standing::Agrees => {}
            Standing::Differs(message) => report.faults.push(differs(&named, &tally, message)),
            Standing::Ahead(_) => drop(suspects.insert(named, Suspect { seen, tally })),
        }
    }
    Ok(())
}

/// Reads the log once more, and compares the suspects as they were seen before with what it says now.
async fn look_again(services: &Services, suspects: HashMap<Named, Suspect>, report: &mut Report) -> Result<(), Fault> {
    if suspects.is_empty() {
        return Ok(());
    }
    let mut tallies: BTreeMap<Named, Tally> = BTreeMap::new();
    let mut token = String::new();
    loop {
        let (page, next) = page(services, token).await?;
        for told in page {
            let is_suspect = |esprit: &String| suspects.contains_key(&(told.player_id.clone(), esprit.clone()));
            let esprits = told.esprits.iter().filter(|esprit| is_suspect(esprit)).cloned().collect();
            add_up(&Told { esprits, ..told }, &mut tallies);
        }
        token = next;
        if token.is_empty() {
            break;
        }
    }
    for (named, suspect) in suspects {
        let tally = tallies.remove(&named).unwrap_or(suspect.tally);
        // Whatever was done since then is no fault; it was seen before that.
        if let Standing::Ahead(message) = compare_esprit(&named.1, &tally, suspect.seen) {
            report.faults.push(differs(&named, &tally, message));
        }
    }
    Ok(())
}

fn differs((player, _): &Named, tally: &Tally, message: String) -> FaultDocument {
    let (operation_id, player_id) = (tally.operation_id.clone(), player.clone());
    FaultDocument { operation_id, player_id, kind: Kind::EspritDiffers, message }
}

/// Reads a page of the log, and the next one's token.
async fn page(services: &Services, page_token: String) -> Result<(Vec<Told>, String), Fault> {
    let ask = ListOperationsRequest { all: true, page_size: PAGE, page_token };
    let (operations, next) = operations::page(&services.collection, ask).await?;
    Ok((operations.into_iter().map(told_of).collect(), next))
}

/// Reads an esprit as it is now.
async fn esprit(services: &Services, (player, esprit): &Named) -> Result<Option<Seen>, Fault> {
    let client = &services.collection;
    let (player_id, esprit_id) = (player.clone(), esprit.clone());
    let request = client.request(GetEspritRequest { player_id, esprit_id, uncached: true })?;
    let answer = found(client, client.collection().get_esprit(request).await)?;
    let seen = |esprit: auric_api::collection::v1::Esprit| Seen {
        level: esprit.level,
        is_dissolved: esprit.dissolve_time.is_some(),
    };
    Ok(answer.and_then(|answer| answer.esprit).map(seen))
}

/// Reads the hold of an operation.
async fn hold(services: &Services, operation_id: &str) -> Result<Option<Hold>, Fault> {
    let client = &services.wallet;
    let request = client.request(wallet::GetHoldRequest { hold_id: format!("{COORDINATOR}:{operation_id}") })?;
    let answer = found(client, client.wallet().get_hold(request).await)?;
    Ok(answer.and_then(|answer| answer.hold).map(|hold| hold_of(&hold)))
}

/// Reads every open hold of the coordinator, by its operation: whose it is, and how it stands.
async fn open_holds(services: &Services) -> Result<BTreeMap<String, (String, &'static str)>, Fault> {
    let client = &services.wallet;
    let mut open = BTreeMap::new();
    let mut page_token = String::new();
    loop {
        let request = client.request(wallet::ListHoldsRequest {
            caller: COORDINATOR.to_owned(),
            page_size: PAGE,
            page_token,
            ..wallet::ListHoldsRequest::default()
        })?;
        let page = client.wallet().list_holds(request).await.map_err(|status| client.fault(&status))?.into_inner();
        open.extend(page.holds.iter().map(|hold| {
            let prefix = format!("{COORDINATOR}:");
            let operation = hold.hold_id.strip_prefix(&prefix).unwrap_or(&hold.hold_id);
            (operation.to_owned(), (owner(hold), hold_word(hold.state())))
        }));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(open);
        }
    }
}

fn told_of(operation: Operation) -> Told {
    Told {
        operation_id: operation.operation_id,
        player_id: operation.player_id,
        kind: operation.kind,
        state: operation.state,
        decision: operation.decision,
        esprits: operation.esprit_ids,
        cost: amounts_of(operation.cost),
        refund: amounts_of(operation.refund),
    }
}

fn amounts_of(units: Vec<Units>) -> Amounts {
    let mut amounts = Amounts::new();
    for Units { asset_id, amount } in units {
        let sum = amounts.entry(asset_id).or_default();
        *sum = sum.saturating_add(amount);
    }
    amounts
}

fn hold_of(hold: &wallet::Hold) -> Hold {
    let (mut taken, mut given) = (Amounts::new(), Amounts::new());
    for (leg, units) in hold.legs.iter().zip(&hold.committed_amounts) {
        for (end, amounts) in [(&leg.from, &mut taken), (&leg.to, &mut given)] {
            if let Some(end) = end {
                let sum = amounts.entry(end.asset_id.clone()).or_default();
                *sum = sum.saturating_add(*units);
            }
        }
    }
    Hold { state: hold.state(), player_id: owner(hold), taken, given }
}

/// Whose units a hold moves.
fn owner(hold: &wallet::Hold) -> String {
    let end = hold.legs.first().and_then(|leg| leg.from.as_ref().or(leg.to.as_ref()));
    end.map(|end| end.player_id.clone()).unwrap_or_default()
}
