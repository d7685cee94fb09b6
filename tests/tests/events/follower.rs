//! A consumer that keeps books of its own from the wallet's events alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use auric_api::events::v1 as api;
use auric_api::events::v1::event::Payload;
use auric_api::wallet::v1 as wallet;
use auric_client::Channel;
use auric_db::{Database, SqliteDatabase, StoreError};
use auric_events::consumer::{Sink, Step};
use auric_events::grpc::follow;
use auric_events::store::consumed;
use auric_testkit::databases;
use auric_time::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::source::settings;
use crate::wallet::harness::{Caller, Cluster, Store};

/// How long a consumer may take to catch up on a busy machine.
const CAUGHT_UP_WITHIN: Duration = Duration::from_mins(1);

/// What it calls the wallet.
const SOURCE: &str = "wallet";

const TABLES: &str =
    "CREATE TABLE consumed_events (source text PRIMARY KEY, cursor text NOT NULL, updated_at TIME NOT NULL);
     CREATE TABLE followed_players (player_id text PRIMARY KEY, version bigint NOT NULL);
     CREATE TABLE followed_holds (hold_id text PRIMARY KEY, ended bigint NOT NULL);
     CREATE TABLE disorder (what text NOT NULL);
     CREATE TABLE followed_balances (
         player_id text, asset_id text, pool_id text, available bigint, held bigint, room bigint, owed bigint,
         PRIMARY KEY (player_id, asset_id, pool_id)
     );";

/// The effect of one entry. Not one of these statements would notice by itself that it is run twice.
const BALANCE: &str =
    "INSERT INTO followed_balances AS stored (player_id, asset_id, pool_id, available, held, room, owed)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (player_id, asset_id, pool_id) DO UPDATE
     SET available = stored.available + excluded.available,
         held = stored.held + excluded.held,
         room = stored.room + excluded.room,
         owed = stored.owed + excluded.owed";

const DISORDER: &str = "INSERT INTO disorder (what)
     SELECT $1
     WHERE $3 <> 1 + coalesce((SELECT version FROM followed_players WHERE player_id = $2), 0)";

const VERSION: &str = "INSERT INTO followed_players AS stored (player_id, version)
     VALUES ($1, 1)
     ON CONFLICT (player_id) DO UPDATE SET version = stored.version + 1";

const HOLD: &str = "INSERT INTO followed_holds AS stored (hold_id, ended)
     VALUES ($1, $2)
     ON CONFLICT (hold_id) DO UPDATE SET ended = stored.ended + 1";

/// When its cursor is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// In the transaction that acts on the events.
    Together,
    /// In one of its own, after it; and every other time it dies in between.
    Apart,
}

/// A consumer's database, shared by its copies.
pub struct Follower {
    database: Database,
    _kept: Kept,
    care: Care,
    steps: AtomicUsize,
    stepped: watch::Sender<usize>,
}

#[expect(dead_code, reason = "the databases live as long as these")]
enum Kept {
    Sqlite(databases::SqliteDatabase),
    Postgres(Box<databases::PostgresDatabase>),
}

