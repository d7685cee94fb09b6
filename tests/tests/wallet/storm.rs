//! A storm of mixed mutations: many actors, few players, everything that a wallet does at once (R-O5).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use auric_api::wallet::v1 as api;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::Notify;

use super::harness::{Ask, Books, Caller, Cluster, credit, debit, hold_leg, in_pool};

/// Players that all actors share, so that their batches contend.
pub const PLAYERS: usize = 12;

/// What each player has before the storm: so little that rules refuse often.
const FUND: i64 = 100;

/// What the numbers of actors begin with that act after a storm: their keys are new.
const AGAIN: usize = 1_000;

/// Actors that each send one mutation after the other.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    pub seed: u64,
    pub actors: usize,
    /// Turns of an actor; a turn sends one mutation, or a reserve and mostly its end.
    pub turns: usize,
}

/// How many mutations were answered so far; whoever waits for more is told.
#[derive(Default)]
pub struct Progress {
    answered: AtomicUsize,
    more: Notify,
}

impl Progress {
    pub async fn wait_for(&self, answered: usize) {
        loop {
            let more = self.more.notified();
            tokio::pin!(more);
            // Before the test, so that nothing is missed in between.
            more.as_mut().enable();
            if self.answered.load(Ordering::Acquire) >= answered {
                return;
            }
            more.await;
        }
    }

    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Acquire)
    }

    fn note(&self) {
        self.answered.fetch_add(1, Ordering::AcqRel);
        self.more.notify_waiters();
    }
}

impl Storm {
    /// The mutations that are sure to be sent.
    pub const fn turns_of_all(self) -> usize {
        self.actors * self.turns
    }

    /// Gives each player something to spend.
    pub async fn fund(self, cluster: &Cluster) -> Books {
        let mut books = Books::default();
        for player in 0..PLAYERS {
            let name = player_name(player);
            let pools = ["subscription", "bulk"].map(|pool| in_pool(credit(&name, "generation_credit", 5), pool));
            let legs = [vec![credit(&name, "lumees", FUND), credit(&name, "aether", FUND)], pools.to_vec()].concat();
            let ask = Ask::post(&format!("fund-{player}"), legs);
            let answer = Caller::at(cluster, player).send(&ask).await;
            books.add(ask, answer);
        }
        books
    }

    /// Sends everything, and gives every answer. Whatever becomes of a copy meanwhile, each mutation gets one.
    pub async fn rage(self, cluster: &Cluster, progress: &Progress) -> Books {
        let actors = (0..self.actors).map(|actor| self.act(actor, cluster, progress));
        let mut books = Books::default();
        for told in futures::future::join_all(actors).await {
            books.merge(told);
        }
        books
    }

    /// Sends everything to players that have something already.
    pub async fn again(self, cluster: &Cluster) -> Books {
        let (mut books, progress) = (Books::default(), Progress::default());
        for actor in 0..self.actors {
            books.merge(self.act(actor + AGAIN, cluster, &progress).await);
        }
        books
    }

    async fn act(self, actor: usize, cluster: &Cluster, progress: &Progress) -> Books {
        let mut rng = StdRng::seed_from_u64(self.seed ^ u64::try_from(actor).expect("few actors").rotate_left(32));
        let caller = Caller::at(cluster, actor);
        let mut books = Books::default();
        for turn in 0..self.turns {
            for ask in turn_of(&mut rng, &format!("{actor}-{turn}")) {
                let answer = caller.send(&ask).await;
                books.add(ask, answer);
                progress.note();
            }
        }
        books
    }
}

/// Runs `storm` beside `trouble`, which may wait for its progress.
pub async fn rage_beside<T: Future<Output = ()>>(
    storm: Storm,
    cluster: &Cluster,
    trouble: impl FnOnce(Arc<Progress>) -> T,
) -> Books {
    let progress = Arc::new(Progress::default());
    let mut books = storm.fund(cluster).await;
    let (told, ()) = tokio::join!(storm.rage(cluster, &progress), trouble(Arc::clone(&progress)));
    books.merge(told);
    books
}

pub fn player_name(player: usize) -> String {
    format!("storm:{player}")
}

fn turn_of(rng: &mut StdRng, name: &str) -> Vec<Ask> {
    let from = rng.random_range(0..PLAYERS);
    let to = player_name((from + rng.random_range(1..PLAYERS)) % PLAYERS);
    let from = player_name(from);
    let amount = rng.random_range(1..40);
    match rng.random_range(0..8) {
        0 => {
            let legs = vec![debit(&from, "lumees", amount), credit(&to, "lumees", amount), credit(&to, "xp", 7)];
            vec![Ask::post(name, legs)]
        }
        1 => vec![Ask::post(name, vec![credit(&to, "aether", amount), debit(&from, "aether", amount)])],
        // Both pools in the catalog's order.
        2 => vec![Ask::post(name, vec![debit(&from, "generation_credit", amount % 4 + 1)])],
        3 => {
            let legs = vec![in_pool(credit(&to, "generation_credit", 2), "bulk"), credit(&to, "xp", 40)];
            vec![Ask::post(name, legs)]
        }
        4 => vec![Ask::transfer(name, &from, &to, amount)],
        5 => {
            let day = rng.random_range(0..15);
            let legs = vec![credit(&from, "lumees", 30), credit(&from, "xp", 60)];
            vec![Ask::claim(name, &from, &format!("day-{day}"), legs)]
        }
        _ => hold(rng, name, &from, &to, amount),
    }
}

/// A reserve, and its end: whole, in part, released, or none.
fn hold(rng: &mut StdRng, name: &str, from: &str, to: &str, amount: i64) -> Vec<Ask> {
    let hold = format!("hold-{name}");
    let legs: Vec<api::HoldLeg> =
        vec![hold_leg(from, to, "lumees", amount), hold_leg("", from, "aether", 3), hold_leg(to, "", "aether", 2)];
    let taken = vec![rng.random_range(0..=amount), 0, 1];
    let reserve = Ask::reserve(&format!("{name}-reserve"), &hold, legs);
    let key = format!("{name}-end");
    match rng.random_range(0..5) {
        0 => vec![reserve],
        1 => vec![reserve, Ask::release(&key, &hold)],
        2 => vec![reserve, Ask::commit(&key, &hold, taken)],
        _ => vec![reserve, Ask::commit(&key, &hold, Vec::new())],
    }
}
