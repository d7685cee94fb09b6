//! The scheduler's own handler: `record` keeps what it is told, once by key.

use std::sync::Arc;

use auric_api::scheduler::v1 as api;
use auric_api::scheduler::v1::job_handler_service_server::JobHandlerService;
use auric_edge::Decoder;
use tonic::{Request, Response, Status};

use super::{Answer, status};
use crate::handlers::Handlers;
use crate::store::Recorded;

/// What the scheduler itself can do.
const RECORD: &str = "record";

/// Firings of one call.
const FIRINGS_MAX: usize = 1_000;

/// Characters of a firing's key.
const KEY_MAX: usize = 128;

/// The handler as other schedulers, and this one, call it.
#[derive(Debug)]
pub struct Edge {
    pub handlers: Arc<Handlers>,
}

#[tonic::async_trait]
impl JobHandlerService for Edge {
    async fn run_batch(&self, request: Request<api::RunBatchRequest>) -> Answer<api::RunBatchResponse> {
        let request = request.into_inner();
        if request.handler != RECORD {
            return Err(status::handler_not_found(&request.handler).into_status());
        }
        let recorded = decode(request.firings)?;
        self.handlers.record(&recorded).await.map_err(|error| status::of_read(&error))?;
        let done = |one: &Recorded| api::RunResult {
            key: one.key.clone(),
            outcome: api::RunOutcome::Done.into(),
            message: String::new(),
        };
        Ok(Response::new(api::RunBatchResponse { results: recorded.iter().map(done).collect() }))
    }
}

fn decode(firings: Vec<api::RunFiring>) -> Result<Vec<Recorded>, Status> {
    let mut decoder = Decoder::default();
    let count = firings.len();
    if !(1..=FIRINGS_MAX).contains(&count) {
        decoder.fault("firings", format!("must have 1 to {FIRINGS_MAX}, has {count}"));
        return decoder.finish(None);
    }
    let mut recorded = Vec::with_capacity(count);
    for (index, firing) in firings.into_iter().enumerate() {
        let is_key =
            (1..=KEY_MAX).contains(&firing.key.len()) && firing.key.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_key {
            decoder.fault(format!("firings[{index}].key"), "must be 1 to 128 printable ASCII characters");
        }
        if firing.job_id.contains('\0') {
            decoder.fault(format!("firings[{index}].job_id"), "must not have NUL in it");
        }
        recorded.push(Recorded { key: firing.key, job: firing.job_id, payload: firing.payload });
    }
    decoder.finish(Some(recorded))
}
