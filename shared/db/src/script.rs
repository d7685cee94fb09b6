//! Several writes as one message to the thread on which SQLite runs.
//!
//! The writer works on a thread of its own, and each statement by itself is a message to it and one back, with a wake-up for each: while one side works
//! the other waits. What is known before the first statement goes into one text of many, each with its own values.

use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, AssertSqlSafe, Encode, Sqlite, SqliteConnection, Type};

use crate::{Statement, StoreError, Traced as _};

/// Statements that are run one after another, and the rows that they write in all.
///
/// It is no transaction by itself: where one statement fails, those before it have taken place.
#[derive(Debug, Default)]
pub struct Script {
    text: String,
    arguments: SqliteArguments,
    rows: usize,
    fault: Option<BoxDynError>,
}

impl Script {
    /// Adds a statement that writes exactly `rows` rows. Its values are bound next, one for each `?` (not `?1`, which would count over all the text).
    pub fn statement(&mut self, text: &str, rows: usize) {
        self.text.push_str(text);
        self.text.push_str(";\n");
        self.rows += rows;
    }

    /// Takes the next value of the statement that was added last.
    pub fn bind<'v, T: Encode<'v, Sqlite> + Type<Sqlite>>(&mut self, value: T) -> &mut Self {
        if let Err(error) = self.arguments.add(value) {
            self.fault.get_or_insert(error);
        }
        self
    }

    /// Runs everything, and counts what was written.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contended`] when a row was not as it was loaded, or was there already.
    pub async fn execute(self, connection: &mut SqliteConnection, statement: Statement) -> Result<(), StoreError> {
        if let Some(fault) = self.fault {
            return Err(StoreError::Fault(sqlx::Error::Encode(fault)));
        }
        if self.text.is_empty() {
            return Ok(());
        }
        // Made of the texts that stand in the code; values are bound.
        let query = sqlx::query_with(AssertSqlSafe(self.text), self.arguments);
        let written = query.execute(connection).traced(statement).await?.rows_affected();
        if usize::try_from(written) == Ok(self.rows) { Ok(()) } else { Err(StoreError::version(self.rows, written)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Contention, SqliteDatabase};

    const WRITE: Statement = Statement::sqlite("WRITE");
    const INSERT: &str = "INSERT INTO words SELECT * FROM (VALUES (?, ?), (?, ?)) WHERE column1 IS NOT NULL";
    const UPDATE: &str = "UPDATE words SET word = ? WHERE number = ?";

    async fn database() -> (tempfile::TempDir, SqliteDatabase) {
        let folder = tempfile::tempdir().unwrap();
        let database = SqliteDatabase::open(&folder.path().join("words.db")).await.unwrap();
        let table = "CREATE TABLE words (number INTEGER PRIMARY KEY, word TEXT NOT NULL) STRICT";
        sqlx::query(table).execute(&database.writer).await.unwrap();
        (folder, database)
    }

    #[tokio::test]
    async fn each_statement_has_its_own_values() {
        let (_folder, database) = database().await;
        let mut connection = database.writer.acquire().await.unwrap();
        // The second time with the same text, which is prepared already.
        for first in [0, 10] {
            let mut script = Script::default();
            script.statement(INSERT, 1);
            script.bind(first).bind("a").bind(None::<i64>).bind(None::<&str>);
            script.statement(INSERT, 2);
            script.bind(first + 1).bind("b").bind(first + 2).bind("c");
            script.statement(UPDATE, 1);
            script.bind("d").bind(first + 1);
            script.execute(&mut connection, WRITE).await.unwrap();
        }
        drop(connection);
        let words = "SELECT group_concat(number || word, ' ' ORDER BY number) FROM words";
        let words: String = sqlx::query_scalar(words).fetch_one(&database.writer).await.unwrap();
        assert_eq!(words, "0a 1d 2c 10a 11d 12c");
    }

    #[tokio::test]
    async fn a_row_too_few_is_found() {
        let (_folder, database) = database().await;
        let mut connection = database.writer.acquire().await.unwrap();
        let mut script = Script::default();
        script.statement(UPDATE, 1);
        script.bind("a").bind(1);
        script.statement(INSERT, 1);
        script.bind(1).bind("b").bind(None::<i64>).bind(None::<&str>);
        let error = script.execute(&mut connection, WRITE).await.unwrap_err();
        assert!(matches!(error, StoreError::Contended(Contention::Version, _)), "{error:?}");
    }

    #[tokio::test]
    async fn a_row_that_is_there_already_is_found() {
        let (_folder, database) = database().await;
        let mut connection = database.writer.acquire().await.unwrap();
        let mut script = Script::default();
        for _ in 0..2 {
            script.statement(INSERT, 1);
            script.bind(1).bind("a").bind(None::<i64>).bind(None::<&str>);
        }
        let error = script.execute(&mut connection, WRITE).await.unwrap_err();
        assert!(matches!(error, StoreError::Contended(Contention::Duplicate, _)), "{error:?}");
    }
}
