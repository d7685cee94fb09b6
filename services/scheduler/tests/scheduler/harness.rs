//! A scheduler of its own for every law, on either store, with as many copies of the service as the law wants.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use auric_db::{Database, PostgresSettings};
use auric_lanes::LaneSettings;
use auric_scheduler::domain::{Firing, FiringKey, Life};
use auric_scheduler::store::{self, FiringsQuery, SchedulerStore};
use auric_scheduler::{Handlers, Pace, Target, TargetSet};
use auric_testkit::databases::{PostgresDatabase, SqliteDatabase};
use auric_time::{Clock, SystemClock};

use crate::asks::job;
use crate::hand::Hand;

/// How long something may take that happens by itself.
const WAIT_MAX: Duration = Duration::from_secs(40);

/// A migrated, empty scheduler.
pub enum Place {
    Sqlite { clock: Arc<dyn Clock>, file: SqliteDatabase },
    Postgres(Box<PostgresDatabase>),
}

impl Place {
    pub async fn sqlite() -> Self {
        Self::sqlite_with(Arc::new(SystemClock)).await
    }

    pub async fn sqlite_with(clock: Arc<dyn Clock>) -> Self {
        let file = SqliteDatabase::create().unwrap();
        let whole = Database::Sqlite(auric_db::SqliteDatabase::open(&file.path()).await.unwrap());
        auric_db::migrate(&whole, store::migrator(&whole)).await.unwrap();
        whole.close().await;
        Self::Sqlite { clock, file }
    }

    pub async fn postgres() -> Self {
        Self::Postgres(Box::new(PostgresDatabase::create(store::postgres_migrator()).await.unwrap()))
    }

    /// The bare store of another copy. On SQLite all copies are one process.
    pub async fn store(&self) -> Arc<dyn SchedulerStore> {
        match self {
            Self::Sqlite { clock, file } => {
                let database = auric_db::SqliteDatabase::open(&file.path()).await.unwrap();
                store::on(Database::Sqlite(database), Arc::clone(clock))
            }
            Self::Postgres(database) => connect(database.url()).await,
        }
    }

    /// How many copies a law of concurrency runs with: SQLite has one process.
    pub const fn copies(&self) -> usize {
        match self {
            Self::Sqlite { .. } => 1,
            Self::Postgres(_) => 3,
        }
    }

    /// A copy that plans and runs.
    pub async fn copy(&self, hand: &Arc<Hand>) -> Arc<Handlers> {
        let copy = copy_on(self.store().await, hand, pace());
        copy.begin_to_work();
        copy
    }

    /// A copy that changes jobs, and fires none.
    pub async fn idle_copy(&self, hand: &Arc<Hand>) -> Arc<Handlers> {
        copy_on(self.store().await, hand, pace())
    }

    /// Runs bare SQL, as someone with all rights would.
    pub async fn sql(&self, statement: &str) -> u64 {
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        match self {
            Self::Sqlite { file, .. } => {
                let database = auric_db::SqliteDatabase::open(&file.path()).await.unwrap();
                sqlx::raw_sql(statement).execute(&database.writer).await.unwrap().rows_affected()
            }
            Self::Postgres(database) => {
                let pool = sqlx::PgPool::connect(database.url()).await.unwrap();
                let done = sqlx::raw_sql(statement).execute(&pool).await.unwrap();
                pool.close().await;
                done.rows_affected()
            }
        }
    }

    /// Reads one number.
    pub async fn number(&self, query: &str) -> i64 {
        let query = sqlx::AssertSqlSafe(query.to_owned());
        match self {
            Self::Sqlite { file, .. } => {
                let database = auric_db::SqliteDatabase::open(&file.path()).await.unwrap();
                sqlx::query_scalar(query).fetch_one(&database.writer).await.unwrap()
            }
            Self::Postgres(database) => {
                let pool = sqlx::PgPool::connect(database.url()).await.unwrap();
                let number = sqlx::query_scalar(query).fetch_one(&pool).await.unwrap();
                pool.close().await;
                number
            }
        }
    }

