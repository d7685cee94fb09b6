//! From a kept event to a wallet that was told, with copies that die, wallets that go away, and products that change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use auric_gateway::domain::{Effect, Payment};
use auric_gateway::store::{Kept, Replay, State};

use crate::harness::{FakeWallet, Place, everything, on_every_store, send, settled, wait_for};
use crate::stripe::{INVOICE, REFUNDED, SESSION, SUBSCRIPTION, event};

on_every_store!(
    fifty_of_one_event_at_every_copy_are_told_once,
    a_wallet_that_is_away_is_told_when_it_is_back,
    a_lost_answer_is_the_same_telling_again,
    what_was_taken_is_applied_by_whoever_comes_next,
    a_refund_before_its_purchase_waits_for_it,
    what_cannot_be_decided_is_parked_with_its_reason,
    a_parked_event_is_applied_after_its_price_is_sold,
    the_amount_of_an_event_is_never_what_is_given,
);

fn bulk(number: usize) -> String {
    event(SESSION, &number.to_string(), &number.to_string(), "discord:1", "bulk_50")
}

fn given(payment: &Payment) -> Vec<(String, u64)> {
    let (Effect::Purchase { legs, .. } | Effect::Renewal { legs, .. }) = &payment.effect else { return Vec::new() };
    legs.iter().map(|leg| (leg.pool.as_ref().map(ToString::to_string).unwrap_or_default(), leg.units)).collect()
}

