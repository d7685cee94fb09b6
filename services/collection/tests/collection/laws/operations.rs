//! What the collection does together with a wallet: upgrades and dissolves (R-C1, R-C4).

use std::collections::BTreeMap;
use std::sync::Arc;

use auric_collection::domain::{
    Deed, Denial, Effect, Esprit, Preview, Refusal, Rejection, Request, Rules, Units, Verdict,
};
use auric_collection::{Failed, Handlers, Operated};
use auric_keys::MutationKey;
use auric_twophase::{Decision, Operation, State, Vote};

use crate::asks::{commit, equip, esprit_id, grant, lock, player, prepare, team, unequip};
use crate::harness::{Shelf, answered, done, on_every_store, refused, send};
use crate::purse::Purse;

on_every_store!(
    an_upgrade_costs_what_its_level_costs_and_is_done_once,
    a_dissolve_gives_exactly_what_its_preview_showed,
    what_is_in_use_is_not_dissolved,
    what_has_changed_since_it_was_seen_is_refused,
    a_marked_esprit_waits_and_the_mark_goes_whatever_is_decided,
    what_came_to_nothing_is_tried_again_under_the_same_key,
    what_changed_behind_the_mark_is_not_changed_and_not_paid,
    an_operation_is_by_the_rules_that_it_was_begun_under,
    a_key_is_one_requests_whatever_kind_it_is_of,
    of_many_at_once_one_destroys,
);

/// A player with so many esprits, on a copy that coordinates with `purse`.
async fn owner(shelf: &Shelf, purse: &Arc<Purse>, count: usize) -> Arc<Handlers> {
    let collection = shelf.coordinator(Arc::clone(purse)).await;
    done(&collection, prepare(1, "p", u32::try_from(count).unwrap())).await;
    done(&collection, commit(1, "p", count)).await;
    collection
}

fn request(key: &str, deed: Deed) -> Request {
    let key = MutationKey { caller: "bot".parse().unwrap(), key: key.parse().unwrap() };
    Request { key, player: player("p"), deed }
}

fn upgrade(key: &str, place: usize) -> Request {
    request(key, Deed::Upgrade { esprit: esprit_id(1, place).parse().unwrap(), expected_version: None })
}

async fn operate(collection: &Handlers, request: Request) -> Result<Operated, Failed> {
    collection.operate(request, &"".parse().unwrap(), None).await
}

async fn operated(collection: &Handlers, request: Request) -> Operation {
    let operated = operate(collection, request).await.unwrap();
    assert!(operated.operation.state.is_done(), "{operated:?}");
    operated.operation
}

fn effect(operation: &Operation) -> Effect {
    let Some(Decision::Commit(effect)) = &operation.decision else { panic!("{operation:?}") };
    serde_json::from_str(effect).unwrap()
}

fn denial(operation: &Operation) -> Rejection {
    let Some(Decision::Refuse(denial)) = &operation.decision else { panic!("{operation:?}") };
    let Denial::Rule(rejection) = serde_json::from_str(denial).unwrap() else { panic!("{denial}") };
    rejection
}

async fn preview(collection: &Handlers, places: &[usize]) -> Result<Preview, Failed> {
    let ids: Vec<_> = places.iter().map(|place| esprit_id(1, *place).parse().unwrap()).collect();
    collection.preview(&player("p"), &ids).await.map(|(_, preview)| preview)
}

async fn dissolve(collection: &Handlers, key: &str, places: &[usize]) -> Request {
    request(key, Deed::Dissolve(preview(collection, places).await.unwrap()))
}

async fn esprit(collection: &Handlers, place: usize) -> Esprit {
    collection.esprit(&player("p"), &esprit_id(1, place).parse().unwrap()).await.unwrap().unwrap()
}

fn units(asset: &str, amount: u64) -> Vec<Units> {
    vec![Units { asset: asset.parse().unwrap(), amount }]
}

