//! What callers get by gRPC: every bad field named, every reason a program can act on, and one line for each change (R-O1).

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use auric_api::collection::v1::collection_service_client::CollectionServiceClient;
use auric_api::collection::v1::{self as api, GetEspritRequest, ListEspritsRequest};
use auric_api::participant::v1::participant_service_client::ParticipantServiceClient;
use auric_api::participant::v1::{
    CancelRequest, CommitRequest, GetParticipationRequest, Grant, GrantIntent, GrantedEsprit, PrepareRequest,
    commit_request, prepare_request,
};
use auric_collection::{Collection, CollectionConfig, catalog, migrate};
use auric_status::Problem;
use auric_testkit::databases::SqliteDatabase;
use tonic::service::Routes;
use tonic::{Code, Request, Status};

const GAME: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../game");

/// A whole service on a file, called without a network.
struct Served {
    collection: Collection,
    config: CollectionConfig,
    _file: SqliteDatabase,
}

impl Served {
    async fn new() -> Self {
        let file = SqliteDatabase::create().unwrap();
        let config = CollectionConfig::new(format!("sqlite://{}", file.path().display()), GAME);
        migrate(&config.database).await.unwrap();
        let collection = Collection::open(&config).await.unwrap();
        Self { collection, config, _file: file }
    }

    fn participant(&self) -> ParticipantServiceClient<Routes> {
        ParticipantServiceClient::new(self.collection.routes())
    }

    fn reader(&self) -> CollectionServiceClient<Routes> {
        CollectionServiceClient::new(self.collection.routes())
    }
}

fn operation(number: u64) -> String {
    format!("{number:032x}")
}

fn in_force() -> String {
    catalog::load(GAME.as_ref()).unwrap().catalog.esprits_hash.to_string()
}

fn prepare(number: u64, catalog_hash: &str) -> PrepareRequest {
    PrepareRequest {
        operation_id: operation(number),
        player_id: "p".to_owned(),
        catalog_hash: catalog_hash.to_owned(),
        intent: Some(prepare_request::Intent::Grant(GrantIntent { esprits: 2 })),
    }
}

fn commit(number: u64, species: &[&str]) -> CommitRequest {
    let esprit = |(place, species): (usize, &&str)| GrantedEsprit {
        esprit_id: format!("{number}-{place}"),
        species_id: (*species).to_owned(),
    };
    let esprits = species.iter().enumerate().map(esprit).collect();
    let outcome = Some(commit_request::Outcome::Grant(Grant { esprits }));
    CommitRequest { operation_id: operation(number), player_id: "p".to_owned(), outcome }
}

fn problem(status: &Status) -> Problem {
    Problem::from_status(status)
}

fn bad_fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    problem(status).bad_fields.into_iter().map(|field| field.path).collect()
}

#[tokio::test]
async fn every_bad_field_is_named() {
    let served = Served::new().await;
    let mut participant = served.participant();
    let bad = participant.prepare(PrepareRequest::default()).await.unwrap_err();
    assert_eq!(bad_fields(&bad), ["operation_id", "player_id", "catalog_hash", "intent"]);
    for esprits in [-1, 0, 101] {
        let intent = Some(prepare_request::Intent::Grant(GrantIntent { esprits }));
        let bad = participant.prepare(PrepareRequest { intent, ..prepare(1, &in_force()) }).await.unwrap_err();
        assert_eq!(bad_fields(&bad), ["grant.esprits"]);
    }
    let mut request = commit(1, &["emberling", "Not one", "emberling"]);
    let Some(commit_request::Outcome::Grant(grant)) = &mut request.outcome else { panic!("no grant") };
    grant.esprits[2].esprit_id = grant.esprits[0].esprit_id.clone();
    let bad = participant.commit(request).await.unwrap_err();
    assert_eq!(bad_fields(&bad), ["grant.esprits[1].species_id", "grant.esprits[2].esprit_id"]);
    let bad = participant.commit(commit(1, &[])).await.unwrap_err();
    assert_eq!(bad_fields(&bad), ["grant.esprits"]);
    let nobody = CancelRequest { operation_id: "1".to_owned(), player_id: "p p".to_owned() };
    assert_eq!(bad_fields(&participant.cancel(nobody).await.unwrap_err()), ["operation_id", "player_id"]);

    let mut reader = served.reader();
    let list = |page_size, page_token: &str| ListEspritsRequest {
        player_id: "p".to_owned(),
        page_size,
        page_token: page_token.to_owned(),
        ..ListEspritsRequest::default()
    };
    let bad = reader.list_esprits(list(501, "zz")).await.unwrap_err();
    assert_eq!(bad_fields(&bad), ["page_size", "page_token"]);
}

