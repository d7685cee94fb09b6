//! Everything at once for one player, over three copies on one PostgreSQL database (R-C4, R-O5).

use std::collections::{BTreeMap, BTreeSet};

use auric_collection::Failed;
use auric_collection::domain::{Action, Change, Deed, Effect, Keyed, Kind, Plan, Units, Verdict};
use auric_ids::EspritId;
use auric_twophase::Operation;
use futures::future::join_all;

use crate::events::told::collection_told;

use super::estate::{Estate, ask, done, player, request, upgrade};

const PLAYER: &str = "storm";

/// What the player begins with.
const LUMEES: i64 = 1_000;

/// Rounds of the storm: each asks for everything of every esprit. There are more, up to a bound, until an esprit was dissolved.
const ROUNDS: usize = 8;
const ROUNDS_MAX: usize = 60;

/// An own change of the collection; whoever is sent away comes again.
async fn change(estate: &Estate, copy: usize, key: String, change: Change) {
    let key = key.parse().expect("a key");
    let keyed = Keyed { key, player: player(PLAYER), change, expected_version: None };
    loop {
        match estate.copies[copy % 3].mutate(ask(Action::Keyed(keyed.clone())), None).await {
            Ok(Verdict::Answered { .. }) => return,
            Ok(Verdict::Refused(refusal)) => assert_eq!(refusal.reason(), "ESPRIT_BUSY", "{refusal:?}"),
            Ok(other) => panic!("{other:?}"),
            Err(_) => {}
        }
        tokio::task::yield_now().await;
    }
}

/// Sends a deed to two copies at once: a twin gets the one answer.
async fn operate(estate: &Estate, copy: usize, key: String, deed: Deed) -> Operation {
    let request = request(PLAYER, &key, deed);
    let (one, other) = tokio::join!(estate.operate(copy, &request), estate.operate(copy + 1, &request));
    assert_eq!((&one.0.id, &one.0.decision), (&other.0.id, &other.0.decision), "{key}: a twin got another answer");
    one.0
}

/// Previews a pair and dissolves it; nothing when something is in the way already.
async fn dissolve(estate: &Estate, copy: usize, key: String, pair: &[EspritId]) -> Option<Operation> {
    match estate.copies[copy % 3].preview(&player(PLAYER), pair).await {
        Ok((_, preview)) => Some(operate(estate, copy, key, Deed::Dissolve(preview)).await),
        Err(Failed::Rejected(_)) => None,
        Err(failed) => panic!("{failed:?}"),
    }
}

/// What is asked of one esprit in one round, besides raising and dissolving it.
async fn touch(estate: &Estate, round: usize, index: usize, esprit: EspritId) {
    // Four rounds put everything to use, the next four put everything away: else nothing could be dissolved any more.
    let (key, is_used) = (format!("{round}:{index}"), (round / 4).is_multiple_of(2));
    let piece = format!("piece-{}", index % 4).parse().expect("an id");
    let asked = match (round + index) % 4 {
        0 => Change::SetLock { esprit, locked: is_used },
        1 => {
            let slot = u32::try_from(index % 3).expect("it fits") + 1;
            Change::SetTeamSlot { slot, esprit: is_used.then_some(esprit) }
        }
        2 if is_used => Change::Equip { esprit, piece },
        2 => Change::Unequip { piece },
        _ => return,
    };
    change(estate, index, key, asked).await;
}

/// Everything of every esprit at once, round by round, until some were dissolved.
async fn storm(estate: &Estate, ids: &[EspritId]) -> Vec<Operation> {
    let mut operations: Vec<Operation> = Vec::new();
    for round in 0..ROUNDS_MAX {
        let is_dissolved = operations.iter().filter_map(done).any(|(plan, _)| plan.kind == Kind::Dissolve);
        if round >= ROUNDS && is_dissolved {
            break;
        }
        let each = || ids.iter().cloned().enumerate();
        let changes = each().map(|(index, id)| touch(estate, round, index, id));
        let upgrades = each().map(|(index, id)| operate(estate, index, format!("up:{round}:{index}"), upgrade(&id)));
        let pairs = ids.windows(2).enumerate();
        let dissolves = pairs.map(|(index, pair)| dissolve(estate, index, format!("gone:{round}:{index}"), pair));
        let (_, raised, dissolved) = tokio::join!(join_all(changes), join_all(upgrades), join_all(dissolves));
        operations.extend(raised);
        operations.extend(dissolved.into_iter().flatten());
    }
    operations
}

