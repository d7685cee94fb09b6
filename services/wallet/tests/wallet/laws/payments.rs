//! Payments: the end follows from what is known, whatever came first, twice or at once (R-W8, R-W9, R-W14).

use std::sync::Arc;

use auric_time::Timestamp;
use auric_wallet::Handlers;
use auric_wallet::domain::{Balance, DisputeState, Fact, Gift, MovementKind, Mutation, Rejection, Unstored, Verdict};
use futures::StreamExt as _;
use futures::future::join_all;

use crate::asks::{HOUR, bought, by, disputed, gift, held, refunded, release, renew, renewed, reserve, told};
use crate::harness::{
    Ledger, assert_books_agree, audit, balances, credit, debit, in_pool, on_every_store, outcome, post, send, unstored,
};

on_every_store!(
    every_order_of_one_payments_events_ends_the_same,
    a_renewal_of_may_after_junes_changes_nothing,
    an_event_is_acted_on_once_under_any_key,
    a_refund_of_what_was_spent_is_owed_and_paid_first,
    every_increase_pays_what_is_owed,
    what_a_renewal_replaced_is_neither_taken_back_nor_given_again,
    a_payment_passes_every_maximum,
    an_event_of_another_payment_or_player_is_refused,
    what_could_not_be_taken_back_is_not_sold,
    the_subscription_and_the_bulk_of_the_earlier_system,
    fifty_at_once_are_one_effect,
    opposed_events_of_three_copies_end_the_same,
    a_payment_that_somebody_changed_is_found,
);

/// When the laws with a stopped clock begin.
const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

async fn pools(wallet: &Handlers, name: &str) -> Vec<[u64; 4]> {
    balances(wallet, name, "credit").await.into_iter().map(Balance::parts).collect()
}

async fn pay(wallet: &Handlers, key: &str, object: &str, fact: Fact) {
    outcome(wallet, told(key, "p", object, key, fact)).await.unwrap();
}

async fn spend(wallet: &Handlers, key: &str, units: i64) {
    outcome(wallet, post(key, vec![debit("p", "credit", units)])).await.unwrap();
}

async fn every_order_of_one_payments_events_ends_the_same(ledger: Ledger) {
    // R-W9: a purchase, a part of it back, a dispute of the rest that was won, and one of the events again under another key.
    let wallet = ledger.copy().await;
    let opened = disputed(DisputeState::Opened, 400, 1_000);
    let won = disputed(DisputeState::Won, 400, 1_000);
    let facts = [bought(50), refunded(100, 1_000), refunded(600, 1_000), opened, won];
    for (number, order) in orders(facts.len()).into_iter().enumerate() {
        let name = format!("p{number}");
        for (step, fact) in order.iter().chain(&order[..2]).enumerate() {
            let (key, event) = (format!("k{number}-{step}"), format!("e{number}-{fact}"));
            let request = told(&key, &name, &format!("charge-{number}"), &event, facts[*fact].clone());
            outcome(&wallet, request).await.unwrap();
        }
        assert_eq!(pools(&wallet, &name).await[1], [20, 0, 0, 0], "{order:?}");
    }
    // And each prefix is what is known by then: the full refund is taken back whether or not the dispute goes on.
    for (number, (facts, left)) in [
        (vec![bought(50), refunded(1_000, 1_000)], 0),
        (vec![disputed(DisputeState::Lost, 400, 1_000), bought(50)], 30),
        (vec![disputed(DisputeState::Opened, 400, 1_000), bought(50), refunded(600, 1_000)], 0),
    ]
    .into_iter()
    .enumerate()
    {
        for (step, fact) in facts.into_iter().enumerate() {
            let key = format!("prefix-{number}-{step}");
            outcome(&wallet, told(&key, "q", &format!("prefix-{number}"), &key, fact)).await.unwrap();
        }
        assert_eq!(pools(&wallet, "q").await[1][0], left, "{number}");
        outcome(&wallet, renew(&format!("empty-{number}"), "q", "bulk", 0)).await.unwrap();
    }
    assert_books_agree(&wallet).await;
}

/// Every order of the first `count` numbers.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let insert = |order: Vec<usize>| (0..count).map(move |at| [&order[..at], &[last], &order[at..]].concat());
    orders(last).into_iter().flat_map(insert).collect()
}

