//! Several writes as one statement of PostgreSQL: all of them, or none.
//!
//! Each statement of a transaction costs both sides a message, a wait and a wake-up, and the rows that it locked stay locked meanwhile. What is known
//! before the first of them is written goes into one: `WITH update_players AS (UPDATE …), insert_entries AS (INSERT …) SELECT expect_rows(…), …`. By
//! itself it is a transaction.
//!
//! Columns are unnested side by side in the list of what is selected: PostgreSQL then makes a row at a time of them. Named after FROM, each column
//! would be written to a store of its own first, and read back from there.

use std::fmt::Write as _;

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgExecutor, PgRow};
use sqlx::{Arguments as _, AssertSqlSafe, Encode, Postgres, Type, TypeInfo as _};

use crate::{Statement, StoreError, Traced as _};

/// Sets of rows to be written by one statement.
///
/// An update that comes first is written first, and everything else only once it has written all its rows: whoever holds them may be sure that nobody came
/// in between. Among the others there is no order to rely on, except what they take from each other.
///
/// The database must have the function `expect_rows(part text, expected bigint, written bigint)`, which raises [`crate::STALE`] when the two differ.
#[derive(Debug, Default)]
pub struct Writes {
    arguments: PgArguments,
    parts: Vec<String>,
    expectations: Vec<String>,
    gate: Option<String>,
    fault: Option<BoxDynError>,
}

/// The columns of a set of rows.
#[derive(Debug)]
pub struct Columns<'w> {
    writes: &'w mut Writes,
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    name: &'static str,
    value: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A value for each row.
    Each,
    /// One value for all rows.
    Same,
    /// A value for each row, by which it is found.
    Key,
    /// A count for each row, which must be one less before.
    Version,
    /// A value for each row, which is not written.
    Beside,
    /// What must be so for each row.
    Condition,
}

