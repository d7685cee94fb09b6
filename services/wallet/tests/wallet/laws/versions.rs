//! Versions, voided keys, and what is read while others write (R-W12, R-W5, R-O5).

use std::collections::BTreeMap;
use std::sync::Arc;

use auric_wallet::Handlers;
use auric_wallet::domain::{Action, Mutation, Rejection, Verdict};
use auric_wallet::store::{FlowsQuery, HoldsQuery};
use futures::StreamExt as _;
use futures::future::join_all;

use crate::asks::{by, commit, held, moved, release, renew, reserve, void};
use crate::harness::{
    Ledger, assert_books_agree, available, balances, credit, debit, in_pool, on_every_store, outcome, player, post,
    send,
};

on_every_store!(
    a_stale_version_is_refused_and_says_what_it_is,
    of_many_who_read_the_same_version_one_writes,
    a_voided_key_never_happens,
    a_key_that_was_answered_cannot_be_voided,
    a_void_and_its_request_are_told_the_same,
    a_watch_skips_and_repeats_nothing_while_copies_write,
    pages_of_one_hold_repeat_and_skip_nothing,
    supply_and_flows_are_the_sums_of_the_balances,
);

fn at_version(mut mutation: Mutation, name: &str, version: u64) -> Mutation {
    let Action::Post(post) = &mut mutation.action else { panic!("{mutation:?}") };
    post.expected_versions.insert(player(name), version);
    mutation
}

async fn version(wallet: &Handlers, name: &str) -> u64 {
    let read = wallet.balances(&wallet.rules().assets, &[player(name)], &["lumees".parse().unwrap()]).await.unwrap();
    read.versions[0].1
}

async fn a_stale_version_is_refused_and_says_what_it_is(ledger: Ledger) {
    // R-W12: RowVersion.
    let wallet = ledger.copy().await;
    let fresh = at_version(post("first", vec![credit("p", "lumees", 5)]), "p", 0);
    outcome(&wallet, fresh).await.unwrap();
    let stale = at_version(post("stale", vec![debit("p", "lumees", 1), credit("q", "lumees", 1)]), "p", 0);
    let refused = outcome(&wallet, stale.clone()).await.unwrap_err();
    assert_eq!(refused, Rejection::StaleVersion { player: player("p"), expected: 0, found: 1 });
    assert_eq!(outcome(&wallet, stale).await.unwrap_err(), refused);
    let current = version(&wallet, "p").await;
    outcome(&wallet, at_version(post("current", vec![debit("p", "lumees", 1)]), "p", current)).await.unwrap();
    // A version of somebody who is only looked at counts as well.
    let other = at_version(post("other", vec![credit("q", "lumees", 1)]), "p", current);
    assert_eq!(outcome(&wallet, other).await.unwrap_err().reason(), "STALE_VERSION");
    assert_eq!((available(&wallet, "p", "lumees").await, available(&wallet, "q", "lumees").await), (4, 0));
    assert_books_agree(&wallet).await;
}

async fn of_many_who_read_the_same_version_one_writes(ledger: Ledger) {
    // R-W12: a version that is compared before the lock lets two read-modify-writes through.
    let copies = join_all((0..=ledger.copies()).map(|_| ledger.copy())).await;
    outcome(&copies[0], post("fund", vec![credit("p", "lumees", 100)])).await.unwrap();
    for round in 0..10 {
        let current = version(&copies[0], "p").await;
        let requests = (0..12).map(|number| {
            let request = post(&format!("k{round}-{number}"), vec![debit("p", "lumees", 1)]);
            let copy = Arc::clone(&copies[number % copies.len()]);
            async move { outcome(&copy, at_version(request, "p", current)).await }
        });
        let answers = requests.collect::<tokio::task::JoinSet<_>>().join_all().await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        assert!(
            answers.iter().filter_map(|answer| answer.as_ref().err()).all(|error| error.reason() == "STALE_VERSION")
        );
    }
    assert_eq!(available(&copies[0], "p", "lumees").await, 90);
    assert_books_agree(&copies[0]).await;
}

