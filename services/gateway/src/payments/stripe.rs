//! Stripe's events, read as far as Auric needs them; what else they hold is passed over.
//!
//! What was paid is named by its payment intent, which checkout, invoice, charge and dispute all know; an invoice that nobody had to pay, by itself. Who
//! paid is `player_id` in the metadata of the session, the payment intent or the subscription, or the session's `client_reference_id`.
//!
//! # Source
//!
//! Stripe API reference: *Event*, *Checkout Session*, *Invoice*, *Charge*, *Dispute*, *Types of events*.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Error, Value};

use super::generic::no_share;
use crate::domain::{DisputeState, Ignored, Item, Meaning, Share};

/// Families of events that tell of no payment by themselves, whatever happens in them.
const NO_PAYMENT: [&str; 14] = [
    "checkout.session.expired",
    "checkout.session.async_payment_failed",
    "customer.",
    "payment_intent.",
    "payment_method.",
    "setup_intent.",
    "charge.pending",
    "charge.captured",
    "charge.expired",
    "charge.updated",
    "charge.failed",
    "invoice.",
    "price.",
    "product.",
];

/// Events that tell again what another one tells, which is the one that is listened to.
const TOLD_BY_ANOTHER: [&str; 9] = [
    "charge.succeeded",
    "charge.refund.updated",
    "refund.created",
    "refund.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.updated",
    "invoice.payment_succeeded",
    "invoice_payment.paid",
];

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    event_type: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Value,
}

type Metadata = Option<BTreeMap<String, String>>;

#[derive(Deserialize)]
struct Session {
    id: String,
    mode: String,
    payment_status: String,
    payment_intent: Option<Reference>,
    client_reference_id: Option<String>,
    #[serde(default)]
    metadata: Metadata,
    line_items: Option<List<Line>>,
}

#[derive(Deserialize)]
struct Invoice {
    id: String,
    payment_intent: Option<Reference>,
    payments: Option<List<InvoicePayment>>,
    #[serde(default)]
    metadata: Metadata,
    subscription_details: Option<Details>,
    parent: Option<Parent>,
    lines: List<Line>,
}

#[derive(Deserialize)]
struct Parent {
    subscription_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize)]
struct InvoicePayment {
    payment: PaymentOf,
}

#[derive(Deserialize)]
struct PaymentOf {
    payment_intent: Option<Reference>,
}

#[derive(Deserialize)]
struct List<T> {
    data: Vec<T>,
    #[serde(default)]
    has_more: bool,
}

#[derive(Deserialize)]
struct Line {
    price: Option<Reference>,
    pricing: Option<Pricing>,
    quantity: Option<u64>,
    #[serde(default)]
    proration: bool,
    parent: Option<LineParent>,
    period: Option<Period>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize)]
struct LineParent {
    subscription_item_details: Option<ItemDetails>,
}

#[derive(Deserialize)]
struct ItemDetails {
    #[serde(default)]
    proration: bool,
}

impl Line {
    /// Whether it charges for a change within a period, in the words of either version of the API.
    fn is_proration(&self) -> bool {
        let details = self.parent.as_ref().and_then(|parent| parent.subscription_item_details.as_ref());
        self.proration || details.is_some_and(|details| details.proration)
    }
}

#[derive(Deserialize)]
struct Pricing {
    price_details: Option<PriceDetails>,
}

#[derive(Deserialize)]
struct PriceDetails {
    price: Reference,
}

#[derive(Deserialize)]
struct Period {
    start: i64,
}

#[derive(Deserialize)]
struct Charge {
    id: String,
    payment_intent: Option<Reference>,
    amount: i64,
    amount_refunded: i64,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Dispute {
    charge: Reference,
    payment_intent: Option<Reference>,
    amount: i64,
    status: String,
}

/// A name, or the object that it names where it was expanded.
#[derive(Deserialize)]
#[serde(untagged)]
enum Reference {
    Id(String),
    Expanded { id: String },
}

impl Reference {
    fn id(self) -> String {
        match self {
            Self::Id(id) | Self::Expanded { id } => id,
        }
    }
}

pub fn meaning(body: &[u8]) -> Result<Meaning, Error> {
    let Event { event_type, data: Data { object } } = serde_json::from_slice(body)?;
    match event_type.as_str() {
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
            Session::deserialize(object).map(of_session)
        }
        "invoice.paid" => Invoice::deserialize(object).map(of_invoice),
        "charge.refunded" => Charge::deserialize(object).map(of_charge),
        "charge.dispute.created" | "charge.dispute.closed" => Dispute::deserialize(object).map(of_dispute),
        known if TOLD_BY_ANOTHER.contains(&known) => Ok(Meaning::NoEffect(Ignored::ToldByAnother)),
        known if NO_PAYMENT.iter().any(|family| known.starts_with(family)) => Ok(Meaning::NoEffect(Ignored::NoPayment)),
        _ => Ok(Meaning::Unknown { event_type }),
    }
}

