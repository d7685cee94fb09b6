//! Real money through real processes: providers that send in any order and any number, gateways that are killed, wallets that are away.
//!
//! The events have the shapes of Stripe's documentation, written by hand; their signatures are made by Python.

mod crash;
mod disorder;
#[path = "../../../services/gateway/tests/gateway/signer.rs"]
mod signer;
mod token;
mod town;
mod year;

/// Makes a test of each law for each store: one gateway on SQLite, three on one PostgreSQL database.
macro_rules! on_every_store {
    ($($law:ident),+ $(,)?) => {$(
        mod $law {
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_sqlite() {
                super::$law($crate::gateway::town::Town::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_postgres() {
                super::$law($crate::gateway::town::Town::postgres(3).await).await;
            }
        }
    )+};
}

pub(crate) use on_every_store;
