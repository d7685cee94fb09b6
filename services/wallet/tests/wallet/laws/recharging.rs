//! What the clock gives back: exact, once, and never behind anybody's back (R-W11); levels and what they are spent on (R-P1, R-P2).

use std::sync::Arc;

use auric_catalog::CatalogHash;
use auric_time::Timestamp;
use auric_wallet::Handlers;
use auric_wallet::domain::{
    Asset, AssetKind, Assets, AtMaximum, Direction, MovementKind, Progression, Recharging, Rules,
};

use crate::asks::{HOUR, SECOND, commit, held, promised, release, reserve, spend};
use crate::harness::{
    Ledger, assert_books_agree, audit, available, balances, credit, debit, leg, on_every_store, outcome, player, post,
};

on_every_store!(
    a_player_who_was_never_seen_is_full,
    a_charge_comes_back_exactly_at_the_end_of_its_interval,
    an_interval_that_is_cut_by_a_touch_is_not_lost,
    a_clock_that_goes_back_an_hour_gives_and_takes_nothing,
    what_refills_behind_a_hold_is_not_free,
    room_in_a_recharging_balance_is_not_refilled,
    an_overfilled_balance_waits_until_it_is_below_its_capacity,
    stat_points_raise_the_capacity_at_once,
    a_new_rate_counts_from_the_next_touch,
    a_level_is_granted_once_ever,
    a_capacity_that_comes_with_levels_is_never_refilled_by_one,
);

const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// A wallet whose clock stands, and goes only as it is told.
async fn still(ledger: &mut Ledger) -> Arc<Handlers> {
    ledger.stop_clock(START).await;
    ledger.copy().await
}

async fn after(ledger: &Ledger, micros: i64) {
    ledger.set_clock(START.plus_micros(micros)).await;
}

async fn a_player_who_was_never_seen_is_full(mut ledger: Ledger) {
    let wallet = still(&mut ledger).await;
    assert_eq!((available(&wallet, "p", "charge").await, available(&wallet, "p", "energy").await), (5, 100));
    assert!(audit(&wallet, "p").await.is_empty(), "a look writes nothing");
    outcome(&wallet, post("k", vec![debit("p", "charge", 5)])).await.unwrap();
    assert_eq!(available(&wallet, "p", "charge").await, 0);
    outcome(&wallet, post("k2", vec![debit("p", "charge", 1)])).await.unwrap_err();
    assert_books_agree(&wallet).await;
}

async fn a_charge_comes_back_exactly_at_the_end_of_its_interval(mut ledger: Ledger) {
    // R-W11: regen_seconds = 3600; energy that is ticked by a job is lost at a restart.
    let wallet = still(&mut ledger).await;
    outcome(&wallet, post("k", vec![debit("p", "charge", 5)])).await.unwrap();
    for (micros, units) in [(HOUR - 1, 0), (HOUR, 1), (2 * HOUR - 1, 1), (4 * HOUR, 4), (5 * HOUR, 5), (99 * HOUR, 5)] {
        after(&ledger, micros).await;
        assert_eq!(available(&wallet, "p", "charge").await, units, "after {micros} µs");
    }
    let rules = wallet.rules();
    after(&ledger, HOUR + 7).await;
    let read = wallet.balances(&rules.assets, &[player("p")], &["charge".parse().unwrap()]).await.unwrap();
    assert_eq!(read.views[0].full_at, Some(START.plus_micros(5 * HOUR)));
    assert_eq!(read.views[0].maximum, Some(5));
    assert_books_agree(&wallet).await;
}

async fn an_interval_that_is_cut_by_a_touch_is_not_lost(mut ledger: Ledger) {
    // R-W11: a player who acts every 59 minutes gets a charge an hour all the same.
    let wallet = still(&mut ledger).await;
    outcome(&wallet, post("k", vec![debit("p", "charge", 5)])).await.unwrap();
    for act in 1..=10 {
        after(&ledger, act * 59 * 60 * SECOND).await;
        outcome(
            &wallet,
            post(
                &format!("k{act}"),
                vec![leg("p", "charge", 1, Direction::Credit(AtMaximum::Overfill)), debit("p", "charge", 1)],
            ),
        )
        .await
        .unwrap();
    }
    // 590 minutes are 9 hours: 5 at most.
    assert_eq!(available(&wallet, "p", "charge").await, 5);
    let regenerated: i64 = audit(&wallet, "p")
        .await
        .iter()
        .filter(|entry| entry.movement.kind == MovementKind::Regenerated)
        .map(|entry| entry.movement.change.available_units)
        .sum();
    assert_eq!(regenerated, 5 + 5, "the first five, and one an hour");
    assert_books_agree(&wallet).await;
}

