//! Fills a ledger with the past of many players, far faster than calls could.
//!
//! One posting goes in over gRPC beforehand; every column that is not told here is copied from what it left behind. So the rows are as long as real
//! ones, and a column that a later version adds is filled too. Numbers, balances and heads agree with one another, so that the wallet goes on from them.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::traffic::{KeyOrder, player_name};

/// How much there is before the first call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Population {
    /// Players.
    pub players: u32,
    /// Entries of each.
    pub entries_each: u32,
    /// The keys that they came under.
    pub keys: KeyOrder,
}

/// What each entry adds.
const UNITS: u32 = 100_000;

/// The column values that differ from row to row. `p` counts players, `n` the entries of one.
const PLAYER: &str = "'player:' || lpad(p::text, 7, '0')";
const RANDOM_KEY: &str = "md5(p::text || '/' || n::text)::uuid::text";
/// Players by turns, ten of them a millisecond, from November 2023 on.
const GROWING_KEY: &str = "(lpad(to_hex(1700000000000 + n * 1000000::bigint + p / 10), 12, '0') || '7' \
    || substr(md5(p::text || '/' || n::text), 1, 3) || '8' || substr(md5(p::text || '/' || n::text), 4, 15))::uuid::text";
const HASH: &str = "sha256(convert_to(p::text || '/' || n::text, 'UTF8'))";

