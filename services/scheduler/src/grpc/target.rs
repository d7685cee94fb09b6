//! Targets, called.

use std::time::Duration;

use async_trait::async_trait;
use auric_api::scheduler::v1 as api;
use auric_api::scheduler::v1::job_handler_service_client::JobHandlerServiceClient;
use auric_client::{Channel, ClientConfig, ConfigError, Policy};
use auric_edge::said;
use auric_ids::HandlerId;
use tonic::Request;

use super::encode;
use crate::handlers::{Ran, RunEnd, Target, ToRun};

/// The longest deadline that a job may have: no attempt of a call is cut before.
const ATTEMPT_MAX: Duration = Duration::from_hours(1);

/// Attempts of one call: what a broken connection leaves open is left to the firing's own next attempt.
const ATTEMPTS_MAX: u32 = 2;

/// The way to a target.
#[derive(Clone, Debug)]
pub struct GrpcTarget {
    client: JobHandlerServiceClient<Channel>,
}

/// Connects to a target; nobody needs to listen there yet.
///
/// # Errors
///
/// [`ConfigError`]: what was configured can never work.
pub async fn connect(config: ClientConfig) -> Result<GrpcTarget, ConfigError> {
    let policy = Policy { attempts_max: ATTEMPTS_MAX, attempt_timeout: ATTEMPT_MAX, ..config.policy };
    let channel = auric_client::connect(ClientConfig { policy, ..config }).await?;
    Ok(GrpcTarget { client: JobHandlerServiceClient::new(channel) })
}

#[async_trait]
impl Target for GrpcTarget {
    async fn run(&self, handler: &HandlerId, firings: &[ToRun], deadline: Duration) -> Result<Vec<Ran>, String> {
        let mut request = Request::new(api::RunBatchRequest {
            handler: handler.to_string(),
            firings: firings.iter().map(encode::to_run).collect(),
        });
        request.set_timeout(deadline);
        let answer = self.client.clone().run_batch(request).await.map_err(|status| said(&status))?;
        Ok(answer.into_inner().results.into_iter().map(ran).collect())
    }
}

fn ran(result: api::RunResult) -> Ran {
    let end = match result.outcome() {
        api::RunOutcome::Done => RunEnd::Done,
        api::RunOutcome::Rejected => RunEnd::Rejected,
        api::RunOutcome::Failed | api::RunOutcome::Unspecified => RunEnd::Failed,
    };
    Ran { key: result.key, end, message: result.message }
}
