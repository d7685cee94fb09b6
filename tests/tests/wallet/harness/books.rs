//! What callers were told, and whether the ledger is exactly that: no more, no less, each thing once.

use std::collections::{BTreeMap, BTreeSet};

use auric_api::wallet::v1 as api;
use futures::{StreamExt as _, stream};

use super::{Answer, Ask, Caller, Cluster, Outcome};

/// Requests of a check that are under way at once.
const AT_ONCE: usize = 64;

/// Answers that are asked for again at every copy; of more, each at one.
const ASKED_EVERYWHERE_MAX: usize = 2_000;

/// Players of one read.
const PLAYERS_MAX: usize = 100;

/// Every mutation of a cluster with its answer.
#[derive(Default)]
pub struct Books {
    answers: Vec<(Ask, Outcome)>,
    retried: usize,
    replayed: usize,
}

/// A balance: player, asset, pool.
type Key = (String, String, String);

impl Books {
    pub fn add(&mut self, ask: Ask, answer: Answer) {
        self.retried += usize::from(answer.tries > 1);
        self.replayed += usize::from(answer.replayed);
        self.answers.push((ask, answer.outcome));
    }

    pub fn merge(&mut self, other: Self) {
        self.retried += other.retried;
        self.replayed += other.replayed;
        self.answers.extend(other.answers);
    }

    pub fn applied(&self) -> usize {
        self.answers.iter().filter(|(_, outcome)| outcome.is_ok()).count()
    }

    /// How much there was, for a person who reads the test's output.
    pub fn describe(&self) -> String {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for problem in self.answers.iter().filter_map(|(_, outcome)| outcome.as_ref().err()) {
            *reasons.entry(&problem.reason).or_default() += 1;
        }
        let (all, applied) = (self.answers.len(), self.applied());
        let Self { retried, replayed, .. } = self;
        format!("{all} mutations, {applied} applied, refused {reasons:?}, {retried} sent again, {replayed} replayed")
    }

    /// Compares the ledger with the answers (R-W2, R-W3, R-W5, R-W6).
    ///
    /// Each key has one answer at every copy. The entries that the answers name are all there are, each once. Balances are the sum of what
    /// the answers moved, open holds those that were reserved and not ended, the supply what the players have; the audit is whole.
    pub async fn check(&self, cluster: &Cluster) {
        for copy in 0..cluster.copies() {
            self.check_answers(cluster, copy).await;
        }
        let caller = Caller::new(cluster);
        let balances = self.check_balances(caller).await;
        self.check_holds(caller).await;
        check_supply(caller, &balances).await;
        check_audit(caller).await;
    }

    /// Asks everything again, each key at one copy; what is small enough is asked at every copy in turn.
    async fn check_answers(&self, cluster: &Cluster, turn: usize) {
        if turn > 0 && self.answers.len() > ASKED_EVERYWHERE_MAX {
            return;
        }
        let asked = stream::iter(self.answers.iter().enumerate()).map(|(index, (ask, first))| async move {
            let again = Caller::at(cluster, index + turn).send(ask).await;
            assert_eq!(again.outcome, *first, "{ask:?} has two answers");
            let is_stored = first.as_ref().err().is_none_or(|problem| problem.reason != "HOLD_NOT_FOUND");
            assert_eq!(again.replayed, is_stored, "{ask:?}: {first:?}");
        });
        asked.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    }

    async fn check_balances(&self, caller: Caller<'_>) -> Vec<api::Balance> {
        let movements = self.answers.iter().filter_map(|(_, outcome)| outcome.as_ref().ok());
        let movements: Vec<&api::Movement> = movements.flat_map(|posted| &posted.movements).collect();
        let mut numbers: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        let mut sums: BTreeMap<Key, [i64; 3]> = BTreeMap::new();
        for movement in &movements {
            numbers.entry(&movement.player_id).or_default().push(movement.number);
            let key = (movement.player_id.clone(), movement.asset_id.clone(), movement.pool_id.clone());
            let [available, held, room] = sums.entry(key).or_default();
            *available += movement.available_change;
            *held += movement.held_change;
            *room += movement.room_change;
        }
        let assets: BTreeSet<String> = movements.iter().map(|movement| movement.asset_id.clone()).collect();
        let players: Vec<&str> = numbers.keys().copied().collect();
        let mut balances = Vec::new();
        for some in players.chunks(PLAYERS_MAX) {
            let player_ids = some.iter().map(ToString::to_string).collect();
            let asset_ids = assets.iter().cloned().collect();
            let read = caller.client().get_balances(api::GetBalancesRequest { player_ids, asset_ids }).await;
            let read = read.expect("balances are read").into_inner();
            for version in &read.versions {
                let told = numbers.get_mut(version.player_id.as_str()).expect("only who was asked for");
                told.sort_unstable();
                let all: Vec<i64> = (1..=version.version).collect();
                assert_eq!(*told, all, "entries of {} that nobody, or somebody twice, was told of", version.player_id);
            }
            balances.extend(read.balances);
        }
        for balance in &balances {
            let key = (balance.player_id.clone(), balance.asset_id.clone(), balance.pool_id.clone());
            let told = sums.remove(&key).unwrap_or_default();
            assert_eq!([balance.available, balance.held, balance.room], told, "{key:?} is not what the answers say");
        }
        assert!(sums.is_empty(), "moved, and not there: {sums:?}");
        balances
    }

    async fn check_holds(&self, caller: Caller<'_>) {
        let mut told = BTreeSet::new();
        let applied = || self.answers.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(ask, _)| ask);
        for ask in applied() {
            if let Ask::Reserve(reserve) = ask {
                told.insert(reserve.hold_id.clone());
            }
        }
        for ask in applied() {
            match ask {
                Ask::Commit(commit) => drop(told.remove(&commit.hold_id)),
                Ask::Release(release) => drop(told.remove(&release.hold_id)),
                _ => {}
            }
        }
        let mut found = BTreeSet::new();
        let mut page_token = String::new();
        loop {
            let request = api::ListHoldsRequest { page_size: 500, page_token, ..Default::default() };
            let page = caller.client().list_holds(request).await.expect("holds are read").into_inner();
            found.extend(page.holds.into_iter().map(|hold| hold.hold_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(found, told, "the open holds are those that callers left open");
    }
}

/// What came into the game less what went out of it is what the players have.
async fn check_supply(caller: Caller<'_>, balances: &[api::Balance]) {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for balance in balances {
        *sums.entry(&balance.asset_id).or_default() += balance.available + balance.held;
    }
    let asset_ids = sums.keys().map(ToString::to_string).collect();
    let read = caller.client().get_supply(api::GetSupplyRequest { asset_ids }).await;
    for supply in read.expect("the supply is read").into_inner().supplies {
        assert_eq!(Some(&supply.outstanding), sums.get(supply.asset_id.as_str()), "{supply:?}");
    }
}

async fn check_audit(caller: Caller<'_>) {
    let report = caller.verify_audit().await;
    assert!(report.done && report.players_verified == report.players_total, "{report:?}");
}

impl Caller<'_> {
    /// The last report of a whole verification, which found no fault.
    pub async fn verify_audit(self) -> api::VerifyAuditResponse {
        let reports = self.client().verify_audit(api::VerifyAuditRequest::default()).await;
        let mut reports = reports.expect("the audit is verified").into_inner();
        let mut last = api::VerifyAuditResponse::default();
        while let Some(report) = reports.message().await.expect("the audit is verified") {
            assert_eq!(report.faults, [], "the audit is whole");
            last = report;
        }
        last
    }
}
