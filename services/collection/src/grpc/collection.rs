//! What players and games read and change.

use std::pin::Pin;
use std::sync::Arc;

use auric_api::collection::v1 as api;
use auric_api::collection::v1::encoded::ListEspritsResponse;
use auric_api::collection::v1::encoded::collection_service_server::CollectionService;
use auric_edge::{Cursor, mark_replayed};
use auric_ids::PlayerId;
use auric_server::metadata;
use futures::{Stream, StreamExt as _};
use prost::Message as _;
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use super::decode::{changes, reads};
use super::{Answer, encode, operations, status};
use crate::domain::{Keyed, Verdict};
use crate::handlers::{CachedView, Handlers};

/// The collection as its readers and players see it.
#[derive(Debug)]
pub struct Edge {
    pub handlers: Arc<Handlers>,
}

impl Edge {
    /// A keyed change's whole way: its meaning, its verdict, its answer.
    async fn change<Q, A>(
        &self,
        method: &'static str,
        request: Request<Q>,
        keyed: impl FnOnce(&Q) -> Result<Keyed, Status>,
        wrap: impl FnOnce(Option<api::Changed>) -> A,
    ) -> Answer<A> {
        let (metadata, _, request) = request.into_parts();
        let ask = changes::ask(method, &metadata, || keyed(&request))?;
        let deadline = metadata::timeout(&metadata).map(|left| Instant::now() + left);
        let (outcome, replayed) = match self.handlers.mutate(ask, deadline).await.map_err(status::of_refused)? {
            Verdict::Answered { outcome, replayed } => (outcome, replayed),
            Verdict::Refused(refusal) => return Err(status::of_refusal(refusal).into_status()),
            Verdict::Stands { .. } => return Err(status::of_another_kind()),
        };
        let mut answer = match outcome {
            Ok(changed) => Ok(Response::new(wrap(Some(encode::changed(&changed))))),
            Err(rejection) => Err(status::of_rejection(&rejection).into_status()),
        };
        if replayed {
            mark_replayed(&mut answer);
        }
        answer
    }

    async fn view(&self, player: &PlayerId) -> Result<Arc<CachedView>, Status> {
        self.handlers.view(player).await.map_err(|error| status::of_read(&error))
    }
}

#[tonic::async_trait]
impl CollectionService for Edge {
    async fn list_esprits(&self, request: Request<api::ListEspritsRequest>) -> Answer<ListEspritsResponse> {
        let request = request.into_inner();
        let cursor = reads::list_cursor(&request);
        let list = reads::list(&request, &cursor)?;
        let seen = self.view(&list.player).await?;
        let page = seen.page(&list.query, |view, listed| {
            let page = api::ListEspritsResponse {
                next_page_token: listed.last.map(|last| cursor.token(&last.to_string())).unwrap_or_default(),
                total_size: encode::int64(listed.total),
                esprits: listed.esprits.into_iter().map(|esprit| encode::esprit(esprit, view)).collect(),
            };
            page.encode_to_vec().into()
        });
        Ok(Response::new(ListEspritsResponse(page)))
    }

    async fn get_esprit(&self, request: Request<api::GetEspritRequest>) -> Answer<api::GetEspritResponse> {
        let (player, id) = reads::esprit(request.get_ref())?;
        let is_kept_good = !request.get_ref().uncached;
        let seen = self.view(&player).await?;
        let found = match seen.view.esprit(&id).filter(|_| is_kept_good) {
            Some(esprit) => Some(esprit.clone()),
            // One that was dissolved is kept, and shown to whoever knows its id.
            None => self.handlers.esprit(&player, &id).await.map_err(|error| status::of_read(&error))?,
        };
        let esprit = found.ok_or_else(|| status::esprit_not_found(&player, &id).into_status())?;
        let esprit = encode::esprit(&esprit, &seen.view);
        Ok(Response::new(api::GetEspritResponse { esprit: Some(esprit) }))
    }

    async fn compare_esprits(
        &self,
        request: Request<api::CompareEspritsRequest>,
    ) -> Answer<api::CompareEspritsResponse> {
        let (player, ids) = reads::compare(request.get_ref())?;
        let seen = self.view(&player).await?;
        let one = |id: &auric_ids::EspritId| {
            let found = seen.view.esprit(id).ok_or_else(|| status::esprit_not_found(&player, id).into_status());
            found.map(|esprit| encode::esprit(esprit, &seen.view))
        };
        Ok(Response::new(api::CompareEspritsResponse { esprits: ids.iter().map(one).collect::<Result<_, _>>()? }))
    }

    async fn set_lock(&self, request: Request<api::SetLockRequest>) -> Answer<api::SetLockResponse> {
        self.change("SetLock", request, changes::set_lock, |changed| api::SetLockResponse { changed }).await
    }

    async fn upgrade_esprit(&self, request: Request<api::UpgradeEspritRequest>) -> Answer<api::UpgradeEspritResponse> {
        operations::upgrade(&self.handlers, request).await
    }

