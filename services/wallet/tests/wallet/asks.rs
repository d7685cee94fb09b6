//! Requests in a line each: holds, claims and what else is not a posting.

use auric_money::Amount;
use auric_wallet::domain::{
    Action, Claim, Commit, DisputeState, End, Fact, Gift, Guard, HoldAsk, IssueRetailToken, Leg, Mutation, PaymentKey,
    RecordPayment, RedeemRetailToken, Release, RenewCredits, Reserve, Share, SpendStatPoints,
};

use crate::harness::{mutation, note, player, posting};

pub const SECOND: i64 = 1_000_000;
pub const HOUR: i64 = 3_600 * SECOND;

pub fn end(name: &str, asset: &str) -> End {
    End { player: player(name), asset: asset.parse().unwrap(), pool: None }
}

pub fn end_in(name: &str, asset: &str, pool: &str) -> End {
    End { pool: Some(pool.parse().unwrap()), ..end(name, asset) }
}

pub fn hold_of(from: Option<End>, to: Option<End>, amount: i64) -> HoldAsk {
    HoldAsk { from, to, amount: Amount::new(amount).unwrap() }
}

/// Units set aside.
pub fn held(name: &str, asset: &str, amount: i64) -> HoldAsk {
    hold_of(Some(end(name, asset)), None, amount)
}

/// Room promised.
pub fn promised(name: &str, asset: &str, amount: i64) -> HoldAsk {
    hold_of(None, Some(end(name, asset)), amount)
}

/// One leg with two ends.
pub fn moved(from: &str, to: &str, asset: &str, amount: i64) -> HoldAsk {
    hold_of(Some(end(from, asset)), Some(end(to, asset)), amount)
}

pub fn asking(hold: &str, legs: Vec<HoldAsk>) -> Reserve {
    Reserve { hold: hold.parse().unwrap(), legs, whole: false, ttl_micros: None, note: note() }
}

pub fn reserve(key: &str, hold: &str, legs: Vec<HoldAsk>) -> Mutation {
    mutation(key, Action::Reserve(asking(hold, legs)))
}

pub fn reserve_for(key: &str, hold: &str, legs: Vec<HoldAsk>, ttl_micros: i64) -> Mutation {
    let ttl_micros = Some(ttl_micros.unsigned_abs());
    mutation(key, Action::Reserve(Reserve { ttl_micros, ..asking(hold, legs) }))
}

pub fn commit(key: &str, hold: &str, amounts: &[u64]) -> Mutation {
    mutation(key, Action::Commit(Commit { hold: hold.parse().unwrap(), amounts: amounts.to_vec(), player: None }))
}

pub fn release(key: &str, hold: &str) -> Mutation {
    mutation(key, Action::Release(Release { hold: hold.parse().unwrap(), player: None }))
}

/// A commit or a release that names a player of its hold.
pub fn of_player(name: &str, mut end: Mutation) -> Mutation {
    let (Action::Commit(Commit { player, .. }) | Action::Release(Release { player, .. })) = &mut end.action else {
        panic!("{end:?} ends no hold")
    };
    *player = Some(name.parse().unwrap());
    end
}

pub fn guard(name: &str, claim_type: &str, claim_key: &str) -> Guard {
    Guard { player: player(name), claim_type: claim_type.parse().unwrap(), claim_key: claim_key.parse().unwrap() }
}

pub fn claim(key: &str, guard: Guard, legs: Vec<Leg>) -> Mutation {
    mutation(key, Action::Claim(Claim { guard, post: posting(legs) }))
}

pub fn renew(key: &str, name: &str, pool: &str, units: u64) -> Mutation {
    let (asset, pool) = ("credit".parse().unwrap(), pool.parse().unwrap());
    mutation(key, Action::RenewCredits(RenewCredits { player: player(name), asset, pool, units, note: note() }))
}

pub fn spend(key: &str, name: &str, stat: &str, points: i64) -> Mutation {
    let points = Amount::new(points).unwrap();
    let spend = SpendStatPoints { player: player(name), stat: stat.parse().unwrap(), points, note: note() };
    mutation(key, Action::SpendStatPoints(spend))
}

pub fn void(key: &str) -> Mutation {
    mutation(key, Action::Void)
}

/// The same request by another caller.
pub fn by(caller: &str, mut mutation: Mutation) -> Mutation {
    mutation.key.caller = caller.parse().unwrap();
    mutation
}

/// What a provider told of a payment.
pub fn told(key: &str, name: &str, object: &str, event: &str, fact: Fact) -> Mutation {
    let payment = PaymentKey { provider: "stripe".parse().unwrap(), object: object.parse().unwrap() };
    let event = event.parse().unwrap();
    mutation(key, Action::RecordPayment(RecordPayment { player: player(name), payment, event, fact, note: note() }))
}

/// Units of a pool of the credit asset.
pub fn gift(pool: &str, units: u64) -> Gift {
    Gift { asset: "credit".parse().unwrap(), pool: pool.parse().unwrap(), units }
}

pub fn bought(units: u64) -> Fact {
    Fact::Purchase(vec![gift("bulk", units)])
}

pub fn renewed(units: u64, period: u64) -> Fact {
    Fact::Renewal { pools: vec![gift("subscription", units)], period }
}

pub fn refunded(of_it: u64, price: u64) -> Fact {
    Fact::Refund(Share { of_it, price })
}

pub fn disputed(state: DisputeState, of_it: u64, price: u64) -> Fact {
    Fact::Dispute { state, share: Share { of_it, price } }
}

/// A retail token for a payment, or by an operator's word.
pub fn issue(key: &str, name: &str, object: Option<&str>, token: &str) -> Mutation {
    let payment =
        object.map(|object| PaymentKey { provider: "stripe".parse().unwrap(), object: object.parse().unwrap() });
    let token = token.parse().unwrap();
    mutation(key, Action::IssueRetailToken(IssueRetailToken { player: player(name), payment, token, note: note() }))
}

pub fn redeem(key: &str, token: &str, generation: &str) -> Mutation {
    let (token, generation) = (token.parse().unwrap(), generation.parse().unwrap());
    let payload_hash = "ab".repeat(32).parse().unwrap();
    mutation(key, Action::RedeemRetailToken(RedeemRetailToken { token, generation, payload_hash }))
}