async fn a_clock_that_goes_back_an_hour_gives_and_takes_nothing(mut ledger: Ledger) {
    // R-W11: energy that is computed from a clock that goes back is doubled when it comes forward again.
    let wallet = still(&mut ledger).await;
    outcome(&wallet, post("k", vec![debit("p", "charge", 5)])).await.unwrap();
    after(&ledger, 2 * HOUR).await;
    outcome(&wallet, post("two", vec![debit("p", "charge", 2)])).await.unwrap();
    after(&ledger, HOUR).await;
    assert_eq!(available(&wallet, "p", "charge").await, 0);
    outcome(&wallet, post("none", vec![debit("p", "charge", 1)])).await.unwrap_err();
    after(&ledger, 3 * HOUR - 1).await;
    outcome(&wallet, post("not-yet", vec![debit("p", "charge", 1)])).await.unwrap_err();
    after(&ledger, 3 * HOUR).await;
    outcome(&wallet, post("one", vec![debit("p", "charge", 1)])).await.unwrap();
    assert_eq!(available(&wallet, "p", "charge").await, 0);
    let times: Vec<Timestamp> = audit(&wallet, "p").await.iter().map(|entry| entry.time).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_books_agree(&wallet).await;
}

async fn what_refills_behind_a_hold_is_not_free(mut ledger: Ledger) {
    // R-W6, R-W11: elsewhere a hold, a wait and a cancel gave energy for nothing.
    let wallet = still(&mut ledger).await;
    outcome(&wallet, reserve("r", "h", vec![held("p", "charge", 3)])).await.unwrap();
    after(&ledger, 50 * HOUR).await;
    assert_eq!(balances(&wallet, "p", "charge").await[0].parts(), [2, 3, 0, 0], "held units are not missing");
    outcome(&wallet, release("cancel", "h")).await.unwrap();
    assert_eq!(balances(&wallet, "p", "charge").await[0].parts(), [5, 0, 0, 0]);
    // And one that is taken in part is missing from then on, not from the reserve.
    outcome(&wallet, reserve("r2", "h2", vec![held("p", "charge", 3)])).await.unwrap();
    after(&ledger, 100 * HOUR).await;
    outcome(&wallet, commit("take", "h2", &[1])).await.unwrap();
    after(&ledger, 101 * HOUR - 1).await;
    assert_eq!(available(&wallet, "p", "charge").await, 4);
    after(&ledger, 101 * HOUR).await;
    assert_eq!(available(&wallet, "p", "charge").await, 5);
    assert_books_agree(&wallet).await;
}

async fn room_in_a_recharging_balance_is_not_refilled(mut ledger: Ledger) {
    // R-W6, R-W11: a commit never tests a maximum, so that the room must still be there.
    let wallet = still(&mut ledger).await;
    outcome(&wallet, post("k", vec![debit("p", "charge", 5)])).await.unwrap();
    outcome(&wallet, reserve("r", "h", vec![promised("p", "charge", 4)])).await.unwrap();
    after(&ledger, 50 * HOUR).await;
    assert_eq!(balances(&wallet, "p", "charge").await[0].parts(), [1, 0, 4, 0]);
    outcome(&wallet, commit("c", "h", &[])).await.unwrap();
    assert_eq!(balances(&wallet, "p", "charge").await[0].parts(), [5, 0, 0, 0]);
    assert_books_agree(&wallet).await;
}

async fn an_overfilled_balance_waits_until_it_is_below_its_capacity(mut ledger: Ledger) {
    let wallet = still(&mut ledger).await;
    outcome(&wallet, post("gift", vec![leg("p", "charge", 3, Direction::Credit(AtMaximum::Overfill))])).await.unwrap();
    assert_eq!(
        outcome(&wallet, post("more", vec![credit("p", "charge", 1)])).await.unwrap_err().reason(),
        "ABOVE_MAXIMUM"
    );
    after(&ledger, 10 * HOUR).await;
    assert_eq!(available(&wallet, "p", "charge").await, 8);
    outcome(&wallet, post("use", vec![debit("p", "charge", 4)])).await.unwrap();
    after(&ledger, 11 * HOUR).await;
    assert_eq!(available(&wallet, "p", "charge").await, 5);
    assert_books_agree(&wallet).await;
}

async fn stat_points_raise_the_capacity_at_once(mut ledger: Ledger) {
    // R-P2: base 100 + 10 a point; the new capacity is filled by the clock, from then on.
    let wallet = still(&mut ledger).await;
    outcome(&wallet, post("xp", vec![credit("p", "xp", 100), debit("p", "energy", 1)])).await.unwrap();
    after(&ledger, 300 * SECOND).await;
    outcome(&wallet, spend("too-many", "p", "energy", 6)).await.unwrap_err();
    outcome(&wallet, spend("spend", "p", "energy", 5)).await.unwrap();
    let maximum = async || {
        let read = wallet.balances(&wallet.rules().assets, &[player("p")], &["energy".parse().unwrap()]).await.unwrap();
        (read.views[0].maximum, read.views[0].balance.available_units())
    };
    assert_eq!(maximum().await, (Some(150), 100), "what came back before came back under the old capacity");
    after(&ledger, 301 * SECOND + 49 * 300 * SECOND).await;
    assert_eq!(maximum().await, (Some(150), 149));
    assert_eq!((available(&wallet, "p", "stat_points").await, available(&wallet, "p", "spent/energy").await), (0, 5));
    assert_books_agree(&wallet).await;
}

