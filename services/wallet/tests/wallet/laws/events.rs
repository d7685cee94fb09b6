//! What others are told: every entry, hold and payment, once, each player's in order, whichever copies wrote them and whatever breaks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use auric_db::StoreError;
use auric_events::{Cursor, Feed, Filter, Happened, Noted, Page, ReadError, Start};
use auric_wallet::Handlers;
use auric_wallet::domain::{BatchKeys, MovementKind, Mutation, Told, decide};
use futures::StreamExt as _;
use futures::future::join_all;

use crate::asks::{bought, commit, held, release, reserve, reserve_for, told};
use crate::faulty::{Fault, FaultyStore};
use crate::harness::{
    Ledger, assert_books_agree, audit, available, credit, debit, on_every_store, outcome, post, send,
};

on_every_store!(
    every_entry_is_told_once_and_each_players_are_in_order,
    a_reader_beside_the_writers_sees_each_players_events_in_order,
    whatever_breaks_nothing_is_told_twice_and_nothing_left_out,
    holds_and_payments_are_told_of,
    what_changes_nothing_tells_nothing,
    a_page_may_end_anywhere,
    a_filter_moves_past_the_rest,
    a_reader_that_was_away_for_too_long_is_told_so,
    pruning_is_bounded_and_keeps_what_is_young,
    a_cursor_of_a_younger_copy_of_the_database_is_refused,
    a_watch_goes_on_and_ends_with_the_service,
);

const READER: &str = "test";

type Event = Happened<Told>;

fn everything() -> Filter<Told> {
    Arc::new(|_| true)
}

async fn page(feed: &Feed, cursor: Cursor, events_max: usize) -> Result<Page<Event>, ReadError> {
    feed.page(READER, cursor, events_max, &everything()).await
}

async fn read_on(feed: &Feed, mut cursor: Cursor, events_max: usize) -> (Vec<Event>, Cursor) {
    let mut events = Vec::new();
    loop {
        // As a consumer does: the cursor is a text in between.
        let next = page(feed, Cursor::parse(&cursor.to_text()).unwrap(), events_max).await.unwrap();
        assert!(next.events.len() <= events_max);
        cursor = next.cursor;
        events.extend(next.events);
        if !next.more {
            return (events, cursor);
        }
    }
}

async fn read_all(feed: &Feed, events_max: usize) -> Vec<Event> {
    read_on(feed, feed.begin(Start::Oldest).await.unwrap(), events_max).await.0
}

/// Each player's entry numbers, in the order in which they were told: none twice, none left out, none before its time.
fn numbers(events: &[Event]) -> BTreeMap<String, Vec<u64>> {
    let mut numbers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for event in events {
        let told = numbers.entry(event.player.to_string()).or_default();
        match event.what {
            Told::Entry => told.push(event.version),
            _ => assert!(told.last().is_none_or(|last| *last <= event.version), "{event:?} goes back"),
        }
    }
    numbers
}

async fn assert_told(wallet: &Arc<Handlers>, events: &[Event]) {
    let mut ids: Vec<_> = events.iter().map(|event| event.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), events.len(), "an event has its id alone");
    for (name, numbers) in numbers(events) {
        let expected: Vec<u64> = audit(wallet, &name).await.iter().map(|entry| entry.movement.number).collect();
        assert_eq!(numbers, expected, "the entries of {name}");
        // What was told adds up to what there is.
        let mut sums: BTreeMap<String, i64> = BTreeMap::new();
        let of_player: Vec<Event> = events.iter().filter(|event| event.player.as_str() == name).cloned().collect();
        for thing in wallet.told(&of_player).await.unwrap() {
            if let auric_wallet::Thing::Entry(entry) = thing {
                let sum = sums.entry(entry.movement.key.asset.to_string()).or_default();
                *sum += entry.movement.change.available_units;
            }
        }
        for (asset, sum) in sums.iter().filter(|(asset, _)| !["energy", "charge"].contains(&asset.as_str())) {
            assert_eq!(i64::try_from(available(wallet, &name, asset).await).unwrap(), *sum, "{asset} of {name}");
        }
    }
    assert_books_agree(wallet).await;
}

/// Moves units between a few players from every copy at once.
async fn storm(copies: &[Arc<Handlers>], name: &str, count: usize) {
    let players = ["a", "b", "c", "d", "e"];
    let posts = (0..count).map(|n| {
        let (from, to) = (players[n % 5], players[(n * 3 + 1 + n / 5) % 5]);
        let wallet = Arc::clone(&copies[n % copies.len()]);
        let legs = vec![debit(from, "aether", 1), credit(to, "aether", 1)];
        let mutation = post(&format!("{name}-{n}"), legs);
        async move { send(&wallet, mutation).await }
    });
    join_all(posts).await;
}

