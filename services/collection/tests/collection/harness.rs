//! A collection of its own for every law, on either store, with as many copies of the service as the law wants.

use std::collections::BTreeMap;
use std::sync::Arc;

use auric_catalog::CatalogHash;
use auric_collection::catalog::{Kept, Kind};
use auric_collection::domain::{
    Ask, Catalog, Class, Condition, EquipmentKind, Esprit, Growth, KeyedOutcome, Part, Rarity, Refusal, Rules,
    Settings, Species, Stats, Synergy, Units, UpgradeCost, Verdict,
};
use auric_collection::store::{self, CollectionStore};
use auric_collection::{Coordination, Handlers};
use auric_db::{Database, PostgresSettings};
use auric_lanes::{LaneSettings, Refused};
use auric_testkit::databases::{PostgresDatabase, SqliteDatabase};
use auric_time::{Clock, SystemClock};
use auric_twophase::store::Operations;

use crate::asks::{CATALOG, player};
use crate::purse::Purse;

/// A migrated, empty collection.
pub struct Shelf {
    base: Base,
    pub rules: Rules,
    pub lanes: LaneSettings,
}

enum Base {
    Sqlite { store: Arc<dyn CollectionStore>, database: auric_db::SqliteDatabase, _file: SqliteDatabase },
    Postgres(Box<PostgresDatabase>),
}

impl Shelf {
    pub async fn sqlite() -> Self {
        let file = SqliteDatabase::create().unwrap();
        let database = auric_db::SqliteDatabase::open(&file.path()).await.unwrap();
        let whole = Database::Sqlite(database.clone());
        auric_db::migrate(&whole, store::migrator(&whole)).await.unwrap();
        let store = store::on(whole, Arc::new(SystemClock));
        Self::on(Base::Sqlite { store, database, _file: file })
    }

    pub async fn postgres() -> Self {
        let database = PostgresDatabase::create(store::postgres_migrator()).await.unwrap();
        Self::on(Base::Postgres(Box::new(database)))
    }

    fn on(base: Base) -> Self {
        Self { base, rules: rules(1_000), lanes: LaneSettings::default() }
    }

    /// Another collection on the same kind of store, empty.
    pub async fn another(&self) -> Self {
        match self.base {
            Base::Sqlite { .. } => Self::sqlite().await,
            Base::Postgres(_) => Self::postgres().await,
        }
    }

    /// Another copy of the service on the same collection. On SQLite all copies are one process, and share its writer.
    pub async fn copy(&self) -> Arc<Handlers> {
        Arc::new(self.copy_on(self.store().await))
    }

    /// The same, on a store that a law has had its hands on.
    pub fn copy_on(&self, store: Arc<dyn CollectionStore>) -> Handlers {
        Handlers::start(store, self.rules.clone(), self.lanes.clone(), None)
    }

    /// Another copy that coordinates upgrades and dissolves with `purse`.
    pub async fn coordinator(&self, purse: Arc<Purse>) -> Arc<Handlers> {
        let (database, clock) = (self.database().await, Arc::new(SystemClock));
        let coordination = Coordination {
            operations: Operations::new(database.clone(), Arc::clone(&clock) as Arc<dyn Clock>),
            participants: vec![purse],
            settings: auric_twophase::Settings::default(),
        };
        let store = store::on(database, clock);
        Arc::new(Handlers::start(store, self.rules.clone(), self.lanes.clone(), Some(coordination)))
    }

    /// The bare store of another copy.
    pub async fn store(&self) -> Arc<dyn CollectionStore> {
        match &self.base {
            Base::Sqlite { store, .. } => Arc::clone(store),
            Base::Postgres(_) => store::on(self.database().await, Arc::new(SystemClock)),
        }
    }