async fn a_renewal_of_may_after_junes_changes_nothing(ledger: Ledger) {
    // R-W8: May, June, May again and late; then July comes before a second telling of June's.
    let wallet = ledger.copy().await;
    pay(&wallet, "may", "invoice-5", renewed(20, 5)).await;
    spend(&wallet, "use", 3).await;
    pay(&wallet, "june", "invoice-6", renewed(30, 6)).await;
    spend(&wallet, "use-more", 4).await;
    let again = outcome(&wallet, told("may-again", "p", "invoice-5", "may-again", renewed(20, 5))).await.unwrap();
    assert_eq!(again.movements, [], "it is recorded, and nothing follows");
    pay(&wallet, "may-late", "another-invoice-5", renewed(20, 5)).await;
    pay(&wallet, "june-again", "another-invoice-6", renewed(20, 6)).await;
    assert_eq!(pools(&wallet, "p").await[0], [26, 0, 0, 0]);
    pay(&wallet, "may-back", "another-invoice-5", refunded(1, 1)).await;
    assert_eq!(pools(&wallet, "p").await[0], [26, 0, 0, 0], "what was never given is not taken back");
    pay(&wallet, "july", "invoice-7", renewed(20, 7)).await;
    assert_eq!(pools(&wallet, "p").await[0], [20, 0, 0, 0]);
    assert_books_agree(&wallet).await;
}

async fn an_event_is_acted_on_once_under_any_key(ledger: Ledger) {
    // R-W9: another copy, another caller and another price list make no second effect; the first answer comes back.
    let (wallet, other) = (ledger.copy().await, ledger.copy().await);
    let first = outcome(&wallet, told("k1", "p", "charge-1", "evt-1", bought(50))).await.unwrap();
    assert_eq!(first.movements[0].kind, MovementKind::Paid);
    let again = outcome(&other, told("k2", "p", "charge-1", "evt-1", bought(50))).await.unwrap();
    let dearer = outcome(&other, by("shop", told("k1", "p", "charge-1", "evt-1", bought(70)))).await.unwrap();
    assert_eq!((&again, &dearer), (&first, &first));
    let replay = send(&wallet, told("k1", "p", "charge-1", "evt-1", bought(50))).await;
    assert_eq!(replay, Verdict::Answered { outcome: Ok(first), replayed: true });
    assert_eq!(pools(&wallet, "p").await[1], [50, 0, 0, 0]);
    assert_eq!(audit(&wallet, "p").await.len(), 1);
    assert_books_agree(&wallet).await;
}

async fn a_refund_of_what_was_spent_is_owed_and_paid_first(ledger: Ledger) {
    let wallet = ledger.copy().await;
    pay(&wallet, "buy", "charge-1", bought(50)).await;
    spend(&wallet, "use", 30).await;
    let taken = outcome(&wallet, told("back", "p", "charge-1", "back", refunded(5, 5))).await.unwrap();
    let movement = &taken.movements[0];
    assert_eq!((movement.kind, movement.change.parts()), (MovementKind::Refunded, [-20, 0, 0, 30]));
    assert_eq!(pools(&wallet, "p").await[1], [0, 0, 0, 30]);
    let refused = outcome(&wallet, post("broke", vec![debit("p", "credit", 1)])).await.unwrap_err();
    assert_eq!(refused.reason(), "INSUFFICIENT_FUNDS");
    pay(&wallet, "buy-more", "charge-2", bought(50)).await;
    assert_eq!(pools(&wallet, "p").await[1], [20, 0, 0, 0]);
    // A dispute takes back and gives again; what was owed in between is paid by it.
    spend(&wallet, "use-more", 15).await;
    pay(&wallet, "opened", "charge-2", disputed(DisputeState::Opened, 9, 9)).await;
    assert_eq!(pools(&wallet, "p").await[1], [0, 0, 0, 45]);
    pay(&wallet, "won", "charge-2", disputed(DisputeState::Won, 9, 9)).await;
    assert_eq!(pools(&wallet, "p").await[1], [5, 0, 0, 0]);
    assert_books_agree(&wallet).await;
}

