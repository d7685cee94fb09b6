//! A player proves pulls without trusting the server (R-S5): seeds, receipts, and that they change between summons only.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use auric_api::summon::v1 as api;
use auric_api::summon::v1::summon_service_client::SummonServiceClient;
use auric_ids::TraceId;
use auric_keys::MutationKey;
use auric_status::Problem;
use auric_summon::domain::{Answer, Change, Receipt, ServerSeed, Told};
use auric_tests::tree;
use auric_twophase::Step;
use futures::future::join_all;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use super::faults::{Fault, How};
use super::town::{Town, ask};

/// Makes a test of each law for each store: three copies on PostgreSQL, one on SQLite.
macro_rules! on_every_store {
    ($($law:ident),+ $(,)?) => {$(
        mod $law {
            use super::Town;

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_sqlite() {
                super::$law(Town::patient_sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn on_postgres() {
                super::$law(Town::patient(3).await).await;
            }
        }
    )+};
}

on_every_store!(
    a_player_proves_every_pull_once_the_seed_is_shown,
    seeds_change_between_summons_only,
    a_change_is_made_once_whoever_asks_again,
    rotations_in_a_storm_leave_every_pull_provable,
);

type Client = SummonServiceClient<Channel>;

fn summon(key: &str, count: i32) -> api::SummonRequest {
    api::SummonRequest {
        idempotency_key: key.to_owned(),
        player_id: "p".to_owned(),
        banner_id: "standard".to_owned(),
        count,
        ..api::SummonRequest::default()
    }
}

fn rotate(key: &str) -> api::RotateSeedRequest {
    api::RotateSeedRequest { idempotency_key: key.to_owned(), player_id: "p".to_owned() }
}

fn client_seed(key: &str, seed: &str) -> api::SetClientSeedRequest {
    api::SetClientSeedRequest {
        idempotency_key: key.to_owned(),
        player_id: "p".to_owned(),
        client_seed: seed.to_owned(),
    }
}

fn is_replayed<T>(answer: &Response<T>) -> bool {
    answer.metadata().get("auric-replayed").is_some_and(|mark| mark == "true")
}

fn problem<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> Problem {
    Problem::from_status(&answer.expect_err("it is refused"))
}

async fn shown(client: &mut Client) -> (api::Fairness, Vec<api::EndedSeeds>) {
    let request = api::GetFairnessRequest { player_id: "p".to_owned(), ..api::GetFairnessRequest::default() };
    let shown = client.get_fairness(request).await.expect("it is shown").into_inner();
    (shown.fairness.expect("seeds"), shown.ended)
}

async fn verify(client: &mut Client, number: i64) -> api::VerifyPullResponse {
    let (player_id, pity_group_id) = ("p".to_owned(), "standard".to_owned());
    let request = api::VerifyPullRequest { player_id, pity_group_id, number };
    client.verify_pull(request).await.expect("a proof").into_inner()
}

/// What the Python verifier says of each line.
fn python(lines: &[String]) -> Vec<String> {
    let mut verifier = Command::new("python3")
        .arg(tree::root().join("examples/python/verify_pull.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3");
    let mut input = verifier.stdin.take().expect("its input");
    let text = lines.join("\n");
    let writing = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = verifier.wait_with_output().expect("it ends");
    writing.join().expect("no panic").expect("written");
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

/// The commitment comes before play, the seed after; the receipts say the same to a verifier that never talks to the server.
async fn a_player_proves_every_pull_once_the_seed_is_shown(town: Town) {
    let mut client = town.summon_client().await;
    let (before, ended) = shown(&mut client).await;
    assert_eq!((before.nonce, before.epoch, before.client_seed.as_str(), ended.len()), (0, 0, "p", 0));
    assert_eq!(shown(&mut client).await.0, before, "a commitment stays");
    let set = client.set_client_seed(client_seed("seed", "lucky")).await.expect("set").into_inner();
    let set = set.fairness.expect("seeds");
    assert_eq!(
        (set.client_seed.as_str(), set.commitment.as_str(), set.epoch),
        ("lucky", before.commitment.as_str(), 1)
    );

    town.grant("p", "azurites", 160 * 23).await;
    let first = client.summon(summon("ten", 10)).await.expect("ten").into_inner().summon.expect("a summon");
    assert!(first.pulls.iter().all(|pull| (pull.nonce, pull.epoch) == (0, 1)), "{first:?}");
    client.summon(summon("ten-more", 10)).await.expect("ten more");
    client.set_client_seed(client_seed("other", "luckier")).await.expect("set");
    client.summon(summon("one", 1)).await.expect("one");
    let early = verify(&mut client, 3).await;
    assert_eq!((early.revealed, early.verified), (false, false));
    assert!(early.fault.contains("no server seed yet"), "{}", early.fault);
    let (_, ended) = shown(&mut client).await;
    assert!(ended.iter().all(|ended| ended.server_seed.is_empty()), "a seed in use was shown: {ended:?}");

    let rotated = client.rotate_seed(rotate("rotate")).await.expect("shown").into_inner();
    let (now, old) = (rotated.fairness.expect("seeds"), rotated.ended.expect("seeds"));
    assert_eq!((old.commitment.as_str(), old.first_nonce, old.next_nonce), (before.commitment.as_str(), 2, 3));
    let mut bytes = [0; 32];
    hex::decode_to_slice(&old.server_seed, &mut bytes).expect("a seed");
    assert_eq!(ServerSeed::new(bytes).commitment().to_string(), before.commitment);
    assert_ne!(now.commitment, before.commitment);
    assert_eq!((now.nonce, now.epoch), (0, 3));
    let (_, ended) = shown(&mut client).await;
    let seeds: Vec<&str> = ended.iter().map(|ended| ended.server_seed.as_str()).collect();
    assert_eq!(seeds, [old.server_seed.as_str(); 3], "all pairs with the old server seed are shown");

    let loaded = auric_summon::catalog::load(town.game()).expect("a catalog");
    let mut receipts = Vec::new();
    for number in 1..=21 {
        let proof = verify(&mut client, number).await;
        assert!(proof.revealed && proof.verified, "pull {number}: {}", proof.fault);
        let receipt = Receipt::parse(&proof.receipt).expect("a receipt");
        receipt.verify_with(&loaded.banners).expect("it proves the pull");
        assert_eq!(receipt.commitment, before.commitment);
        receipts.push(proof.receipt);
    }
    assert_eq!(python(&receipts), ["ok"; 21]);
    refused_when_changed(&receipts[4]);

    // What is drawn from now on is proved by the next seed.
    client.summon(summon("after", 1)).await.expect("one");
    let late = verify(&mut client, 22).await;
    assert_eq!((late.revealed, late.verified), (false, false));
    let request =
        api::VerifyPullRequest { player_id: "p".to_owned(), pity_group_id: "standard".to_owned(), number: 23 };
    let missing = problem(client.verify_pull(request).await);
    assert_eq!((missing.code, missing.reason.as_str()), (Code::NotFound, "PULL_NOT_FOUND"));
    town.stop().await;
}

fn refused_when_changed(receipt: &str) {
    let mut changed = Vec::new();
    for place in 0..receipt.len() {
        let mut bytes = receipt.as_bytes().to_vec();
        bytes[place] ^= 1;
        let text = String::from_utf8(bytes).expect("ASCII");
        if !text.bytes().any(|byte| byte.is_ascii_control()) {
            let is_refused = Receipt::parse(&text).and_then(|receipt| receipt.verify()).is_err();
            assert!(is_refused, "{text}");
            changed.push(text);
        }
    }
    let said = python(&changed);
    assert_eq!(said.len(), changed.len());
    assert!(said.iter().all(|said| said.starts_with("wrong: ")), "{said:?}");
}

/// Whoever began a summon is drawn from the seeds that were shown: while it is not decided they stay.
async fn seeds_change_between_summons_only(town: Town) {
    let mut client = town.summon_client().await;
    town.grant("p", "azurites", 160).await;
    let (before, _) = shown(&mut client).await;
    town.faults.plan("p", &[Fault { step: Step::Prepare, participant: Some("collection"), how: How::DiesBefore }]);
    let mut request = Request::new(summon("open", 1));
    request.set_timeout(Duration::from_millis(600));
    client.summon(request).await.expect_err("it is not decided");

    for refused in [
        problem(client.rotate_seed(rotate("rotate")).await),
        problem(client.set_client_seed(client_seed("set", "mine")).await),
    ] {
        assert_eq!((refused.code, refused.reason.as_str()), (Code::Aborted, "SUMMON_UNDECIDED"));
        assert!(refused.retry_after.is_some(), "{refused:?}");
    }
    assert_eq!(shown(&mut client).await, (before.clone(), vec![]), "nothing changed");
    let open = client.list_operations(api::ListOperationsRequest::default()).await.expect("operations").into_inner();
    for api::Operation { player_id, operation_id, .. } in open.operations {
        client.retry_operation(api::RetryOperationRequest { player_id, operation_id }).await.expect("it is due");
    }
    town.settled().await;
    // Nothing was stored: the same key again. The attempt that came to nothing drew nothing.
    let rotated = client.rotate_seed(rotate("rotate")).await.expect("rotated");
    assert!(!is_replayed(&rotated));
    let ended = rotated.into_inner().ended.expect("seeds");
    assert_eq!((ended.commitment.as_str(), ended.first_nonce, ended.next_nonce), (before.commitment.as_str(), 0, 0));
    let again = client.summon(summon("open", 1)).await.expect("the next attempt").into_inner().summon;
    assert_eq!(again.expect("a summon").pulls[0].epoch, 1);
    town.stop().await;
}

/// The same key gets the same answer, and another request under it none (R-W5).
async fn a_change_is_made_once_whoever_asks_again(town: Town) {
    let mut client = town.summon_client().await;
    let first = client.rotate_seed(rotate("k")).await.expect("rotated");
    assert!(!is_replayed(&first));
    let again = client.rotate_seed(rotate("k")).await.expect("rotated");
    assert!(is_replayed(&again));
    assert_eq!(again.into_inner(), first.into_inner());
    assert_eq!(shown(&mut client).await.1.len(), 1);

    client.set_client_seed(client_seed("s", "mine")).await.expect("set");
    let other = problem(client.set_client_seed(client_seed("s", "yours")).await);
    assert_eq!((other.code, other.metadata["fields"].as_str()), (Code::AlreadyExists, "client_seed"));
    let other = problem(client.set_client_seed(client_seed("k", "mine")).await);
    assert_eq!((other.code, other.metadata["first_method"].as_str()), (Code::AlreadyExists, "RotateSeed"));

    let path = |key: &str, species: &str| api::ChoosePathRequest {
        idempotency_key: key.to_owned(),
        player_id: "p".to_owned(),
        banner_id: "premium".to_owned(),
        species_id: species.to_owned(),
    };
    let chosen = client.choose_path(path("path", "aurelion")).await.expect("chosen");
    assert!(is_replayed(&client.choose_path(path("path", "aurelion")).await.expect("chosen")));
    assert_eq!(chosen.into_inner(), api::ChoosePathResponse { species_id: "aurelion".to_owned(), points: 0 });
    let nowhere = problem(client.choose_path(path("nowhere", "emberling")).await);
    assert_eq!((nowhere.code, nowhere.bad_fields[0].path.as_str()), (Code::InvalidArgument, "species_id"));
    let left = client.choose_path(path("nowhere", "")).await.expect("a refused change stores nothing").into_inner();
    assert_eq!(left, api::ChoosePathResponse::default());
    for bad in ["", &"x".repeat(65), "a b", "é"] {
        let refused = problem(client.set_client_seed(client_seed("bad", bad)).await);
        assert_eq!(
            (refused.code, refused.bad_fields[0].path.as_str()),
            (Code::InvalidArgument, "client_seed"),
            "{bad}"
        );
    }

    // Page by page, newest first.
    let (mut epochs, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = api::GetFairnessRequest { player_id: "p".to_owned(), page_size: 1, page_token };
        let page = client.get_fairness(request).await.expect("a page").into_inner();
        epochs.extend(page.ended.iter().map(|ended| ended.epoch));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(epochs, [1, 0]);
    town.stop().await;
}

/// Summons and rotations of one player at once, over all copies: whatever order they come in, each pull is proved by the pair of seeds that it names.
async fn rotations_in_a_storm_leave_every_pull_provable(town: Town) {
    town.grant("p", "azurites", 160 * 10 * 12).await;
    let summons = (0..12).map(|index| {
        let (town, ask) = (&town, ask("p", &format!("s{index}"), "standard", None, 10));
        async move { town.ask(index, &ask).await }
    });
    let rotations = (0..12).map(|index| {
        let town = &town;
        async move {
            let copy = &town.copies[index % town.copies.len()];
            let trace_id: TraceId = "".parse().expect("a trace may be absent");
            loop {
                let key = MutationKey {
                    caller: "bot".parse().expect("an id"),
                    key: format!("r{index}").parse().expect("a key"),
                };
                let player = "p".parse().expect("an id");
                match copy.change(key, player, Change::Rotate, &trace_id, None).await {
                    Ok(Told::Done { answer: Answer::Seeds { ended: Some(ended), .. }, .. }) => return ended,
                    Ok(Told::Undecided(_)) | Err(_) => tokio::task::yield_now().await,
                    Ok(told) => panic!("{told:?}"),
                }
            }
        }
    });
    let (_, ended) = futures::join!(join_all(summons), join_all(rotations));
    town.settled().await;
    let by_epoch: BTreeMap<u64, _> = ended.iter().map(|ended| (ended.epoch, ended)).collect();
    assert_eq!(by_epoch.keys().copied().collect::<Vec<_>>(), (0..12).collect::<Vec<_>>(), "each pair ended once");
    let mut client = town.summon_client().await;
    client.rotate_seed(rotate("last")).await.expect("rotated");
    let pulls = town.pulls("p", "standard").await;
    assert_eq!(pulls.len(), 120);
    for row in &pulls {
        let proof = verify(&mut client, i64::try_from(row.pull.number).expect("it fits")).await;
        assert!(proof.verified, "pull {} of the pair {}: {}", row.pull.number, row.epoch, proof.fault);
        if let Some(ended) = by_epoch.get(&row.epoch) {
            assert!((ended.first_nonce..ended.next_nonce).contains(&row.nonce), "{ended:?}: {}", row.nonce);
        }
    }
    town.check_ends().await;
    town.stop().await;
}
