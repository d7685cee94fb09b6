//! Laws of the inbox, on both stores.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use auric_gateway::domain::{Effect, Leg, Parked, Payment, Share};
use auric_gateway::store::{Accepted, Arrival, EventName, Inbox, Leased, ListQuery, Replay, State, Step};
use tokio::task::JoinSet;

use crate::harness::{Place, on_every_store};

on_every_store!(
    an_event_is_kept_once,
    a_leased_event_is_one_copys_alone,
    whoever_lost_a_lease_writes_nothing,
    what_was_resolved_is_leased_with_it,
    a_refund_wakes_when_its_payment_is_known,
    a_replay_takes_what_is_parked_and_nothing_else,
    pages_show_every_event_once,
);

const LEASE: Duration = Duration::from_mins(1);

fn name(event: &str) -> EventName {
    EventName { provider: "stripe".parse().unwrap(), event: event.parse().unwrap() }
}

async fn accept(inbox: &dyn Inbox, event: &str) -> Accepted {
    let arrival = Arrival { name: name(event), body: vec![0, 255, b'{'], traceparent: "a-trace".to_owned() };
    inbox.accept(&arrival).await.unwrap()
}

async fn lease_one(inbox: &dyn Inbox, lease: Duration) -> Leased {
    let mut leased = inbox.lease(1, lease).await.unwrap();
    assert_eq!(leased.len(), 1);
    leased.remove(0)
}

fn purchase(object: &str) -> Payment {
    let leg = Leg { asset: "lumees".parse().unwrap(), pool: None, units: 50 };
    Payment {
        player: "p".parse().unwrap(),
        object: object.parse().unwrap(),
        effect: Effect::Purchase { legs: vec![leg], retail_token: false },
    }
}

/// R-W9: one event, 50 at once from every copy, is one row.
async fn an_event_is_kept_once(place: Place) {
    let mut tasks = JoinSet::new();
    for copy in 0..place.copies() {
        let inbox = place.inbox().await;
        for _ in 0..50_usize.div_ceil(place.copies()) {
            let inbox = Arc::clone(&inbox);
            tasks.spawn(async move { (copy, accept(inbox.as_ref(), "evt_1").await) });
        }
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|(_, accepted)| *accepted == Accepted::New).count(), 1, "{answers:?}");
    let inbox = place.inbox().await;
    let (kept, body) = inbox.get(&name("evt_1")).await.unwrap().unwrap();
    assert_eq!((kept.state, kept.attempts, body), (State::Received, 0, vec![0, 255, b'{']));
    assert_eq!(inbox.get(&name("evt_2")).await.unwrap(), None);
}

/// Pins what happens without the row lock of the lease: two copies read the same due row and both take it.
async fn a_leased_event_is_one_copys_alone(place: Place) {
    let inbox = place.inbox().await;
    for event in 0..200 {
        accept(inbox.as_ref(), &format!("evt_{event}")).await;
    }
    let mut tasks = JoinSet::new();
    for _ in 0..6 {
        let inbox = place.inbox().await;
        tasks.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let leased = inbox.lease(7, LEASE).await.unwrap();
                if leased.is_empty() {
                    return mine;
                }
                mine.extend(leased);
            }
        });
    }
    let leased: Vec<Leased> = tasks.join_all().await.into_iter().flatten().collect();
    let names: BTreeSet<_> = leased.iter().map(|leased| leased.lease.name.clone()).collect();
    // A copy that met only rows that others held leaves early; what is due stays due.
    assert_eq!(names.len(), leased.len(), "one was leased twice");
    assert!(leased.iter().all(|leased| leased.attempts == 1 && leased.lease.fence == 1));
    let rest = inbox.lease(200, LEASE).await.unwrap();
    assert_eq!(names.len() + rest.len(), 200);
    assert!(inbox.lease(200, LEASE).await.unwrap().is_empty());
}

async fn whoever_lost_a_lease_writes_nothing(place: Place) {
    let inbox = place.inbox().await;
    accept(inbox.as_ref(), "evt_1").await;
    let frozen = lease_one(inbox.as_ref(), Duration::ZERO).await.lease;
    let next = lease_one(inbox.as_ref(), LEASE).await;
    assert_eq!((next.lease.fence, next.attempts), (frozen.fence + 1, 2));
    for step in [Step::Resolved(purchase("pi_1")), Step::Applied, Step::Parked(Parked::PriceUnknown.because("no"))] {
        assert!(!inbox.write(&frozen, &step).await.unwrap(), "{step:?}");
    }
    assert!(inbox.write(&next.lease, &Step::Applied).await.unwrap());
    assert!(!inbox.write(&next.lease, &Step::Applied).await.unwrap(), "an event ends once");
    assert_eq!(inbox.get(&name("evt_1")).await.unwrap().unwrap().0.state, State::Applied);
}