async fn copies(ledger: &Ledger) -> Vec<Arc<Handlers>> {
    let copies = join_all((0..ledger.copies()).map(|_| ledger.copy())).await;
    let fund = ["a", "b", "c", "d", "e"].map(|name| credit(name, "aether", 1_000)).to_vec();
    outcome(&copies[0], post("fund", fund)).await.unwrap();
    copies
}

async fn every_entry_is_told_once_and_each_players_are_in_order(ledger: Ledger) {
    let copies = copies(&ledger).await;
    storm(&copies, "storm", 600).await;
    let events = read_all(copies[0].feed(), 100).await;
    assert_eq!(events.len(), 5 + 600 * 2);
    assert_told(&copies[0], &events).await;
    assert_eq!(read_all(copies[0].feed(), 7).await, events, "however it is cut into pages");
}

async fn a_reader_beside_the_writers_sees_each_players_events_in_order(ledger: Ledger) {
    let copies = copies(&ledger).await;
    let feed = copies[0].feed();
    let reading = async {
        let (mut events, mut cursor) = (Vec::new(), feed.begin(Start::Oldest).await.unwrap());
        while events.len() < 5 + 800 * 2 {
            let next = page(feed, cursor, 13).await.unwrap();
            cursor = next.cursor;
            events.extend(next.events);
        }
        events
    };
    let (events, ()) = tokio::join!(reading, storm(&copies, "storm", 800));
    assert_told(&copies[0], &events).await;
}

async fn whatever_breaks_nothing_is_told_twice_and_nothing_left_out(ledger: Ledger) {
    // A commit whose answer was lost is found by its keys, and tells nothing more.
    let wallet = ledger.copy().await;
    outcome(&wallet, post("fund", vec![credit("p", "aether", 1_000)])).await.unwrap();
    for (number, fault) in Fault::ALL.into_iter().enumerate() {
        let store = Arc::new(FaultyStore::new(ledger.store().await, [fault]));
        let faulty = Handlers::start(store, ledger.rules.clone(), ledger.lanes.clone());
        for step in 0..3 {
            let spend = post(&format!("{number}-{step}"), vec![debit("p", "aether", 1), credit("q", "aether", 1)]);
            send(&faulty, spend).await;
        }
    }
    let events = read_all(wallet.feed(), 10).await;
    assert_eq!(events.len(), 1 + Fault::ALL.len() * 3 * 2);
    assert_told(&wallet, &events).await;
}

async fn holds_and_payments_are_told_of(ledger: Ledger) {
    let wallet = ledger.copy().await;
    outcome(&wallet, post("fund", vec![credit("p", "aether", 100)])).await.unwrap();
    outcome(&wallet, reserve("r1", "kept", vec![held("p", "aether", 30)])).await.unwrap();
    outcome(&wallet, commit("c1", "kept", &[20])).await.unwrap();
    outcome(&wallet, reserve_for("r2", "lapses", vec![held("p", "aether", 5)], 1)).await.unwrap();
    outcome(&wallet, release("v", "never-made")).await.unwrap();
    outcome(&wallet, told("pay", "p", "charge-1", "e1", bought(50))).await.unwrap();

    let events = read_all(wallet.feed(), 100).await;
    let whats: Vec<String> = events.iter().map(|event| format!("{}:{:?}", event.version, event.what)).collect();
    let expected = ["1:Entry", "2:Entry", "2:HoldOpened(\"kept\")", "3:Entry", "4:Entry", "4:HoldEnded(\"kept\")"];
    assert_eq!(whats[..expected.len()], expected);
    let told = wallet.told(&events).await.unwrap();
    let kinds: Vec<MovementKind> = told
        .iter()
        .filter_map(|thing| match thing {
            auric_wallet::Thing::Entry(entry) => Some(entry.movement.kind),
            _ => None,
        })
        .collect();
    assert!(kinds.contains(&MovementKind::Paid) && kinds.contains(&MovementKind::Expired), "{kinds:?}");
    let ended = |id: &str| events.iter().filter(|event| event.what == Told::HoldEnded(id.parse().unwrap())).count();
    assert_eq!((ended("kept"), ended("lapses"), ended("never-made")), (1, 1, 0));
    let paid = events.last().unwrap();
    assert!(matches!(&paid.what, Told::Payment(_, event) if event.as_str() == "e1"), "{paid:?}");
    assert_eq!(numbers(&events).len(), 1, "all of it was p's, in order");
}