async fn a_voided_key_never_happens(ledger: Ledger) {
    // R-W5: a request that is still on its way when its caller gives up.
    let wallet = ledger.copy().await;
    let voided = outcome(&wallet, void("k")).await.unwrap_err();
    assert_eq!(voided.reason(), "MUTATION_VOIDED");
    assert_eq!(outcome(&wallet, void("k")).await.unwrap_err(), voided);
    let late = send(&*ledger.copy().await, post("k", vec![credit("p", "lumees", 5)])).await;
    assert_eq!(late, Verdict::Answered { outcome: Err(voided), replayed: true });
    outcome(&wallet, by("shop", post("k", vec![credit("p", "lumees", 7)]))).await.expect("another caller's key");
    assert_eq!(available(&wallet, "p", "lumees").await, 7);
}

async fn a_key_that_was_answered_cannot_be_voided(ledger: Ledger) {
    let wallet = ledger.copy().await;
    let first = outcome(&wallet, post("k", vec![credit("p", "lumees", 5)])).await;
    assert_eq!(send(&wallet, void("k")).await, Verdict::Answered { outcome: first, replayed: true });
    assert_eq!(available(&wallet, "p", "lumees").await, 5);
}

async fn a_void_and_its_request_are_told_the_same(ledger: Ledger) {
    // R-W5: they hold no lock in common, so that only the key itself decides.
    let copies = join_all((0..=ledger.copies()).map(|_| ledger.copy())).await;
    let mut paid = 0;
    for round in 0..25 {
        let key = format!("k{round}");
        let requests = [post(&key, vec![credit("p", "lumees", 1)]), void(&key), void(&key)];
        let answers = requests.into_iter().enumerate().map(|(number, request)| {
            let copy = Arc::clone(&copies[(round + number) % copies.len()]);
            async move { outcome(&copy, request).await }
        });
        let answers = answers.collect::<tokio::task::JoinSet<_>>().join_all().await;
        assert!(answers.iter().all(|answer| *answer == answers[0]), "round {round}: {answers:?}");
        paid += u64::from(answers[0].is_ok());
    }
    assert_eq!(available(&copies[0], "p", "lumees").await, paid);
    assert_books_agree(&copies[0]).await;
}

async fn a_watch_skips_and_repeats_nothing_while_copies_write(ledger: Ledger) {
    // A reader that follows times or a high-water mark over all rows skips what commits late.
    let copies = join_all((0..=ledger.copies()).map(|_| ledger.copy())).await;
    let writes = (0..120_usize).map(|number| {
        let copy = Arc::clone(&copies[number % copies.len()]);
        let legs =
            vec![credit("p", "lumees", 1), credit(&format!("q{}", number % 5), "lumees", 1), credit("p", "aether", 1)];
        async move { outcome(&copy, post(&format!("k{number}"), legs)).await.unwrap() }
    });
    let writes = writes.collect::<tokio::task::JoinSet<_>>();
    let mut seen: Vec<u64> = Vec::new();
    // A reader that comes back where it left off, after every few pages.
    while seen.len() < 240 {
        let from = seen.last().copied().unwrap_or(0);
        let mut watch = std::pin::pin!(Arc::clone(&copies[0]).watch_entries(player("p"), from).take(3));
        while let Some(page) = watch.next().await {
            seen.extend(page.unwrap().iter().map(|entry| entry.movement.number));
            if seen.len() >= 240 {
                break;
            }
        }
    }
    writes.join_all().await;
    assert_eq!(seen, (1..=240).collect::<Vec<u64>>());
}

