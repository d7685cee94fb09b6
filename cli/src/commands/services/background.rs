//! Threads of their own for what services do beside reading requests and writing answers.
//!
//! A batch waits for its database a dozen times, with its players locked. On the thread that reads requests it would go on each time only when those that
//! have arrived were read: by then the database has waited, and so have all who wait for the locks. So lanes, jobs, and the connections that they open live
//! on a runtime apart from the servers.

use std::future::Future;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::context::TokioContext;

/// The runtime on which a service is opened, and on which all stays that it spawns then.
#[derive(Debug)]
pub(super) struct Background {
    handle: Handle,
    /// There until it is dropped.
    runtime: Option<Runtime>,
}

impl Background {
    /// Begins with nothing to do on `threads` threads.
    ///
    /// # Errors
    ///
    /// The system gives no threads.
    pub(super) fn new(threads: usize) -> std::io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(threads).thread_name("background").enable_all().build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Waits for `opening` here, with all that it spawns and connects on the runtime.
    pub(super) async fn open<F: Future>(&self, opening: F) -> F::Output {
        TokioContext::new(opening, self.handle.clone()).await
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Services were closed before, or are given up: nothing is waited for, which another runtime's thread may not do.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
