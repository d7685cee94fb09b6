//! The monolith's gRPC edge: Summon as the summon service has it, and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use auric_api::summon::v1 as api;
use auric_api::summon::v1::summon_service_server::{SERVICE_NAME, SummonService, SummonServiceServer};
use auric_auth::Door;
use auric_edge::Decoder;
use auric_server::{Services, Stop, metadata};
use auric_status::{BadField, Problem};
use auric_summon::domain::{Ask, Outcome, Plan, Price, Pull, Unstored, Wanted};
use auric_time::Timestamp;
use tokio_stream::Empty;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};

use crate::monolith::{Answer, Failed, Monolith, MonolithConfig, Refusal, What};

/// Its name in sentences.
const SERVICE: &str = "the monolith";

/// Pulls that one summon may have, as at the summon service.
const COUNT_MAX: i32 = 100;

/// Serves the monolith on `address`, as every service is served, until `stop` says otherwise.
///
/// # Errors
///
/// The port cannot be had, the catalog is invalid, or the database cannot be used.
pub async fn serve_monolith(address: SocketAddr, config: &MonolithConfig, stop: Stop) -> Result<()> {
    let door = Arc::new(Door::open());
    let listener = auric_server::listen(address, &door).await?;
    let monolith = Arc::new(Monolith::open(config).await?);
    let services = Services { routes: routes(Arc::clone(&monolith)), names: &[SERVICE_NAME], serving: None };
    auric_server::serve(listener, services, door, || monolith.ready(), stop).await?;
    monolith.close().await;
    Ok(())
}

fn routes(monolith: Arc<Monolith>) -> Routes {
    Routes::new(SummonServiceServer::new(Edge { monolith }))
}

#[derive(Debug)]
struct Edge {
    monolith: Arc<Monolith>,
}

type Answered<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl SummonService for Edge {
    async fn summon(&self, request: Request<api::SummonRequest>) -> Answered<api::SummonResponse> {
        let (metadata, _, request) = request.into_parts();
        let trace_id = metadata::trace_id(&metadata);
        let ask = ask(&metadata, &request)?;
        let summoned = self.monolith.summon(&ask, &trace_id).await.map_err(failed)?;
        let mut answer = match &summoned.answer.what {
            What::Delivered { plan, outcome } => {
                let summon = Some(summon(&ask, &summoned.answer, plan, outcome));
                Ok(Response::new(api::SummonResponse { summon }))
            }
            What::Refused(refusal) => Err(refused(refusal).into_status()),
        };
        if summoned.replayed {
            auric_edge::mark_replayed(&mut answer);
        }
        answer
    }

    async fn list_banners(&self, _: Request<api::ListBannersRequest>) -> Answered<api::ListBannersResponse> {
        Err(only_summons())
    }

    async fn get_banner(&self, _: Request<api::GetBannerRequest>) -> Answered<api::GetBannerResponse> {
        Err(only_summons())
    }

    async fn exchange_spark(&self, _: Request<api::ExchangeSparkRequest>) -> Answered<api::ExchangeSparkResponse> {
        Err(only_summons())
    }

    async fn get_summon(&self, _: Request<api::GetSummonRequest>) -> Answered<api::GetSummonResponse> {
        Err(only_summons())
    }

    type WatchSummonStream = Empty<Result<api::WatchSummonResponse, Status>>;

    async fn watch_summon(&self, _: Request<api::WatchSummonRequest>) -> Answered<Self::WatchSummonStream> {
        Err(only_summons())
    }

    async fn get_pity(&self, _: Request<api::GetPityRequest>) -> Answered<api::GetPityResponse> {
        Err(only_summons())
    }

    async fn list_pulls(&self, _: Request<api::ListPullsRequest>) -> Answered<api::ListPullsResponse> {
        Err(only_summons())
    }

    type ExportPullsStream = Empty<Result<api::ExportPullsResponse, Status>>;

    async fn export_pulls(&self, _: Request<api::ExportPullsRequest>) -> Answered<Self::ExportPullsStream> {
        Err(only_summons())
    }

    async fn get_odds(&self, _: Request<api::GetOddsRequest>) -> Answered<api::GetOddsResponse> {
        Err(only_summons())
    }

    type SimulateStream = Empty<Result<api::SimulateResponse, Status>>;

    async fn simulate(&self, _: Request<api::SimulateRequest>) -> Answered<Self::SimulateStream> {
        Err(only_summons())
    }

    async fn get_fairness(&self, _: Request<api::GetFairnessRequest>) -> Answered<api::GetFairnessResponse> {
        Err(only_summons())
    }

    async fn set_client_seed(&self, _: Request<api::SetClientSeedRequest>) -> Answered<api::SetClientSeedResponse> {
        Err(only_summons())
    }

    async fn rotate_seed(&self, _: Request<api::RotateSeedRequest>) -> Answered<api::RotateSeedResponse> {
        Err(only_summons())
    }

    async fn verify_pull(&self, _: Request<api::VerifyPullRequest>) -> Answered<api::VerifyPullResponse> {
        Err(only_summons())
    }

    async fn choose_path(&self, _: Request<api::ChoosePathRequest>) -> Answered<api::ChoosePathResponse> {
        Err(only_summons())
    }

    async fn list_operations(&self, _: Request<api::ListOperationsRequest>) -> Answered<api::ListOperationsResponse> {
        Err(only_summons())
    }

    async fn retry_operation(&self, _: Request<api::RetryOperationRequest>) -> Answered<api::RetryOperationResponse> {
        Err(only_summons())
    }
}

