//! `auric collection operations` and `auric collection retry`: what the collection and the wallet do together, for operators.

use auric_api::collection::v1::{ListOperationsRequest, Operation, RetryOperationRequest};
use serde::Serialize;

use super::CollectionTarget;
use super::documents::UnitsDocument;
use crate::client::{Client, Peer};
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output};

/// The most that one page may have.
const PAGE_MAX: u32 = 500;

/// Shows the upgrades and dissolves that are not done, oldest first, with what holds them up.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection operations                              what is not done, oldest first
  auric collection operations --all --limit 1000           done ones too, in the order of players
  auric collection operations --json | jq '.operations[] | select(.last_error != \"\")'")]
pub struct Operations {
    /// Those that are done too, in the order of players.
    #[arg(long)]
    all: bool,

    /// How many operations at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,

    #[command(flatten)]
    pub target: CollectionTarget,
}

/// Makes an operation due at once, instead of when its next attempt would be.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric collection retry 0af7651916cd43dd8448eb211c80319c --player discord:1")]
pub struct Retry {
    /// Which.
    operation: String,

    /// Whose.
    #[arg(long)]
    player: String,

    #[command(flatten)]
    pub target: CollectionTarget,
}

#[derive(Debug, Serialize)]
struct Listed {
    operations: Vec<OperationDocument>,
    more: bool,
}

#[derive(Debug, Serialize)]
struct OperationDocument {
    operation_id: String,
    player_id: String,
    caller: String,
    idempotency_key: String,
    attempt: i32,
    kind: String,
    esprit_ids: Vec<String>,
    cost: Vec<UnitsDocument>,
    refund: Vec<UnitsDocument>,
    state: String,
    decision: String,
    recoveries: i32,
    last_error: String,
    create_time: String,
    decide_time: String,
    done_time: String,
    due_time: String,
}

#[derive(Debug, Serialize)]
struct Due {
    operation_id: String,
    player_id: String,
}

impl Operations {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Collection, &settings.client).await?;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let mut operations = Vec::new();
        let mut page_token = String::new();
        let page_size = i32::try_from(self.limit.min(PAGE_MAX)).unwrap_or(i32::MAX);
        let more = loop {
            let page = page(&client, ListOperationsRequest { all: self.all, page_size, page_token }).await?;
            operations.extend(page.0.into_iter().map(OperationDocument::from));
            page_token = page.1;
            if operations.len() >= limit || page_token.is_empty() {
                break operations.len() > limit || !page_token.is_empty();
            }
        };
        operations.truncate(limit);
        output.show(&Listed { operations, more }, |listed| text(listed, output))
    }
}

impl Retry {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Collection, &settings.client).await?;
        let due = Due { operation_id: self.operation, player_id: self.player };
        let request = client.request(RetryOperationRequest {
            player_id: due.player_id.clone(),
            operation_id: due.operation_id.clone(),
        })?;
        client.collection().retry_operation(request).await.map_err(|status| client.fault(&status))?;
        output.show(&due, |Due { operation_id, player_id }| {
            format!("operation {operation_id} of {player_id} is due; the next copy that looks takes it up\n")
        })
    }
}

/// Reads one page of operations, and the next one's token.
pub async fn page(client: &Client, ask: ListOperationsRequest) -> Result<(Vec<Operation>, String), Fault> {
    let request = client.request(ask)?;
    let page = client.collection().list_operations(request).await.map_err(|status| client.fault(&status))?.into_inner();
    Ok((page.operations, page.next_page_token))
}

impl From<Operation> for OperationDocument {
    fn from(operation: Operation) -> Self {
        Self {
            create_time: output::time(operation.create_time.as_ref()),
            decide_time: output::time(operation.decide_time.as_ref()),
            done_time: output::time(operation.done_time.as_ref()),
            due_time: output::time(operation.due_time.as_ref()),
            operation_id: operation.operation_id,
            player_id: operation.player_id,
            caller: operation.caller,
            idempotency_key: operation.idempotency_key,
            attempt: operation.attempt,
            kind: operation.kind,
            esprit_ids: operation.esprit_ids,
            cost: operation.cost.into_iter().map(UnitsDocument::from).collect(),
            refund: operation.refund.into_iter().map(UnitsDocument::from).collect(),
            state: operation.state,
            decision: operation.decision,
            recoveries: operation.recoveries,
            last_error: operation.last_error,
        }
    }
}

fn text(listed: &Listed, output: Output) -> String {
    if listed.operations.is_empty() {
        return "no operation is under way\n".to_owned();
    }
    let heads =
        ["begun", "operation", "player", "does", "state", "decision", ">attempt", ">taken up", "what holds it up"];
    let mut table = output.table(&heads);
    for row in &listed.operations {
        let [attempt, recoveries] = [row.attempt, row.recoveries].map(|count| count.to_string());
        let OperationDocument { create_time, operation_id, player_id, kind, state, decision, last_error, .. } = row;
        let cells = [create_time, operation_id, player_id, kind, state, decision, &attempt, &recoveries, last_error];
        table.add_row(cells);
    }
    let more = if listed.more { "there are more: raise --limit to see them\n" } else { "" };
    format!("{}{more}", output::render(&table))
}