async fn what_changes_nothing_tells_nothing(ledger: Ledger) {
    let wallet = ledger.copy().await;
    outcome(&wallet, post("fund", vec![credit("p", "aether", 5)])).await.unwrap();
    let before = wallet.feed().begin(Start::Now).await.unwrap();
    send(&wallet, post("fund", vec![credit("p", "aether", 5)])).await;
    outcome(&wallet, post("too-much", vec![debit("p", "aether", 50)])).await.unwrap_err();
    send(&wallet, post("too-much", vec![debit("p", "aether", 50)])).await;
    assert_eq!(wallet.feed().begin(Start::Now).await.unwrap(), before, "no row was written");
    assert_eq!(ledger.sql("DELETE FROM outbox").await.unwrap(), 1);
}

async fn a_page_may_end_anywhere(ledger: Ledger) {
    let wallet = ledger.copy().await;
    let legs: Vec<_> = (0..7).map(|n| credit(&format!("p{n}"), "aether", 1)).collect();
    outcome(&wallet, post("many", legs)).await.unwrap();
    outcome(&wallet, post("one", vec![credit("p0", "aether", 1)])).await.unwrap();
    let all = read_all(wallet.feed(), 100).await;
    assert_eq!(all.len(), 8);
    for events_max in 1..9 {
        assert_eq!(read_all(wallet.feed(), events_max).await, all, "pages of {events_max}");
    }
}

async fn a_filter_moves_past_the_rest(ledger: Ledger) {
    let copies = copies(&ledger).await;
    storm(&copies, "storm", 100).await;
    let feed = copies[0].feed();
    let only = |noted: &Noted<Told>| noted.0.as_str() == "b";
    let page = feed.page(READER, feed.begin(Start::Oldest).await.unwrap(), 500, &(Arc::new(only) as _)).await.unwrap();
    assert!(!page.more && !page.events.is_empty());
    let expected: Vec<Event> =
        read_all(feed, 100).await.into_iter().filter(|event| event.player.as_str() == "b").collect();
    assert_eq!(page.events, expected);
    assert_eq!(read_on(feed, page.cursor, 10).await.0, [], "the rest was passed");
}

async fn a_reader_that_was_away_for_too_long_is_told_so(ledger: Ledger) {
    let wallet = ledger.copy().await;
    for n in 0..4 {
        outcome(&wallet, post(&format!("{n}"), vec![credit("p", "aether", 1)])).await.unwrap();
    }
    let feed = wallet.feed();
    let first = page(feed, feed.begin(Start::Oldest).await.unwrap(), 1).await.unwrap();
    let outbox = feed.outbox();
    assert_eq!(outbox.prune(Duration::ZERO, 2).await.unwrap().rows, 2);
    let error = page(feed, first.cursor.clone(), 10).await.unwrap_err();
    assert!(matches!(error, ReadError::Pruned { seq: 1, .. }), "{error:?}");
    // Whoever begins anew gets what is left, and a lane of which nothing is left goes on with its next.
    assert_eq!(read_all(feed, 10).await.iter().map(|event| event.version).collect::<Vec<_>>(), [3, 4]);
    outbox.prune(Duration::ZERO, 10).await.unwrap();
    let error = page(feed, first.cursor, 10).await.unwrap_err();
    assert!(matches!(error, ReadError::Pruned { seq: 1, .. }), "{error:?}");
    assert_eq!(read_all(feed, 10).await, []);
    outcome(&wallet, post("5", vec![credit("p", "aether", 1)])).await.unwrap();
    assert_eq!(read_all(feed, 10).await.iter().map(|event| event.version).collect::<Vec<_>>(), [5]);
}

async fn pruning_is_bounded_and_keeps_what_is_young(ledger: Ledger) {
    let wallet = ledger.copy().await;
    for n in 0..5 {
        outcome(&wallet, post(&format!("{n}"), vec![credit("p", "aether", 1)])).await.unwrap();
    }
    let outbox = wallet.feed().outbox();
    let pruned = wallet.prune_events(3).await.unwrap();
    assert_eq!((pruned.rows, pruned.more), (0, false), "a week is not over");
    let pruned = outbox.prune(Duration::ZERO, 3).await.unwrap();
    assert_eq!((pruned.rows, pruned.more), (3, true));
    let pruned = outbox.prune(Duration::ZERO, 3).await.unwrap();
    assert_eq!((pruned.rows, pruned.more), (2, false));
}