/// Finds that the wallet has moved what was planned, for what was done, and nothing else.
async fn check_balances(estate: &Estate, done: &[(Plan, Effect)]) {
    let sum = |of: fn(&Plan) -> &[Units], asset: &str| -> i64 {
        let units = done.iter().flat_map(|(plan, _)| of(plan)).filter(|units| units.asset.as_str() == asset);
        units.map(|units| i64::try_from(units.amount).expect("it fits")).sum()
    };
    let (paid, given) = (sum(|plan| &plan.cost, "lumees"), sum(|plan| &plan.refund, "lumees"));
    assert_eq!(estate.balance(PLAYER, "lumees").await, (LUMEES - paid + given, 0, 0));
    assert_eq!(estate.balance(PLAYER, "shards").await, (sum(|plan| &plan.refund, "shards"), 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_all_that_is_asked_at_once_one_destroys_and_everything_adds_up() {
    let estate = Estate::postgres(3).await;
    estate.grant(PLAYER, "lumees", LUMEES).await;
    let ids = estate.endow(PLAYER, 12).await;
    let pieces = (0..4).map(|piece| (format!("piece-{piece}"), "iron_fang"));
    let pieces = pieces.map(|(piece, kind)| (piece.parse().expect("an id"), kind.parse().expect("an id"))).collect();
    change(&estate, 0, "pieces".to_owned(), Change::GrantEquipment { pieces }).await;
    let operations = storm(&estate, &ids).await;
    estate.settled().await;
    let done: Vec<(Plan, Effect)> = operations.iter().filter_map(done).collect();
    check_balances(&estate, &done).await;

    let mut destroyed: BTreeSet<String> = BTreeSet::new();
    let mut levels: BTreeMap<String, u32> = BTreeMap::new();
    for (plan, effect) in &done {
        for seen in &plan.esprits {
            let id = seen.esprit.to_string();
            if effect.level.is_some() {
                *levels.entry(id).or_insert(1) += 1;
            } else {
                assert!(destroyed.insert(id), "{} was dissolved twice", seen.esprit);
            }
        }
    }
    assert!(!destroyed.is_empty() && !levels.is_empty(), "nobody got through");
    let owner = player(PLAYER);
    let portraits = join_all(estate.copies.iter().map(|copy| copy.portrait(&owner))).await;
    let portrait = portraits[0].as_ref().expect("a portrait");
    assert!(portraits.iter().all(|other| other.as_ref().expect("a portrait") == portrait), "copies disagree");
    for id in &ids {
        let esprit = estate.esprit(PLAYER, id).await;
        let is_gone = destroyed.contains(id.as_str());
        assert_eq!((esprit.dissolved_at.is_some(), esprit.busy), (is_gone, None), "{id}");
        assert_eq!(esprit.level, levels.get(id.as_str()).copied().unwrap_or(1), "{id}");
        assert!(!(is_gone && esprit.locked), "{id} was dissolved although its owner had locked it");
        let is_in_use = portrait.team.values().any(|member| member == id)
            || portrait.pieces.iter().any(|piece| piece.esprit.as_ref() == Some(id));
        assert!(!(is_gone && is_in_use), "{id} is dissolved and in use");
        assert_eq!(portrait.esprits.iter().any(|esprit| esprit.id == *id), !is_gone, "{id}");
    }
    // What was told of it, by three copies, comes to the same.
    let told = collection_told(estate.addresses[0], PLAYER).await;
    for id in &ids {
        let (esprit, last) = (estate.esprit(PLAYER, id).await, &told.esprits[id.as_str()]);
        let last = (u32::try_from(last.level).unwrap_or_default(), last.locked, last.dissolve_time.is_some());
        assert_eq!(last, (esprit.level, esprit.locked, esprit.dissolved_at.is_some()), "{id}");
    }
    let team = told.team.into_iter().flat_map(|team| team.slots);
    let team: BTreeMap<u32, String> = team.map(|slot| (slot.slot.unsigned_abs(), slot.esprit_id)).collect();
    assert_eq!(team, portrait.team.iter().map(|(slot, id)| (*slot, id.to_string())).collect());
    estate.check_ends().await;
    estate.stop().await;
}
