//! A forger: somebody with every right on the database, who knows everything about the wallet but its audit key.

use auric_testkit::databases::PostgresDatabase;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, PgPool, SqlitePool};
use tempfile::TempDir;

use crate::support::{Up, folder};

/// The secret of the wallets here.
const AUDIT_KEY: &str = "6b6579206f66207468652061756469742c206f6e6c7920666f72207465737473";

/// A running wallet, and its database in other hands.
pub struct Forged {
    pub up: Up,
    pool: Pool,
    _folder: TempDir,
}

enum Pool {
    Sqlite(SqlitePool),
    Postgres { pool: PgPool, _database: Box<PostgresDatabase> },
}

impl Forged {
    /// A wallet on SQLite, whose guards are gone.
    pub async fn sqlite() -> Self {
        let folder = folder();
        let up = Up::start_with(folder.path(), &[], &[("AURIC_WALLET_AUDIT_KEY", AUDIT_KEY)]);
        Self::on_file(up, folder).await
    }

    /// The same without a key.
    pub async fn sqlite_without_key() -> Self {
        let folder = folder();
        let up = Up::start(folder.path());
        Self::on_file(up, folder).await
    }

    async fn on_file(up: Up, folder: TempDir) -> Self {
        let url = format!("sqlite://{}", folder.path().join("data/wallet.db").display());
        let forged = Self { up, pool: Pool::Sqlite(SqlitePool::connect(&url).await.unwrap()), _folder: folder };
        for guard in ["entries_are_not_updated", "entries_are_not_deleted"] {
            forged.run(&format!("DROP TRIGGER {guard}")).await;
        }
        forged
    }

    /// A wallet on PostgreSQL, whose guards are gone.
    pub async fn postgres() -> Self {
        let folder = folder();
        let database = PostgresDatabase::empty().await.unwrap();
        let variables = [("AURIC_WALLET_AUDIT_KEY", AUDIT_KEY), ("AURIC_WALLET_DATABASE", database.url())];
        let up = Up::start_with(folder.path(), &[], &variables);
        let pool = PgPool::connect(database.url()).await.unwrap();
        let forged = Self { up, pool: Pool::Postgres { pool, _database: Box::new(database) }, _folder: folder };
        forged.run("DROP TRIGGER entries_are_only_added ON entries").await;
        forged
    }

    /// Runs a statement behind the wallet's back.
    pub async fn run(&self, sql: &str) {
        let statement = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match &self.pool {
            Pool::Sqlite(pool) => drop(statement.execute(pool).await.unwrap()),
            Pool::Postgres { pool, .. } => drop(statement.execute(pool).await.unwrap()),
        }
    }

    /// Writes new hashes from entry `first` on, as the wallet would without a key, and lets balances name the last.
    pub async fn rechain(&self, player: &str, first: i64) {
        let mut previous = vec![0; 32];
        for entry in self.entries(player).await {
            let number = entry[0].as_i64().unwrap();
            if number >= first {
                previous = chained(&previous, player, &entry);
                let hash = self.bytes(&previous);
                self.run(&format!(
                    "UPDATE entries SET hash = {hash} WHERE player_id = '{player}' AND number = {number}"
                ))
                .await;
            } else {
                previous = hex::decode(entry[19].as_str().unwrap()).unwrap();
            }
        }
        self.run(&format!(
            "UPDATE balances
             SET last_hash = (SELECT hash FROM entries WHERE player_id = '{player}' AND number = last_number)
             WHERE player_id = '{player}'"
        ))
        .await;
    }

    fn bytes(&self, bytes: &[u8]) -> String {
        match self.pool {
            Pool::Sqlite(_) => format!("x'{}'", hex::encode(bytes)),
            Pool::Postgres { .. } => format!(r"'\x{}'::bytea", hex::encode(bytes)),
        }
    }

    /// A player's entries, oldest first: every column that is chained, in the order of the chain, then the hash.
    async fn entries(&self, player: &str) -> Vec<Value> {
        let columns = |hex: &str, micros: &str| {
            format!(
                "number, asset_id, pool_id, kind, available_change, held_change, room_change, owed_change,
                 available_after, held_after, room_after, owed_after, clamped, reason, caller, idempotency_key, trace_id,
                 {}, {micros}, {}",
                hex.replace('?', "catalog_hash"),
                hex.replace('?', "hash")
            )
        };
        let whose = format!("FROM entries WHERE player_id = '{player}' AND context = '' ORDER BY number");
        let rows: Vec<String> = match &self.pool {
            Pool::Sqlite(pool) => {
                let sql = format!("SELECT json_array({}) {whose}", columns("hex(?)", "created_at"));
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap()
            }
            Pool::Postgres { pool, .. } => {
                let micros = "(extract(epoch FROM created_at) * 1000000)::bigint";
                let sql = format!("SELECT json_build_array({})::text {whose}", columns("encode(?, 'hex')", micros));
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap()
            }
        };
        rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
    }
}

/// The plain chain, written down once more from its description: every value with its length, numbers as eight bytes.
fn chained(previous: &[u8], player: &str, entry: &Value) -> Vec<u8> {
    let mut hasher = Sha256::new();
    let number = |hasher: &mut Sha256, value: &Value| hasher.update(value.as_i64().unwrap().to_be_bytes());
    let bytes = |hasher: &mut Sha256, bytes: &[u8]| {
        hasher.update(u32::try_from(bytes.len()).unwrap().to_be_bytes());
        hasher.update(bytes);
    };
    let text = |hasher: &mut Sha256, value: &Value| bytes(hasher, value.as_str().unwrap().as_bytes());
    hasher.update(1_i64.to_be_bytes());
    bytes(&mut hasher, previous);
    bytes(&mut hasher, player.as_bytes());
    number(&mut hasher, &entry[0]);
    (1..=3).for_each(|index| text(&mut hasher, &entry[index]));
    (4..=12).for_each(|index| number(&mut hasher, &entry[index]));
    text(&mut hasher, &entry[13]);
    // Pairs of context: the entries here have none.
    hasher.update(0_u64.to_be_bytes());
    (14..=16).for_each(|index| text(&mut hasher, &entry[index]));
    bytes(&mut hasher, &hex::decode(entry[17].as_str().unwrap()).unwrap());
    number(&mut hasher, &entry[18]);
    hasher.finalize().to_vec()
}