    async fn database(&self) -> Database {
        match &self.base {
            Base::Sqlite { database, .. } => Database::Sqlite(database.clone()),
            Base::Postgres(database) => {
                let settings = PostgresSettings { connections_max: 8, ..Default::default() };
                Database::connect(database.url(), settings).await.unwrap()
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

    /// Waits until a transaction waits for another's lock. On SQLite, where writers queue in the process, until it is in the queue.
    pub async fn wait_for_a_waiter(&self) {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        match self.base {
            Base::Sqlite { .. } => tokio::task::yield_now().await,
            Base::Postgres(_) => {
                while self.number(waiting).await == 0 {
                    tokio::task::yield_now().await;
                }
            }
        }
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

    /// Reads one number.
    pub async fn number(&self, query: &str) -> i64 {
        let query = sqlx::AssertSqlSafe(query.to_owned());
        match &self.base {
            Base::Sqlite { database, .. } => sqlx::query_scalar(query).fetch_one(&database.writer).await.unwrap(),
            Base::Postgres(database) => {
                let pool = sqlx::PgPool::connect(database.url()).await.unwrap();
                let number = sqlx::query_scalar(query).fetch_one(&pool).await.unwrap();
                pool.close().await;
                number
            }
        }
    }

    /// Esprits that are there, and esprits that are promised, as the player's row counts them.
    pub async fn counts(&self, name: &str) -> (i64, i64) {
        let of = |column: &str| format!("SELECT coalesce(max({column}), 0) FROM players WHERE player_id = '{name}'");
        (self.number(&of("esprits")).await, self.number(&of("promised")).await)
    }

    /// Puts a catalog of species into force on the database, as another copy would.
    pub async fn keep(&self, hash: CatalogHash) {
        let kept = Kept { hash, kind: Kind::Esprits, content: "{}".to_owned() };
        self.store().await.keep_catalog(&kept).await.unwrap();
    }

    /// What each player's row counts is what there is, esprits are numbered without a gap, and each is what its operation says: no law
    /// ends without it.
    pub async fn assert_whole(&self) {
        let faults = [
            "SELECT count(*) FROM players WHERE esprits <> (SELECT count(*) FROM esprits
             WHERE esprits.player_id = players.player_id AND dissolved_at IS NULL)",
            "SELECT count(*) FROM players WHERE last_number <> (SELECT count(*) FROM esprits
             WHERE esprits.player_id = players.player_id)",
            "SELECT count(*) FROM players WHERE last_number <> (SELECT coalesce(max(number), 0) FROM esprits
             WHERE esprits.player_id = players.player_id)",
            "SELECT count(*) FROM esprits WHERE NOT EXISTS (SELECT 1 FROM participations
             WHERE participations.operation_id = esprits.operation_id
               AND participations.player_id = esprits.player_id
               AND participations.state = 'committed')",
            "SELECT count(*) FROM players WHERE equipment <> (SELECT count(*) FROM equipment
             WHERE equipment.player_id = players.player_id)",
            "SELECT count(*) FROM players WHERE promised = 0 AND EXISTS (SELECT 1 FROM participations
             WHERE participations.player_id = players.player_id AND state = 'prepared')",
            "SELECT count(*) FROM players WHERE promised <> 0 AND NOT EXISTS (SELECT 1 FROM participations
             WHERE participations.player_id = players.player_id AND state = 'prepared')",
            "SELECT count(*) FROM esprits WHERE busy_operation_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM operations
             WHERE operations.operation_id = esprits.busy_operation_id AND state = 'preparing')",
        ];
        for fault in faults {
            assert_eq!(self.number(fault).await, 0, "{fault}");
        }
    }
}