impl Writes {
    /// Inserts rows plainly: one that is there already fails the statement.
    pub fn insert(&mut self, table: &'static str, columns: impl FnOnce(&mut Columns<'_>)) {
        self.upsert(table, "", columns);
    }

    /// Inserts rows, and does with those that are there already what `conflict` says (`ON CONFLICT …`, of the row `stored`).
    pub fn upsert(&mut self, table: &'static str, conflict: &str, columns: impl FnOnce(&mut Columns<'_>)) {
        let columns = self.columns(columns);
        let names = list(&columns, |column| Some(column.name.to_owned()));
        let values = list(&columns, |column| Some(column.value.clone()));
        let gate = self.condition();
        let text = format!("INSERT INTO {table} AS stored ({names}) SELECT {values}{gate} {conflict}");
        // Not counted: it inserts all its rows, or fails.
        self.part(&format!("insert_{table}"), text.trim_end());
    }

    /// Updates `rows` rows; one that is not as it was loaded fails the statement.
    pub fn update(&mut self, table: &'static str, rows: usize, columns: impl FnOnce(&mut Columns<'_>)) {
        let columns = self.columns(columns);
        let moved = list(&columns, Column::moved);
        let set = list(&columns, Column::set);
        let conditions: Vec<String> = columns.iter().filter_map(Column::condition).chain(self.gate.clone()).collect();
        let conditions = conditions.join(" AND ");
        let text =
            format!("UPDATE {table} AS stored SET {set} FROM (SELECT {moved}) AS moved WHERE {conditions} RETURNING 1");
        let (name, expected) = (format!("update_{table}"), self.bind(i64::try_from(rows).unwrap_or(i64::MAX)));
        let is_first = self.parts.is_empty();
        self.part(&name, &text);
        if is_first {
            // Counted once, whoever asks.
            self.parts.push(format!("gate AS MATERIALIZED (SELECT count(*) = {expected} AS is_open FROM {name})"));
            self.gate = Some("(SELECT is_open FROM gate)".to_owned());
        }
        self.expectations.push(format!("expect_rows('{name}', {expected}, (SELECT count(*) FROM {name}))"));
    }

    /// Takes a value, and returns what stands for it in the text.
    pub fn bind<'v, T: Encode<'v, Postgres> + Type<Postgres>>(&mut self, value: T) -> String {
        let kind = T::type_info();
        if let Err(error) = self.arguments.add(value) {
            self.fault.get_or_insert(error);
        }
        format!("${}::{}", self.arguments.len(), kind.name())
    }

    /// What must be so before this part is written, as ` WHERE …`, where anything must.
    #[must_use]
    pub fn condition(&self) -> String {
        self.gate.as_ref().map(|gate| format!(" WHERE {gate}")).unwrap_or_default()
    }

    /// Adds a part that is written in any case, from whatever another one returns.
    pub fn part(&mut self, name: &str, text: &str) {
        self.parts.push(format!("{name} AS ({text})"));
    }

    /// Adds what the statement tells when all is written, or fails by.
    pub fn expect(&mut self, text: &str) {
        self.expectations.push(text.to_owned());
    }

    /// Writes everything, or nothing.
    ///
    /// # Errors
    ///
    /// As [`fetch`](Self::fetch).
    pub async fn execute(self, executor: impl PgExecutor<'_>, statement: Statement) -> Result<(), StoreError> {
        self.fetch(executor, statement).await.map(drop)
    }

    /// Writes everything, or nothing, and returns what was [expected](Self::expect), if anything was to be done.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contended`] when a row was not as it was loaded, or was there already; nothing was written. Where no transaction was begun, success
    /// is durable, and [`StoreError::Lost`] leaves it unknown.
    pub async fn fetch(self, executor: impl PgExecutor<'_>, statement: Statement) -> Result<Option<PgRow>, StoreError> {
        if let Some(fault) = self.fault {
            return Err(StoreError::Fault(sqlx::Error::Encode(fault)));
        }
        if self.parts.is_empty() && self.expectations.is_empty() {
            return Ok(None);
        }
        // Made of the names that stand in the code; values are bound.
        let expectations = if self.expectations.is_empty() { "1".to_owned() } else { self.expectations.join(", ") };
        let with = if self.parts.is_empty() { "" } else { "WITH " };
        let text = format!("{with}{} SELECT {expectations}", self.parts.join(",\n"));
        // Waits for the last response, not for the row alone: by itself the statement is durable only then.
        Ok(sqlx::query_with(AssertSqlSafe(text), self.arguments).fetch_optional(executor).traced(statement).await?)
    }

    fn columns(&mut self, columns: impl FnOnce(&mut Columns<'_>)) -> Vec<Column> {
        let mut taken = Columns { writes: self, columns: Vec::new() };
        columns(&mut taken);
        taken.columns
    }
}