async fn an_upgrade_costs_what_its_level_costs_and_is_done_once(shelf: Shelf) {
    let purse = Purse::open();
    let collection = owner(&shelf, &purse, 1).await;
    let first = operated(&collection, upgrade("a", 0)).await;
    let second = operated(&collection, upgrade("b", 0)).await;
    let other = shelf.coordinator(Arc::clone(&purse)).await;
    let again = operate(&other, upgrade("a", 0)).await.unwrap();
    assert!(again.replayed && again.operation.decision == first.decision, "{again:?}");
    let paid: Vec<_> = purse.plans().into_iter().map(|plan| plan.cost).collect();
    assert_eq!(paid, [units("lumees", 50), units("lumees", 60)]);
    assert_eq!(purse.told(), [(first.id.clone(), true), (second.id.clone(), true)]);
    assert_eq!((effect(&first).level, effect(&second).level), (Some(2), Some(3)));
    let raised = esprit(&collection, 0).await;
    assert_eq!((raised.level, raised.version, raised.busy), (3, 3, None));
    assert_eq!(effect(&second).changed.versions, BTreeMap::from([(esprit_id(1, 0), 3)]));
    let portrait = collection.portrait(&player("p")).await.unwrap();
    assert_eq!((portrait.esprits[0].level, portrait.version), (3, effect(&second).changed.collection_version));

    shelf.sql("UPDATE esprits SET level = 30, version = version + 1").await.unwrap();
    let highest = denial(&operated(&collection, upgrade("c", 0)).await);
    let esprit = esprit_id(1, 0).parse().unwrap();
    assert_eq!(highest, Rejection::EspritAtLevelMax { esprit, level: 30, maximum: 30 });
    assert_eq!(purse.told().len(), 2, "nobody was asked to pay");
    shelf.assert_whole().await;
}

async fn a_dissolve_gives_exactly_what_its_preview_showed(shelf: Shelf) {
    // R-O6
    let purse = Purse::open();
    let collection = owner(&shelf, &purse, 3).await;
    let seen = preview(&collection, &[2, 0]).await.unwrap();
    assert_eq!(seen.refund, units("shards", 10));
    let request = request("d", Deed::Dissolve(seen.to_string().parse().unwrap()));
    let dissolved = operated(&collection, request.clone()).await;
    assert_eq!(purse.plans()[0].refund, units("shards", 10));
    assert_eq!(purse.told(), [(dissolved.id.clone(), true)]);
    let left = collection.portrait(&player("p")).await.unwrap();
    assert_eq!((left.esprits.len(), left.esprits[0].id.as_str()), (1, esprit_id(1, 1).as_str()));
    let gone = esprit(&collection, 0).await;
    assert_eq!((gone.dissolved_at, gone.version, gone.busy), (Some(gone.updated_at), 2, None));
    assert_eq!(shelf.counts("p").await, (1, 0));
    let again = operate(&collection, request).await.unwrap();
    assert!(again.replayed && again.operation.id == dissolved.id);
    let other = self::request("e", Deed::Dissolve(seen));
    assert!(matches!(denial(&operated(&collection, other).await), Rejection::EspritDissolved { .. }));
    assert!(matches!(preview(&collection, &[0]).await, Err(Failed::Rejected(Rejection::EspritDissolved { .. }))));
    assert!(matches!(preview(&collection, &[7]).await, Err(Failed::Unstored(Refusal::EspritNotFound { .. }))));
    assert_eq!(purse.told().len(), 1, "nothing was given twice");
    shelf.assert_whole().await;
}