/// The rules of the tests: one species, two weapons and an armor, one synergy, and room for `esprits_max`.
pub fn rules(esprits_max: u64) -> Rules {
    let rewards = vec![Units { asset: "shards".parse().unwrap(), amount: 5 }];
    let kind = |id: &str| EquipmentKind {
        name: id.to_owned(),
        slot: if id == "mail" { "armor" } else { "weapon" }.parse().unwrap(),
        flat: Stats { attack: 10, ..Stats::default() },
        permille: Stats::default(),
    };
    let conditions = vec![Condition::SameElement(2)];
    let kindred = Synergy { name: "Kindred".to_owned(), conditions, power_permille: 50 };
    let fox = Species {
        name: "Fox".to_owned(),
        rarity: "common".parse().unwrap(),
        element: "fire".parse().unwrap(),
        class: "striker".parse().unwrap(),
        base_stats: Stats { hp: 70, attack: 20, defense: 8, speed: 11 },
        retired: false,
    };
    let power_weights = Stats { hp: 250, attack: 2_200, defense: 700, speed: 1_100 };
    let striker = Class { name: "Striker".to_owned(), power_weights };
    let common = Rarity { name: "Common".to_owned(), rank: 1, dissolve_rewards: rewards };
    let costs = vec![UpgradeCost { asset: "lumees".parse().unwrap(), base: 50, per_level: 10 }];
    let catalog = Catalog {
        hash: CatalogHash::from_bytes([8; 32]),
        esprits_hash: CATALOG,
        rarities: BTreeMap::from([("common".parse().unwrap(), common)]),
        species: BTreeMap::from([("fox".parse().unwrap(), fox)]),
        elements: BTreeMap::from([("fire".parse().unwrap(), "Fire".to_owned())]),
        classes: BTreeMap::from([("striker".parse().unwrap(), striker)]),
        equipment: ["fang", "lance", "mail"].map(|id| (id.parse().unwrap(), kind(id))).into(),
        synergies: BTreeMap::from([("kindred".parse().unwrap(), kindred)]),
        growth: Growth { permille_per_level: 60, level_max: BTreeMap::from([("common".parse().unwrap(), 30)]) },
        upgrades: BTreeMap::from([("common".parse().unwrap(), costs)]),
        settings: Settings { esprits_max, equipment_max: 5, team_size: 3 },
    };
    Rules { catalog: Arc::new(catalog) }
}

/// How often a caller tries again; a law that needs more does not end.
const TRIES_MAX: usize = 200;

/// Sends `ask` until the machinery gives an answer, as a coordinator does: the same request again.
pub async fn send(collection: &Handlers, ask: Ask) -> Verdict {
    for _ in 0..TRIES_MAX {
        match collection.mutate(ask.clone(), None).await {
            Ok(verdict) => return verdict,
            Err(Refused::Contended | Refused::Unavailable | Refused::Unknown | Refused::QueueFull { .. }) => {}
            Err(refused) => panic!("{ask:?} was not answered: {refused}"),
        }
    }
    panic!("{ask:?} was not answered in {TRIES_MAX} tries");
}

/// The part, for a request that is sure to be granted.
pub async fn done(collection: &Handlers, ask: Ask) -> Part {
    match send(collection, ask.clone()).await {
        Verdict::Stands { part, .. } => part,
        other => panic!("{ask:?}: {other:?}"),
    }
}

pub async fn refused(collection: &Handlers, ask: Ask) -> Refusal {
    match send(collection, ask.clone()).await {
        Verdict::Refused(refusal) => refusal,
        other => panic!("{ask:?}: {other:?}"),
    }
}

/// A player's esprits, newest first.
pub async fn esprits(collection: &Handlers, name: &str) -> Vec<Esprit> {
    collection.portrait(&player(name)).await.unwrap().esprits.clone()
}

/// What a keyed request came to.
pub async fn answered(collection: &Handlers, ask: Ask) -> KeyedOutcome {
    match send(collection, ask.clone()).await {
        Verdict::Answered { outcome, .. } => outcome,
        other => panic!("{ask:?}: {other:?}"),
    }
}

/// Makes a test of each law for each store.
macro_rules! on_every_store {
    ($($law:ident),+ $(,)?) => {$(
        mod $law {
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_sqlite() {
                super::$law($crate::harness::Shelf::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_postgres() {
                super::$law($crate::harness::Shelf::postgres().await).await;
            }
        }
    )+};
}

pub(crate) use on_every_store;