#[tokio::test]
async fn a_summoned_esprit_is_seen_with_all_that_its_species_says() {
    let served = Served::new().await;
    let mut participant = served.participant();
    let prepared = participant.prepare(prepare(1, &in_force())).await.unwrap();
    assert!(prepared.metadata().get("auric-replayed").is_none());
    let again = participant.prepare(prepare(1, &in_force())).await.unwrap();
    assert_eq!(again.metadata().get("auric-replayed").unwrap(), "true");
    assert_eq!(again.into_inner(), prepared.into_inner());
    participant.commit(commit(1, &["emberling", "of_another_catalog"])).await.unwrap();

    let mut reader = served.reader();
    let request = ListEspritsRequest { player_id: "p".to_owned(), page_size: 1, ..ListEspritsRequest::default() };
    let first = reader.list_esprits(request.clone()).await.unwrap().into_inner();
    assert_eq!((first.total_size, first.esprits.len()), (2, 1));
    assert_eq!(first.esprits[0].name, "", "this copy's catalog does not know it");
    let other = ListEspritsRequest { player_id: "q".to_owned(), page_token: first.next_page_token.clone(), ..request };
    assert_eq!(bad_fields(&reader.list_esprits(other.clone()).await.unwrap_err()), ["page_token"]);
    let next = ListEspritsRequest { player_id: "p".to_owned(), ..other };
    let second = reader.list_esprits(next).await.unwrap().into_inner();
    let esprit = &second.esprits[0];
    let seen = (esprit.name.as_str(), esprit.rarity.as_str(), esprit.element.as_str(), esprit.level, esprit.version);
    assert_eq!(seen, ("Emberling", "common", "fire", 1, 1));
    assert_eq!((esprit.operation_id.as_str(), second.next_page_token.as_str()), (operation(1).as_str(), ""));

    // What was answered is on the disk: another process sees the same.
    served.collection.clone().close().await;
    let collection = Collection::open(&served.config).await.unwrap();
    let request = GetEspritRequest {
        player_id: "p".to_owned(),
        esprit_id: esprit.esprit_id.clone(),
        ..GetEspritRequest::default()
    };
    let found = CollectionServiceClient::new(collection.routes()).get_esprit(request).await.unwrap().into_inner();
    assert_eq!(found.esprit.as_ref(), Some(esprit));
}