    async fn preview_dissolve(
        &self,
        request: Request<api::PreviewDissolveRequest>,
    ) -> Answer<api::PreviewDissolveResponse> {
        operations::preview(&self.handlers, request).await
    }

    async fn dissolve_esprits(
        &self,
        request: Request<api::DissolveEspritsRequest>,
    ) -> Answer<api::DissolveEspritsResponse> {
        operations::dissolve(&self.handlers, request).await
    }

    async fn list_operations(
        &self,
        request: Request<api::ListOperationsRequest>,
    ) -> Answer<api::ListOperationsResponse> {
        operations::list(&self.handlers, request).await
    }

    async fn retry_operation(
        &self,
        request: Request<api::RetryOperationRequest>,
    ) -> Answer<api::RetryOperationResponse> {
        operations::retry(&self.handlers, request).await
    }

    async fn equip(&self, request: Request<api::EquipRequest>) -> Answer<api::EquipResponse> {
        self.change("Equip", request, changes::equip, |changed| api::EquipResponse { changed }).await
    }

    async fn unequip(&self, request: Request<api::UnequipRequest>) -> Answer<api::UnequipResponse> {
        self.change("Unequip", request, changes::unequip, |changed| api::UnequipResponse { changed }).await
    }

    async fn grant_equipment(
        &self,
        request: Request<api::GrantEquipmentRequest>,
    ) -> Answer<api::GrantEquipmentResponse> {
        let wrap = |changed| api::GrantEquipmentResponse { changed };
        self.change("GrantEquipment", request, changes::grant_equipment, wrap).await
    }

    async fn list_equipment(&self, request: Request<api::ListEquipmentRequest>) -> Answer<api::ListEquipmentResponse> {
        let request = request.into_inner();
        let cursor = Cursor::of(&["equipment", &request.player_id]);
        let (player, after, limit) = reads::equipment(&request, &cursor)?;
        let seen = self.view(&player).await?;
        let mut pieces =
            seen.view.portrait.pieces.iter().filter(|piece| after.as_ref().is_none_or(|after| piece.id > *after));
        let page: Vec<_> = pieces.by_ref().take(limit).collect();
        let last = page.last().filter(|_| pieces.next().is_some());
        Ok(Response::new(api::ListEquipmentResponse {
            next_page_token: last.map(|piece| cursor.token(piece.id.as_str())).unwrap_or_default(),
            equipment: page.into_iter().map(|piece| encode::piece(piece, &seen.view.catalog)).collect(),
        }))
    }

    async fn set_team_slot(&self, request: Request<api::SetTeamSlotRequest>) -> Answer<api::SetTeamSlotResponse> {
        self.change("SetTeamSlot", request, changes::set_team_slot, |changed| api::SetTeamSlotResponse { changed })
            .await
    }

    async fn get_team(&self, request: Request<api::GetTeamRequest>) -> Answer<api::GetTeamResponse> {
        let player = reads::player(&request.get_ref().player_id)?;
        let team = encode::team(&player, &self.view(&player).await?.view);
        Ok(Response::new(api::GetTeamResponse { team: Some(team) }))
    }

    async fn optimize_team(&self, request: Request<api::OptimizeTeamRequest>) -> Answer<api::OptimizeTeamResponse> {
        let player = reads::player(&request.get_ref().player_id)?;
        let seen = self.view(&player).await?;
        // A search keeps a processor busy for some milliseconds: not one that others' requests wait for.
        let searched = Arc::clone(&seen);
        let search = tokio::task::spawn_blocking(move || searched.view.best_team());
        let best = search.await.map_err(|_| status::of_a_broken_search())?;
        let members = best.members.iter().filter_map(|id| seen.view.esprit(id));
        Ok(Response::new(api::OptimizeTeamResponse {
            members: members.map(|esprit| encode::esprit(esprit, &seen.view)).collect(),
            power: Some(encode::team_power(&best.power)),
            optimal: best.gap == 0,
            gap: encode::int64(best.gap),
        }))
    }

    async fn get_profile(&self, request: Request<api::GetProfileRequest>) -> Answer<api::GetProfileResponse> {
        let player = reads::player(&request.get_ref().player_id)?;
        Ok(Response::new(encode::profile(&player, &self.view(&player).await?.view)))
    }

    type WatchCollectionStream = Pin<Box<dyn Stream<Item = Result<api::WatchCollectionResponse, Status>> + Send>>;

    async fn watch_collection(
        &self,
        request: Request<api::WatchCollectionRequest>,
    ) -> Answer<Self::WatchCollectionStream> {
        let (player, after) = reads::watch(request.get_ref())?;
        let stamps = Arc::clone(&self.handlers).watch(player, after);
        let encoded = stamps.map(|stamp| stamp.map(encode::stamp).map_err(|error| status::of_read(&error)));
        Ok(Response::new(Box::pin(encoded)))
    }
}
