//! What a scheduler is told of its firings.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::*;
use crate::Handler;

/// Counts how often it runs, and goes on as the payload says.
#[derive(Default)]
struct Counts {
    runs: Arc<AtomicU32>,
    at_once: AtomicU32,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    #[serde(default)]
    fails: bool,
}

#[async_trait]
impl Handler for Counts {
    async fn run(&self, firing: &Firing) -> Outcome {
        assert_eq!(self.at_once.fetch_add(1, Ordering::SeqCst), 0, "it runs twice at once");
        tokio::task::yield_now().await;
        let runs = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        match firing.options::<Options>() {
            Ok(Options { fails: false }) => Outcome::Done(format!("run {runs}")),
            Ok(Options { fails: true }) => Outcome::Failed("not now".to_owned()),
            Err(rejected) => rejected,
        }
    }
}

/// Never ends.
struct Endless(Semaphore);

#[async_trait]
impl Handler for Endless {
    async fn run(&self, _firing: &Firing) -> Outcome {
        drop(self.0.acquire().await);
        Outcome::Done(String::new())
    }
}

fn roster() -> (Roster, Arc<AtomicU32>) {
    let counts = Counts::default();
    let runs = Arc::clone(&counts.runs);
    let handlers: Vec<(&'static str, Box<dyn Handler>)> =
        vec![("count", Box::new(counts)), ("endless", Box::new(Endless(Semaphore::new(0))))];
    (Roster::new("test", handlers), runs)
}

fn firing(key: &str, payload: &str) -> api::RunFiring {
    let (key, job_id, payload) = (key.to_owned(), "job".to_owned(), payload.as_bytes().to_vec());
    api::RunFiring { key, job_id, attempt: 1, payload, ..api::RunFiring::default() }
}

async fn run(roster: &Roster, handler: &str, firings: Vec<api::RunFiring>) -> Vec<(String, api::RunOutcome, String)> {
    let mut request = Request::new(api::RunBatchRequest { handler: handler.to_owned(), firings });
    request.set_timeout(Duration::from_secs(1));
    let results = roster.run_batch(request).await.unwrap().into_inner().results;
    results.into_iter().map(|result| (result.key.clone(), result.outcome(), result.message)).collect()
}

#[tokio::test]
async fn a_firing_that_comes_again_is_not_done_again() {
    let (roster, runs) = roster();
    let first = run(&roster, "count", vec![firing("a", ""), firing("b", "{}")]).await;
    let said = |key: &str, message: &str| (key.to_owned(), api::RunOutcome::Done, message.to_owned());
    assert_eq!(first, [said("a", "run 1"), said("b", "run 2")]);
    let again =
        tokio::join!(run(&roster, "count", vec![firing("a", "")]), run(&roster, "count", vec![firing("c", "")]));
    assert_eq!(again, (vec![said("a", "run 1")], vec![said("c", "run 3")]));
    assert_eq!(runs.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_failure_keeps_no_other_firing_from_being_done_and_comes_again() {
    let (roster, runs) = roster();
    let batch = || vec![firing("a", r#"{"fails":true}"#), firing("b", r#"{"typo":1}"#), firing("c", "")];
    for _ in 0..2 {
        let outcomes: Vec<_> =
            run(&roster, "count", batch()).await.into_iter().map(|(_, outcome, _)| outcome).collect();
        assert_eq!(outcomes, [api::RunOutcome::Failed, api::RunOutcome::Rejected, api::RunOutcome::Done]);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 5, "what was done is not done again, the others are");
}

#[tokio::test(start_paused = true)]
async fn what_the_deadline_cuts_has_no_result() {
    let (roster, _) = roster();
    assert_eq!(run(&roster, "endless", vec![firing("a", ""), firing("b", "")]).await, []);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_name() {
    let (roster, _) = roster();
    let ask = async |handler: &str, firings: Vec<api::RunFiring>| {
        let request = api::RunBatchRequest { handler: handler.to_owned(), firings };
        Problem::from_status(&roster.run_batch(Request::new(request)).await.unwrap_err())
    };
    let unknown = ask("paint", vec![firing("a", "")]).await;
    assert_eq!((unknown.code, unknown.reason.as_str()), (Code::NotFound, reasons::HANDLER_NOT_FOUND));
    assert!(unknown.unspoken_numbers().is_empty() && unknown.message.contains("count, endless"), "{}", unknown.message);
    for (handler, firings) in
        [("", vec![firing("a", "")]), ("count", Vec::new()), ("count", vec![firing("with space", "")])]
    {
        assert_eq!(ask(handler, firings).await.code, Code::InvalidArgument, "{handler}");
    }
    let many = (0..=FIRINGS_MAX).map(|number| firing(&number.to_string(), "")).collect();
    assert_eq!(ask("count", many).await.code, Code::InvalidArgument);
}
