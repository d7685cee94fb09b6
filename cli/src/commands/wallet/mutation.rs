//! `auric wallet mutation` and `void`: what became of a key, and that nothing ever will.

use std::collections::BTreeMap;

use auric_api::wallet::v1::mutation::Answer;
use auric_api::wallet::v1::{GetMutationRequest, Mutation, VoidMutationRequest};
use auric_ids::IdempotencyKey;
use serde::Serialize;

use super::documents::{MovementDocument, documents};
use super::tables::movements_text;
use crate::client::Client;
use crate::commands::Target;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output};

/// Shows what became of a mutation, by the key that it was sent under.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet mutation trade-77
  auric wallet mutation trade-77 --of discord-gateway

Exit codes: 0 it was answered (applied or refused) · 3 it was not seen, which is no promise that it will not arrive")]
pub struct MutationOf {
    /// The key.
    key: IdempotencyKey,

    /// Who sent it [default: the caller of this command].
    #[arg(long, value_name = "CALLER")]
    of: Option<String>,

    #[command(flatten)]
    pub target: Target,
}

/// Makes sure that the mutation of a key never happens; one that happened before is shown, and stays.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric wallet void trade-77

Exit codes: 0 it is settled: voided now, or answered before as it is shown · 4 unknown: send it again")]
pub struct Void {
    /// The key, of the caller of this command.
    key: IdempotencyKey,

    #[command(flatten)]
    pub target: Target,
}

#[derive(Debug, Serialize)]
struct MutationDocument {
    caller: String,
    idempotency_key: String,
    method: String,
    create_time: String,
    posted: Option<AppliedDocument>,
    refusal: Option<RefusalDocument>,
}

#[derive(Debug, Serialize)]
struct AppliedDocument {
    create_time: String,
    expire_time: String,
    voided: bool,
    retail_token: String,
    movements: Vec<MovementDocument>,
}

#[derive(Debug, Serialize)]
struct RefusalDocument {
    code: String,
    reason: String,
    message: String,
    metadata: BTreeMap<String, String>,
}

impl MutationOf {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect(&settings.client).await?;
        let key = self.key.to_string();
        let message = GetMutationRequest { idempotency_key: key.clone(), caller: self.of.unwrap_or_default() };
        let answered = client.wallet().get_mutation(client.request(message)?).await;
        let answer = answered.map_err(|status| client.fault(&status).under_key(&key, false))?;
        let document = MutationDocument::from(answer.into_inner().mutation.unwrap_or_default());
        output.show(&document, |document| text(document, output))
    }
}

impl Void {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect(&settings.client).await?;
        let key = self.key.to_string();
        let request = client.request(VoidMutationRequest { idempotency_key: key.clone() })?;
        let answered = client.wallet().void_mutation(request).await;
        let answer = answered.map_err(|status| client.fault(&status).under_key(&key, false))?;
        let document = MutationDocument::from(answer.into_inner().mutation.unwrap_or_default());
        output.show(&document, |document| text(document, output))
    }
}

impl From<Mutation> for MutationDocument {
    fn from(mutation: Mutation) -> Self {
        let (posted, refusal) = match mutation.answer {
            Some(Answer::Posted(posted)) => {
                let applied = AppliedDocument {
                    create_time: output::time(posted.create_time.as_ref()),
                    expire_time: output::time(posted.expire_time.as_ref()),
                    voided: posted.voided,
                    retail_token: posted.retail_token,
                    movements: documents(posted.movements),
                };
                (Some(applied), None)
            }
            Some(Answer::Refusal(refusal)) => {
                let code = output::code_name(tonic::Code::from_i32(refusal.code));
                let metadata = refusal.metadata.into_iter().collect();
                (None, Some(RefusalDocument { code, reason: refusal.reason, message: refusal.message, metadata }))
            }
            None => (None, None),
        };
        Self {
            caller: mutation.caller,
            idempotency_key: mutation.idempotency_key,
            method: mutation.method,
            create_time: output::time(mutation.create_time.as_ref()),
            posted,
            refusal,
        }
    }
}

fn text(document: &MutationDocument, output: Output) -> String {
    let MutationDocument { caller, idempotency_key, method, create_time, .. } = document;
    let head = format!("{method} of {caller} under {idempotency_key}, answered at {create_time}\n");
    let answer = match (&document.posted, &document.refusal) {
        (Some(posted), _) => format!("applied\n{}", movements_text(&posted.movements, output)),
        (None, Some(refusal)) => format!("refused: {}: {}\n", refusal.reason, refusal.message),
        (None, None) => "answered in a way that this version does not know\n".to_owned(),
    };
    head + &answer
}

#[cfg(test)]
mod tests {
    use auric_api::wallet::v1::Refusal;

    use super::*;

    #[test]
    fn a_refusal_is_shown_as_it_was_given() {
        let refusal = Refusal {
            code: 9,
            reason: "INSUFFICIENT_FUNDS".to_owned(),
            message: "lumees of discord:1: 40 available, 100 asked".to_owned(),
            metadata: [("available".to_owned(), "40".to_owned())].into(),
        };
        let mutation = Mutation {
            caller: "local".to_owned(),
            idempotency_key: "k-1".to_owned(),
            method: "Post".to_owned(),
            answer: Some(Answer::Refusal(refusal)),
            create_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
        };
        let document = MutationDocument::from(mutation);
        insta::assert_snapshot!(text(&document, Output::new(false, true)), @r"
        Post of local under k-1, answered at 2023-11-14T22:13:20.000Z
        refused: INSUFFICIENT_FUNDS: lumees of discord:1: 40 available, 100 asked
        ");
        assert_eq!(document.refusal.unwrap().code, "FAILED_PRECONDITION");
    }
}
