//! A ledger of its own for every law, on either store, with as many copies of the wallet as the law wants.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use auric_catalog::CatalogHash;
use auric_db::{Database, PostgresSettings};
use auric_ids::{AssetId, PlayerId};
use auric_lanes::{LaneSettings, Refused};
use auric_money::Amount;
use auric_testkit::config;
use auric_testkit::databases::{PostgresDatabase, SqliteDatabase};
use auric_time::{Clock, SystemClock, Timestamp};
use auric_wallet::Handlers;
use auric_wallet::domain::{
    Action, Asset, AssetKind, Assets, AtMaximum, Balance, Context, Direction, Entry, Leg, Mutation, MutationKey, Note,
    Outcome, Post, Progression, Recharging, Rules, Seal, Unstored, Verdict,
};
use auric_wallet::store::{self, EntriesOrder, EntriesQuery, WalletStore};
use futures::StreamExt as _;
use sqlx::Connection as _;

/// A migrated, empty ledger.
pub struct Ledger {
    base: Base,
    clock: Arc<StoppableClock>,
    pub rules: Rules,
    pub lanes: LaneSettings,
}

enum Base {
    Sqlite { store: Arc<dyn WalletStore>, database: auric_db::SqliteDatabase, _file: SqliteDatabase },
    Postgres(Box<PostgresDatabase>),
}

impl Ledger {
    pub async fn sqlite() -> Self {
        let file = SqliteDatabase::create().unwrap();
        let database = auric_db::SqliteDatabase::open(&file.path()).await.unwrap();
        let whole = Database::Sqlite(database.clone());
        auric_db::migrate(&whole, store::migrator(&whole)).await.unwrap();
        let clock = Arc::new(StoppableClock::default());
        let store = store::on(whole, Arc::<StoppableClock>::clone(&clock));
        Self::on(Base::Sqlite { store, database, _file: file }, clock)
    }

    pub async fn postgres() -> Self {
        let migrator = store::postgres_migrator();
        let database = PostgresDatabase::create(migrator).await.unwrap();
        Self::on(Base::Postgres(Box::new(database)), Arc::default())
    }

    fn on(base: Base, clock: Arc<StoppableClock>) -> Self {
        Self { base, clock, rules: rules(), lanes: lanes() }
    }

    /// Another ledger on the same kind of store, empty.
    pub async fn another(&self) -> Self {
        match self.base {
            Base::Sqlite { .. } => Self::sqlite().await,
            Base::Postgres(_) => Self::postgres().await,
        }
    }

    /// Another copy of the wallet on the same ledger. On SQLite all copies are one process, and share its writer.
    pub async fn copy(&self) -> Arc<Handlers> {
        Arc::new(Handlers::start(self.store().await, self.rules.clone(), self.lanes.clone()))
    }

    /// A copy that has met nothing: on SQLite as after a restart.
    pub async fn newcomer(&self) -> Arc<Handlers> {
        let store = match &self.base {
            Base::Sqlite { database, .. } => {
                store::on(Database::Sqlite(database.clone()), Arc::<StoppableClock>::clone(&self.clock))
            }
            Base::Postgres(_) => self.store().await,
        };
        Arc::new(Handlers::start(store, self.rules.clone(), self.lanes.clone()))
    }

    /// The bare store of another copy.
    pub async fn store(&self) -> Arc<dyn WalletStore> {
        match &self.base {
            Base::Sqlite { store, .. } => Arc::clone(store),
            Base::Postgres(database) => {
                let settings = PostgresSettings { connections_max: 8, ..Default::default() };
                let database = Database::connect(database.url(), settings).await.unwrap();
                store::on(database, Arc::<StoppableClock>::clone(&self.clock))
            }
        }
    }

    /// How many copies a law of concurrency runs with: SQLite has one process.
    pub const fn copies(&self) -> usize {
        match self.base {
            Base::Sqlite { .. } => 1,
            Base::Postgres(_) => 3,
        }
    }

    /// Stops the database's clock at `time`; call it before the first copy. On PostgreSQL a function of the same name comes first in the path.
    pub async fn stop_clock(&mut self, time: Timestamp) {
        if let Base::Postgres(database) = &self.base {
            let name = database.name().to_owned();
            let fake = format!(
                "CREATE SCHEMA fake;
                 CREATE TABLE fake.clock (now timestamptz NOT NULL);
                 INSERT INTO fake.clock VALUES (to_timestamp(0));
                 CREATE FUNCTION fake.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT now FROM fake.clock';
                 ALTER DATABASE \"{name}\" SET search_path = fake, public, pg_catalog"
            );
            self.sql(&fake).await.unwrap();
        }
        self.set_clock(time).await;
    }

    /// Sets the stopped clock, back too.
    pub async fn set_clock(&self, time: Timestamp) {
        self.clock.0.store(time.micros(), Relaxed);
        if matches!(self.base, Base::Postgres(_)) {
            let micros = time.micros();
            self.sql(&format!("UPDATE fake.clock SET now = to_timestamp(0) + {micros} * interval '1 microsecond'"))
                .await
                .unwrap();
        }
    }

