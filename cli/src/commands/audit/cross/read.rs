//! What the three services say of operations.

use auric_api::participant::v1::{GetParticipationRequest, ListParticipationsRequest, Participation};
use auric_api::summon::v1::{GetSummonRequest, ListOperationsRequest};
use auric_api::wallet::v1 as wallet;
use tonic::{Code, Response, Status};

use super::PAGE;
use super::compare::{Hold, Part, Price, Told, hold_word, part_word};
use crate::client::{Client, Peer};
use crate::commands::summon::operations;
use crate::config::Settings;
use crate::fault::Fault;

/// Who coordinates summons: the caller of their holds and parts.
const COORDINATOR: &str = "summon";

/// What the names of its holds begin with.
const HOLD: &str = "summon:";

/// The three services of a summon.
pub struct Services {
    summon: Client,
    pub wallet: Client,
    pub collection: Client,
}

/// Something that a service keeps for an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub operation_id: String,
    pub player_id: String,
    /// How it stands, in a word.
    pub state: &'static str,
}

impl Services {
    pub async fn connect(settings: &Settings) -> Result<Self, Fault> {
        let settings = &settings.client;
        let (summon, wallet, collection) = tokio::try_join!(
            Client::connect_to(Peer::Summon, settings),
            Client::connect_to(Peer::Wallet, settings),
            Client::connect_to(Peer::Collection, settings),
        )?;
        Ok(Self { summon, wallet, collection })
    }

    /// Reads a page of the log, and the next one's token.
    pub async fn operations(&self, page_token: String) -> Result<(Vec<Told>, String), Fault> {
        let ask = ListOperationsRequest { all: true, page_size: PAGE, page_token };
        let (operations, next) = operations::page(&self.summon, ask).await?;
        let told = operations.into_iter().map(|operation| Told {
            price: operation
                .price
                .filter(|_| operation.paid)
                .map(|price| Price { asset_id: price.asset_id, units: price.amount }),
            operation_id: operation.operation_id,
            player_id: operation.player_id,
            state: operation.state,
            decision: operation.decision,
            esprits: usize::try_from(operation.esprits).unwrap_or_default(),
        });
        Ok((told.collect(), next))
    }

    /// Whether the log has an operation, asked by its name.
    pub async fn has_operation(&self, named: &Named) -> Result<bool, Fault> {
        // What has no operation's name is nobody's.
        if named.operation_id.is_empty() || named.player_id.is_empty() {
            return Ok(false);
        }
        let request = self.summon.request(GetSummonRequest {
            player_id: named.player_id.clone(),
            operation_id: named.operation_id.clone(),
            ..GetSummonRequest::default()
        })?;
        let answered = self.summon.summon().get_summon(request).await;
        // A name that cannot be an operation's is one that no operation has.
        let is_malformed = answered.as_ref().is_err_and(|status| status.code() == Code::InvalidArgument);
        Ok(!is_malformed && found(&self.summon, answered)?.is_some())
    }

    /// Reads the hold of an operation.
    pub async fn hold(&self, operation_id: &str) -> Result<Option<Hold>, Fault> {
        let request = self.wallet.request(wallet::GetHoldRequest { hold_id: format!("{HOLD}{operation_id}") })?;
        let answer = found(&self.wallet, self.wallet.wallet().get_hold(request).await)?;
        Ok(answer.and_then(|answer| answer.hold).map(|hold| hold_of(&hold)))
    }

    /// Reads the part that the collection has in an operation.
    pub async fn part(&self, operation_id: &str) -> Result<Option<Part>, Fault> {
        let request = self.collection.request(GetParticipationRequest { operation_id: operation_id.to_owned() })?;
        let answer = found(&self.collection, self.collection.participant().get_participation(request).await)?;
        Ok(answer.and_then(|answer| answer.participation).map(part_of))
    }

    /// Reads a page of the open holds of the coordinator, and the next one's token.
    pub async fn open_holds(&self, page_token: String) -> Result<(Vec<Named>, String), Fault> {
        let request = self.wallet.request(wallet::ListHoldsRequest {
            caller: COORDINATOR.to_owned(),
            page_size: PAGE,
            page_token,
            ..wallet::ListHoldsRequest::default()
        })?;
        let answered = self.wallet.wallet().list_holds(request).await;
        let page = answered.map_err(|status| self.wallet.fault(&status))?.into_inner();
        let named = page.holds.iter().map(|hold| Named {
            operation_id: hold.hold_id.strip_prefix(HOLD).unwrap_or(&hold.hold_id).to_owned(),
            player_id: payer(hold),
            state: hold_word(hold.state()),
        });
        Ok((named.collect(), page.next_page_token))
    }

    /// Reads a page of the parts in operations of the coordinator, and the next one's token.
    pub async fn parts(&self, page_token: String) -> Result<(Vec<Named>, String), Fault> {
        let request = self.collection.request(ListParticipationsRequest {
            coordinator: COORDINATOR.to_owned(),
            page_size: PAGE,
            page_token,
            ..ListParticipationsRequest::default()
        })?;
        let answered = self.collection.participant().list_participations(request).await;
        let page = answered.map_err(|status| self.collection.fault(&status))?.into_inner();
        let named = page.participations.into_iter().map(|part| Named {
            state: part_word(part.state()),
            operation_id: part.operation_id,
            player_id: part.player_id,
        });
        Ok((named.collect(), page.next_page_token))
    }
}

/// Takes apart what is absent from what went wrong.
pub fn found<T>(client: &Client, answered: Result<Response<T>, Status>) -> Result<Option<T>, Fault> {
    match answered {
        Ok(answer) => Ok(Some(answer.into_inner())),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(client.fault(&status)),
    }
}

fn hold_of(hold: &wallet::Hold) -> Hold {
    let from = hold.legs.first().and_then(|leg| leg.from.as_ref());
    let taken: i64 = hold.committed_amounts.iter().fold(0, |sum, amount| sum.saturating_add(*amount));
    let is_taken = hold.state() == wallet::HoldState::Committed;
    Hold {
        state: hold.state(),
        player_id: payer(hold),
        taken: from.filter(|_| is_taken).map(|from| Price { asset_id: from.asset_id.clone(), units: taken }),
    }
}

/// Whose units a hold takes.
fn payer(hold: &wallet::Hold) -> String {
    hold.legs.first().and_then(|leg| leg.from.as_ref()).map(|from| from.player_id.clone()).unwrap_or_default()
}

fn part_of(part: Participation) -> Part {
    Part { state: part.state(), esprits: part.grant.map_or(0, |grant| grant.esprits.len()), player_id: part.player_id }
}
