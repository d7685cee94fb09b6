//! Processes of the wallet, a caller that keeps asking until it has an answer, and the books that the answers must add up to.

mod books;
mod caller;
mod cluster;
mod process;

pub use books::Books;
pub use caller::{Answer, Ask, Caller, Outcome, credit, debit, hold_leg, in_pool};
pub use cluster::{Cluster, Store};
pub use process::{Line, Process, auric};

/// Makes a test of each law for each store.
macro_rules! on_every_store {
    ($($law:ident),+ $(,)?) => {$(
        mod $law {
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_sqlite() {
                super::$law(&$crate::wallet::harness::Cluster::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_postgres() {
                super::$law(&$crate::wallet::harness::Cluster::postgres(2).await).await;
            }
        }
    )+};
}

pub(crate) use on_every_store;