/// The same rules with `change` made to them.
fn changed(rules: &Rules, hash: u8, change: impl Fn(&str, &mut Asset), levels: impl Fn(&mut Progression)) -> Rules {
    let assets = rules.assets.iter().map(|(id, asset)| {
        let mut asset = asset.clone();
        change(id.as_str(), &mut asset);
        (id.clone(), asset)
    });
    let mut progression = rules.assets.progression().unwrap().clone();
    levels(&mut progression);
    let assets = Assets::new(CatalogHash::from_bytes([hash; 32]), assets.collect(), Some(progression));
    Rules { assets: Arc::new(assets), seal: rules.seal.clone() }
}

fn recharge(id: &str, wanted: &str, asset: &mut Asset, base_units: u64, regen_units: u64, seconds: u64) {
    if let (true, AssetKind::Recharging(recharging)) = (id == wanted, &mut asset.kind) {
        *recharging =
            Recharging { base_units, regen_units, interval_micros: seconds * 1_000_000, ..recharging.clone() };
    }
}

async fn a_new_rate_counts_from_the_next_touch(mut ledger: Ledger) {
    // R-W11, R-P3: what the clock gave before a catalog change it gave under the old terms.
    let wallet = still(&mut ledger).await;
    outcome(&wallet, post("k", vec![debit("p", "charge", 5), debit("q", "charge", 5)])).await.unwrap();
    after(&ledger, 3 * HOUR).await;
    ledger.rules = changed(&ledger.rules, 8, |id, asset| recharge(id, "charge", asset, 100, 50, 60), |_| ());
    let wallet = ledger.copy().await;
    assert_eq!(available(&wallet, "p", "charge").await, 3, "three hours at one an hour");
    outcome(&wallet, post("touch", vec![debit("p", "charge", 1)])).await.unwrap();
    after(&ledger, 3 * HOUR + 60 * SECOND).await;
    assert_eq!(available(&wallet, "p", "charge").await, 52, "and fifty a minute since");
    after(&ledger, 9 * HOUR).await;
    assert_eq!(available(&wallet, "p", "charge").await, 100);
    assert_eq!(available(&wallet, "q", "charge").await, 5, "who was not touched has the old terms");
    assert_books_agree(&wallet).await;
}

async fn a_level_is_granted_once_ever(mut ledger: Ledger) {
    // R-P1: levels at 100, 250, 450 xp, 5 points each; a curve that is changed and changed back grants no level twice.
    let wallet = still(&mut ledger).await;
    let granted = outcome(&wallet, post("to-2", vec![credit("p", "xp", 249)])).await.unwrap();
    assert_eq!(granted.movements.iter().filter(|movement| movement.kind == MovementKind::Leveled).count(), 2);
    assert_eq!(available(&wallet, "p", "stat_points").await, 5);
    let steeper = changed(&ledger.rules, 8, |_, _| (), |levels| levels.thresholds = vec![1_000, 2_000]);
    let gentler = changed(&ledger.rules, 9, |_, _| (), |levels| levels.thresholds = vec![10, 20, 30]);
    let original = ledger.rules.clone();
    for (number, (rules, points)) in [(steeper, 5), (gentler, 15), (original, 15)].into_iter().enumerate() {
        ledger.rules = rules;
        let wallet = ledger.copy().await;
        outcome(&wallet, post(&format!("more-{number}"), vec![credit("p", "xp", 1)])).await.unwrap();
        assert_eq!(available(&wallet, "p", "stat_points").await, points, "catalog {number}");
    }
    let wallet = ledger.copy().await;
    outcome(&wallet, post("to-4", vec![credit("p", "xp", 1_000)])).await.unwrap();
    assert_eq!(available(&wallet, "p", "stat_points").await, 15, "three levels are all that there are");
    assert_books_agree(&wallet).await;
}

async fn a_capacity_that_comes_with_levels_is_never_refilled_by_one(mut ledger: Ledger) {
    // R-P1, R-W11: xp brings levels, levels raise a capacity. When only the xp was loaded, the level found a balance that it took for
    // one that was never seen, and filled it.
    let levels = Some(("levels_gained".parse().unwrap(), 10));
    let by_level = |id: &str, asset: &mut Asset| {
        if let (true, AssetKind::Recharging(recharging)) = (id == "charge", &mut asset.kind) {
            recharging.raised_by.clone_from(&levels);
        }
    };
    ledger.rules = changed(&ledger.rules, 8, by_level, |_| ());
    let wallet = still(&mut ledger).await;
    outcome(&wallet, post("use", vec![debit("p", "charge", 5)])).await.unwrap();
    outcome(&wallet, post("level", vec![credit("p", "xp", 100)])).await.unwrap();
    assert_eq!(available(&wallet, "p", "charge").await, 0);
    after(&ledger, 20 * HOUR).await;
    assert_eq!(available(&wallet, "p", "charge").await, 15);
    assert_books_agree(&wallet).await;
}