async fn what_is_in_use_is_not_dissolved(shelf: Shelf) {
    let purse = Purse::open();
    let collection = owner(&shelf, &purse, 3).await;
    let ids = [0, 1, 2].map(|place| esprit_id(1, place));
    let seen = preview(&collection, &[0, 1, 2]).await.unwrap();
    answered(&collection, grant("g", "p", &["a"])).await.unwrap();
    answered(&collection, team("t", "p", 1, Some(&ids[1]))).await.unwrap();
    answered(&collection, equip("e", "p", &ids[2], "a")).await.unwrap();
    // Neither the team nor what is worn counts as a change of the esprit: the guard is no matter of versions.
    for (place, reason) in [(1, "ESPRIT_IN_TEAM"), (2, "ESPRIT_EQUIPPED")] {
        let one = Preview { esprits: vec![seen.esprits[place].clone()], refund: units("shards", 5) };
        let refused = denial(&operated(&collection, request(reason, Deed::Dissolve(one))).await);
        assert_eq!(refused.reason(), reason);
        let Err(Failed::Rejected(rejection)) = preview(&collection, &[0, place]).await else { panic!("shown") };
        assert_eq!(rejection, refused);
    }
    answered(&collection, lock("l", "p", &ids[0], true)).await.unwrap();
    let locked = preview(&collection, &[0]).await;
    assert!(matches!(locked, Err(Failed::Rejected(Rejection::EspritLocked { .. }))), "{locked:?}");
    let mut fresh = seen.esprits[0].clone();
    fresh.version = 2;
    let one = Preview { esprits: vec![fresh], refund: units("shards", 5) };
    let refused = denial(&operated(&collection, request("locked", Deed::Dissolve(one))).await);
    assert!(matches!(refused, Rejection::EspritLocked { .. }), "{refused:?}");
    assert!(purse.plans().is_empty(), "the wallet was asked");

    answered(&collection, lock("u", "p", &ids[0], false)).await.unwrap();
    answered(&collection, team("v", "p", 1, None)).await.unwrap();
    answered(&collection, unequip("w", "p", "a")).await.unwrap();
    let all = dissolve(&collection, "all", &[0, 1, 2]).await;
    effect(&operated(&collection, all).await);
    shelf.assert_whole().await;
}

async fn what_has_changed_since_it_was_seen_is_refused(shelf: Shelf) {
    // R-W12
    let purse = Purse::open();
    let collection = owner(&shelf, &purse, 2).await;
    let both = dissolve(&collection, "both", &[0, 1]).await;
    effect(&operated(&collection, upgrade("up", 1)).await);
    let stale = Rejection::StaleVersion { id: esprit_id(1, 1), expected: 1, found: 2 };
    assert_eq!(denial(&operated(&collection, both.clone()).await), stale);
    assert_eq!(denial(&operated(&collection, both).await), stale, "the first answer, again");
    let esprit = esprit_id(1, 1).parse().unwrap();
    let at = |version| Deed::Upgrade { esprit, expected_version: Some(version) };
    assert_eq!(denial(&operated(&collection, request("at", at(1))).await), stale);
    // A refund that is another one by now is none that the player has agreed to.
    let Deed::Dissolve(mut seen) = dissolve(&collection, "x", &[0]).await.deed else { panic!("no dissolve") };
    seen.refund = units("shards", 4);
    let outdated = denial(&operated(&collection, request("less", Deed::Dissolve(seen))).await);
    assert_eq!(outdated, Rejection::PreviewOutdated { seen: units("shards", 4), found: units("shards", 5) });
    assert_eq!(collection.portrait(&player("p")).await.unwrap().esprits.len(), 2);
    shelf.assert_whole().await;
}

async fn a_marked_esprit_waits_and_the_mark_goes_whatever_is_decided(shelf: Shelf) {
    let purse = Purse::gated();
    let collection = owner(&shelf, &purse, 2).await;
    answered(&collection, grant("g", "p", &["a"])).await.unwrap();
    let id = esprit_id(1, 0);
    let poor = r#"{"participant":{"service":"wallet","reason":"INSUFFICIENT_FUNDS","message":"m","metadata":{}}}"#;
    for (round, vote) in
        [Vote::No(poor.to_owned()), Vote::Unknown("lost".to_owned()), Vote::Yes].into_iter().enumerate()
    {
        let before = esprit(&collection, 0).await;
        purse.say(vote.clone());
        let both = dissolve(&collection, &format!("two-{round}"), &[0, 1]).await;
        let key = format!("up-{round}");
        let asks = async {
            purse.was_asked().await;
            // Whoever comes now is sent away, and nothing is stored under its key.
            let others = [lock("l", "p", &id, true), team("t", "p", 1, Some(&id)), equip("e", "p", &id, "a")];
            for ask in others {
                assert!(matches!(refused(&collection, ask).await, Refusal::EspritBusy { .. }));
            }
            for other in [upgrade("other", 0), both.clone()] {
                let failed = operate(&collection, other).await;
                assert!(matches!(failed, Err(Failed::Unstored(Refusal::EspritBusy { .. }))), "{failed:?}");
            }
            purse.let_answer();
        };
        let (operated, ()) = tokio::join!(operate(&collection, upgrade(&key, 0)), asks);
        let (operation, after) = (operated.unwrap().operation, esprit(&collection, 0).await);
        assert_eq!(after.busy, None, "{vote:?} left its mark");
        let is_done = vote == Vote::Yes;
        assert_eq!(after.level, before.level + u32::from(is_done), "{vote:?}");
        assert_eq!(
            after.version,
            before.version + u64::from(is_done),
            "{vote:?}: what was not changed has its version"
        );
        assert_eq!(purse.told().last(), Some(&(operation.id.clone(), is_done)));
        if let Vote::No(reason) = vote {
            let again = operate(&collection, upgrade(&key, 0)).await.unwrap();
            assert_eq!((again.replayed, again.operation.decision), (true, Some(Decision::Refuse(reason))));
        }
    }
    shelf.assert_whole().await;
}

