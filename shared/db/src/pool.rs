//! Connections, counted.

use opentelemetry::{KeyValue, global};
use opentelemetry_semantic_conventions::attribute::{DB_CLIENT_CONNECTION_POOL_NAME, DB_CLIENT_CONNECTION_STATE};
use opentelemetry_semantic_conventions::metric::{DB_CLIENT_CONNECTION_COUNT, DB_CLIENT_CONNECTION_MAX};
use sqlx::Pool;

use crate::Database;

impl Database {
    /// Shows the pools of `service` among the metrics, for as long as the process lives.
    pub fn observe(&self, service: &'static str) {
        match self {
            Self::Postgres(pool) => observe(service.to_owned(), pool),
            Self::Sqlite(sqlite) => {
                observe(format!("{service}.writer"), &sqlite.writer);
                observe(format!("{service}.readers"), &sqlite.readers);
            }
        }
    }
}

/// Shows a pool among the metrics under its name, for as long as the process lives.
pub fn observe<D: sqlx::Database>(name: String, pool: &Pool<D>) {
    let meter = global::meter("auric");
    let (counted, bounded) = (pool.clone(), pool.options().get_max_connections());
    let of_pool = KeyValue::new(DB_CLIENT_CONNECTION_POOL_NAME, name);
    let of_max = of_pool.clone();
    let _registered = meter
        .i64_observable_up_down_counter(DB_CLIENT_CONNECTION_COUNT)
        .with_unit("{connection}")
        .with_description("Connections to a database, idle and used")
        .with_callback(move |observer| {
            let idle = i64::try_from(counted.num_idle()).unwrap_or(i64::MAX);
            let used = i64::from(counted.size()).saturating_sub(idle).max(0);
            for (state, count) in [("idle", idle), ("used", used)] {
                observer.observe(count, &[of_pool.clone(), KeyValue::new(DB_CLIENT_CONNECTION_STATE, state)]);
            }
        })
        .build();
    let _registered = meter
        .i64_observable_up_down_counter(DB_CLIENT_CONNECTION_MAX)
        .with_unit("{connection}")
        .with_description("Connections to a database at most")
        .with_callback(move |observer| observer.observe(i64::from(bounded), std::slice::from_ref(&of_max)))
        .build();
}