impl Columns<'_> {
    /// A value for each row.
    pub fn each<'r, R, T>(&mut self, name: &'static str, rows: &'r [R], of: impl Fn(&'r R) -> T)
    where
        Vec<T>: Encode<'r, Postgres> + Type<Postgres>,
    {
        self.unnest(name, Kind::Each, rows, of);
    }

    /// A value for each row, by which it is found.
    pub fn key<'r, R, T>(&mut self, name: &'static str, rows: &'r [R], of: impl Fn(&'r R) -> T)
    where
        Vec<T>: Encode<'r, Postgres> + Type<Postgres>,
    {
        self.unnest(name, Kind::Key, rows, of);
    }

    /// How often each row was written, this time included.
    pub fn version<'r, R>(&mut self, rows: &'r [R], of: impl Fn(&'r R) -> i64) {
        self.unnest("version", Kind::Version, rows, of);
    }

    /// A value for each row, for [conditions](Self::also) alone.
    pub fn beside<'r, R, T>(&mut self, name: &'static str, rows: &'r [R], of: impl Fn(&'r R) -> T)
    where
        Vec<T>: Encode<'r, Postgres> + Type<Postgres>,
    {
        self.unnest(name, Kind::Beside, rows, of);
    }

    /// What must be so for each row of an update: of `stored`, and of the values `moved`.
    pub fn also(&mut self, condition: &'static str) {
        self.columns.push(Column { name: "", value: condition.to_owned(), kind: Kind::Condition });
    }

    /// What each row of an update must have before, the same for all.
    ///
    /// As a parameter, so that a batch that is planned once does not look through an index of the rows that have it, in place of that of its keys.
    pub fn had<'v, T: Encode<'v, Postgres> + Type<Postgres>>(&mut self, name: &'static str, value: T) {
        let value = format!("stored.{name} = {}", self.writes.bind(value));
        self.columns.push(Column { name, value, kind: Kind::Condition });
    }

    /// A value for each row, which is sent once where all rows have the same.
    ///
    /// For what differs next to never: each text of a statement is planned by itself.
    pub fn shared<'r, R, T>(&mut self, name: &'static str, rows: &'r [R], of: impl Fn(&'r R) -> T)
    where
        T: Encode<'r, Postgres> + Type<Postgres> + PartialEq,
        Vec<T>: Encode<'r, Postgres> + Type<Postgres>,
    {
        self.alike(is_alike(rows, &of), name, rows, of);
    }

    /// A value for each row, which is sent once where rows [are alike](is_alike). Columns that are told so together make two texts, however many they are.
    pub fn alike<'r, R, T>(&mut self, are_alike: bool, name: &'static str, rows: &'r [R], of: impl Fn(&'r R) -> T)
    where
        T: Encode<'r, Postgres> + Type<Postgres>,
        Vec<T>: Encode<'r, Postgres> + Type<Postgres>,
    {
        match rows.first() {
            Some(first) if are_alike => self.same(name, of(first)),
            _ => self.each(name, rows, of),
        }
    }

    /// One value for all rows.
    pub fn same<'v, T: Encode<'v, Postgres> + Type<Postgres>>(&mut self, name: &'static str, value: T) {
        let value = self.writes.bind(value);
        self.columns.push(Column { name, value, kind: Kind::Same });
    }

    fn unnest<'r, R, T>(&mut self, name: &'static str, kind: Kind, rows: &'r [R], of: impl Fn(&'r R) -> T)
    where
        Vec<T>: Encode<'r, Postgres> + Type<Postgres>,
    {
        let value = self.writes.bind(rows.iter().map(of).collect::<Vec<T>>());
        self.columns.push(Column { name, value: format!("unnest({value})"), kind });
    }
}

/// Whether all rows have the same of what is asked; without rows they have.
pub fn is_alike<'r, R, T: PartialEq>(rows: &'r [R], of: impl Fn(&'r R) -> T) -> bool {
    rows.split_first().is_none_or(|(first, others)| {
        let first = of(first);
        others.iter().all(|row| of(row) == first)
    })
}

impl Column {
    fn moved(&self) -> Option<String> {
        let Self { name, value, kind } = self;
        match kind {
            Kind::Same | Kind::Condition => None,
            Kind::Each | Kind::Key | Kind::Version | Kind::Beside => Some(format!("{value} AS {name}")),
        }
    }

    fn set(&self) -> Option<String> {
        let Self { name, value, kind } = self;
        match kind {
            Kind::Key | Kind::Beside | Kind::Condition => None,
            Kind::Same => Some(format!("{name} = {value}")),
            Kind::Each | Kind::Version => Some(format!("{name} = moved.{name}")),
        }
    }

    fn condition(&self) -> Option<String> {
        let name = self.name;
        match self.kind {
            Kind::Key => Some(format!("stored.{name} = moved.{name}")),
            Kind::Version => Some(format!("stored.{name} = moved.{name} - 1")),
            Kind::Condition => Some(self.value.clone()),
            Kind::Each | Kind::Same | Kind::Beside => None,
        }
    }
}

