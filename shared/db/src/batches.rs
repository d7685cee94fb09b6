//! Connections to PostgreSQL for batches: their statements are planned once, and one that was just used is used next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{Postgres, Transaction};

/// What these connections are set to as well.
///
/// A statement over arrays is planned for their lengths, and for short ones anew each time: that looks cheaper to the planner than the plan for any length,
/// whose cost it guesses by ten rows an array. Planning costs half of what a lone mutation costs the database, and the plan is the same.
const SESSION: [(&str, &str); 1] = [("plan_cache_mode", "force_generic_plan")];

/// How long a connection stays away from its pool, which ends those that are old, or have lain idle for long.
const WARM_MAX: Duration = Duration::from_mins(5);

/// As many connections to a database as a pool has, but others: no reader keeps a batch waiting.
///
/// A pool takes its connections by turns. Each is a process of the server with plans and caches of its own, so that batches take the
/// one that the batch before gave back: what it needs is still in the processor's memory.
#[derive(Clone, Debug)]
pub struct Batches {
    pool: PgPool,
    warm: Arc<Mutex<Vec<Warm>>>,
}

#[derive(Debug)]
struct Warm {
    connection: PoolConnection<Postgres>,
    since: Instant,
}

/// A connection, to be given back with [`Batches::give_back`] by whoever left nothing under way on it. Otherwise it goes to its pool, which sees to that.
#[derive(Debug)]
pub struct BatchConnection(Warm);

impl Batches {
    /// Beside `pool`, to the same database. No connection is made before it is needed.
    #[must_use]
    pub fn beside(pool: &PgPool) -> Self {
        let mut options = PgConnectOptions::clone(&pool.connect_options());
        if options.get_options().is_some() {
            // Not behind a pooler, where no session is ours to set.
            options = options.options(SESSION);
        }
        Self { pool: pool.options().clone().connect_lazy_with(options), warm: Arc::default() }
    }

    /// Shows the connections among the metrics, for as long as the process lives.
    pub fn observe(&self, name: String) {
        crate::observe(name, &self.pool);
    }

    /// Takes the connection that was given back last, or one of the pool.
    ///
    /// # Errors
    ///
    /// None can be had.
    pub async fn acquire(&self) -> Result<BatchConnection, sqlx::Error> {
        if let Some(warm) = self.warm().pop().filter(|warm| warm.since.elapsed() < WARM_MAX) {
            return Ok(BatchConnection(warm));
        }
        Ok(BatchConnection(Warm { connection: self.pool.acquire().await?, since: Instant::now() }))
    }

    /// Begins a transaction, on a connection of the pool. One that was given back goes there before: whoever takes one connection at a time never waits
    /// for those that nobody uses.
    ///
    /// # Errors
    ///
    /// No connection can be had.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        drop(self.warm().pop());
        self.pool.begin().await
    }

    /// Keeps a connection on which nothing is under way for the next batch.
    pub fn give_back(&self, connection: BatchConnection) {
        let BatchConnection(warm) = connection;
        let mut kept = self.warm();
        // Behind the lock: whoever closes sees it, or is seen.
        if !self.pool.is_closed() {
            kept.push(warm);
        }
    }

    /// Waits until every connection is back, and closes them.
    pub async fn close(&self) {
        let closing = self.pool.close();
        self.warm().clear();
        closing.await;
    }

    fn warm(&self) -> MutexGuard<'_, Vec<Warm>> {
        // It is whole after every statement that changes it.
        self.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::ops::Deref for BatchConnection {
    type Target = PgConnection;

    fn deref(&self) -> &Self::Target {
        &self.0.connection
    }
}

impl std::ops::DerefMut for BatchConnection {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0.connection
    }
}
