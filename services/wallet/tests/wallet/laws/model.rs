//! Random histories come to the same on the engine and on the model that was written from the specification (R-W3, R-W4, R-W5, R-W6, R-W7,
//! R-W8, R-W9, R-W11, R-W12, R-P1, R-P2): in memory, where batches have twins of one key in them and the clock goes back, and on both stores.

mod histories;

use std::collections::BTreeMap;
use std::sync::Arc;

use auric_catalog::CatalogHash;
use auric_db::{Contention, StoreError};
use auric_ids::{AssetId, PlayerId};
use auric_time::Timestamp;
use auric_wallet::domain::{
    Asset, AssetKind, Assets, Balance, BatchKeys, Book, Mutation, MutationKey, Outcome, Progression, Recharging,
    Rejection, Rules, Unstored, Verdict, decide, view,
};
use auric_wallet::store::WalletStore;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};

use crate::harness::{Ledger, assert_books_agree, on_every_store, rules};
use crate::memory::Memory;
use crate::model::{Account, Model, Reply};
use histories::{History, Step};

/// When every history begins.
const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

proptest! {
    #![proptest_config(Config { cases: Config::default().cases.max(300), failure_persistence: None, ..Config::default() })]

    #[test]
    fn the_engine_does_what_the_specification_says(history in histories::any()) {
        let mut ledger = Memory::default();
        let mut against = Against::default();
        for step in &history.0 {
            let Some((batch, at)) = against.take(step) else { continue };
            let rules = against.rules();
            let mut book = ledger.open(keys(&rules, &batch), at);
            for mutation in &batch {
                let verdict = decide(&mut book, &rules, mutation);
                against.compare(mutation, &verdict);
            }
            ledger.commit(book.into_journal());
            against.compare_rows(&ledger);
            against.compare_views(ledger.open(every_view(&rules), at));
        }
        assert_adds_up(&ledger, &against.rules());
    }
}

on_every_store!(the_stores_keep_what_the_engine_decides);

async fn the_stores_keep_what_the_engine_decides(mut ledger: Ledger) {
    // The same histories through the database: what is loaded and written is all that the engine needs and made.
    ledger.stop_clock(START).await;
    let mut runner = TestRunner::deterministic();
    for number in 0..12 {
        let History(steps) = histories::any().new_tree(&mut runner).unwrap().current().of_world(number);
        let mut against = Against::default();
        let store = ledger.store().await;
        for step in &steps {
            let Some((batch, at)) = against.take(step) else { continue };
            ledger.set_clock(at).await;
            let rules = against.rules();
            for (mutation, verdict) in batch.iter().zip(decided(store.as_ref(), &rules, &batch).await) {
                against.compare(mutation, &verdict);
            }
            let players = histories::players(number);
            against.compare_views_of(&players, store.view(&views(&rules, &players)).await.unwrap());
        }
    }
    ledger.rules = against_rules(0);
    assert_books_agree(&ledger.copy().await).await;
}

/// Decides a batch as a lane does: again where it was decided on what was remembered, and was not so. There is no second copy, so that this happens
/// where a hold is made that is there already, and never twice.
async fn decided(store: &dyn WalletStore, rules: &Rules, batch: &[Mutation]) -> Vec<Verdict> {
    for _ in 0..2 {
        let (mut book, transaction) = store.open(keys(rules, batch)).await.unwrap();
        let verdicts = batch.iter().map(|mutation| decide(&mut book, rules, mutation)).collect();
        match transaction.commit(book.into_journal(), 0).await {
            Ok(()) => return verdicts,
            Err(StoreError::Contended(Contention::Duplicate, _)) => {}
            Err(error) => panic!("{batch:?}: {error}"),
        }
    }
    panic!("a batch is decided behind the locks once its memory was wrong: {batch:?}");
}

/// The model beside the engine, and what the engine answered.
struct Against {
    model: Model,
    catalog: usize,
    at: Timestamp,
    asked: Vec<Mutation>,
    answers: BTreeMap<MutationKey, Outcome>,
}

impl Default for Against {
    fn default() -> Self {
        Self { model: Model::default(), catalog: 0, at: START, asked: Vec::new(), answers: BTreeMap::new() }
    }
}

