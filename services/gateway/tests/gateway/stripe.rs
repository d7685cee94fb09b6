//! What Stripe's events mean. The fixtures have the shapes of Stripe's documentation, written by hand.

use auric_gateway::domain::{DisputeState, Ignored, Item, Meaning, Share};
use auric_gateway::payments::Format;

pub const SESSION: &str = include_str!("stripe/checkout_session_completed.json");
pub const SESSION_OF_SUBSCRIPTION: &str = include_str!("stripe/checkout_session_completed_subscription.json");
pub const INVOICE: &str = include_str!("stripe/invoice_paid.json");
pub const INVOICE_BASIL: &str = include_str!("stripe/invoice_paid_basil.json");
pub const SUBSCRIPTION: &str = include_str!("stripe/customer_subscription.json");
pub const REFUNDED: &str = include_str!("stripe/charge_refunded.json");
pub const DISPUTED: &str = include_str!("stripe/charge_dispute_created.json");
pub const DISPUTE_CLOSED: &str = include_str!("stripe/charge_dispute_closed.json");

/// Fills in a fixture.
pub fn event(fixture: &str, event: &str, object: &str, player: &str, price: &str) -> String {
    let filled = fixture.replace("EVENT", event).replace("OBJECT", object);
    filled.replace("PLAYER", player).replace("PRICE", price)
}

fn meaning(body: &str) -> Meaning {
    Format::Stripe.meaning(body.as_bytes())
}

fn fixture(text: &str) -> String {
    event(text, "1", "1", "discord:1", "bulk_50")
}

fn sale(price: &str, period_seconds: Option<i64>) -> Meaning {
    Meaning::Sale {
        object: "pi_1".to_owned(),
        player: Some("discord:1".to_owned()),
        items: vec![Item { price: price.to_owned(), quantity: 1 }],
        period_seconds,
    }
}

#[test]
fn every_event_is_named_by_itself() {
    for text in [SESSION, INVOICE, INVOICE_BASIL, SUBSCRIPTION, REFUNDED, DISPUTED, DISPUTE_CLOSED] {
        assert_eq!(Format::Stripe.event_id(fixture(text).as_bytes()).unwrap().as_str(), "evt_1");
    }
}

#[test]
fn a_paid_session_is_a_sale_of_its_payment_intent() {
    assert_eq!(meaning(&fixture(SESSION)), sale("bulk_50", None));
    let unpaid = fixture(SESSION).replace(r#""payment_status": "paid""#, r#""payment_status": "unpaid""#);
    assert_eq!(meaning(&unpaid), Meaning::NoEffect(Ignored::NotPaid));
    assert_eq!(meaning(&fixture(SESSION_OF_SUBSCRIPTION)), Meaning::NoEffect(Ignored::ToldByAnother));
    let priceless = fixture(SESSION).replace("price_id", "other");
    assert!(matches!(meaning(&priceless), Meaning::Malformed { .. }));
}

#[test]
fn an_invoice_of_either_api_version_is_a_sale_with_its_period() {
    for text in [INVOICE, INVOICE_BASIL] {
        assert_eq!(meaning(&fixture(text)), sale("bulk_50", Some(1_767_225_600)));
        let prorated = fixture(text).replace(r#""proration": false"#, r#""proration": true"#);
        assert!(matches!(meaning(&prorated), Meaning::Undecidable { .. }));
        let cut = fixture(text).replace(r#""has_more": false"#, r#""has_more": true"#);
        assert!(matches!(meaning(&cut), Meaning::Undecidable { .. }), "{cut}");
    }
    assert_eq!(meaning(&fixture(SUBSCRIPTION)), Meaning::NoEffect(Ignored::NoPayment));
    let twice = fixture(INVOICE).replace("invoice.paid", "invoice.payment_succeeded");
    assert_eq!(meaning(&twice), Meaning::NoEffect(Ignored::ToldByAnother));
}

#[test]
fn a_refund_says_how_much_of_the_whole() {
    let share = Share::new(250, 1_000).unwrap();
    let refund = Meaning::Refund { object: "pi_1".to_owned(), player: None, share };
    assert_eq!(meaning(&fixture(REFUNDED)), refund);
    for bad in [-1, 0, 1_001] {
        let text = fixture(REFUNDED).replace(r#""amount_refunded": 250"#, &format!(r#""amount_refunded": {bad}"#));
        let Meaning::Malformed { detail } = meaning(&text) else { panic!("{bad} was taken") };
        assert_eq!(detail, format!("amount_refunded must be 1 to the amount of 1000, is {bad}"));
    }
}

#[test]
fn a_dispute_says_how_it_stands() {
    let dispute = |state| {
        let share = Share::new(1_000, 1_000).unwrap();
        Meaning::Dispute { object: "pi_1".to_owned(), player: None, share, state }
    };
    assert_eq!(meaning(&fixture(DISPUTED)), dispute(DisputeState::Open));
    assert_eq!(meaning(&fixture(DISPUTE_CLOSED)), dispute(DisputeState::Won));
    assert_eq!(meaning(&fixture(DISPUTE_CLOSED).replace("\"won\"", "\"lost\"")), dispute(DisputeState::Lost));
    let inquiry = fixture(DISPUTED).replace("needs_response", "warning_needs_response");
    assert_eq!(meaning(&inquiry), Meaning::NoEffect(Ignored::NoPayment));
    assert!(matches!(meaning(&fixture(DISPUTED).replace("needs_response", "new")), Meaning::Undecidable { .. }));
}

#[test]
fn a_type_that_nobody_knows_is_not_passed_over() {
    let text = fixture(SESSION).replace("checkout.session.completed", "treasury.credit_reversal.posted");
    let unknown = Meaning::Unknown { event_type: "treasury.credit_reversal.posted".to_owned() };
    assert_eq!(meaning(&text), unknown);
}