fn list(columns: &[Column], of: impl Fn(&Column) -> Option<String>) -> String {
    let mut text = String::new();
    for part in columns.iter().filter_map(of) {
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(text, "{comma}{part}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inserted_comes_column_by_column() {
        let mut writes = Writes::default();
        writes.insert("entries", |columns| {
            columns.each("player_id", &["a", "b"], |name| *name);
            columns.same("time", 7_i64);
        });
        let select = "SELECT unnest($1::TEXT[]), $2::INT8";
        let insert = format!("insert_entries AS (INSERT INTO entries AS stored (player_id, time) {select})");
        assert_eq!((writes.parts, writes.expectations), (vec![insert], Vec::new()));
    }

    #[test]
    fn what_is_updated_must_be_as_it_was_loaded() {
        let mut writes = Writes::default();
        writes.update("players", 1, |columns| {
            columns.key("player_id", &["a"], |name| *name);
            columns.each("head", &[2_i64], |head| *head);
            columns.version(&[2_i64], |version| *version);
            columns.same("time", 7_i64);
        });
        let moved = "unnest($1::TEXT[]) AS player_id, unnest($2::INT8[]) AS head, unnest($3::INT8[]) AS version";
        let set = "head = moved.head, version = moved.version, time = $4::INT8";
        let same = "stored.player_id = moved.player_id AND stored.version = moved.version - 1";
        let update =
            format!("UPDATE players AS stored SET {set} FROM (SELECT {moved}) AS moved WHERE {same} RETURNING 1");
        assert_eq!(writes.parts[0], format!("update_players AS ({update})"));
        let expected = "expect_rows('update_players', $5::INT8, (SELECT count(*) FROM update_players))";
        assert_eq!(writes.expectations, [expected]);
    }

    #[test]
    fn what_is_updated_may_depend_on_what_is_not_written() {
        let mut writes = Writes::default();
        writes.update("balances", 1, |columns| {
            columns.key("player_id", &["a"], |name| *name);
            columns.beside("head", &[1_i64], |head| *head);
            columns.also("EXISTS (SELECT FROM entries WHERE number = moved.head)");
            columns.had("pool_id", "");
            columns.same("time", 7_i64);
        });
        let moved = "unnest($1::TEXT[]) AS player_id, unnest($2::INT8[]) AS head";
        let condition = "stored.player_id = moved.player_id AND EXISTS (SELECT FROM entries WHERE number = moved.head) \
             AND stored.pool_id = $3::TEXT";
        let update = format!(
            "UPDATE balances AS stored SET time = $4::INT8 FROM (SELECT {moved}) AS moved WHERE {condition} RETURNING 1"
        );
        assert_eq!(writes.parts[0], format!("update_balances AS ({update})"));
    }

    #[test]
    fn what_all_rows_have_is_sent_once() {
        let mut writes = Writes::default();
        for hashes in [["x", "x"], ["x", "y"]] {
            writes.insert("entries", |columns| columns.shared("hash", &hashes, |hash| *hash));
        }
        assert!(writes.parts[0].ends_with("(hash) SELECT $1::TEXT)"), "{}", writes.parts[0]);
        assert!(writes.parts[1].ends_with("(hash) SELECT unnest($2::TEXT[]))"), "{}", writes.parts[1]);
    }

    #[test]
    fn columns_of_rows_that_are_alike_are_sent_once_together_or_not_at_all() {
        for (rows, sent) in
            [([(1_i64, 2_i64); 2], "$1::INT8, $2::INT8"), ([(1, 2), (1, 3)], "unnest($1::INT8[]), unnest($2::INT8[])")]
        {
            let mut writes = Writes::default();
            let are_alike = is_alike(&rows, |row| *row);
            writes.insert("entries", |columns| {
                columns.alike(are_alike, "one", &rows, |row| row.0);
                columns.alike(are_alike, "other", &rows, |row| row.1);
            });
            assert!(writes.parts[0].ends_with(&format!("SELECT {sent})")), "{}", writes.parts[0]);
        }
    }

    #[test]
    fn everything_else_waits_for_an_update_that_comes_first() {
        let one = |columns: &mut Columns<'_>| columns.key("x", &[1_i64], |x| *x);
        let mut writes = Writes::default();
        writes.update("a", 1, one);
        writes.insert("b", one);
        writes.update("c", 1, one);
        let gate = "gate AS MATERIALIZED (SELECT count(*) = $2::INT8 AS is_open FROM update_a)";
        assert!(!writes.parts[0].contains("gate"), "{}", writes.parts[0]);
        assert_eq!(writes.parts[1], gate);
        assert!(writes.parts[2].contains(" WHERE (SELECT is_open FROM gate)"), "{}", writes.parts[2]);
        assert!(writes.parts[3].contains(" AND (SELECT is_open FROM gate)"), "{}", writes.parts[3]);
    }

    #[test]
    fn nothing_waits_for_an_insert() {
        let mut writes = Writes::default();
        writes.insert("a", |columns| columns.each("x", &[1_i64], |x| *x));
        writes.update("b", 1, |columns| columns.key("x", &[1_i64], |x| *x));
        assert_eq!(writes.gate, None);
    }
}
