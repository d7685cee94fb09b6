//! `JobHandlerService` over a roster: decode, run, encode.

use auric_api::scheduler::v1 as api;
use auric_api::scheduler::v1::job_handler_service_server::{JobHandlerService, JobHandlerServiceServer};
use auric_edge::Decoder;
use auric_server::metadata;
use auric_status::Problem;
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status};

use crate::{Firing, Outcome, Roster};

pub use auric_api::scheduler::v1::job_handler_service_server::SERVICE_NAME;

/// Firings of one request.
const FIRINGS_MAX: usize = 1_000;

/// The longest key of a firing.
const KEY_CHARACTERS_MAX: usize = 128;

/// Reasons of refusals.
pub mod reasons {
    /// The service has no handler of that name.
    pub const HANDLER_NOT_FOUND: &str = "HANDLER_NOT_FOUND";

    /// All of them, for whoever documents them.
    pub const ALL: [&str; 1] = [HANDLER_NOT_FOUND];
}

impl Roster {
    /// The gRPC service, to be served beside others.
    #[must_use]
    pub fn service(&self) -> JobHandlerServiceServer<Self> {
        JobHandlerServiceServer::new(self.clone())
    }
}

#[tonic::async_trait]
impl JobHandlerService for Roster {
    async fn run_batch(
        &self,
        request: Request<api::RunBatchRequest>,
    ) -> Result<Response<api::RunBatchResponse>, Status> {
        let until = metadata::timeout(request.metadata()).map(|left| Instant::now() + left);
        let (handler, firings) = decode(request.into_inner())?;
        if !self.names().contains(&handler.as_str()) {
            let names = self.names().join(", ");
            let message = format!("there is no handler {handler}; there are {names}");
            let problem = Problem::new(Code::NotFound, reasons::HANDLER_NOT_FOUND, message);
            return Err(problem.with("handler", handler).with("handlers", names).into_status());
        }
        let mut results = Vec::with_capacity(firings.len());
        for firing in firings {
            let running = self.run(&handler, &firing);
            let outcome = match until {
                Some(until) => tokio::time::timeout_at(until, running).await.unwrap_or_default(),
                None => running.await,
            };
            // What the deadline kept from its end has no result, and comes again.
            let Some(outcome) = outcome else { break };
            results.push(encode(firing.key, &outcome));
        }
        Ok(Response::new(api::RunBatchResponse { results }))
    }
}

fn decode(request: api::RunBatchRequest) -> Result<(String, Vec<Firing>), Status> {
    let api::RunBatchRequest { handler, firings } = request;
    let mut decoder = Decoder::default();
    if handler.is_empty() {
        decoder.fault("handler", "must not be empty");
    }
    if !(1..=FIRINGS_MAX).contains(&firings.len()) {
        decoder.fault("firings", format!("must be 1 to {FIRINGS_MAX}, are {}", firings.len()));
    }
    let mut decoded = Vec::with_capacity(firings.len().min(FIRINGS_MAX));
    for (index, firing) in firings.into_iter().take(FIRINGS_MAX).enumerate() {
        let api::RunFiring { key, job_id, attempt, payload, .. } = firing;
        if !(1..=KEY_CHARACTERS_MAX).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            let fault = format!("must be 1 to {KEY_CHARACTERS_MAX} printable ASCII characters");
            decoder.fault(format!("firings[{index}].key"), fault);
        }
        decoded.push(Firing { key, job: job_id, attempt: u32::try_from(attempt).unwrap_or(0), payload });
    }
    decoder.finish(Some((handler, decoded)))
}

fn encode(key: String, outcome: &Outcome) -> api::RunResult {
    let word = match outcome {
        Outcome::Done(_) => api::RunOutcome::Done,
        Outcome::Failed(_) => api::RunOutcome::Failed,
        Outcome::Rejected(_) => api::RunOutcome::Rejected,
    };
    api::RunResult { key, outcome: word.into(), message: outcome.message().to_owned() }
}

#[cfg(test)]
mod tests;