/// A session that begins a subscription is told of by its first invoice, which knows the period.
fn of_session(session: Session) -> Meaning {
    match (session.mode.as_str(), session.payment_status.as_str()) {
        ("payment", "paid" | "no_payment_required") => {}
        ("payment", _) => return Meaning::NoEffect(Ignored::NotPaid),
        ("subscription", _) => return Meaning::NoEffect(Ignored::ToldByAnother),
        _ => return Meaning::NoEffect(Ignored::NoPayment),
    }
    let named = |key: &str| session.metadata.as_ref().and_then(|metadata| metadata.get(key).cloned());
    let player = named("player_id").or(session.client_reference_id.clone());
    let items = match (named("price_id"), session.line_items) {
        // A session's items are not in its event; the shop names the price in the metadata, unless it expands them.
        (Some(price), _) => vec![Item { price, quantity: 1 }],
        (None, Some(lines)) => match items(lines) {
            Ok((items, _)) => items,
            Err(meaning) => return meaning,
        },
        (None, None) => {
            return Meaning::Malformed { detail: "the session names no price: set metadata.price_id".to_owned() };
        }
    };
    let object = session.payment_intent.map_or(session.id, Reference::id);
    Meaning::Sale { object, player, items, period_seconds: None }
}

fn of_invoice(invoice: Invoice) -> Meaning {
    let details = [invoice.parent.and_then(|parent| parent.subscription_details), invoice.subscription_details];
    let of_subscription = details.into_iter().flatten().find_map(|details| details.metadata);
    let of_line = invoice.lines.data.iter().find_map(|line| player(line.metadata.as_ref()));
    let player = player(of_subscription.as_ref()).or_else(|| player(invoice.metadata.as_ref())).or(of_line);
    let paid_by = invoice.payments.into_iter().flat_map(|payments| payments.data);
    let mut intents = paid_by.filter_map(|payment| payment.payment.payment_intent);
    let object = invoice.payment_intent.or_else(|| intents.next()).map_or(invoice.id, Reference::id);
    match items(invoice.lines) {
        Ok((items, period_seconds)) => Meaning::Sale { object, player, items, period_seconds },
        Err(meaning) => meaning,
    }
}

fn player(metadata: Option<&BTreeMap<String, String>>) -> Option<String> {
    metadata?.get("player_id").cloned()
}

/// Reads what was bought, and when the newest period of it begins.
fn items(lines: List<Line>) -> Result<(Vec<Item>, Option<i64>), Meaning> {
    let undecidable = |detail: &str| Meaning::Undecidable { detail: detail.to_owned() };
    if lines.has_more {
        return Err(undecidable("the event lists a part of its lines only"));
    }
    if lines.data.iter().any(Line::is_proration) {
        return Err(undecidable("a change of the subscription within its period was charged"));
    }
    let mut items = Vec::new();
    let mut period: Option<i64> = None;
    for line in lines.data {
        let details = line.pricing.and_then(|pricing| pricing.price_details).map(|details| details.price);
        let Some(price) = line.price.or(details).map(Reference::id) else {
            return Err(Meaning::Malformed { detail: "a line names no price".to_owned() });
        };
        period = period.max(line.period.map(|period| period.start));
        items.push(Item { price, quantity: line.quantity.unwrap_or(1) });
    }
    Ok((items, period))
}

fn of_charge(charge: Charge) -> Meaning {
    let Charge { id, payment_intent, amount, amount_refunded, metadata } = charge;
    let Some(share) = Share::new(amount_refunded, amount) else {
        return no_share("amount_refunded", amount_refunded, amount);
    };
    let player = player(metadata.as_ref());
    Meaning::Refund { object: payment_intent.map_or(id, Reference::id), player, share }
}

/// An event of a dispute does not say what the charge was: the whole is taken back, which is what a bank does but for rare parts.
fn of_dispute(dispute: Dispute) -> Meaning {
    let state = match dispute.status.as_str() {
        // An inquiry moves no money.
        status if status.starts_with("warning_") => return Meaning::NoEffect(Ignored::NoPayment),
        "won" | "prevented" => DisputeState::Won,
        "lost" => DisputeState::Lost,
        "needs_response" | "under_review" => DisputeState::Open,
        status => {
            return Meaning::Undecidable { detail: format!("nobody has said what a dispute that is {status} means") };
        }
    };
    let Some(share) = Share::new(dispute.amount, dispute.amount) else {
        return no_share("amount", dispute.amount, dispute.amount);
    };
    let object = dispute.payment_intent.unwrap_or(dispute.charge).id();
    Meaning::Dispute { object, player: None, share, state }
}
