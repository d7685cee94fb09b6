//! What an operator sees of a request: its trace from the caller to the statements, its line, its metric, and whether its wallet can serve.

mod away;
mod collector;
mod figures;
pub mod http;
mod readiness;
mod tree;

use sqlx::PgPool;

/// Waits until a transaction waits for another's lock.
async fn wait_until_somebody_waits(pool: &PgPool) {
    let waiting = "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(pool).await.expect("the activity is read") == 0 {
        tokio::task::yield_now().await;
    }
}