async fn what_was_resolved_is_leased_with_it(place: Place) {
    let inbox = place.inbox().await;
    accept(inbox.as_ref(), "evt_1").await;
    let first = lease_one(inbox.as_ref(), Duration::ZERO).await;
    assert_eq!((first.payment, first.traceparent.as_str(), first.body.len()), (None, "a-trace", 3));
    assert!(inbox.write(&first.lease, &Step::Resolved(purchase("pi_1"))).await.unwrap());
    let again = lease_one(inbox.as_ref(), LEASE).await;
    assert_eq!(again.payment, Some(purchase("pi_1")));
    let later = Step::Later { after: Duration::ZERO, detail: "away\0".to_owned() };
    assert!(inbox.write(&again.lease, &later).await.unwrap());
    let (kept, _) = inbox.get(&name("evt_1")).await.unwrap().unwrap();
    assert_eq!((kept.state, kept.detail.as_str()), (State::Received, "away\u{fffd}"));
    assert_eq!(lease_one(inbox.as_ref(), LEASE).await.payment, Some(purchase("pi_1")));
}

async fn a_refund_wakes_when_its_payment_is_known(place: Place) {
    let inbox = place.inbox().await;
    let stripe = "stripe".parse().unwrap();
    accept(inbox.as_ref(), "evt_refund").await;
    let refund = lease_one(inbox.as_ref(), LEASE).await.lease;
    let park = Parked::ObjectUnknown.because("not yet");
    let park = auric_gateway::domain::Park { waits_for: Some("pi_1".parse().unwrap()), ..park };
    assert!(inbox.write(&refund, &Step::Parked(park)).await.unwrap());
    assert_eq!(inbox.sale(&stripe, "pi_1").await.unwrap(), None);
    assert_eq!(inbox.wake().await.unwrap(), 0);
    for (event, payment) in [
        ("evt_other", purchase("pi_2")),
        ("evt_back", Payment { effect: Effect::Refund { share: Share::new(1, 2).unwrap() }, ..purchase("pi_1") }),
    ] {
        accept(inbox.as_ref(), event).await;
        let lease = lease_one(inbox.as_ref(), LEASE).await.lease;
        assert!(inbox.write(&lease, &Step::Resolved(payment)).await.unwrap());
        assert_eq!(inbox.wake().await.unwrap(), 0, "{event} is no payment of it");
    }
    accept(inbox.as_ref(), "evt_sale").await;
    let sale = lease_one(inbox.as_ref(), LEASE).await.lease;
    assert!(inbox.write(&sale, &Step::Resolved(purchase("pi_1"))).await.unwrap());
    assert_eq!(inbox.sale(&stripe, "pi_1").await.unwrap(), Some(purchase("pi_1")));
    assert_eq!(inbox.wake().await.unwrap(), 1);
    assert_eq!(inbox.wake().await.unwrap(), 0);
    assert_eq!(lease_one(inbox.as_ref(), LEASE).await.lease.name, name("evt_refund"));
}

async fn a_replay_takes_what_is_parked_and_nothing_else(place: Place) {
    let inbox = place.inbox().await;
    let reasons = [Parked::PriceUnknown, Parked::PriceUnknown, Parked::PlayerUnknown];
    for (index, reason) in reasons.into_iter().enumerate() {
        accept(inbox.as_ref(), &format!("evt_{index}")).await;
        let lease = lease_one(inbox.as_ref(), LEASE).await.lease;
        assert!(inbox.write(&lease, &Step::Resolved(purchase("pi_1"))).await.unwrap());
        assert!(inbox.write(&lease, &Step::Parked(reason.because("no"))).await.unwrap());
    }
    accept(inbox.as_ref(), "evt_applied").await;
    let lease = lease_one(inbox.as_ref(), LEASE).await.lease;
    assert!(inbox.write(&lease, &Step::Applied).await.unwrap());

    let counts = inbox.counts().await.unwrap();
    let counted: Vec<_> = counts.iter().map(|count| (count.reason.as_str(), count.events)).collect();
    assert_eq!(counted, [("PLAYER_UNKNOWN", 1), ("PRICE_UNKNOWN", 2)]);
    let one = |event: &str| Replay::One(name(event));
    assert_eq!(inbox.replay(&one("evt_applied"), 10).await.unwrap(), 0);
    assert_eq!(inbox.replay(&one("evt_2"), 10).await.unwrap(), 1);
    assert_eq!(inbox.replay(&one("evt_2"), 10).await.unwrap(), 0, "replaying twice is replaying once");
    let price = Replay::All { provider: None, reason: Some("PRICE_UNKNOWN".to_owned()) };
    assert_eq!(inbox.replay(&price, 1).await.unwrap(), 1);
    assert_eq!(inbox.replay(&price, 10).await.unwrap(), 1);
    let leased = inbox.lease(10, LEASE).await.unwrap();
    assert_eq!(leased.len(), 3);
    assert!(leased.iter().all(|leased| leased.payment.is_none()), "it is resolved under the products of now");
}

async fn pages_show_every_event_once(place: Place) {
    let inbox = place.inbox().await;
    let mut wanted = BTreeSet::new();
    for event in 0..7 {
        accept(inbox.as_ref(), &format!("evt_{event}")).await;
        wanted.insert(name(&format!("evt_{event}")));
    }
    let mut query = ListQuery { state: Some(State::Received), provider: None, reason: None, after: None, limit: 1 };
    let mut seen = Vec::new();
    while let Some(last) = inbox.list(&query).await.unwrap().pop() {
        // One that arrives meanwhile comes later.
        accept(inbox.as_ref(), "evt_late").await;
        query.after = Some((last.received_at, last.name.clone()));
        seen.push(last.name);
    }
    wanted.insert(name("evt_late"));
    assert_eq!(seen.len(), 8);
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), wanted);
}