impl Against {
    fn rules(&self) -> Rules {
        against_rules(self.catalog)
    }

    /// Takes up a step: the batch that it asks for, and when.
    fn take(&mut self, step: &Step) -> Option<(Vec<Mutation>, Timestamp)> {
        match step {
            Step::Clock(micros) => self.at = self.at.plus_micros(*micros),
            Step::Catalog(number) => self.catalog = *number,
            Step::Batch(asks) => {
                let from = self.asked.len();
                for ask in asks {
                    let mutation = ask.mutation(&self.asked, &self.model.entries);
                    self.asked.push(mutation);
                }
                return Some((self.asked[from..].to_vec(), self.at));
            }
        }
        None
    }

    fn compare(&mut self, mutation: &Mutation, verdict: &Verdict) {
        let reply = self.model.apply(mutation, &self.rules().assets, self.at);
        let said = match verdict {
            Verdict::Answered { outcome, replayed: true } => {
                assert_eq!(self.answers.get(&mutation.key), Some(outcome), "a replay is the first answer");
                Reply::Replayed
            }
            Verdict::Answered { outcome: Err(rejection), .. } => Reply::Refused(word(rejection)),
            Verdict::Answered { outcome: Ok(posted), .. } => match &reply {
                Reply::LikeBefore(first) => {
                    assert_eq!(
                        self.answers.get(first),
                        Some(&Ok(posted.clone())),
                        "the same verb gets the same answer"
                    );
                    reply.clone()
                }
                _ => Reply::Applied,
            },
            Verdict::Unstored(Unstored::Invalid(_)) => Reply::Unstored("INVALID"),
            Verdict::Unstored(Unstored::KeyReused { .. }) => Reply::Unstored("KEY_REUSED"),
            Verdict::Unstored(Unstored::HoldNotFound(_)) => Reply::Unstored("NOT_FOUND"),
            Verdict::Unstored(Unstored::NotYourHold(_)) => Reply::Unstored("NOT_YOURS"),
            Verdict::Unstored(Unstored::RetailTokenNotFound(_)) => Reply::Unstored("TOKEN_NOT_FOUND"),
        };
        assert_eq!(said, reply, "{mutation:?} at {} came to {verdict:?}", self.at);
        let Verdict::Answered { outcome, replayed: false } = verdict else { return };
        self.answers.insert(mutation.key.clone(), outcome.clone());
        let (Ok(posted), Reply::Applied) = (outcome, &reply) else { return };
        let last: BTreeMap<_, _> = posted.movements.iter().map(|movement| (&movement.key, movement.after)).collect();
        for (key, after) in last {
            let account = self.model.account(&(key.player.clone(), key.asset.clone(), key.pool.clone()));
            assert_eq!(of(after), account, "{key:?} after {mutation:?}");
        }
    }

    fn compare_rows(&self, ledger: &Memory) {
        for (key, row) in &ledger.rows {
            let place = (key.player.clone(), key.asset.clone(), key.pool.clone());
            assert_eq!(of(row.balance), self.model.account(&place), "{key:?}");
        }
        for ((player, asset, pool), account) in &self.model.accounts {
            let key =
                auric_wallet::domain::BalanceKey { player: player.clone(), asset: asset.clone(), pool: pool.clone() };
            assert_eq!(of(ledger.rows.get(&key).copied().unwrap_or_default().balance), *account, "{key:?}");
        }
        for (player, count) in &self.model.entries {
            assert_eq!(ledger.players[player].head.number, *count, "the entries of {player}");
        }
    }

    fn compare_views(&self, book: Book) {
        self.compare_views_of(&histories::players(0), book);
    }

    fn compare_views_of(&self, players: &[PlayerId], mut book: Book) {
        let rules = self.rules();
        let assets: Vec<AssetId> = rules.assets.iter().map(|(id, _)| id.clone()).collect();
        let mut seen = view(&mut book, &rules, players, &assets).into_iter();
        for player in players {
            for asset in &assets {
                for expected in self.model.view(&rules.assets, self.at, player, asset) {
                    let shown = seen.next().unwrap();
                    assert_eq!(of(shown.balance), expected, "{:?} is shown at {}", shown.key, self.at);
                }
            }
        }
        assert!(seen.next().is_none());
    }
}

