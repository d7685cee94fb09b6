//! Valid requests about payments and retail tokens, in each form that they have.

use auric_api::wallet::v1 as api;
use prost::Message as _;

use api::record_payment_request::Fact;

/// The valid request of `method` under `key`, when it is one of these.
pub fn request(method: &str, key: &str) -> Option<Vec<u8>> {
    let (idempotency_key, reason) = (text(key), text("test"));
    let bytes = match method {
        "RecordPayment" => record(key, "purchase").encode_to_vec(),
        "IssueRetailToken" => api::IssueRetailTokenRequest {
            idempotency_key,
            player_id: text("p"),
            provider: text("stripe"),
            object_id: text(key),
            reason,
            ..Default::default()
        }
        .encode_to_vec(),
        "RedeemRetailToken" => api::RedeemRetailTokenRequest {
            idempotency_key,
            token: text("no-such-token"),
            generation_id: text(key),
            payload_hash: "ab".repeat(32),
        }
        .encode_to_vec(),
        "GetRetailToken" => api::GetRetailTokenRequest { token: text("no-such-token") }.encode_to_vec(),
        "ListGenerations" => Vec::new(),
        _ => return None,
    };
    Some(bytes)
}

/// A payment's event that tells `fact`.
pub fn record(key: &str, fact: &str) -> api::RecordPaymentRequest {
    let fact = match fact {
        "purchase" => {
            let leg = api::PaidLeg { asset_id: text("lumees"), amount: 1, ..Default::default() };
            Fact::Purchase(api::Purchase { legs: vec![leg] })
        }
        "renewal" => {
            let (asset_id, pool_id) = (text("generation_credit"), text("subscription"));
            let pool = api::RenewedPool { asset_id, pool_id, units: 5 };
            Fact::Renewal(api::Renewal { pools: vec![pool], period: 1 })
        }
        "refund" => Fact::Refund(api::Refund { refunded: 1, price: 2 }),
        "dispute" => {
            let state = api::DisputeState::Opened.into();
            Fact::Dispute(api::Dispute { state, disputed: 1, price: 2 })
        }
        other => panic!("a payment has no {other}"),
    };
    api::RecordPaymentRequest {
        idempotency_key: text(key),
        player_id: text("p"),
        provider: text("stripe"),
        event_id: text(key),
        object_id: text(key),
        fact: Some(fact),
        reason: text("test"),
        ..Default::default()
    }
}

/// The fact that the field at `path` is of.
pub fn fact_of(path: &str) -> Option<&'static str> {
    let head = path.split('.').next().unwrap_or_default();
    ["purchase", "renewal", "refund", "dispute"].into_iter().find(|fact| *fact == head)
}

fn text(text: &str) -> String {
    text.to_owned()
}
