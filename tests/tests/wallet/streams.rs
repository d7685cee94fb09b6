//! `PostStream`: each posting is answered by itself, in any order; a stream that breaks leaves only questions that `GetMutation` answers; and a
//! sender who does not listen is held back (R-W5).

use std::collections::BTreeMap;
use std::time::Duration;

use auric_api::wallet::v1 as api;
use auric_api::wallet::v1::post_stream_response::Result as Outcome;
use auric_api::wallet::v1::wallet_service_client::WalletServiceClient;
use auric_status::Problem;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic::transport::Endpoint;

use super::harness::{Caller, Cluster, credit, debit, on_every_store};

on_every_store!(
    each_posting_of_a_stream_gets_the_answer_that_post_gives_again,
    a_sender_who_does_not_listen_is_held_back
);

/// Players of a test, so that batches have company.
const PLAYERS: usize = 7;

/// Postings that may wait in the sender.
const WAITING_MAX: usize = 16;

fn player(number: usize) -> String {
    format!("p{}", number % PLAYERS)
}

/// The `number`th posting: most pay, some ask for more than there is, some are malformed, some are a twin of the one before.
fn posting(number: usize) -> api::PostRequest {
    let twin = if number % 10 == 9 { number - 1 } else { number };
    let legs = match twin % 10 {
        3 => vec![debit(&player(twin), "aether", 1)],
        6 => vec![credit(&player(twin), "lumees", -1)],
        _ => vec![credit(&player(twin), "lumees", 1)],
    };
    api::PostRequest { idempotency_key: format!("k{twin}"), legs, reason: "test".to_owned(), ..Default::default() }
}

fn wrapped(post: api::PostRequest) -> api::PostStreamRequest {
    api::PostStreamRequest { post: Some(post) }
}

/// Sends every posting of `numbers` on one stream, and gives all its answers.
async fn stream(caller: Caller<'_>, numbers: std::ops::Range<usize>) -> Vec<api::PostStreamResponse> {
    let sent: Vec<api::PostStreamRequest> = numbers.map(|number| wrapped(posting(number))).collect();
    let mut answers = caller.client().post_stream(futures::stream::iter(sent)).await.expect("a stream").into_inner();
    let mut all = Vec::new();
    while let Some(answer) = answers.message().await.expect("the stream stays whole") {
        all.push(answer);
    }
    all
}

async fn each_posting_of_a_stream_gets_the_answer_that_post_gives_again(cluster: &Cluster) {
    const POSTINGS: usize = 1_500;
    let caller = Caller::new(cluster);
    let answers = stream(caller, 0..POSTINGS).await;
    assert_eq!(answers.len(), POSTINGS, "one answer each");

    let mut by_key: BTreeMap<String, Vec<api::PostStreamResponse>> = BTreeMap::new();
    for answer in answers {
        by_key.entry(answer.idempotency_key.clone()).or_default().push(answer);
    }
    for number in (0..POSTINGS).filter(|number| number % 10 != 9) {
        let post = posting(number);
        let told = &by_key[&post.idempotency_key];
        let again = caller.client().post(post.clone()).await;
        match (&told[0].result, again) {
            (Some(Outcome::Posted(posted)), Ok(again)) => {
                assert_eq!(again.metadata().get("auric-replayed").map(|mark| mark == "true"), Some(true));
                assert_eq!(again.into_inner().posted.as_ref(), Some(posted));
            }
            (Some(Outcome::Refusal(refusal)), Err(status)) => {
                let problem = Problem::from_status(&status);
                assert_eq!((&refusal.reason, &refusal.message), (&problem.reason, &problem.message));
            }
            (told, again) => panic!("{} was told {told:?}, then {again:?}", post.idempotency_key),
        }
        for twin in &told[1..] {
            assert_eq!(twin.result, told[0].result, "a twin is told the same");
        }
        if told.len() == 2 {
            assert_eq!(told.iter().filter(|answer| answer.replayed).count(), 1, "one of two is the first");
        }
    }
    let paid = by_key.values().filter(|told| matches!(told[0].result, Some(Outcome::Posted(_)))).count();
    assert_eq!(total(caller).await, i64::try_from(paid).expect("few"));
}

async fn total(caller: Caller<'_>) -> i64 {
    let mut total = 0;
    for number in 0..PLAYERS {
        total += caller.available(&player(number), "lumees").await.iter().sum::<i64>();
    }
    total
}

