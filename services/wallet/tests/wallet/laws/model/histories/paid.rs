//! Random events of few payments, so that they come twice, in every order, and before what they are about.

use auric_wallet::domain::{DisputeState, Fact, Gift, PaymentKey, RecordPayment, Share};
use proptest::prelude::*;
use proptest::sample::select;

use super::{some_player, some_pool};
use crate::harness::{note, player};

pub fn record() -> impl Strategy<Value = RecordPayment> {
    // Now and then it is told of another player's payment, or of an event that was told.
    let object = prop_oneof![12 => (0..3_u8).prop_map(|n| (false, n)), 1 => Just((true, 0))];
    let event = prop_oneof![1 => 0..4_u32, 5 => 4..100_000_u32];
    (some_player(), object, event, fact()).prop_map(|(name, (is_shared, number), event, fact)| {
        let object = if is_shared { "shared".to_owned() } else { format!("{name}-{number}") };
        RecordPayment {
            player: player(name),
            payment: PaymentKey { provider: "bank".parse().unwrap(), object: object.parse().unwrap() },
            event: format!("e{event}").parse().unwrap(),
            fact,
            note: note(),
        }
    })
}

fn fact() -> impl Strategy<Value = Fact> {
    let gifts = || prop::collection::vec(gift(), 1..3);
    let pools = (some_pool(), 0..70_u64).prop_map(|(pool, units)| vec![of("credit", pool, units)]);
    let state = select(vec![DisputeState::Opened, DisputeState::Opened, DisputeState::Lost, DisputeState::Won]);
    prop_oneof![
        4 => gifts().prop_map(Fact::Purchase),
        3 => (pools, 1..8_u64).prop_map(|(pools, period)| Fact::Renewal { pools, period }),
        3 => share().prop_map(Fact::Refund),
        2 => (state, share()).prop_map(|(state, share)| Fact::Dispute { state, share }),
    ]
}

fn share() -> impl Strategy<Value = Share> {
    prop_oneof![3 => (1..8_u64, Just(7_u64)), 1 => (1..4_u64, Just(3_u64))]
        .prop_map(|(of_it, price)| Share { of_it, price })
}

fn gift() -> impl Strategy<Value = Gift> {
    let asset = select(vec!["credit", "credit", "credit", "lumees", "token", "charge", "focus", "stat_points", "xp"]);
    (asset, some_pool(), 1..60_u64)
        .prop_map(|(asset, pool, units)| if asset == "credit" { of(asset, pool, units) } else { of(asset, "", units) })
}

fn of(asset: &str, pool: &str, units: u64) -> Gift {
    Gift { asset: asset.parse().unwrap(), pool: pool.parse().unwrap(), units }
}
