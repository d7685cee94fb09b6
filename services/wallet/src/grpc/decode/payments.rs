//! Requests about payments and retail tokens.

use std::collections::BTreeSet;

use auric_api::wallet::v1 as api;
use auric_api::wallet::v1::record_payment_request::Fact as ApiFact;
use auric_ids::{AssetId, PoolId, RetailTokenId};
use auric_money::Amount;
use tonic::Status;

use super::Decoder;
use super::mutations::{amount, note, units_of};
use crate::domain::{
    DisputeState, Fact, Gift, IssueRetailToken, PAYMENT_LEGS_MAX, PaymentKey, RecordPayment, RedeemRetailToken, Share,
};
use crate::store::GenerationsQuery;
use auric_edge::Cursor;

pub fn record(request: &api::RecordPaymentRequest) -> Result<RecordPayment, Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let provider = decoder.id("provider", &request.provider);
    let event = decoder.id("event_id", &request.event_id);
    let object = decoder.id("object_id", &request.object_id);
    let fact = fact(&mut decoder, request.fact.as_ref());
    let note = note(&mut decoder, &request.reason, &request.context);
    let record = || {
        let payment = PaymentKey { provider: provider?, object: object? };
        Some(RecordPayment { player: player?, payment, event: event?, fact: fact?, note: note? })
    };
    decoder.finish(record())
}

pub fn issue(request: &api::IssueRetailTokenRequest, token: RetailTokenId) -> Result<IssueRetailToken, Status> {
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let provider = decoder.optional_id("provider", &request.provider);
    let object = decoder.optional_id("object_id", &request.object_id);
    match (request.provider.is_empty(), request.object_id.is_empty()) {
        (true, false) => decoder.fault("provider", "must be there when object_id is"),
        (false, true) => decoder.fault("object_id", "must be there when provider is"),
        _ => {}
    }
    let payment = provider.zip(object).map(|(provider, object)| PaymentKey { provider, object });
    let note = note(&mut decoder, &request.reason, &request.context);
    let issue = || Some(IssueRetailToken { player: player?, payment, token, note: note? });
    decoder.finish(issue())
}

pub fn redeem(request: &api::RedeemRetailTokenRequest) -> Result<RedeemRetailToken, Status> {
    let mut decoder = Decoder::default();
    let token = decoder.id("token", &request.token);
    let generation = decoder.id("generation_id", &request.generation_id);
    let payload_hash = decoder.id("payload_hash", &request.payload_hash);
    let redeem = || Some(RedeemRetailToken { token: token?, generation: generation?, payload_hash: payload_hash? });
    decoder.finish(redeem())
}

pub fn token(request: &api::GetRetailTokenRequest) -> Result<RetailTokenId, Status> {
    let mut decoder = Decoder::default();
    let token = decoder.id("token", &request.token);
    decoder.finish(token)
}

pub fn generations(request: &api::ListGenerationsRequest, cursor: &Cursor) -> Result<GenerationsQuery, Status> {
    let mut decoder = Decoder::default();
    let player = decoder.optional_id("player_id", &request.player_id);
    let limit = decoder.page_size(request.page_size);
    let after = decoder.page_token(cursor, &request.page_token);
    decoder.finish(Some(GenerationsQuery { player, after, limit }))
}

fn fact(decoder: &mut Decoder, fact: Option<&ApiFact>) -> Option<Fact> {
    match fact {
        Some(ApiFact::Purchase(purchase)) => purchase_of(decoder, purchase),
        Some(ApiFact::Renewal(renewal)) => renewal_of(decoder, renewal),
        Some(ApiFact::Refund(refund)) => {
            share(decoder, ("refund.refunded", refund.refunded), ("refund.price", refund.price)).map(Fact::Refund)
        }
        Some(ApiFact::Dispute(dispute)) => dispute_of(decoder, dispute),
        None => {
            for field in ["purchase", "renewal", "refund", "dispute"] {
                decoder.fault(field, "must be there, or another of purchase, renewal, refund and dispute");
            }
            None
        }
    }
}