async fn a_sender_who_does_not_listen_is_held_back(cluster: &Cluster) {
    const POSTINGS: usize = 5_000;
    let caller = Caller::new(cluster);
    let (send, sent) = mpsc::channel(WAITING_MAX);
    // A connection of its own, with the smallest windows: what is not read there holds nobody else's answers up.
    let url = format!("http://{}", cluster.address(0));
    let endpoint = Endpoint::from_shared(url).expect("a URL").initial_stream_window_size(65_535);
    let mut client = WalletServiceClient::new(endpoint.connect().await.expect("it listens"));
    let mut answers = client.post_stream(ReceiverStream::new(sent)).await.expect("a stream").into_inner();
    let mut taken = 0;
    // Held back: not one more is taken, although there is all the time in the world.
    while taken < POSTINGS {
        // Long ones, so that few of them fill what a connection may have on the way.
        let context = (0..10).map(|pair| (format!("pair-{pair}"), "x".repeat(200))).collect();
        let offered = send.send(wrapped(api::PostRequest { context, ..posting(taken * 10) }));
        match tokio::time::timeout(Duration::from_secs(3), offered).await {
            Ok(sent) => sent.expect("the stream is open"),
            Err(_) => break,
        }
        taken += 1;
    }
    assert!(taken < POSTINGS, "{taken} postings were taken, and no answer was");
    // Nobody else waits for that sender.
    let other = api::PostRequest { idempotency_key: "other".to_owned(), ..posting(0) };
    caller.client().post(other).await.expect("an answer");

    // What was being offered when the time was up may have been taken or not.
    drop(send);
    let mut told = 0;
    while let Some(answer) = answers.message().await.expect("the stream stays whole") {
        assert!(matches!(answer.result, Some(Outcome::Posted(_))), "{answer:?}");
        told += 1;
    }
    assert_eq!(told, taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_broken_stream_leaves_only_questions_that_get_mutation_answers() {
    /// On the way when the stream breaks, at most.
    const POSTINGS: usize = 800;
    const BREAKS: usize = 3;
    let cluster = Cluster::sqlite();
    let caller = Caller::new(&cluster);
    let mut answered: BTreeMap<String, api::PostStreamResponse> = BTreeMap::new();
    let mut asked = 0;
    for _ in 0..BREAKS {
        let (send, sent) = mpsc::channel(WAITING_MAX);
        let mut answers = caller.client().post_stream(ReceiverStream::new(sent)).await.expect("a stream").into_inner();
        let before = answered.len();
        let first = asked;
        loop {
            tokio::select! {
                offered = send.reserve(), if asked < first + POSTINGS => match offered {
                    Ok(place) => { place.send(wrapped(posting(asked * 10))); asked += 1; }
                    Err(_) => break,
                },
                answer = answers.message() => match answer {
                    Ok(Some(answer)) => { answered.insert(answer.idempotency_key.clone(), answer); }
                    Ok(None) | Err(_) => break,
                },
            }
            if answered.len() == before + 200 {
                cluster.kill(0);
            }
        }
        cluster.restart(0);

        let (mut seen, mut unseen) = (0, 0);
        for number in first..asked {
            let key = posting(number * 10).idempotency_key;
            let question = api::GetMutationRequest { idempotency_key: key.clone(), ..Default::default() };
            let found = caller.client().get_mutation(question).await;
            match (found, answered.get(&key)) {
                (Ok(found), told) => {
                    seen += 1;
                    let kept = found.into_inner().mutation.and_then(|mutation| mutation.answer);
                    let Some(api::mutation::Answer::Posted(kept)) = kept else { panic!("{key}: {kept:?}") };
                    assert!(told.is_none_or(|told| told.result == Some(Outcome::Posted(kept))), "{key}: {told:?}");
                }
                (Err(status), None) => {
                    assert_eq!(status.code(), Code::NotFound, "{key}: {status:?}");
                    unseen += 1;
                }
                (Err(status), Some(told)) => panic!("{key} was answered with {told:?} and is gone: {status:?}"),
            }
        }
        println!("of {} postings before the break {seen} had happened, {unseen} had not", asked - first);
    }

    let again: Vec<_> = (0..asked).map(|number| wrapped(posting(number * 10))).collect();
    let mut answers = caller.client().post_stream(futures::stream::iter(again)).await.expect("a stream").into_inner();
    while let Some(answer) = answers.message().await.expect("the stream stays whole") {
        let told = answered.get(&answer.idempotency_key);
        assert!(told.is_none_or(|told| told.result == answer.result), "{told:?}, then {answer:?}");
    }
    assert_eq!(total(caller).await, i64::try_from(asked).expect("few"), "each was applied once");
    cluster.stop_without_errors();
}