async fn every_increase_pays_what_is_owed(mut ledger: Ledger) {
    // A post, what a hold gives back, a renewal by hand, and what the clock gives back.
    ledger.stop_clock(START).await;
    let wallet = ledger.copy().await;
    pay(&wallet, "buy", "charge-1", bought(50)).await;
    outcome(&wallet, reserve("hold", "h", vec![held("p", "credit", 40)])).await.unwrap();
    pay(&wallet, "back", "charge-1", refunded(1, 1)).await;
    assert_eq!(pools(&wallet, "p").await[1], [0, 40, 0, 40], "what is held stays good for its commit");
    outcome(&wallet, post("gift", vec![in_pool(credit("p", "credit", 10), "bulk")])).await.unwrap();
    assert_eq!(pools(&wallet, "p").await[1], [0, 40, 0, 30]);
    outcome(&wallet, renew("set", "p", "bulk", 4)).await.unwrap();
    assert_eq!(pools(&wallet, "p").await[1], [0, 40, 0, 26]);
    outcome(&wallet, release("give-back", "h")).await.unwrap();
    assert_eq!(pools(&wallet, "p").await[1], [0, 0, 0, 26], "and lapses with its generation, which a renewal ended");

    pay(&wallet, "buy-charges", "charge-2", Fact::Purchase(vec![of("charge", "", 3)])).await;
    outcome(&wallet, post("use", vec![debit("p", "charge", 7)])).await.unwrap();
    outcome(&wallet, reserve("hold-2", "h2", vec![held("p", "charge", 1)])).await.unwrap();
    pay(&wallet, "charges-back", "charge-2", refunded(1, 1)).await;
    let parts = balances(&wallet, "p", "charge").await[0].parts();
    assert_eq!(parts, [0, 1, 0, 3]);
    outcome(&wallet, release("give-back-2", "h2")).await.unwrap();
    assert_eq!(balances(&wallet, "p", "charge").await[0].parts(), [0, 0, 0, 2]);
    ledger.set_clock(START.plus_micros(3 * HOUR)).await;
    assert_eq!(balances(&wallet, "p", "charge").await[0].parts(), [1, 0, 0, 0], "two pay, one is there");
    assert_books_agree(&wallet).await;
}

fn of(asset: &str, pool: &str, units: u64) -> Gift {
    Gift { asset: asset.parse().unwrap(), pool: pool.parse().unwrap(), units }
}

async fn what_a_renewal_replaced_is_neither_taken_back_nor_given_again(ledger: Ledger) {
    let wallet = ledger.copy().await;
    pay(&wallet, "may", "invoice-5", renewed(20, 5)).await;
    pay(&wallet, "opened", "invoice-5", disputed(DisputeState::Opened, 7, 7)).await;
    assert_eq!(pools(&wallet, "p").await[0], [0, 0, 0, 0]);
    pay(&wallet, "june", "invoice-6", renewed(20, 6)).await;
    pay(&wallet, "won", "invoice-5", disputed(DisputeState::Won, 7, 7)).await;
    assert_eq!(pools(&wallet, "p").await[0], [20, 0, 0, 0]);
    pay(&wallet, "may-back", "invoice-5", refunded(7, 7)).await;
    assert_eq!(pools(&wallet, "p").await[0], [20, 0, 0, 0]);
    pay(&wallet, "june-back", "invoice-6", refunded(7, 7)).await;
    assert_eq!(pools(&wallet, "p").await[0], [0, 0, 0, 0]);
    assert_books_agree(&wallet).await;
}

async fn a_payment_passes_every_maximum(ledger: Ledger) {
    // R-W4 and R-W9: the catalog says 1,000 a pool; what was paid for is given all the same, and nothing else is.
    let wallet = ledger.copy().await;
    pay(&wallet, "buy", "charge-1", bought(900)).await;
    pay(&wallet, "buy-more", "charge-2", bought(900)).await;
    pay(&wallet, "month", "invoice-1", renewed(5_000, 1)).await;
    assert_eq!(pools(&wallet, "p").await, [[5_000, 0, 0, 0], [1_800, 0, 0, 0]]);
    let refused = outcome(&wallet, post("gift", vec![in_pool(credit("p", "credit", 1), "bulk")])).await.unwrap_err();
    assert_eq!(refused.reason(), "ABOVE_MAXIMUM");
    assert_books_agree(&wallet).await;
}