async fn pages_of_one_hold_repeat_and_skip_nothing(ledger: Ledger) {
    let wallet = ledger.copy().await;
    outcome(&wallet, post("fund", vec![credit("p", "lumees", 100), credit("q", "lumees", 100)])).await.unwrap();
    for number in 0..6 {
        let legs = if number % 2 == 0 { vec![held("p", "lumees", 1)] } else { vec![moved("q", "p", "lumees", 1)] };
        let request = reserve(&format!("r{number}"), &format!("h{number}"), legs);
        outcome(&wallet, if number == 4 { by("shop", request) } else { request }).await.unwrap();
    }
    outcome(&wallet, release("done", "h2")).await.unwrap();
    let cases =
        [(None, None, "h0 h1 h3 h4 h5"), (Some("q"), None, "h1 h3 h5"), (Some("p"), Some("game"), "h0 h1 h3 h5")];
    for (case, (name, caller, expected)) in cases.into_iter().enumerate() {
        let mut seen: Vec<String> = Vec::new();
        let mut after = None;
        loop {
            let caller = caller.map(|caller| caller.parse().unwrap());
            let query = HoldsQuery { player: name.map(player), caller, age_micros_min: 0, after, limit: 1 };
            let (page, _) = wallet.holds(query).await.unwrap();
            seen.extend(page.items.iter().map(|kept| kept.hold.id.to_string()));
            after = page.items.last().map(|kept| kept.hold.id.clone());
            // One that is made meanwhile, with a name that was passed already, is on no later page.
            let early = reserve(
                &format!("e{case}-{}", seen.len()),
                &format!("a{case}-{}", seen.len()),
                vec![held("p", "lumees", 1)],
            );
            outcome(&wallet, early).await.unwrap();
            if !page.more {
                break;
            }
        }
        seen.retain(|id| id.starts_with('h'));
        assert_eq!(seen.join(" "), expected, "{name:?} {caller:?}");
    }
    assert_books_agree(&wallet).await;
}

async fn supply_and_flows_are_the_sums_of_the_balances(ledger: Ledger) {
    // What is set aside is still there, what is promised is not yet; a transfer issues nothing in the end.
    let copies = join_all((0..=ledger.copies()).map(|_| ledger.copy())).await;
    let names = ["p", "q", "r"];
    let requests = (0..60_usize).map(|number| {
        let (name, other) = (names[number % 3], names[(number + 1) % 3]);
        let request = match number % 4 {
            0 => post(&format!("k{number}"), vec![credit(name, "lumees", 90), debit(name, "energy", 1)]),
            1 => reserve(&format!("k{number}"), &format!("h{number}"), vec![moved(name, other, "lumees", 10)]),
            2 => post(
                &format!("k{number}"),
                vec![in_pool(credit(name, "credit", 5), "subscription"), credit(name, "xp", 40)],
            ),
            _ => renew(&format!("k{number}"), name, "subscription", 3),
        };
        let copy = Arc::clone(&copies[number % copies.len()]);
        async move { drop(outcome(&copy, request).await) }
    });
    requests.collect::<tokio::task::JoinSet<_>>().join_all().await;
    let wallet = &copies[0];
    // Of a third of the holds a part is taken; one that was refused for lack of funds is not there.
    for number in (1..60).step_by(12) {
        drop(send(wallet, commit(&format!("c{number}"), &format!("h{number}"), &[4])).await);
    }
    let rules = wallet.rules();
    let mut sums: BTreeMap<String, i128> = BTreeMap::new();
    for (asset, found) in rules.assets.iter() {
        // A recharging balance that was never touched is shown full and is nowhere in the books.
        let stored =
            !matches!(found.kind, auric_wallet::domain::AssetKind::Recharging(_)) || asset.as_str() == "energy";
        for name in names.iter().filter(|_| stored) {
            for balance in balances(wallet, name, asset.as_str()).await {
                let here = i128::from(balance.available_units()) + i128::from(balance.held_units());
                *sums.entry(asset.to_string()).or_default() += here;
            }
        }
    }
    for supply in wallet.supply(&rules.assets, &[]).await.unwrap() {
        let there = i128::from(supply.flow.issued_units) - i128::from(supply.flow.burned_units);
        assert_eq!(there, sums.get(supply.asset.as_str()).copied().unwrap_or(0), "{}", supply.asset);
        let query = FlowsQuery { asset: Some(supply.asset.clone()), from_day: i32::MIN, to_day: i32::MAX };
        let lines = wallet.flows(&query).await.unwrap();
        assert_eq!(lines.iter().map(|line| line.flow.issued_units).sum::<u64>(), supply.flow.issued_units);
        assert_eq!(lines.iter().map(|line| line.flow.burned_units).sum::<u64>(), supply.flow.burned_units);
    }
    assert_books_agree(wallet).await;
}
