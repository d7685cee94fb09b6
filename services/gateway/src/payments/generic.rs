//! Auric's own events, for shops that have no format of their own: one flat JSON object.
//!
//! ```json
//! {"id": "order-7-paid", "type": "paid", "object": "order-7", "player_id": "discord:1", "price": "bulk_50"}
//! {"id": "order-8-june", "type": "paid", "object": "order-8", "player_id": "discord:1", "price": "subscription", "period_start": 1780272000}
//! {"id": "order-7-back", "type": "refunded", "object": "order-7", "amount": 499, "amount_refunded": 499}
//! {"id": "order-7-bank", "type": "disputed", "object": "order-7", "amount": 499, "amount_disputed": 499, "state": "open"}
//! ```
//!
//! An amount says how much of the whole was given back, never what is given.

use serde::Deserialize;
use serde_json::Value;

use crate::domain::{DisputeState, Item, Meaning, Share};

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    event_type: String,
}

#[derive(Deserialize)]
struct Paid {
    object: String,
    player_id: Option<String>,
    price: String,
    #[serde(default = "one")]
    quantity: u64,
    period_start: Option<i64>,
}

#[derive(Deserialize)]
struct Refunded {
    object: String,
    player_id: Option<String>,
    amount: i64,
    amount_refunded: i64,
}

#[derive(Deserialize)]
struct Disputed {
    object: String,
    player_id: Option<String>,
    amount: i64,
    amount_disputed: i64,
    state: DisputeState,
}

const fn one() -> u64 {
    1
}

pub fn meaning(body: &[u8]) -> Result<Meaning, serde_json::Error> {
    let event: Value = serde_json::from_slice(body)?;
    let Event { event_type } = Event::deserialize(&event)?;
    Ok(match event_type.as_str() {
        "paid" => {
            let Paid { object, player_id, price, quantity, period_start } = Paid::deserialize(&event)?;
            let items = vec![Item { price, quantity }];
            Meaning::Sale { object, player: player_id, items, period_seconds: period_start }
        }
        "refunded" => {
            let Refunded { object, player_id, amount, amount_refunded } = Refunded::deserialize(&event)?;
            match Share::new(amount_refunded, amount) {
                Some(share) => Meaning::Refund { object, player: player_id, share },
                None => no_share("amount_refunded", amount_refunded, amount),
            }
        }
        "disputed" => {
            let Disputed { object, player_id, amount, amount_disputed, state } = Disputed::deserialize(&event)?;
            match Share::new(amount_disputed, amount) {
                Some(share) => Meaning::Dispute { object, player: player_id, share, state },
                None => no_share("amount_disputed", amount_disputed, amount),
            }
        }
        _ => Meaning::Unknown { event_type },
    })
}

/// Says that two amounts are no part and whole.
pub fn no_share(name: &str, part: i64, whole: i64) -> Meaning {
    Meaning::Malformed { detail: format!("{name} must be 1 to the amount of {whole}, is {part}") }
}