async fn an_event_of_another_payment_or_player_is_refused(ledger: Ledger) {
    let wallet = ledger.copy().await;
    pay(&wallet, "buy", "charge-1", bought(50)).await;
    let of_another = outcome(&wallet, told("k1", "p", "charge-2", "buy", bought(50))).await.unwrap_err();
    let Rejection::PaymentEventReused { object, kind, .. } = &of_another else { panic!("{of_another:?}") };
    assert_eq!((object.as_str(), kind.as_str()), ("charge-1", "purchase"));
    outcome(&wallet, told("k2", "p", "charge-1", "buy", refunded(1, 1))).await.unwrap_err();
    let not_yours = outcome(&wallet, told("k3", "q", "charge-1", "k3", refunded(1, 1))).await.unwrap_err();
    assert_eq!(not_yours.reason(), "PAYMENT_OF_ANOTHER_PLAYER");
    assert_eq!((pools(&wallet, "p").await[1][0], pools(&wallet, "q").await[1][0]), (50, 0));
    assert_books_agree(&wallet).await;
}

async fn what_could_not_be_taken_back_is_not_sold(ledger: Ledger) {
    let wallet = ledger.copy().await;
    let sold = |asset: &str, pool: &str| of(asset, pool, 1);
    let facts = [("xp", ""), ("gold", ""), ("dust", ""), ("credit", ""), ("credit", "gold"), ("lumees", "bulk")];
    for (asset, pool) in facts {
        let refused = unstored(&wallet, told("k", "p", "o", "e", Fact::Purchase(vec![sold(asset, pool)]))).await;
        assert!(matches!(refused, Unstored::Invalid(_)), "{asset} {pool}: {refused:?}");
    }
    let renewal = Fact::Renewal { pools: vec![gift("bulk", 1), sold("lumees", "")], period: 1 };
    let Unstored::Invalid(fields) = unstored(&wallet, told("k", "p", "o", "e", renewal)).await else { panic!() };
    assert_eq!(fields[0].path, "renewal.pools[1].asset_id");
    outcome(&wallet, told("k", "p", "o", "e", Fact::Purchase(vec![sold("lumees", "")]))).await.unwrap();
}

async fn the_subscription_and_the_bulk_of_the_earlier_system(ledger: Ledger) {
    // R-W8, R-W14: 5 + 50, a renewal sets 20 + 50; subscription is spent first; 50 + 100 + 250 = 400; 20 parallel deductions of 10.
    let wallet = ledger.copy().await;
    pay(&wallet, "subscribe", "invoice-1", renewed(5, 1)).await;
    pay(&wallet, "bulk_50", "charge-1", bought(50)).await;
    assert_eq!(pools(&wallet, "p").await, [[5, 0, 0, 0], [50, 0, 0, 0]]);
    pay(&wallet, "month", "invoice-2", renewed(20, 2)).await;
    assert_eq!(pools(&wallet, "p").await, [[20, 0, 0, 0], [50, 0, 0, 0]]);
    spend(&wallet, "use", 15).await;
    assert_eq!(pools(&wallet, "p").await, [[5, 0, 0, 0], [50, 0, 0, 0]]);
    spend(&wallet, "use-both", 10).await;
    assert_eq!(pools(&wallet, "p").await, [[0, 0, 0, 0], [45, 0, 0, 0]], "subscription first, then bulk");

    for units in [50, 100, 250] {
        let key = format!("q-bulk_{units}");
        outcome(&wallet, told(&key, "q", &key, &key, bought(units))).await.unwrap();
    }
    assert_eq!(pools(&wallet, "q").await[1], [400, 0, 0, 0]);
    let copies = join_all((0..ledger.copies()).map(|_| ledger.copy())).await;
    outcome(&wallet, told("r-bulk", "r", "r-bulk", "r-bulk", bought(100))).await.unwrap();
    let ten = |n| post(&format!("ten-{n}"), vec![debit("r", "credit", 10)]);
    let verdicts = storm(&copies, (0..20).map(ten).collect()).await;
    assert_eq!(verdicts.iter().filter(|verdict| is_applied(verdict)).count(), 10);
    assert_eq!(pools(&wallet, "r").await[1], [0, 0, 0, 0]);
    assert_books_agree(&wallet).await;
}

async fn storm(copies: &[Arc<Handlers>], mutations: Vec<Mutation>) -> Vec<Verdict> {
    let mut tasks = tokio::task::JoinSet::new();
    for (index, mutation) in mutations.into_iter().enumerate() {
        let wallet = Arc::clone(&copies[index % copies.len()]);
        tasks.spawn(async move { send(&wallet, mutation).await });
    }
    tasks.join_all().await
}