fn of(balance: Balance) -> Account {
    let [available, held, room, owed] = balance.parts().map(i128::from);
    Account { available, held, room, owed }
}

fn word(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::OutOfBounds { .. } => "OUT_OF_BOUNDS",
        other => other.reason(),
    }
}

fn keys(rules: &Rules, batch: &[Mutation]) -> BatchKeys {
    let mut keys = BatchKeys::new(&rules.assets);
    for mutation in batch {
        keys.add(mutation);
    }
    keys
}

fn every_view(rules: &Rules) -> BatchKeys {
    views(rules, &histories::players(0))
}

fn views(rules: &Rules, players: &[PlayerId]) -> BatchKeys {
    let mut keys = BatchKeys::new(&rules.assets);
    for player in players {
        rules.assets.iter().for_each(|(asset, _)| keys.add_view(player, asset));
    }
    keys
}

/// Entries are gapless and chained, and add up to the balances.
fn assert_adds_up(ledger: &Memory, rules: &Rules) {
    let mut heads: BTreeMap<&PlayerId, (u64, [u8; 32], Timestamp)> = BTreeMap::new();
    let mut sums: BTreeMap<_, [i128; 4]> = BTreeMap::new();
    for entry in &ledger.entries {
        let (number, hash, time) = heads.entry(entry.player()).or_default();
        assert_eq!(entry.movement.number, *number + 1, "no number is left out");
        assert_eq!(entry.hash, rules.seal.hash(hash, entry), "the chain goes on");
        assert!(entry.time >= *time, "a player's time never goes back");
        (*number, *hash, *time) = (entry.movement.number, entry.hash, entry.time);
        let sum = sums.entry(entry.movement.key.clone()).or_default();
        for (sum, change) in sum.iter_mut().zip(entry.movement.change.parts()) {
            *sum += i128::from(change);
        }
        assert_eq!(*sum, entry.movement.after.parts().map(i128::from), "{entry:?}");
    }
    for (key, row) in &ledger.rows {
        assert_eq!(sums.get(key).copied().unwrap_or_default(), row.balance.parts().map(i128::from), "{key:?}");
    }
}

/// The rules of the tests with focus that comes with levels; the same with everything tightened, and with everything loosened.
fn against_rules(number: usize) -> Rules {
    let base = rules();
    let id = |id: &str| -> AssetId { id.parse().unwrap() };
    let mut by_id: BTreeMap<AssetId, Asset> =
        base.assets.iter().map(|(id, asset)| (id.clone(), asset.clone())).collect();
    let mut levels: Progression = base.assets.progression().unwrap().clone();
    let focus = Recharging {
        base_units: 10,
        raised_by: Some((id("levels_gained"), 2)),
        regen_units: 3,
        interval_micros: 600_000_000,
    };
    by_id.insert(id("focus"), Asset { kind: AssetKind::Recharging(focus), maximum: None, retired: false });
    let mut set = |name: &str, change: &dyn Fn(&mut Asset)| change(by_id.get_mut(&id(name)).unwrap());
    let recharge = |asset: &mut Asset, base_units, regen_units, seconds: u64| {
        if let AssetKind::Recharging(recharging) = &mut asset.kind {
            (recharging.base_units, recharging.regen_units) = (base_units, regen_units);
            recharging.interval_micros = seconds * 1_000_000;
        }
    };
    match number {
        0 => {}
        1 => {
            set("lumees", &|asset| asset.maximum = Some(40));
            set("token", &|asset| asset.retired = true);
            set("charge", &|asset| recharge(asset, 2, 1, 7_200));
            set("energy", &|asset| recharge(asset, 50, 2, 100));
            levels.thresholds = vec![400, 900];
        }
        _ => {
            set("credit", &|asset| asset.maximum = Some(60));
            set("charge", &|asset| recharge(asset, 9, 4, 60));
            set("focus", &|asset| asset.retired = true);
            levels.thresholds = vec![20, 40, 60, 80, 500];
            levels.stat_points_per_level = 1;
        }
    }
    let hash = CatalogHash::from_bytes([u8::try_from(number).unwrap(); 32]);
    Rules { assets: Arc::new(Assets::new(hash, by_id, Some(levels))), seal: base.seal }
}
