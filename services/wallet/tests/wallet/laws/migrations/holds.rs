//! Holds of a ledger with a past, on both stores: each is what it was, with its answers read from the keys (R-O6).

use std::sync::Arc;

use auric_db::{Database, PostgresSettings};
use auric_testkit::databases::{PostgresDatabase, SqliteDatabase};
use auric_time::SystemClock;
use auric_wallet::domain::{Hold, HoldState, Posted};
use auric_wallet::store::{self, WalletStore};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

/// The migration after which a hold names the keys that have its answers.
const BY_KEYS: i64 = 9;

const KEY: &str = "0011223344556677001122334455667700112233445566770011223344556677";

/// A hold of 5 lumees as it was kept before: how it stands, what ended it, and the entry that did.
struct Past {
    id: &'static str,
    state: &'static str,
    amounts: Option<&'static [u64]>,
    ended_at: Option<u64>,
}

const PAST: [Past; 6] = [
    Past { id: "open", state: "held", amounts: None, ended_at: None },
    Past { id: "whole", state: "committed", amounts: Some(&[5]), ended_at: Some(11) },
    Past { id: "part", state: "committed", amounts: Some(&[3]), ended_at: Some(12) },
    Past { id: "back", state: "released", amounts: None, ended_at: Some(13) },
    Past { id: "lapsed", state: "expired", amounts: None, ended_at: None },
    Past { id: "never", state: "voided", amounts: None, ended_at: None },
];

impl Past {
    fn made_under(&self) -> String {
        format!("{}/{}", self.id, if self.state == "voided" { "release" } else { "reserve" })
    }

    fn ended_under(&self) -> Option<String> {
        self.ended_at.map(|_| format!("{}/end", self.id))
    }

    fn reserved(&self) -> Value {
        match self.state {
            "voided" => json!({ "movements": [], "time": 0 }),
            _ => posted(self.id.len() as u64, "reserved"),
        }
    }

    /// What the row kept of its end.
    fn ended(&self) -> Value {
        let mut kept = json!({ "state": self.state });
        match (self.state, self.ended_at) {
            ("expired", _) => kept["time"] = json!(9_000_000),
            ("voided", _) => kept["answer"] = json!({ "movements": [], "time": 7, "voided": true }),
            (_, Some(number)) => kept["answer"] = posted(number, self.state),
            _ => {}
        }
        if let Some(amounts) = self.amounts {
            kept["amounts"] = json!(amounts);
        }
        kept
    }

    /// The keys that were used, with what was answered under them.
    fn answers(&self) -> Vec<(String, Value)> {
        let made = if self.state == "voided" { self.ended()["answer"].clone() } else { self.reserved() };
        let ended = self.ended_under().map(|key| (key, self.ended()["answer"].clone()));
        std::iter::once((self.made_under(), made)).chain(ended).collect()
    }
}

fn posted(number: u64, kind: &str) -> Value {
    let movement = json!({ "player": "p", "number": number, "asset": "lumees", "kind": kind, "change": [0, 0, 0, 0], "after": [9, 0, 0, 0] });
    json!({ "movements": [movement], "time": number })
}

/// The words that a kind of database has for points in time and bytes.
struct Dialect {
    time: fn(u64) -> String,
    bytes: fn(&str) -> String,
}

const POSTGRES: Dialect = Dialect {
    time: |micros| format!("to_timestamp(0) + {micros} * interval '1 microsecond'"),
    bytes: |hex| format!("decode('{hex}', 'hex')"),
};

const SQLITE: Dialect = Dialect { time: |micros| micros.to_string(), bytes: |hex| format!("x'{hex}'") };