const fn is_applied(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Answered { outcome: Ok(_), .. })
}

async fn fifty_at_once_are_one_effect(ledger: Ledger) {
    // R-W9: one event under fifty keys, and fifty events of one payment, over three copies.
    let copies = join_all((0..ledger.copies()).map(|_| ledger.copy())).await;
    let twins = (0..50).map(|n| told(&format!("twin-{n}"), "p", "charge-1", "evt-1", bought(50))).collect();
    let verdicts = storm(&copies, twins).await;
    let Verdict::Answered { outcome: first, .. } = &verdicts[0] else { panic!("{verdicts:?}") };
    for verdict in &verdicts {
        let Verdict::Answered { outcome, .. } = verdict else { panic!("{verdict:?}") };
        assert_eq!(outcome, first, "one answer for all");
    }
    let events = (0..50).map(|n| told(&format!("k-{n}"), "q", "charge-2", &format!("evt-q-{n}"), bought(50))).collect();
    assert!(storm(&copies, events).await.iter().all(is_applied));
    for name in ["p", "q"] {
        assert_eq!(pools(&copies[0], name).await[1], [50, 0, 0, 0]);
        assert_eq!(audit(&copies[0], name).await.len(), 1, "{name} was given once");
    }
    // One payment that is told of two players at once is the first one's.
    let told_of = |n: usize| {
        let name = ["s", "t"][n % 2];
        told(&format!("st-{n}"), name, "charge-3", &format!("evt-st-{n}"), bought(50))
    };
    let verdicts = storm(&copies, (0..20).map(told_of).collect()).await;
    assert_eq!(verdicts.iter().filter(|verdict| is_applied(verdict)).count(), 10, "{verdicts:?}");
    let units = [pools(&copies[0], "s").await[1][0], pools(&copies[0], "t").await[1][0]];
    assert!(units == [50, 0] || units == [0, 50], "{units:?}");
    assert_books_agree(&copies[0]).await;
}

async fn opposed_events_of_three_copies_end_the_same(ledger: Ledger) {
    // R-W9, R-O5: everything of one payment and two periods at once, again and again, while the player spends nothing.
    let copies = join_all((0..ledger.copies()).map(|_| ledger.copy())).await;
    for round in 0..6 {
        let name = format!("p{round}");
        let facts = [
            ("charge", bought(50)),
            ("charge", refunded(10, 100)),
            ("charge", refunded(40, 100)),
            ("charge", disputed(DisputeState::Opened, 60, 100)),
            ("charge", disputed(DisputeState::Won, 60, 100)),
            ("may", renewed(20, 5)),
            ("june", renewed(30, 6)),
            ("may", refunded(1, 2)),
        ];
        let ask = |n: usize| {
            let (object, fact) = &facts[(n * 5 + round) % facts.len()];
            let event = format!("{name}-{}", (n * 5 + round) % facts.len());
            told(&format!("{name}-{n}"), &name, &format!("{name}-{object}"), &event, fact.clone())
        };
        let verdicts = storm(&copies, (0..48).map(ask).collect()).await;
        assert!(verdicts.iter().all(is_applied), "{verdicts:?}");
        assert_eq!(pools(&copies[0], &name).await, [[30, 0, 0, 0], [30, 0, 0, 0]], "round {round}");
    }
    assert_books_agree(&copies[0]).await;
}

async fn a_payment_that_somebody_changed_is_found(ledger: Ledger) {
    // R-W2: its row would have the next refund take back what was never given.
    let wallet = ledger.copy().await;
    pay(&wallet, "buy", "charge-1", bought(50)).await;
    assert_books_agree(&wallet).await;
    let changed = r#"UPDATE payments SET parts = replace(parts, '"given_units":50', '"given_units":49')"#;
    assert_eq!(ledger.sql(changed).await.unwrap(), 1);
    let mut reports = std::pin::pin!(Arc::clone(&wallet).verify_audit(None));
    let mut kinds = Vec::new();
    while let Some(report) = reports.next().await {
        kinds.extend(report.unwrap().faults.into_iter().map(|fault| fault.kind.as_str()));
    }
    assert_eq!(kinds, ["PAYMENT_MISMATCH"]);
    ledger.sql("DELETE FROM payments").await.unwrap_err();
    ledger.sql("UPDATE payment_events SET object_id = 'x'").await.unwrap_err();
}