    /// Waits until a transaction waits for another's lock. On SQLite, where writers queue in the process, until it is in the queue.
    pub async fn wait_for_a_waiter(&self) {
        self.wait_for_waiters(1).await;
    }

    /// Waits until so many do.
    pub async fn wait_for_waiters(&self, count: i64) {
        let Base::Postgres(database) = &self.base else {
            tokio::task::yield_now().await;
            return;
        };
        let pool = sqlx::PgPool::connect(database.url()).await.unwrap();
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&pool).await.unwrap() < count {
            tokio::task::yield_now().await;
        }
        pool.close().await;
    }

    /// Takes a lock of PostgreSQL's that no table has, until it is released.
    pub async fn lock(&self, key: i64) -> Lock {
        let Base::Postgres(database) = &self.base else { panic!("SQLite has no such locks") };
        let mut connection = sqlx::PgConnection::connect(database.url()).await.unwrap();
        sqlx::query("SELECT pg_advisory_lock($1)").bind(key).execute(&mut connection).await.unwrap();
        Lock { connection }
    }

    /// Takes a whole table, until it is released.
    pub async fn lock_table(&self, table: &str) -> Lock {
        let Base::Postgres(database) = &self.base else { panic!("SQLite has no such locks") };
        let mut connection = sqlx::PgConnection::connect(database.url()).await.unwrap();
        let take = sqlx::AssertSqlSafe(format!("BEGIN; LOCK TABLE {table}"));
        sqlx::raw_sql(take).execute(&mut connection).await.unwrap();
        Lock { connection }
    }

    /// Runs bare SQL, as someone with all rights would.
    pub async fn sql(&self, statement: &str) -> Result<u64, sqlx::Error> {
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        match &self.base {
            Base::Sqlite { database, .. } => {
                Ok(sqlx::raw_sql(statement).execute(&database.writer).await?.rows_affected())
            }
            Base::Postgres(database) => {
                let pool = sqlx::PgPool::connect(database.url()).await?;
                let done = sqlx::raw_sql(statement).execute(&pool).await;
                pool.close().await;
                Ok(done?.rows_affected())
            }
        }
    }
}

/// A lock that holds transactions up.
pub struct Lock {
    connection: sqlx::PgConnection,
}

impl Lock {
    pub async fn release(self) {
        self.connection.close().await.unwrap();
    }
}

/// The machine's clock until it is set: then it stands still.
#[derive(Debug)]
struct StoppableClock(AtomicI64);