/// R-W9: however often and from however many copies an event arrives, it is applied once.
async fn fifty_of_one_event_at_every_copy_are_told_once(place: Place) {
    let wallet = Arc::<FakeWallet>::default();
    let mut copies = Vec::new();
    for _ in 0..place.copies() {
        copies.push(place.copy(&wallet).await);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..50 {
        for copy in &copies {
            let copy = Arc::clone(copy);
            tasks.spawn(async move { send(&copy, &bulk(number % 5)).await });
        }
    }
    tasks.join_all().await;
    let events = settled(&copies[0]).await;
    assert_eq!(events.len(), 5);
    assert!(events.iter().all(|event| event.state == State::Applied && event.attempts == 1), "{events:?}");
    assert_eq!(wallet.told().len(), 5);
    for copy in copies {
        copy.close().await;
    }
}

async fn a_wallet_that_is_away_is_told_when_it_is_back(place: Place) {
    let wallet = Arc::<FakeWallet>::default();
    wallet.is_away.store(true, SeqCst);
    let copy = place.copy(&wallet).await;
    for number in 0..20 {
        send(&copy, &bulk(number)).await;
    }
    let tried = |events: &[Kept]| events.iter().all(|event| event.attempts >= 2 && event.state == State::Received);
    wait_for("two attempts", || async { tried(&everything(&copy).await).then_some(()) }).await;
    assert_eq!(wallet.told(), []);
    wallet.is_away.store(false, SeqCst);
    assert!(settled(&copy).await.iter().all(|event| event.state == State::Applied));
    assert_eq!(wallet.told().len(), 20);
    copy.close().await;
}

/// The wallet fake itself fails the test when one key is told two things.
async fn a_lost_answer_is_the_same_telling_again(place: Place) {
    let wallet = Arc::<FakeWallet>::default();
    wallet.is_mute.store(true, SeqCst);
    let copy = place.copy(&wallet).await;
    send(&copy, &bulk(1)).await;
    wait_for("a telling", || async { (!wallet.told().is_empty()).then_some(()) }).await;
    // What is sold changes meanwhile: what was resolved stays as it was.
    let folder = tempfile::tempdir().unwrap();
    let game = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../game");
    std::fs::copy(game.join("assets.toml"), folder.path().join("assets.toml")).unwrap();
    let text = std::fs::read_to_string(game.join("products.toml")).unwrap().replace("units = 50", "units = 7");
    std::fs::write(folder.path().join("products.toml"), text).unwrap();
    copy.reload(folder.path()).unwrap();
    wallet.is_mute.store(false, SeqCst);
    assert_eq!(settled(&copy).await[0].state, State::Applied);
    assert_eq!(wallet.told().iter().map(given).collect::<Vec<_>>(), [vec![("bulk".to_owned(), 50)]]);
    send(&copy, &bulk(2)).await;
    settled(&copy).await;
    assert_eq!(given(&wallet.told()[1]), [("bulk".to_owned(), 7)], "the next one is of the products of now");
    copy.close().await;
}

async fn what_was_taken_is_applied_by_whoever_comes_next(place: Place) {
    let wallet = Arc::<FakeWallet>::default();
    let dead = place.idle_copy(&wallet).await;
    for number in 0..10 {
        send(&dead, &bulk(number)).await;
    }
    // It dies with some of them leased, too.
    let inbox = place.inbox().await;
    assert_eq!(inbox.lease(4, std::time::Duration::from_millis(300)).await.unwrap().len(), 4);
    let next = place.copy(&wallet).await;
    assert!(settled(&next).await.iter().all(|event| event.state == State::Applied));
    assert_eq!(wallet.told().len(), 10);
    next.close().await;
}

async fn a_refund_before_its_purchase_waits_for_it(place: Place) {
    let wallet = Arc::<FakeWallet>::default();
    let copy = place.copy(&wallet).await;
    send(&copy, &event(REFUNDED, "2", "1", "", "")).await;
    let parked = settled(&copy).await;
    assert_eq!((parked[0].state, parked[0].reason.as_str()), (State::Parked, "OBJECT_UNKNOWN"));
    send(&copy, &bulk(1)).await;
    wait_for("the refund", || async { (wallet.told().len() == 2).then_some(()) }).await;
    assert!(settled(&copy).await.iter().all(|event| event.state == State::Applied));
    assert!(wallet.told().iter().all(|payment| payment.player.as_str() == "discord:1"));
    // One that says whose it is does not wait: the wallet takes the two in any order.
    let named =
        event(REFUNDED, "3", "9", "", "").replace(r#""metadata": {}"#, r#""metadata": {"player_id": "discord:9"}"#);
    send(&copy, &named).await;
    settled(&copy).await;
    assert_eq!(wallet.told().len(), 3);
    copy.close().await;
}

async fn what_cannot_be_decided_is_parked_with_its_reason(place: Place) {
    let wallet = Arc::<FakeWallet>::default();
    let copy = place.copy(&wallet).await;
    let of = |number: &str, price: &str| event(INVOICE, number, number, "discord:1", price);
    let cases = [
        ("1", "PRICE_UNKNOWN", of("1", "price_of_nothing")),
        ("2", "PLAYER_UNKNOWN", of("2", "subscription").replace("player_id", "other")),
        ("3", "PLAYER_UNKNOWN", event(INVOICE, "3", "3", "no player", "subscription")),
        ("4", "EVENT_UNKNOWN", of("4", "subscription").replace("\"invoice.paid\"", "\"balance.available\"")),
        ("5", "EVENT_MALFORMED", of("5", "subscription").replace(r#""data": {"#, r#""date": {"#)),
        ("6", "QUANTITY_ABOVE_MAXIMUM", of("6", "subscription").replace(r#""quantity": 1"#, r#""quantity": 2"#)),
        ("7", "EVENT_MALFORMED", of("7", "subscription").replace(r#""quantity": 1"#, r#""quantity": -1"#)),
        ("8", "UNDECIDABLE", of("8", "subscription").replace(r#""proration": false"#, r#""proration": true"#)),
        ("9", "NO_PAYMENT", event(SUBSCRIPTION, "9", "9", "discord:1", "subscription")),
    ];
    let mut wanted = BTreeMap::new();
    for (number, reason, body) in cases {
        send(&copy, &body).await;
        wanted.insert(format!("evt_{number}"), reason.to_owned());
    }
    let events = settled(&copy).await;
    let found: BTreeMap<_, _> =
        events.iter().map(|event| (event.name.event.to_string(), event.reason.clone())).collect();
    assert_eq!(found, wanted);
    assert!(events.iter().all(|event| event.state == State::Ignored || !event.detail.is_empty()));
    assert_eq!(wallet.told(), []);
    wallet.refuse(Some("INVALID_ARGUMENT: no such asset"));
    send(&copy, &bulk(10)).await;
    let refused = settled(&copy).await.into_iter().find(|event| event.name.event.as_str() == "evt_10").unwrap();
    assert_eq!(
        (refused.reason.as_str(), refused.detail.as_str()),
        ("WALLET_REFUSED", "INVALID_ARGUMENT: no such asset")
    );
    wallet.refuse(None);
    copy.replay(&Replay::One(refused.name)).await.unwrap();
    settled(&copy).await;
    assert_eq!(wallet.told().len(), 1);
    copy.close().await;
}

/// R-W14: a price is given a meaning by configuration, while the gateway runs.
async fn a_parked_event_is_applied_after_its_price_is_sold(place: Place) {
    let wallet = Arc::<FakeWallet>::default();
    let copy = place.copy(&wallet).await;
    send(&copy, &event(SESSION, "1", "1", "discord:1", "price_1New")).await;
    assert_eq!(settled(&copy).await[0].reason, "PRICE_UNKNOWN");
    let folder = tempfile::tempdir().unwrap();
    let game = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../game");
    std::fs::copy(game.join("assets.toml"), folder.path().join("assets.toml")).unwrap();
    let text = std::fs::read_to_string(game.join("products.toml")).unwrap();
    let old = copy.products();
    std::fs::write(folder.path().join("products.toml"), "[half").unwrap();
    copy.reload(folder.path()).unwrap_err();
    assert_eq!(copy.products().hash, old.hash, "the old ones stay");
    let sold = text.replace("[bulk_250]", "[bulk_250]\nprices.stripe = [\"price_1New\"]");
    std::fs::write(folder.path().join("products.toml"), sold).unwrap();
    copy.reload(folder.path()).unwrap();
    assert_eq!(copy.replay(&Replay::All { provider: None, reason: None }).await.unwrap(), (1, false));
    settled(&copy).await;
    assert_eq!(given(&wallet.told()[0]), [("bulk".to_owned(), 250)]);
    copy.close().await;
}

async fn the_amount_of_an_event_is_never_what_is_given(place: Place) {
    let wallet = Arc::<FakeWallet>::default();
    let copy = place.copy(&wallet).await;
    for (number, amount) in ["-499", "0", "9223372036854775807", "1e300", "\"a lot\""].into_iter().enumerate() {
        send(&copy, &bulk(number).replace("499", amount)).await;
    }
    assert!(settled(&copy).await.iter().all(|event| event.state == State::Applied));
    assert!(wallet.told().iter().all(|payment| given(payment) == [("bulk".to_owned(), 50)]));
    copy.close().await;
}