#[tokio::test]
async fn every_refusal_has_its_reason_and_its_code() {
    let served = Served::new().await;
    let mut participant = served.participant();
    let unknown = participant.prepare(prepare(1, &"ab".repeat(32))).await.unwrap_err();
    assert_eq!((unknown.code(), problem(&unknown).reason.as_str()), (Code::Unavailable, "CATALOG_UNKNOWN"));
    assert!(problem(&unknown).retry_after.is_some(), "it is worth another try");

    let absent = participant.commit(commit(1, &["emberling"])).await.unwrap_err();
    assert_eq!((absent.code(), problem(&absent).reason.as_str()), (Code::NotFound, "PARTICIPATION_NOT_FOUND"));
    participant.prepare(prepare(1, &in_force())).await.unwrap();
    let mut stranger = Request::new(commit(1, &["emberling"]));
    stranger.metadata_mut().insert("auric-caller", "shop".parse().unwrap());
    let refused = participant.commit(stranger).await.unwrap_err();
    assert_eq!((refused.code(), problem(&refused).reason.as_str()), (Code::PermissionDenied, "NOT_YOUR_OPERATION"));
    let cancel = CancelRequest { operation_id: operation(1), player_id: "p".to_owned() };
    participant.cancel(cancel).await.unwrap();
    let ended = participant.commit(commit(1, &["emberling"])).await.unwrap_err();
    assert_eq!((ended.code(), problem(&ended).reason.as_str()), (Code::FailedPrecondition, "PARTICIPATION_ENDED"));
    assert_eq!(problem(&ended).metadata["state"], "cancelled");
    let other = PrepareRequest { player_id: "q".to_owned(), ..prepare(1, &in_force()) };
    let reused = participant.prepare(other).await.unwrap_err();
    assert_eq!((reused.code(), problem(&reused).reason.as_str()), (Code::AlreadyExists, "OPERATION_ID_REUSED"));

    let nothing = GetParticipationRequest { operation_id: operation(9) };
    assert_eq!(participant.get_participation(nothing).await.unwrap_err().code(), Code::NotFound);
    let nobody =
        GetEspritRequest { player_id: "p".to_owned(), esprit_id: "e".to_owned(), ..GetEspritRequest::default() };
    let missing = served.reader().get_esprit(nobody).await.unwrap_err();
    assert_eq!((missing.code(), problem(&missing).reason.as_str()), (Code::NotFound, "ESPRIT_NOT_FOUND"));
}

#[tokio::test]
async fn a_player_fields_an_armed_team_by_grpc() {
    // R-C1, R-C3
    let served = Served::new().await;
    let (mut participant, mut reader) = (served.participant(), served.reader());
    participant.prepare(prepare(1, &in_force())).await.unwrap();
    participant.commit(commit(1, &["emberling", "pebblekin"])).await.unwrap();
    let (player_id, esprit_id) = ("p".to_owned(), "1-0".to_owned());
    let pieces = vec![api::GrantedEquipment { equipment_id: "a".to_owned(), kind_id: "iron_fang".to_owned() }];
    let grant = api::GrantEquipmentRequest { idempotency_key: "g".to_owned(), player_id: player_id.clone(), pieces };
    reader.grant_equipment(grant).await.unwrap();
    let equip = api::EquipRequest {
        idempotency_key: "e".to_owned(),
        player_id: player_id.clone(),
        esprit_id: esprit_id.clone(),
        equipment_id: "a".to_owned(),
        expected_version: 1,
    };
    let worn = reader.equip(equip.clone()).await.unwrap();
    let again = reader.equip(equip.clone()).await.unwrap();
    assert_eq!(again.metadata().get("auric-replayed").unwrap(), "true");
    assert_eq!(again.into_inner(), worn.into_inner());
    let stale = reader.equip(api::EquipRequest { idempotency_key: "f".to_owned(), ..equip.clone() }).await.unwrap_err();
    assert_eq!((stale.code(), problem(&stale).reason.as_str()), (Code::Aborted, "STALE_VERSION"));
    let reused = reader.equip(api::EquipRequest { esprit_id: "1-1".to_owned(), ..equip }).await.unwrap_err();
    assert_eq!(problem(&reused).reason, "IDEMPOTENCY_KEY_REUSED");

    let whose = api::OptimizeTeamRequest { player_id: player_id.clone() };
    let best = reader.optimize_team(whose).await.unwrap().into_inner();
    assert!(best.optimal && best.gap == 0 && best.members.len() == 2);
    assert_eq!((best.members[0].esprit_id.as_str(), best.members[0].equipment.len()), ("1-0", 1));
    for (slot, member) in (1..).zip(&best.members) {
        let set = api::SetTeamSlotRequest {
            idempotency_key: format!("t{slot}"),
            player_id: player_id.clone(),
            slot,
            esprit_id: member.esprit_id.clone(),
            expected_version: 0,
        };
        reader.set_team_slot(set).await.unwrap();
    }
    let team = reader.get_team(api::GetTeamRequest { player_id: player_id.clone() }).await.unwrap().into_inner();
    let team = team.team.unwrap();
    assert_eq!((team.power, team.version, team.slots.len()), (best.power.clone(), 2, 3));
    let profile =
        reader.get_profile(api::GetProfileRequest { player_id: player_id.clone() }).await.unwrap().into_inner();
    assert_eq!((profile.esprits, profile.equipment, profile.rarities["common"]), (2, 1, 2));
    assert_eq!((profile.team_power, profile.best_power), (best.power, best.members[0].power));
    let lock = api::SetLockRequest {
        idempotency_key: "l".to_owned(),
        player_id: player_id.clone(),
        esprit_id,
        locked: true,
        expected_version: 0,
    };
    reader.set_lock(lock).await.unwrap();
    let list = ListEspritsRequest { player_id, locked: Some(true), ..ListEspritsRequest::default() };
    let locked = reader.list_esprits(list).await.unwrap().into_inner();
    assert!(locked.total_size == 1 && locked.esprits[0].locked && locked.esprits[0].in_team);
    let bad = reader.compare_esprits(api::CompareEspritsRequest::default()).await.unwrap_err();
    assert_eq!(bad_fields(&bad), ["player_id", "esprit_ids"]);
    let bad = reader.set_team_slot(api::SetTeamSlotRequest::default()).await.unwrap_err();
    assert_eq!(bad_fields(&bad), ["slot", "idempotency_key", "player_id"]);
}