/// Gives the players numbered from zero their past, in a database that has exactly one mutation with one entry, of another player.
///
/// # Errors
///
/// The database is not as it must be, or refuses.
pub async fn fill(url: &str, population: Population) -> Result<()> {
    let Population { players, entries_each, keys } = population;
    let key = match keys {
        KeyOrder::Growing => GROWING_KEY,
        KeyOrder::Random => RANDOM_KEY,
    };
    let last = players.checked_sub(1).context("there must be a player")?;
    let series = format!("generate_series(0, {last}) AS p, generate_series(1, {entries_each}) AS n");
    let of_players = format!("generate_series(0, {last}) AS p");
    let sum = format!("({entries_each} * {UNITS}::bigint)");
    let head_hash = HASH.replace("n::text", &format!("'{entries_each}'"));
    debug_assert_eq!(player_name(7), "player:0000007");

    // Two at a time, on a connection each: the large tables take nearly all of the time.
    let own_key = [("idempotency_key", key)];
    let mutations = table(url, "mutations", &series, &own_key, true);
    let entries = async {
        let after = format!("n * {UNITS}::bigint");
        let units = format!("{UNITS}::bigint");
        let own: [(&str, &str); 6] = [
            ("player_id", PLAYER),
            ("number", "n"),
            ("available_change", &units),
            ("available_after", &after),
            ("idempotency_key", key),
            ("hash", HASH),
        ];
        table(url, "entries", &series, &own, false).await?;
        let number = entries_each.to_string();
        let own: [(&str, &str); 4] =
            [("player_id", PLAYER), ("available", &sum), ("last_number", &number), ("last_hash", &head_hash)];
        table(url, "balances", &of_players, &own, false).await?;
        table(url, "players", &of_players, &[("player_id", PLAYER)], false).await
    };
    futures::try_join!(mutations, entries)?;

    let mut connection = connect(url).await?;
    // What autovacuum and the next checkpoint would do in the middle of the measurement.
    sqlx::raw_sql("VACUUM (ANALYZE)").execute(&mut connection).await?;
    sqlx::raw_sql("CHECKPOINT").execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// Gives the players numbered from zero so many esprits each, in a database that has exactly one esprit, of another player.
///
/// # Errors
///
/// As [`fill`].
pub async fn fill_collection(url: &str, (players, esprits_each): (u32, u32), species: &[String]) -> Result<()> {
    let last = players.checked_sub(1).context("there must be a player")?;
    let series = format!("generate_series(0, {last}) AS p, generate_series(1, {esprits_each}) AS n");
    let of_players = format!("generate_series(0, {last}) AS p");
    let names: Vec<String> = species.iter().map(|id| format!("'{id}'")).collect();
    let kind = format!("(ARRAY[{}])[1 + (n * 7 + p) % {}]", names.join(", "), names.len());
    let (id, each) = (format!("{PLAYER} || '.' || n::text"), esprits_each.to_string());
    let own: [(&str, &str); 5] =
        [("player_id", PLAYER), ("esprit_id", &id), ("number", "n"), ("species_id", &kind), ("level", "1 + n % 25")];
    table(url, "esprits", &series, &own, false).await?;
    let own: [(&str, &str); 4] = [
        ("player_id", PLAYER),
        ("esprits", &each),
        ("last_number", &each),
        ("state_tag", "decode(md5(p::text), 'hex')"),
    ];
    table(url, "players", &of_players, &own, false).await?;
    let mut connection = connect(url).await?;
    sqlx::raw_sql("VACUUM (ANALYZE)").execute(&mut connection).await?;
    sqlx::raw_sql("CHECKPOINT").execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// Inserts a row for each of `series`: the columns of `own` by their expressions, the rest as in the one row that is there.
///
/// An index whose keys come in no order is built afterwards, by sorting, which is many times faster.
async fn table(url: &str, name: &str, series: &str, own: &[(&str, &str)], index_after: bool) -> Result<()> {
    let mut connection = connect(url).await?;
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT column_name::text
         FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER'
         ORDER BY ordinal_position",
    )
    .bind(name)
    .fetch_all(&mut connection)
    .await?;
    let statement = insert(name, series, &columns, own)?;
    let key: Option<(String, String)> =
        if index_after { Some(primary_key(&mut connection, name).await?) } else { None };
    if let Some((constraint, _)) = &key {
        run(&mut connection, format!(r#"ALTER TABLE "{name}" DROP CONSTRAINT "{constraint}""#)).await?;
    }
    run(&mut connection, statement).await.with_context(|| format!("{name} cannot be filled"))?;
    if let Some((constraint, definition)) = key {
        run(&mut connection, format!(r#"ALTER TABLE "{name}" ADD CONSTRAINT "{constraint}" {definition}"#)).await?;
    }
    connection.close().await?;
    Ok(())
}

async fn primary_key(connection: &mut PgConnection, table: &str) -> Result<(String, String)> {
    let found = sqlx::query_as(
        "SELECT conname::text, pg_get_constraintdef(oid)
         FROM pg_constraint
         WHERE conrelid = $1::regclass AND contype = 'p'",
    );
    found.bind(table).fetch_one(connection).await.with_context(|| format!("{table} has no primary key"))
}

/// Writes the statement.
fn insert(table: &str, series: &str, columns: &[String], own: &[(&str, &str)]) -> Result<String> {
    let unknown = own.iter().find(|(column, _)| !columns.iter().any(|there| there == column));
    if let Some((column, _)) = unknown {
        anyhow::bail!("{table} has no column {column}");
    }
    let mut names = String::new();
    let mut values = String::new();
    for column in columns {
        let separator = if names.is_empty() { "" } else { ", " };
        let own = own.iter().find(|(name, _)| name == column);
        let value = own.map_or_else(|| format!(r#"sample."{column}""#), |(_, expression)| (*expression).to_owned());
        // Writing to a String cannot fail.
        let _ = write!(names, r#"{separator}"{column}""#);
        let _ = write!(values, "{separator}{value}");
    }
    // The sample is materialised: it must not come to include what is being inserted.
    Ok(format!(
        r#"WITH sample AS MATERIALIZED (SELECT * FROM "{table}" LIMIT 1) INSERT INTO "{table}" ({names}) SELECT {values} FROM sample, {series}"#
    ))
}

async fn connect(url: &str) -> Result<PgConnection> {
    let mut connection = PgConnection::connect(url).await.context("PostgreSQL cannot be reached")?;
    // The database's own timeouts are for callers that wait.
    sqlx::raw_sql("SET statement_timeout = 0; SET lock_timeout = 0").execute(&mut connection).await?;
    Ok(connection)
}

async fn run(connection: &mut PgConnection, statement: String) -> Result<()> {
    // Made of names from the catalog of the database and of numbers.
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_is_not_told_is_copied() {
        let columns = ["player_id", "number", "later"].map(str::to_owned);
        let statement = insert("entries", "generate_series(1, 2) AS n", &columns, &[("number", "n")]).unwrap();
        assert_eq!(
            statement,
            "WITH sample AS MATERIALIZED (SELECT * FROM \"entries\" LIMIT 1) \
             INSERT INTO \"entries\" (\"player_id\", \"number\", \"later\") \
             SELECT sample.\"player_id\", n, sample.\"later\" FROM sample, generate_series(1, 2) AS n"
        );
    }

    #[test]
    fn a_column_that_is_gone_is_named() {
        let error = insert("entries", "x", &["number".to_owned()], &[("hash", "h")]).unwrap_err();
        assert_eq!(error.to_string(), "entries has no column hash");
    }
}
