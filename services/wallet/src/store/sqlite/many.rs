//! Many rows in one statement, bound value by value: no text is made of them for SQLite to read.

use std::sync::Arc;

use auric_db::{Script, Statement, StoreError, Traced as _};
use serde::de::DeserializeOwned;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite, Transaction};

use super::sql;
use crate::store::rows::value;

/// Rows of one statement. Each size is a text of its own, prepared once; the smallest is taken that holds what there is.
const SIZES: [usize; 4] = [1, 8, 32, ROWS_MAX];

/// Rows of one statement at most.
pub const ROWS_MAX: usize = 128;

/// Where a text has its rows.
const ROWS: &str = "{rows}";

/// A statement that is being given its values.
pub type Values<'q> = Query<'q, Sqlite, SqliteArguments>;

/// A statement over as many rows as there are.
///
/// Its text has `VALUES {rows}`, where each row is so many values. What is left over of a size is NULL in every column: a read never meets it, and
/// a write must leave it out (`WHERE column1 IS NOT NULL`).
pub struct Many {
    statement: Statement,
    texts: [Arc<str>; SIZES.len()],
    columns: usize,
}

impl Many {
    /// Spells out every size of `text`, whose rows have `columns` values.
    pub fn new(summary: &'static str, columns: usize, text: &str) -> Self {
        let row = format!("({})", vec!["?"; columns].join(", "));
        let texts = SIZES.map(|size| text.replace(ROWS, &vec![row.as_str(); size].join(", ")).into());
        Self { statement: sql(summary), texts, columns }
    }

    /// Adds `rows` to what is written, in the smallest size that holds `size` rows.
    ///
    /// One size for all tables of a batch: each text is prepared once, and tables that took theirs by themselves would make a text for every combination.
    ///
    /// # Errors
    ///
    /// Those of `bind`.
    pub fn add<'r, R>(
        &self,
        script: &mut Script,
        size: usize,
        rows: &'r [R],
        bind: impl Fn(&mut Script, &'r R) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let index = index_of(size.max(rows.len()));
        script.statement(&self.texts[index], rows.len());
        rows.iter().try_for_each(|row| bind(script, row))?;
        for _ in 0..(SIZES[index].saturating_sub(rows.len()) * self.columns) {
            script.bind(None::<i64>);
        }
        Ok(())
    }

    /// Reads what there is of `keys`, where the text answers with one JSON array of rows: one row is one message between two threads.
    pub async fn read<'q, K, R: DeserializeOwned>(
        &self,
        transaction: &mut Transaction<'static, Sqlite>,
        keys: &'q [K],
        bind: impl Fn(Values<'q>, &'q K) -> Values<'q>,
    ) -> Result<Vec<R>, StoreError> {
        let mut found = Vec::new();
        for part in parts(keys) {
            let query = part.iter().fold(self.sized(part.len()), &bind);
            let row = query.fetch_one(&mut **transaction).traced(self.statement).await?;
            let rows: Vec<R> = value(sqlx::Row::try_get(&row, 0)?)?;
            found.extend(rows);
        }
        Ok(found)
    }

    /// Tells which of `keys` there are, as rows.
    pub async fn rows<'q, K, R>(
        &self,
        transaction: &mut Transaction<'static, Sqlite>,
        keys: &'q [K],
        bind: impl Fn(Values<'q>, &'q K) -> Values<'q>,
    ) -> Result<Vec<R>, StoreError>
    where
        R: for<'row> sqlx::FromRow<'row, sqlx::sqlite::SqliteRow>,
    {
        let mut found = Vec::new();
        for part in parts(keys) {
            let query = part.iter().fold(self.sized(part.len()), &bind);
            for row in query.fetch_all(&mut **transaction).traced(self.statement).await? {
                found.push(R::from_row(&row)?);
            }
        }
        Ok(found)
    }

    fn sized<'q>(&self, rows: usize) -> Values<'q> {
        // Made of this program's own texts and of question marks.
        sqlx::query(AssertSqlSafe(Arc::clone(&self.texts[index_of(rows)])))
    }
}

/// The size that so many rows take.
fn index_of(rows: usize) -> usize {
    SIZES.iter().position(|size| rows <= *size).unwrap_or(SIZES.len() - 1)
}

/// Cuts rows into what one statement takes.
fn parts<R>(rows: &[R]) -> std::slice::Chunks<'_, R> {
    rows.chunks(ROWS_MAX)
}

/// The `number`th part of rows, as one statement takes them; empty behind the last.
pub fn part<R>(rows: &[R], number: usize) -> &[R] {
    let first = rows.len().min(number * ROWS_MAX);
    &rows[first..rows.len().min(first + ROWS_MAX)]
}

#[cfg(test)]
mod tests {
    use auric_db::SqliteDatabase;

    use super::*;

    #[tokio::test]
    async fn however_many_rows_there_are_each_is_written_and_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let database = SqliteDatabase::open(&folder.path().join("many.db")).await.unwrap();
        let table = "CREATE TABLE numbers (number INTEGER PRIMARY KEY, word TEXT NOT NULL) STRICT";
        sqlx::query(table).execute(&database.writer).await.unwrap();
        let insert = "INSERT INTO numbers (number, word) SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL";
        let insert = Many::new("INSERT numbers", 2, insert);
        let select = "SELECT json_group_array(json_array(number, word))
             FROM (VALUES {rows}) AS wanted
             CROSS JOIN numbers ON number = wanted.column1";
        let select = Many::new("SELECT numbers", 1, select);

        for count in [0, 1, 2, 8, 9, 32, 33, 128, 129, 300] {
            let mut transaction = database.writer.begin().await.unwrap();
            let rows: Vec<(i64, String)> = (0..count).map(|number| (number, format!("\"{number}\" is it"))).collect();
            for number in 0..rows.len().div_ceil(ROWS_MAX) {
                let mut script = Script::default();
                let bind = |script: &mut Script, (number, word): &(i64, String)| {
                    script.bind(*number).bind(word);
                    Ok(())
                };
                insert.add(&mut script, 0, part(&rows, number), bind).unwrap();
                script.execute(&mut transaction, sql("WRITE")).await.unwrap();
            }
            let mut found: Vec<(i64, String)> =
                select.read(&mut transaction, &rows, |values, (number, _)| values.bind(*number)).await.unwrap();
            found.sort();
            assert_eq!(found, rows);
            transaction.rollback().await.unwrap();
        }
    }
}