fn only_summons() -> Status {
    Status::unimplemented("the monolith is there to be measured: it summons, and does nothing else")
}

fn ask(metadata: &MetadataMap, request: &api::SummonRequest) -> Result<Ask, Status> {
    let key = auric_edge::key(metadata, &request.idempotency_key)?;
    let mut decoder = Decoder::default();
    let player = decoder.id("player_id", &request.player_id);
    let banner = decoder.id("banner_id", &request.banner_id);
    let cost = decoder.optional_id("cost_id", &request.cost_id);
    let count = match request.count {
        0 => Some(1),
        count @ 1..=COUNT_MAX => u32::try_from(count).ok(),
        count => {
            decoder.fault("count", format!("must be 1 to {COUNT_MAX}, is {count}"));
            None
        }
    };
    let ask = || Some(Ask { key, player: player?, banner: banner?, wanted: Wanted::Pulls { cost, count: count? } });
    decoder.finish(ask())
}

fn summon(ask: &Ask, answer: &Answer, plan: &Plan, outcome: &Outcome) -> api::Summon {
    let time = Some(timestamp(answer.time));
    let pull = |row: &Pull| api::Pull {
        number: wide(row.number),
        pity_group_id: plan.group.to_string(),
        banner_id: plan.banner.to_string(),
        operation_id: answer.operation.to_string(),
        slot: narrow(row.slot),
        esprit_id: row.esprit.to_string(),
        species_id: row.species.to_string(),
        rarity: row.rarity.to_string(),
        featured: row.featured,
        pity_before: row.before.clone(),
        pity_after: row.after.clone(),
        draws: row.draws.clone(),
        nonce: wide(outcome.nonce),
        catalog_hash: plan.catalog.to_string(),
        create_time: time,
        ..api::Pull::default()
    };
    let price = |price: &Price| api::Price { asset_id: price.asset.to_string(), amount: wide(price.amount.units()) };
    api::Summon {
        operation_id: answer.operation.to_string(),
        player_id: ask.player.to_string(),
        banner_id: plan.banner.to_string(),
        cost_id: plan.cost.as_ref().map(ToString::to_string).unwrap_or_default(),
        count: narrow(plan.count),
        price: plan.price.as_ref().map(price),
        state: api::SummonState::Delivered.into(),
        pulls: outcome.pulls.iter().map(pull).collect(),
        attempt: 1,
        catalog_hash: plan.catalog.to_string(),
        create_time: time,
        decide_time: time,
        ..api::Summon::default()
    }
}

fn refused(refusal: &Refusal) -> Problem {
    let problem = |message: String| Problem::new(Code::FailedPrecondition, refusal.reason(), message);
    match refusal {
        Refusal::BannerClosed { banner, why } => {
            problem(format!("the banner {banner} {why}")).with("banner_id", banner).with("why", why)
        }
        Refusal::InsufficientFunds { asset, available, asked } => {
            problem(format!("{available} {asset} are available, {asked} are needed"))
                .with("asset_id", asset)
                .with("available", available)
                .with("amount", asked)
        }
    }
}

fn failed(failed: Failed) -> Status {
    match failed {
        Failed::Store(error) => auric_edge::of_read(SERVICE, &error),
        Failed::Unstored(Unstored::KeyReused { fields, first_method }) => {
            auric_edge::key_reused(&fields, first_method).into_status()
        }
        Failed::Unstored(Unstored::BannerNotFound(id)) => {
            Problem::new(Code::NotFound, "BANNER_NOT_FOUND", format!("there is no banner {id} in the catalog in force"))
                .with("banner_id", &id)
                .into_status()
        }
        Failed::Unstored(Unstored::Invalid(field)) => {
            Problem::invalid_argument(vec![BadField::new(field.path, field.fault)]).into_status()
        }
    }
}

fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = time.seconds_and_nanos();
    prost_types::Timestamp { seconds, nanos }
}

fn wide(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

fn narrow(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