fn purchase_of(decoder: &mut Decoder, purchase: &api::Purchase) -> Option<Fact> {
    const LIST: &str = "purchase.legs";
    count(decoder, LIST, purchase.legs.len());
    let legs = purchase.legs.iter().take(PAYMENT_LEGS_MAX).enumerate();
    let gifts: Vec<Option<Gift>> = legs
        .map(|(index, leg)| {
            let amount = amount(decoder, &format!("{LIST}[{index}].amount"), leg.amount);
            gift(decoder, &format!("{LIST}[{index}]"), (&leg.asset_id, &leg.pool_id), amount.map(Amount::units))
        })
        .collect();
    distinct(decoder, LIST, gifts).map(Fact::Purchase)
}

fn renewal_of(decoder: &mut Decoder, renewal: &api::Renewal) -> Option<Fact> {
    const LIST: &str = "renewal.pools";
    count(decoder, LIST, renewal.pools.len());
    let pools = renewal.pools.iter().take(PAYMENT_LEGS_MAX).enumerate();
    let gifts: Vec<Option<Gift>> = pools
        .map(|(index, pool)| {
            let path = format!("{LIST}[{index}]");
            if pool.pool_id.is_empty() {
                decoder.fault(format!("{path}.pool_id"), "must not be empty");
            }
            let units = units_of(decoder, format!("{path}.units"), pool.units);
            gift(decoder, &path, (&pool.asset_id, &pool.pool_id), units)
        })
        .collect();
    let period = amount(decoder, "renewal.period", renewal.period).map(Amount::units);
    let pools = distinct(decoder, LIST, gifts)?;
    Some(Fact::Renewal { pools, period: period? })
}

fn dispute_of(decoder: &mut Decoder, dispute: &api::Dispute) -> Option<Fact> {
    let state = match api::DisputeState::try_from(dispute.state) {
        Ok(api::DisputeState::Opened) => Some(DisputeState::Opened),
        Ok(api::DisputeState::Lost) => Some(DisputeState::Lost),
        Ok(api::DisputeState::Won) => Some(DisputeState::Won),
        Ok(api::DisputeState::Unspecified) => {
            decoder.fault("dispute.state", "must be DISPUTE_STATE_OPENED, _LOST or _WON");
            None
        }
        Err(_) => {
            decoder.fault("dispute.state", format!("{} is not known", dispute.state));
            None
        }
    };
    let share = share(decoder, ("dispute.disputed", dispute.disputed), ("dispute.price", dispute.price));
    Some(Fact::Dispute { state: state?, share: share? })
}

fn share(decoder: &mut Decoder, part: (&str, i64), price: (&str, i64)) -> Option<Share> {
    let of_it = amount(decoder, part.0, part.1)?.units();
    let whole = amount(decoder, price.0, price.1)?.units();
    if of_it > whole {
        decoder.fault(part.0, format!("must be at most the price, {whole}, is {of_it}"));
        return None;
    }
    Some(Share { of_it, price: whole })
}

fn gift(decoder: &mut Decoder, path: &str, (asset, pool): (&str, &str), units: Option<u64>) -> Option<Gift> {
    let asset: Option<AssetId> = decoder.id(&format!("{path}.asset_id"), asset);
    let pool: Option<PoolId> = decoder.id(&format!("{path}.pool_id"), pool);
    Some(Gift { asset: asset?, pool: pool?, units: units? })
}

fn count(decoder: &mut Decoder, list: &str, found: usize) {
    if !(1..=PAYMENT_LEGS_MAX).contains(&found) {
        decoder.fault(list, format!("must have 1 to {PAYMENT_LEGS_MAX}, has {found}"));
    }
}

fn distinct(decoder: &mut Decoder, list: &str, gifts: Vec<Option<Gift>>) -> Option<Vec<Gift>> {
    let gifts: Vec<Gift> = gifts.into_iter().collect::<Option<_>>()?;
    let mut seen = BTreeSet::new();
    for (index, gift) in gifts.iter().enumerate() {
        if !seen.insert((&gift.asset, &gift.pool)) {
            decoder.fault(format!("{list}[{index}].asset_id"), "is named twice, in one pool");
        }
    }
    Some(gifts)
}
