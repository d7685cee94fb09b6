//! Many callers that move units between the same players, and the books that their answers must add up to.

use std::sync::Arc;
use std::time::Duration;

use auric_api::wallet::v1::wallet_service_client::WalletServiceClient;
use auric_client::{Channel, ClientConfig, Policy, about};
use futures::{StreamExt as _, stream};
use tokio::sync::watch;

use crate::wallet::harness::{Answer, Ask, Books, Cluster, credit, debit};

const PLAYERS: usize = 12;

/// Posts that are under way at once.
const AT_ONCE: usize = 24;

/// Posts of one storm.
pub const POSTS: usize = 480;

/// What each player has at first: more than a storm takes from anybody.
const SEED_UNITS: i64 = 1_000_000;

/// How many posts were answered so far.
#[derive(Clone)]
pub struct Progress(Arc<watch::Sender<usize>>);

impl Progress {
    fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    fn add_one(&self) {
        self.0.send_modify(|answered| *answered += 1);
    }

    /// Waits until a part of the storm is over, such as 1 of 4.
    pub async fn wait_for(&self, part: usize, of: usize) {
        let count = POSTS * part / of;
        self.0.subscribe().wait_for(|&answered| answered >= count).await.expect("the sender is here");
    }
}

/// A client's settings for a network that fails often, on a machine that may be busy.
pub fn patient(targets: &str) -> ClientConfig {
    let policy = Policy {
        call_timeout: Duration::from_mins(1),
        attempt_timeout: Duration::from_secs(1),
        attempts_max: 1_000,
        backoff_max: Duration::from_millis(100),
        resolve_every: Duration::from_millis(100),
        probe_every: Duration::from_millis(20),
        ..Policy::default()
    };
    ClientConfig { policy, ..ClientConfig::new(targets) }
}

/// Runs a storm through `client` beside `trouble`: no call fails, and the ledger is exactly what the answers say.
pub async fn rage<T: Future<Output = ()>>(
    cluster: &Cluster,
    client: &WalletServiceClient<Channel>,
    trouble: impl FnOnce(Progress) -> T,
) {
    let mut books = Books::default();
    let legs = (0..PLAYERS).map(|number| credit(&player(number), "lumees", SEED_UNITS)).collect();
    send(client, Ask::post("seed", legs), &mut books).await;

    let progress = Progress::new();
    let posts = stream::iter(0..POSTS).map(|number| {
        let progress = &progress;
        async move {
            let mut books = Books::default();
            let (from, to) = (player(number), player(number * 5 + 1));
            let amount = i64::try_from(number % 90).expect("it is small") + 1;
            let legs = vec![debit(&from, "lumees", amount), credit(&to, "lumees", amount)];
            send(client, Ask::post(&format!("post-{number}"), legs), &mut books).await;
            progress.add_one();
            books
        }
    });
    let storm = posts.buffer_unordered(AT_ONCE).collect::<Vec<Books>>();
    let (parts, ()) = tokio::join!(storm, trouble(progress.clone()));
    for part in parts {
        books.merge(part);
    }
    println!("{}", books.describe());
    assert_eq!(books.applied(), POSTS + 1);
    books.check(cluster).await;
}

async fn send(client: &WalletServiceClient<Channel>, ask: Ask, books: &mut Books) {
    let Ask::Post(request) = &ask else { panic!("{ask:?} is no post") };
    let player = request.legs[0].player_id.clone();
    let answer = client.clone().post(about(&player, request.clone())).await;
    let answer = answer.unwrap_or_else(|status| panic!("{} failed: {status:?}", ask.key()));
    let replayed = answer.metadata().contains_key("auric-replayed");
    let posted = answer.into_inner().posted.expect("an answer has what was posted");
    books.add(ask, Answer { outcome: Ok(posted), replayed, tries: 1 });
}

fn player(number: usize) -> String {
    format!("player-{}", number % PLAYERS)
}