async fn a_cursor_of_a_younger_copy_of_the_database_is_refused(ledger: Ledger) {
    let wallet = ledger.copy().await;
    for n in 0..3 {
        outcome(&wallet, post(&format!("{n}"), vec![credit("p", "aether", 1)])).await.unwrap();
    }
    let feed = wallet.feed();
    let now = feed.begin(Start::Now).await.unwrap();
    // Back to before the last batch, which then happens otherwise.
    ledger.sql("DELETE FROM outbox WHERE seq = 3; UPDATE outbox_lanes SET last_seq = 2").await.unwrap();
    let error = page(feed, now.clone(), 10).await.unwrap_err();
    assert!(matches!(error, ReadError::Ahead { seq: 3, .. }), "{error:?}");
    for n in 3..6 {
        outcome(&wallet, post(&format!("{n}"), vec![credit("p", "aether", 1)])).await.unwrap();
    }
    let error = page(feed, now.clone(), 10).await.unwrap_err();
    assert!(matches!(error, ReadError::Ahead { seq: 3, .. }), "by its time: {error:?}");
    ledger.sql("DELETE FROM outbox; DELETE FROM outbox_lanes").await.unwrap();
    let error = page(feed, now, 10).await.unwrap_err();
    assert!(matches!(error, ReadError::Ahead { seq: 3, .. }), "to before there was a lane: {error:?}");
}

async fn a_watch_goes_on_and_ends_with_the_service(ledger: Ledger) {
    let copies = copies(&ledger).await;
    let feed = copies[0].feed().clone();
    let now = feed.begin(Start::Now).await.unwrap();
    let read = |cursor| page(copies[0].feed(), cursor, 500);
    let mut watch = std::pin::pin!(feed.watch(now, read));
    assert_eq!(watch.next().await.unwrap().unwrap().events, [], "it says at once where it stands");
    for (n, copy) in copies.iter().enumerate() {
        outcome(copy, post(&format!("{n}"), vec![credit("p", "aether", 1)])).await.unwrap();
        let page = watch.next().await.unwrap().unwrap();
        assert_eq!(page.events.len(), 1, "whichever copy wrote it");
    }
    copies[0].end_streams();
    assert!(watch.next().await.is_none());
}

/// Lets the commit of whatever happens to the player `late` wait until a lock is released: a transaction that has written all, and commits late.
const LATE: &str = "CREATE FUNCTION wait_for_release() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = '60s' AS $$
     BEGIN
         PERFORM pg_advisory_xact_lock_shared(7);
         RETURN NULL;
     END $$;
     CREATE CONSTRAINT TRIGGER outbox_is_late AFTER INSERT ON outbox DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW WHEN (new.body LIKE '%\"late\"%') EXECUTE FUNCTION wait_for_release();";

/// Brings one posting into `lane`.
async fn write(ledger: &Ledger, lane: i16, mutation: Mutation) -> Result<(), StoreError> {
    let mut keys = BatchKeys::new(&ledger.rules.assets);
    keys.add(&mutation);
    let (mut book, transaction) = ledger.store().await.open(keys).await?;
    decide(&mut book, &ledger.rules, &mutation);
    transaction.commit(book.into_journal(), lane).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_transaction_that_commits_late_is_not_skipped() {
    // A reader that remembers the largest position, id or time that it saw would have skipped it.
    let ledger = Arc::new(Ledger::postgres().await);
    ledger.sql(LATE).await.unwrap();
    let wallet = ledger.copy().await;
    let feed = wallet.feed();
    write(&ledger, 1, post("first", vec![credit("p", "aether", 1)])).await.unwrap();

    let lock = ledger.lock(7).await;
    let mut late = tokio::task::JoinSet::new();
    let other = Arc::clone(&ledger);
    late.spawn(async move { write(&other, 1, post("late", vec![credit("late", "aether", 1)])).await });
    ledger.wait_for_a_waiter().await;
    // Others commit meanwhile in another lane, later by every number and time.
    for n in 0..5 {
        write(&ledger, 2, post(&format!("other-{n}"), vec![credit("p", "aether", 1)])).await.unwrap();
    }
    let (meanwhile, cursor) = read_on(feed, feed.begin(Start::Oldest).await.unwrap(), 4).await;
    assert_eq!(numbers(&meanwhile), BTreeMap::from([("p".to_owned(), (1..7).collect())]));
    // A writer into the late one's lane waits for it: no number of a lane is committed before the one before it.
    let other = Arc::clone(&ledger);
    late.spawn(async move { write(&other, 1, post("behind", vec![credit("q", "aether", 1)])).await });
    assert_eq!(read_on(feed, cursor.clone(), 4).await.0, []);

    lock.release().await;
    late.join_all().await.into_iter().collect::<Result<Vec<()>, _>>().unwrap();
    let (after, _) = read_on(feed, cursor, 4).await;
    assert_eq!(after.iter().map(|event| event.player.as_str()).collect::<Vec<_>>(), ["late", "q"]);
    assert!(after.iter().all(|event| event.id.lane == 1) && after[0].time < meanwhile[5].time, "it was written before");
    assert_told(&wallet, &[meanwhile, after].concat()).await;
}