impl Default for StoppableClock {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Clock for StoppableClock {
    fn now(&self) -> Timestamp {
        match self.0.load(Relaxed) {
            i64::MIN => SystemClock.now(),
            micros => Timestamp::from_micros(micros),
        }
    }
}

/// The lanes as they ship, or as a campaign asks for them.
fn lanes() -> LaneSettings {
    let asked = |variable| NonZeroU16::try_from(u16::try_from(config::number(variable)?).unwrap()).ok();
    let usual = LaneSettings::default();
    LaneSettings {
        lanes: asked(config::LANES).unwrap_or(usual.lanes),
        batch_max: asked(config::BATCH_MAX).unwrap_or(usual.batch_max),
        ..usual
    }
}

/// The rules of the tests: a currency with and without a maximum, points, tokens, credits in two pools, charges that come back by the hour,
/// energy that stat points raise, and levels at 100, 250 and 450 xp.
pub fn rules() -> Rules {
    let id = |id: &str| -> AssetId { id.parse().unwrap() };
    let asset = |kind, maximum| Asset { kind, maximum, retired: false };
    let credit = AssetKind::Credit { pools: vec!["subscription".parse().unwrap(), "bulk".parse().unwrap()] };
    let recharging = |base_units, raised_by, interval_seconds: u64| {
        AssetKind::Recharging(Recharging {
            base_units,
            raised_by,
            regen_units: 1,
            interval_micros: interval_seconds * 1_000_000,
        })
    };
    let by_id: BTreeMap<AssetId, Asset> = [
        ("lumees", asset(AssetKind::Currency, Some(1_000_000))),
        ("aether", asset(AssetKind::Currency, None)),
        ("xp", asset(AssetKind::Points, None)),
        ("levels_gained", asset(AssetKind::Points, None)),
        ("stat_points", asset(AssetKind::Token, None)),
        ("spent/energy", asset(AssetKind::Points, None)),
        ("token", asset(AssetKind::Token, Some(100))),
        ("credit", asset(credit, Some(1_000))),
        ("charge", asset(recharging(5, None, 3_600), None)),
        ("energy", asset(recharging(100, Some((id("spent/energy"), 10)), 300), None)),
        ("dust", Asset { kind: AssetKind::Currency, maximum: None, retired: true }),
    ]
    .into_iter()
    .map(|(name, asset)| (id(name), asset))
    .collect();
    let progression = Progression {
        xp: id("xp"),
        levels_gained: id("levels_gained"),
        stat_points: id("stat_points"),
        stat_points_per_level: 5,
        thresholds: vec![100, 250, 450],
        stats: BTreeMap::from([("energy".parse().unwrap(), id("spent/energy"))]),
    };
    let assets = Assets::new(CatalogHash::from_bytes([7; 32]), by_id, Some(progression));
    Rules { assets: Arc::new(assets), seal: Seal::Plain }
}

pub fn player(name: &str) -> PlayerId {
    name.parse().unwrap()
}

pub fn credit(name: &str, asset: &str, amount: i64) -> Leg {
    leg(name, asset, amount, Direction::Credit(AtMaximum::Refuse))
}

pub fn debit(name: &str, asset: &str, amount: i64) -> Leg {
    leg(name, asset, amount, Direction::Debit)
}

pub fn leg(name: &str, asset: &str, amount: i64, direction: Direction) -> Leg {
    Leg {
        player: player(name),
        asset: asset.parse().unwrap(),
        pool: None,
        direction,
        amount: Amount::new(amount).unwrap(),
    }
}

pub fn in_pool(leg: Leg, pool: &str) -> Leg {
    Leg { pool: Some(pool.parse().unwrap()), ..leg }
}

pub fn key(key: &str) -> MutationKey {
    MutationKey { caller: "game".parse().unwrap(), key: key.parse().unwrap() }
}

pub fn post(name: &str, legs: Vec<Leg>) -> Mutation {
    mutation(name, Action::Post(posting(legs)))
}

pub fn posting(legs: Vec<Leg>) -> Post {
    Post { legs, note: note(), expected_versions: BTreeMap::new() }
}

pub fn note() -> Note {
    Note { reason: "test".parse().unwrap(), context: Context::new() }
}

pub fn mutation(name: &str, action: Action) -> Mutation {
    Mutation { key: key(name), trace_id: "".parse().unwrap(), ends_any_hold: false, action }
}

/// How often a caller tries again; a law that needs more does not end.
const TRIES_MAX: usize = 200;

/// Sends `mutation` until the machinery gives an answer, as a caller does: the same key again.
pub async fn send(wallet: &Handlers, mutation: Mutation) -> Verdict {
    for _ in 0..TRIES_MAX {
        match wallet.mutate(mutation.clone(), None).await {
            Ok(verdict) => return verdict,
            Err(Refused::Contended | Refused::Unavailable | Refused::Unknown | Refused::QueueFull { .. }) => {}
            Err(refused) => panic!("{mutation:?} was not answered: {refused}"),
        }
    }
    panic!("{mutation:?} was not answered in {TRIES_MAX} tries");
}

/// The answer, for a mutation that is sure to get one.
pub async fn outcome(wallet: &Handlers, mutation: Mutation) -> Outcome {
    match send(wallet, mutation).await {
        Verdict::Answered { outcome, .. } => outcome,
        Verdict::Unstored(unstored) => panic!("not decided: {unstored:?}"),
    }
}

pub async fn unstored(wallet: &Handlers, mutation: Mutation) -> Unstored {
    match send(wallet, mutation).await {
        Verdict::Unstored(unstored) => unstored,
        Verdict::Answered { outcome, .. } => panic!("answered: {outcome:?}"),
    }
}

/// What a player has of an asset, all pools in the catalog's order.
pub async fn balances(wallet: &Handlers, name: &str, asset: &str) -> Vec<Balance> {
    let rules = wallet.rules();
    let read = wallet.balances(&rules.assets, &[player(name)], &[asset.parse().unwrap()]).await.unwrap();
    read.views.into_iter().map(|view| view.balance).collect()
}

pub async fn available(wallet: &Handlers, name: &str, asset: &str) -> u64 {
    balances(wallet, name, asset).await.iter().map(|balance| balance.available_units()).sum()
}

/// A player's whole audit, oldest first.
pub async fn audit(wallet: &Handlers, name: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    loop {
        let order = EntriesOrder::After(entries.len() as u64);
        let query = EntriesQuery { player: player(name), asset: None, order, limit: 100 };
        let page = wallet.entries(query).await.unwrap();
        entries.extend(page.items);
        if !page.more {
            return entries;
        }
    }
}

/// The whole audit is gapless, chained and adds up to the balances, the open holds explain what is held, and the counters what there is:
/// no law ends without it.
pub async fn assert_books_agree(wallet: &Arc<Handlers>) {
    let mut reports = std::pin::pin!(Arc::clone(wallet).verify_audit(None));
    let mut done = false;
    while let Some(report) = reports.next().await {
        let report = report.unwrap();
        assert_eq!(report.faults, [], "the audit is whole");
        done = report.done;
    }
    assert!(done);
}

/// Makes a test of each law for each store.
macro_rules! on_every_store {
    ($($law:ident),+ $(,)?) => {$(
        mod $law {
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_sqlite() {
                super::$law($crate::harness::Ledger::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_postgres() {
                super::$law($crate::harness::Ledger::postgres().await).await;
            }
        }
    )+};
}

pub(crate) use on_every_store;