    /// Every firing is in one place only: no law ends without it.
    pub async fn assert_whole(&self) {
        let key = "(job_id, scheduled_for, incarnation)";
        for (one, other) in [
            ("firings", "waiting"),
            ("firings", "dead_letters"),
            ("firings", "history"),
            ("waiting", "dead_letters"),
            ("waiting", "history"),
            ("dead_letters", "history"),
        ] {
            let both = format!(
                "SELECT count(*) FROM {one} WHERE {key} IN (SELECT job_id, scheduled_for, incarnation FROM {other})"
            );
            assert_eq!(self.number(&both).await, 0, "a firing is in {one} and in {other}");
        }
        let orphans = "SELECT count(*) FROM jobs WHERE NOT EXISTS (SELECT 1 FROM definitions AS one
            WHERE one.job_id = jobs.job_id AND one.incarnation = jobs.incarnation AND one.revision = jobs.revision)";
        assert_eq!(self.number(orphans).await, 0, "a job without its definition");
    }
}

pub async fn connect(url: &str) -> Arc<dyn SchedulerStore> {
    let settings = PostgresSettings { connections_max: 8, ..Default::default() };
    store::on(Database::connect(url, settings).await.unwrap(), Arc::new(SystemClock))
}

/// A copy on a store that a law has had its hands on; nothing fires before it begins to work.
pub fn copy_on(store: Arc<dyn SchedulerStore>, hand: &Arc<Hand>, pace: Pace) -> Arc<Handlers> {
    let target: Arc<dyn Target> = Arc::<Hand>::clone(hand);
    let targets = TargetSet::default().with("hand".parse().unwrap(), target, NonZeroU16::new(10).unwrap());
    let lanes = LaneSettings { lanes: NonZeroU16::MIN, ..LaneSettings::default() };
    Arc::new(Handlers::start(store, targets, pace, lanes))
}

/// Leases that run out soon, and copies that look often.
pub fn pace() -> Pace {
    Pace {
        lease: Duration::from_secs(3),
        poll: Duration::from_millis(20),
        reconcile_every: Duration::from_millis(200),
        drain_max: Duration::from_secs(5),
        ..Pace::default()
    }
}

/// Waits for what happens by itself.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let waited = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(WAIT_MAX, waited).await.unwrap_or_else(|_| panic!("{what} did not happen in {WAIT_MAX:?}"))
}

/// All firings of a job that are kept, by key.
pub async fn firings(copy: &Handlers, name: &str) -> BTreeMap<FiringKey, Firing> {
    let mut all = BTreeMap::new();
    let mut before = None;
    loop {
        let query = FiringsQuery { job: job(name), life: None, before, limit: 100 };
        let page = copy.firings(query).await.unwrap();
        before = page.items.last().map(|firing| (firing.key.scheduled_for, firing.key.incarnation));
        all.extend(page.items.into_iter().map(|firing| (firing.key.clone(), firing)));
        if !page.more {
            return all;
        }
    }
}

/// Waits until a firing has come so far.
pub async fn wait_for(copy: &Handlers, key: &FiringKey, life: Life) -> Firing {
    let look = || async {
        let mut all = firings(copy, key.job.as_str()).await;
        all.remove(key).filter(|firing| firing.life == life)
    };
    eventually(&format!("{key} {life:?}"), look).await
}

/// Waits until a job has so many firings in a state.
pub async fn wait_for_many(copy: &Handlers, name: &str, life: Life, count: usize) -> Vec<Firing> {
    let look = || async {
        let all: Vec<Firing> = firings(copy, name).await.into_values().filter(|firing| firing.life == life).collect();
        (all.len() >= count).then_some(all)
    };
    eventually(&format!("{count} firings of {name} {life:?}"), look).await
}

/// Makes a test of each law for each store.
macro_rules! on_every_store {
    ($($law:ident),+ $(,)?) => {$(
        mod $law {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                super::$law($crate::harness::Place::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                super::$law($crate::harness::Place::postgres().await).await;
            }
        }
    )+};
}

pub(crate) use on_every_store;
