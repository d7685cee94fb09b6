//! The laws of concurrency, whatever the lanes are set to (R-O5).

use std::num::NonZeroU16;

use super::{claims, concurrency, holds};
use crate::harness::{Ledger, on_every_store};

on_every_store!(one_lane, two_lanes, eight_lanes);

async fn one_lane(ledger: Ledger) {
    with(ledger, 1).await;
}

async fn two_lanes(ledger: Ledger) {
    with(ledger, 2).await;
}

async fn eight_lanes(ledger: Ledger) {
    with(ledger, 8).await;
}

/// Batches of one never have twins in them, batches of two split every crowd, and the widest take all that waits.
async fn with(ledger: Ledger, lanes: u16) {
    let widest = ledger.lanes.batch_max.get();
    for batch_max in [1, 2, widest] {
        let set = async || {
            let mut other = ledger.another().await;
            other.lanes.lanes = NonZeroU16::new(lanes).unwrap();
            other.lanes.batch_max = NonZeroU16::new(batch_max).unwrap();
            other
        };
        concurrency::twenty_parallel_debits_of_one_from_ten_leave_zero(set().await).await;
        concurrency::fifty_twins_of_one_key_have_one_effect_and_one_answer(set().await).await;
        concurrency::one_key_for_two_players_executes_once(set().await).await;
        concurrency::opposed_storms_neither_deadlock_nor_leave_a_partial_leg(set().await).await;
        claims::two_claims_at_the_same_instant_pay_once(set().await).await;
        holds::a_hold_ends_once_whoever_comes_first(set().await).await;
    }
}