/// Every line that this process writes. One subscriber for all threads: with one for a single thread, a statement that another thread comes by
/// first counts as one that nobody listens to.
static LINES: LazyLock<Lines> = LazyLock::new(|| {
    let lines = Lines::default();
    let writer = lines.clone();
    tracing_subscriber::fmt().json().with_writer(move || writer.clone()).init();
    lines
});

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// The lines of one caller: laws that run beside this one have others.
    fn of(&self, caller: &str) -> Vec<serde_json::Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.map(|line| line["fields"].clone()).filter(|fields| fields["caller"] == caller).collect()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn success_and_failure_of_every_change_leave_one_line() {
    // R-O1
    fn by_liner<T>(request: T) -> Request<T> {
        let mut request = Request::new(request);
        request.metadata_mut().insert("auric-caller", "liner".parse().unwrap());
        request
    }
    let lines = LazyLock::force(&LINES);
    let served = Served::new().await;
    let mut participant = served.participant();
    participant.prepare(by_liner(prepare(1, &in_force()))).await.unwrap();
    participant.commit(by_liner(commit(1, &["emberling", "emberling"]))).await.unwrap();
    let cancel = CancelRequest { operation_id: operation(1), player_id: "p".to_owned() };
    participant.cancel(by_liner(cancel)).await.unwrap_err();
    participant.cancel(by_liner(CancelRequest::default())).await.unwrap_err();

    let told = |fields: &serde_json::Value| {
        let field = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
        let texts = ["method", "player_id", "amount", "error", "operation_id"].map(field);
        format!("{}|{}", texts.join("|"), fields["success"].as_bool().unwrap())
    };
    let lines: Vec<String> = lines.of("liner").iter().map(told).collect();
    let id = operation(1);
    assert_eq!(
        lines,
        [
            format!("Prepare|p|room for 2 esprits||{id}|true"),
            format!("Commit|p|+2 esprits||{id}|true"),
            format!("Cancel|p|0 esprits|PARTICIPATION_ENDED|{id}|false"),
            "Cancel|||INVALID_ARGUMENT||false".to_owned(),
        ]
    );
}