async fn what_came_to_nothing_is_tried_again_under_the_same_key(shelf: Shelf) {
    let purse = Purse::open();
    let collection = owner(&shelf, &purse, 1).await;
    let request = dissolve(&collection, "d", &[0]).await;
    purse.say(Vote::Unknown("lost".to_owned()));
    let first = operate(&collection, request.clone()).await.unwrap().operation;
    assert!(first.is_given_up() && first.state == State::Aborted, "{first:?}");
    // That it ended is written a moment later; until then the key has the first attempt.
    let second = loop {
        let operation = operate(&collection, request.clone()).await.unwrap().operation;
        if !operation.is_given_up() {
            break operation;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((second.attempt, effect(&second).changed.versions.len()), (2, 1));
    assert_eq!(purse.told(), [(first.id, false), (second.id, true)]);
    shelf.assert_whole().await;
}

async fn what_changed_behind_the_mark_is_not_changed_and_not_paid(shelf: Shelf) {
    let purse = Purse::gated();
    let collection = owner(&shelf, &purse, 2).await;
    let request = dissolve(&collection, "d", &[0, 1]).await;
    let meddles = async {
        purse.was_asked().await;
        let version = format!("UPDATE esprits SET version = 9 WHERE esprit_id = '{}'", esprit_id(1, 1));
        shelf.sql(&version).await.unwrap();
        purse.let_answer();
    };
    let (operated, ()) = tokio::join!(operate(&collection, request), meddles);
    let operation = operated.unwrap().operation;
    assert_eq!(denial(&operation), Rejection::StaleVersion { id: esprit_id(1, 1), expected: 1, found: 9 });
    assert_eq!(purse.told(), [(operation.id, false)]);
    for place in [0, 1] {
        let kept = esprit(&collection, place).await;
        assert_eq!((kept.dissolved_at, kept.busy), (None, None));
    }
    shelf.assert_whole().await;
}

async fn an_operation_is_by_the_rules_that_it_was_begun_under(mut shelf: Shelf) {
    // R-P3
    let purse = Purse::open();
    let old = owner(&shelf, &purse, 2).await;
    let request = dissolve(&old, "d", &[0]).await;
    let mut catalog = (*shelf.rules.catalog).clone();
    catalog.rarities.get_mut("common").unwrap().dissolve_rewards = units("shards", 7);
    catalog.upgrades.get_mut("common").unwrap()[0].base = 1_000;
    shelf.rules = Rules { catalog: Arc::new(catalog) };
    let new = shelf.coordinator(Arc::clone(&purse)).await;

    let outdated = denial(&operated(&new, request).await);
    assert_eq!(outdated, Rejection::PreviewOutdated { seen: units("shards", 5), found: units("shards", 7) });
    purse.say(Vote::Unknown("lost".to_owned()));
    operate(&old, upgrade("u", 0)).await.unwrap();
    loop {
        // Another copy makes the next attempt, by its own rules: the first one's promise has ended with it.
        let operation = operate(&new, upgrade("u", 0)).await.unwrap().operation;
        if !operation.is_given_up() {
            effect(&operation);
            break;
        }
        tokio::task::yield_now().await;
    }
    let costs: Vec<_> = purse.plans().into_iter().map(|plan| plan.cost).collect();
    assert_eq!(costs, [units("lumees", 50), units("lumees", 1_000)]);
    effect(&operated(&new, dissolve(&new, "e", &[1]).await).await);
    assert_eq!(purse.plans()[2].refund, units("shards", 7));
    shelf.assert_whole().await;
}

async fn a_key_is_one_requests_whatever_kind_it_is_of(shelf: Shelf) {
    // R-W5
    let purse = Purse::open();
    let collection = owner(&shelf, &purse, 2).await;
    let by_bot = |ask| crate::asks::by("bot", ask);
    answered(&collection, by_bot(lock("lock", "p", &esprit_id(1, 0), true))).await.unwrap();
    let reused = operate(&collection, upgrade("lock", 0)).await;
    let Err(Failed::Unstored(Refusal::KeyReused { first_method, .. })) = reused else { panic!("{reused:?}") };
    assert_eq!(first_method, "SetLock");
    effect(&operated(&collection, upgrade("up", 0)).await);
    let Refusal::KeyReused { first_method, .. } =
        refused(&collection, by_bot(lock("up", "p", &esprit_id(1, 0), true))).await
    else {
        panic!("the key was taken for another request");
    };
    assert_eq!(first_method, "UpgradeEsprit");
    let reused = operate(&collection, upgrade("up", 1)).await;
    let Err(Failed::Unstored(Refusal::KeyReused { fields, .. })) = reused else { panic!("{reused:?}") };
    assert_eq!(fields, ["esprit_id"]);
    shelf.assert_whole().await;
}

async fn of_many_at_once_one_destroys(shelf: Shelf) {
    // R-C4, R-O5: over several copies, each request twice.
    let purse = Purse::open();
    let first = owner(&shelf, &purse, 4).await;
    let mut copies = vec![Arc::clone(&first)];
    while copies.len() < shelf.copies() {
        copies.push(shelf.coordinator(Arc::clone(&purse)).await);
    }
    let all = preview(&first, &[0, 1, 2, 3]).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..24_usize {
        let collection = Arc::clone(&copies[number % copies.len()]);
        let place = number / 2 % 3;
        let some = vec![all.esprits[place].clone(), all.esprits[place + 1].clone()];
        let deed = Deed::Dissolve(Preview { esprits: some, refund: units("shards", 10) });
        let request = request(&format!("d{}", number / 2), deed);
        let request = if number % 4 < 2 { request } else { upgrade(&format!("u{}", number / 2), place) };
        tasks.spawn(async move {
            loop {
                match operate(&collection, request.clone()).await {
                    Ok(operated) if !operated.operation.is_given_up() => return operated.operation,
                    Err(Failed::Unstored(Refusal::KeyReused { .. })) => panic!("a twin was taken for another request"),
                    _ => tokio::task::yield_now().await,
                }
            }
        });
    }
    let mut by_id: BTreeMap<_, Operation> = BTreeMap::new();
    for operation in tasks.join_all().await {
        by_id.insert(operation.id.clone(), operation);
    }
    let told = purse.told();
    let (mut dissolved, mut raised) = (0, 0);
    for (id, operation) in &by_id {
        let is_commit = matches!(operation.decision, Some(Decision::Commit(_)));
        let is_asked = told.iter().any(|(told, _)| told == id);
        assert!(!is_commit || told.contains(&(id.clone(), true)), "done and not paid: {operation:?}");
        assert!(is_commit || !is_asked || told.contains(&(id.clone(), false)), "paid and not done: {operation:?}");
        if is_commit {
            let effect = effect(operation);
            dissolved += if effect.level.is_none() { effect.changed.versions.len() } else { 0 };
            raised += usize::from(effect.level.is_some());
        }
    }
    let portrait = first.portrait(&player("p")).await.unwrap();
    assert_eq!(portrait.esprits.len() + dissolved, 4, "an esprit was dissolved twice");
    let mut levels = 0;
    for place in 0..4 {
        levels += usize::try_from(esprit(&first, place).await.level - 1).unwrap();
    }
    assert_eq!(levels, raised);
    shelf.assert_whole().await;
    let last = send(&first, crate::asks::by("bot", unequip("last", "p", "none"))).await;
    assert!(matches!(last, Verdict::Refused(_)));
}