/// The rows of the past as the version before wrote them.
fn rows(words: &Dialect) -> Vec<String> {
    let (time, key) = (words.time, (words.bytes)(KEY));
    let mut rows = Vec::new();
    for past in &PAST {
        for (name, answer) in past.answers() {
            let row = format!("'local', '{name}', 'Reserve', {key}, '', '{}', {}", json!({ "Ok": answer }), time(1));
            rows.push(format!("INSERT INTO mutations VALUES ({row});"));
        }
        if let (Some(number), Some(under)) = (past.ended_at, past.ended_under()) {
            let moved = "'lumees', '', 'committed', 0, 0, 0, 0, 9, 0, 0, 0, 0, 'gift', ''";
            let row = format!("'p', {number}, {moved}, 'local', '{under}', '', {key}, {}, {key}", time(number));
            rows.push(format!("INSERT INTO entries VALUES ({row});"));
        }
        let legs = match past.state {
            "voided" => "[]",
            _ => r#"[{"amount":5,"from":[{"key":{"player":"p","asset":"lumees"},"units":5,"generation":0}]}]"#,
        };
        let (expires_at, context) = match past.id {
            "lapsed" => (time(8_000_000), ""),
            _ => ("NULL".to_owned(), r#"{"quest":"q"}"#),
        };
        let (id, made, state) = (past.id, past.made_under(), past.state);
        let (reserved, ended) = (past.reserved(), past.ended());
        let row = format!(
            "'{id}', 'local', '{made}', '{state}', 'p', '{legs}', {whole}, {expires_at}, 'gift', '{context}', {key},
             '{reserved}', '{ended}', 2, {made_at}, {ended_at}",
            whole = past.id == "whole",
            made_at = time(3),
            ended_at = time(9_000_000),
        );
        rows.push(format!("INSERT INTO holds VALUES ({row});"));
    }
    rows
}

fn posted_of(value: &Value) -> Posted {
    serde_json::from_value(value.clone()).unwrap()
}

fn assert_is(hold: &Hold, past: &Past) {
    let id = past.id;
    assert_eq!((hold.id.as_str(), hold.made_under.as_str()), (id, past.made_under().as_str()));
    assert_eq!(hold.state.as_str(), past.state);
    assert_eq!(hold.reserved, posted_of(&past.reserved()), "{id}");
    assert_eq!((hold.terms.whole, hold.terms.note.context.len()), (id == "whole", usize::from(id != "lapsed")), "{id}");
    assert_eq!(hold.amounts(), if past.state == "voided" { vec![] } else { vec![5] }, "{id}");
    let asked = if past.state == "voided" { "00".repeat(32) } else { KEY.to_owned() };
    assert_eq!(hex::encode(hold.asked), asked, "{id}");
    assert_eq!(hold.expires_at.map(auric_time::Timestamp::micros), (id == "lapsed").then_some(8_000_000));
    match &hold.state {
        HoldState::Held => assert_eq!(id, "open"),
        HoldState::Expired { time } => assert_eq!(time.micros(), 9_000_000),
        HoldState::Committed { amounts, under, answer } => {
            assert_eq!((Some(amounts.as_slice()), Some(under.key.to_string())), (past.amounts, past.ended_under()));
            assert_eq!(*answer, posted_of(&past.ended()["answer"]), "{id}");
        }
        HoldState::Released { under, answer } => {
            assert_eq!(Some(under.key.to_string()), past.ended_under());
            assert_eq!(*answer, posted_of(&past.ended()["answer"]), "{id}");
        }
        HoldState::Voided { under, answer } => {
            assert_eq!(under.key.to_string(), past.made_under());
            assert_eq!(*answer, posted_of(&past.ended()["answer"]), "{id}");
        }
    }
}

async fn run(database: &Database, text: &str) -> Result<(), sqlx::Error> {
    let text = AssertSqlSafe(text.to_owned());
    match database {
        Database::Postgres(pool) => sqlx::raw_sql(text).execute(pool).await.map(drop),
        Database::Sqlite(file) => sqlx::raw_sql(text).execute(&file.writer).await.map(drop),
    }
}

/// Brings a database with that past up to date.
async fn migrated(database: &Database, past: &[String]) -> Result<Arc<dyn WalletStore>, sqlx::Error> {
    let migrations = store::migrator(database).iter();
    let (before, after): (Vec<_>, Vec<_>) = migrations.partition(|migration| migration.version < BY_KEYS);
    for migration in before {
        run(database, migration.sql.as_str()).await?;
    }
    run(database, &past.join(";\n")).await?;
    for migration in after {
        run(database, migration.sql.as_str()).await?;
    }
    Ok(store::on(database.clone(), Arc::new(SystemClock)))
}

async fn holds_are_what_they_were(database: Database, words: &Dialect) {
    let store = migrated(&database, &rows(words)).await.unwrap();
    for past in &PAST {
        let kept = store.hold(&past.id.parse().unwrap()).await.unwrap().unwrap();
        assert_is(&kept.hold, past);
        assert_eq!((kept.created_at.micros(), kept.updated_at.micros()), (3, 9_000_000));
    }
    let refused = run(&database, "DELETE FROM holds").await.unwrap_err().to_string();
    assert!(refused.contains("only ever added"), "{refused}");
    assert!(run(&database, &rows(words).join(";\n")).await.is_err(), "names are still unique");
}

/// An end whose entry is gone has no key that answers for it: nothing is migrated then.
async fn an_end_without_its_key_stops_the_migration(database: Database, words: &Dialect) {
    let mut missing = rows(words);
    missing.retain(|row| !row.starts_with("INSERT INTO entries"));
    assert!(migrated(&database, &missing).await.is_err());
}

async fn sqlite() -> (Database, SqliteDatabase) {
    let file = SqliteDatabase::create().unwrap();
    (Database::Sqlite(auric_db::SqliteDatabase::open(&file.path()).await.unwrap()), file)
}

async fn postgres() -> (Database, PostgresDatabase) {
    let database = PostgresDatabase::empty().await.unwrap();
    let settings = PostgresSettings { connections_max: 2, ..Default::default() };
    (Database::connect(database.url(), settings).await.unwrap(), database)
}

#[tokio::test]
async fn holds_are_what_they_were_on_sqlite() {
    let (database, _file) = sqlite().await;
    holds_are_what_they_were(database, &SQLITE).await;
}

#[tokio::test]
async fn holds_are_what_they_were_on_postgres() {
    let (database, _kept) = postgres().await;
    holds_are_what_they_were(database, &POSTGRES).await;
}

#[tokio::test]
async fn an_end_without_its_key_stops_the_migration_on_sqlite() {
    let (database, _file) = sqlite().await;
    an_end_without_its_key_stops_the_migration(database, &SQLITE).await;
}

#[tokio::test]
async fn an_end_without_its_key_stops_the_migration_on_postgres() {
    let (database, _kept) = postgres().await;
    an_end_without_its_key_stops_the_migration(database, &POSTGRES).await;
}
