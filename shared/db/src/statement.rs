//! Statements as traces and metrics see them: each has a summary, its time is counted, and it has a span where its caller has one.
//!
//! # Source
//!
//! OpenTelemetry semantic conventions for database clients.

use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use opentelemetry::metrics::Histogram;
use opentelemetry::{KeyValue, global};
use opentelemetry_semantic_conventions::attribute::{
    DB_OPERATION_NAME, DB_QUERY_SUMMARY, DB_RESPONSE_STATUS_CODE, DB_SYSTEM_NAME, ERROR_TYPE,
};
use opentelemetry_semantic_conventions::metric::DB_CLIENT_OPERATION_DURATION;
use pin_project_lite::pin_project;
use tracing::{Span, field, info_span};

/// The bounds of the buckets, in seconds: from a read in memory to the longest statement that the database allows.
const BOUNDS_S: [f64; 14] =
    [0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// The kind of a database, as the conventions name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// PostgreSQL, or what speaks like it.
    Postgres,
    /// A SQLite file.
    Sqlite,
}

impl System {
    fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::Sqlite => "sqlite",
        }
    }
}

/// What a statement does, in few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    system: System,
    summary: &'static str,
}

impl Statement {
    /// Names a statement of PostgreSQL by its operation and its table, such as `SELECT balances`.
    #[must_use]
    pub const fn postgres(summary: &'static str) -> Self {
        Self { system: System::Postgres, summary }
    }

    /// Names a statement of SQLite by its operation and its table, such as `SELECT balances`.
    #[must_use]
    pub const fn sqlite(summary: &'static str) -> Self {
        Self { system: System::Sqlite, summary }
    }

    fn operation(self) -> &'static str {
        self.summary.split(' ').next().unwrap_or(self.summary)
    }

    /// A span of its own where the work of now has one, else a disabled one.
    fn span(self) -> Span {
        if Span::current().is_disabled() {
            return Span::none();
        }
        let (system, operation) = (self.system.as_str(), self.operation());
        info_span!(
            "sql",
            otel.name = self.summary,
            otel.kind = "client",
            db.system.name = system,
            db.operation.name = operation,
            db.collection.name = self.summary.split(' ').nth(1),
            db.query.summary = self.summary,
            db.response.status_code = field::Empty,
            "error.type" = field::Empty,
            otel.status_code = field::Empty,
        )
    }

    /// Notes how long it took, and what became of it.
    fn observe(self, time: Duration, span: &Span, fault: Option<&sqlx::Error>) {
        let known = [
            KeyValue::new(DB_OPERATION_NAME, self.operation()),
            KeyValue::new(DB_QUERY_SUMMARY, self.summary),
            KeyValue::new(DB_SYSTEM_NAME, self.system.as_str()),
        ];
        let Some(fault) = fault else {
            DURATION.record(time.as_secs_f64(), &known);
            return;
        };
        let kind = kind_of(fault);
        let [operation, summary, system] = known;
        DURATION.record(time.as_secs_f64(), &[operation, summary, system, KeyValue::new(ERROR_TYPE, kind.clone())]);
        if fault.as_database_error().is_some() {
            span.record(DB_RESPONSE_STATUS_CODE, kind.as_str());
        }
        span.record(ERROR_TYPE, kind.as_str());
        span.record("otel.status_code", "ERROR");
    }
}

static DURATION: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    let meter = global::meter("auric");
    let duration = meter.f64_histogram(DB_CLIENT_OPERATION_DURATION).with_unit("s");
    let duration = duration.with_description("How long statements took, to the last row of their answers");
    duration.with_boundaries(BOUNDS_S.to_vec()).build()
});

/// Names a failure by the code that the database gave, or by where it came from. Never by its text: that may hold what was stored.
fn kind_of(fault: &sqlx::Error) -> String {
    let code = fault.as_database_error().and_then(|database| database.code().map(std::borrow::Cow::into_owned));
    code.unwrap_or_else(|| {
        let kind = match fault {
            sqlx::Error::Io(_) => "io",
            sqlx::Error::Tls(_) => "tls",
            sqlx::Error::Protocol(_) => "protocol",
            sqlx::Error::PoolTimedOut => "pool_timed_out",
            sqlx::Error::PoolClosed => "pool_closed",
            _ => "_OTHER",
        };
        kind.to_owned()
    })
}

/// Lets a statement be seen while it runs.
pub trait Traced<T>: Future<Output = Result<T, sqlx::Error>> + Sized {
    /// Runs it as `statement`.
    fn traced(self, statement: Statement) -> TracedStatement<Self> {
        TracedStatement { running: self, statement, seen: None }
    }
}

impl<T, F: Future<Output = Result<T, sqlx::Error>>> Traced<T> for F {}

pin_project! {
    /// A statement that is seen.
    #[derive(Debug)]
    #[must_use = "a statement runs when it is awaited"]
    pub struct TracedStatement<F> {
        #[pin]
        running: F,
        statement: Statement,
        // From the first poll on.
        seen: Option<(Instant, Span)>,
    }
}

impl<T, F: Future<Output = Result<T, sqlx::Error>>> Future for TracedStatement<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let statement = *this.statement;
        let (began, span) = this.seen.get_or_insert_with(|| (Instant::now(), statement.span()));
        let entered = span.enter();
        let outcome = ready!(this.running.poll(context));
        drop(entered);
        statement.observe(began.elapsed(), span, outcome.as_ref().err());
        Poll::Ready(outcome)
    }
}