/// Runs the statements of every event. The same text on both databases.
macro_rules! act {
    ($transaction:expr, $events:expr) => {
        for event in $events {
            match &event.payload {
                Some(Payload::Entry(entry)) => {
                    let moved = entry.movement.as_ref().expect("an entry has what moved");
                    let said = format!("{} is number {} of {}", event.event_id, moved.number, moved.player_id);
                    assert_eq!((&event.player_id, event.player_version), (&moved.player_id, moved.number));
                    sqlx::query(DISORDER)
                        .bind(said)
                        .bind(&moved.player_id)
                        .bind(moved.number)
                        .execute(&mut *$transaction)
                        .await?;
                    sqlx::query(VERSION).bind(&moved.player_id).execute(&mut *$transaction).await?;
                    sqlx::query(BALANCE)
                        .bind(&moved.player_id)
                        .bind(&moved.asset_id)
                        .bind(&moved.pool_id)
                        .bind(moved.available_change)
                        .bind(moved.held_change)
                        .bind(moved.room_change)
                        .bind(moved.owed_change)
                        .execute(&mut *$transaction)
                        .await?;
                }
                Some(Payload::Hold(hold)) => {
                    let ended = i64::from(event.r#type == i32::from(api::EventType::HoldEnded));
                    sqlx::query(HOLD).bind(&hold.hold_id).bind(ended).execute(&mut *$transaction).await?;
                }
                _ => {}
            }
        }
    };
}

impl Follower {
    /// One that keeps its books on the same kind of database as `cluster`.
    pub async fn beside(cluster: &Cluster, care: Care) -> Arc<Self> {
        let (database, kept) = match &cluster.store {
            Store::Sqlite(_) => {
                let file = databases::SqliteDatabase::create().expect("a folder");
                let database = SqliteDatabase::open(&file.path()).await.expect("a file");
                let tables = TABLES.replace("TIME", "INTEGER");
                sqlx::raw_sql(sqlx::AssertSqlSafe(tables)).execute(&database.writer).await.expect("tables");
                (Database::Sqlite(database), Kept::Sqlite(file))
            }
            Store::Postgres(_) => {
                let kept = databases::PostgresDatabase::create(auric_wallet::store::postgres_migrator()).await;
                let kept = kept.expect("a database");
                let database = Database::connect(kept.url(), auric_db::PostgresSettings::default()).await;
                let Ok(Database::Postgres(pool)) = database else { panic!("no pool: {database:?}") };
                let tables = TABLES.replace("TIME", "timestamptz");
                sqlx::raw_sql(sqlx::AssertSqlSafe(tables)).execute(&pool).await.expect("tables");
                (Database::Postgres(pool), Kept::Postgres(Box::new(kept)))
            }
        };
        let (steps, stepped) = (AtomicUsize::new(0), watch::Sender::new(0));
        Arc::new(Self { database, _kept: kept, care, steps, stepped })
    }

    /// A copy of the consumer, until it is aborted.
    pub async fn run(self: Arc<Self>, channel: Channel) -> Result<(), Status> {
        follow(channel, self.as_ref(), Some, settings(), &CancellationToken::new()).await
    }

    /// Steps that were taken.
    pub fn steps(&self) -> usize {
        self.steps.load(Relaxed)
    }

    /// Waits until it has heard of every entry that the wallet has by now.
    pub async fn catch_up(&self, cluster: &Cluster, players: &[String]) {
        let mut stepped = self.stepped.subscribe();
        let told = wallet_books(cluster, players).await;
        let all: i64 = told.0.values().sum();
        let waiting = async {
            while self.entries().await < all {
                stepped.changed().await.expect("the sender is here");
            }
        };
        let waited = tokio::time::timeout(CAUGHT_UP_WITHIN, waiting).await;
        assert!(waited.is_ok(), "{} of {all} entries were heard of", self.entries().await);
    }

    async fn entries(&self) -> i64 {
        let sum = "SELECT CAST(coalesce(sum(version), 0) AS bigint) FROM followed_players";
        match &self.database {
            Database::Postgres(pool) => sqlx::query_scalar(sum).fetch_one(pool).await,
            Database::Sqlite(sqlite) => sqlx::query_scalar(sum).fetch_one(&sqlite.writer).await,
        }
        .expect("a sum")
    }

    /// Compares its books with the wallet's; tells what differs.
    pub async fn faults(&self, cluster: &Cluster, players: &[String]) -> Vec<String> {
        let mut faults: Vec<String> =
            self.read::<(String,)>("SELECT what FROM disorder").await.into_iter().map(|row| row.0).collect();
        let (versions, balances) = wallet_books(cluster, players).await;
        let heard: BTreeMap<String, i64> =
            self.read::<(String, i64)>("SELECT player_id, version FROM followed_players").await.into_iter().collect();
        if heard != versions {
            faults.push(format!("entries heard of {heard:?} are not {versions:?}"));
        }
        let rows = self.read::<BalanceRow>("SELECT * FROM followed_balances").await;
        let mut heard: BTreeMap<_, _> =
            rows.into_iter().map(|(player, asset, pool, a, h, r, o)| ((player, asset, pool), [a, h, r, o])).collect();
        for (key, there) in balances {
            let summed = heard.remove(&key).unwrap_or_default();
            if summed != there {
                faults.push(format!("{key:?}: heard of {summed:?}, {there:?} is there"));
            }
        }
        let wrong = self.read::<(String, i64)>("SELECT hold_id, ended FROM followed_holds WHERE ended > 1").await;
        faults.extend(wrong.into_iter().map(|(hold, ended)| format!("{hold} ended {ended} times")));
        faults
    }

    async fn read<R>(&self, query: &'static str) -> Vec<R>
    where
        R: Send
            + Unpin
            + for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>
            + for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>,
    {
        match &self.database {
            Database::Postgres(pool) => sqlx::query_as(query).fetch_all(pool).await,
            Database::Sqlite(sqlite) => sqlx::query_as(query).fetch_all(&sqlite.writer).await,
        }
        .expect("rows")
    }

    async fn act_and_move(&self, step: &Step<api::Event>, moves: Option<(&str, &str)>) -> Result<(), StoreError> {
        match &self.database {
            Database::Postgres(pool) => {
                let mut transaction = pool.begin().await?;
                if let Some(moves) = moves {
                    consumed::advance_postgres(&mut transaction, SOURCE, moves).await?;
                }
                act!(transaction, &step.events);
                transaction.commit().await?;
            }
            Database::Sqlite(sqlite) => {
                let mut transaction = sqlite.writer.begin_with("BEGIN IMMEDIATE").await?;
                if let Some(moves) = moves {
                    consumed::advance_sqlite(&mut transaction, SOURCE, moves, Timestamp::EPOCH).await?;
                }
                act!(transaction, &step.events);
                transaction.commit().await?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Sink for Follower {
    type Event = api::Event;

    async fn cursor(&self) -> Result<String, StoreError> {
        consumed::cursor(&self.database, SOURCE).await
    }

    async fn take(&self, step: Step<api::Event>) -> Result<(), StoreError> {
        let moves = (step.from.as_str(), step.to.as_str());
        let count = self.steps.fetch_add(1, Relaxed);
        let taken = match self.care {
            Care::Together => self.act_and_move(&step, Some(moves)).await,
            Care::Apart => {
                self.act_and_move(&step, None).await?;
                if count.is_multiple_of(2) {
                    return Err(StoreError::Lost(sqlx::Error::WorkerCrashed));
                }
                self.act_and_move(&Step { events: Vec::new(), ..step.clone() }, Some(moves)).await
            }
        };
        self.stepped.send_modify(|stepped| *stepped += 1);
        taken
    }
}

/// Player, asset, pool; available, held, room, owed.
type BalanceRow = (String, String, String, i64, i64, i64, i64);

type Balances = BTreeMap<(String, String, String), [i64; 4]>;

/// How many entries each player has, and what each has, as the wallet itself says. What comes back by the clock is left out: a read shows what no entry
/// says yet.
async fn wallet_books(cluster: &Cluster, players: &[String]) -> (BTreeMap<String, i64>, Balances) {
    let assets = ["lumees", "aether", "generation_credit", "xp", "levels_gained", "stat_points"];
    let request =
        wallet::GetBalancesRequest { player_ids: players.to_vec(), asset_ids: assets.map(str::to_owned).to_vec() };
    let read = Caller::new(cluster).client().get_balances(request).await.expect("balances are read").into_inner();
    let versions = read.versions.into_iter().map(|version| (version.player_id, version.version));
    let balance = |balance: wallet::Balance| {
        let key = (balance.player_id, balance.asset_id, balance.pool_id);
        (key, [balance.available, balance.held, balance.room, balance.owed])
    };
    (versions.filter(|(_, version)| *version > 0).collect(), read.balances.into_iter().map(balance).collect())
}
