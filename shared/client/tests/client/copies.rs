//! Several copies of a service: whose calls go where, and what happens when copies come and go.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auric_api::wallet::v1::wallet_service_client::WalletServiceClient;
use auric_client::{Channel, Resolver, about, connect_with};
use auric_testkit::proxy::Fault;

use super::service::{Copy, hurried, in_time, post};

/// Names that the test changes.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<Vec<SocketAddr>>>);

impl Names {
    fn of(copies: &[&Copy]) -> Self {
        let names = Self::default();
        names.set(copies);
        names
    }

    fn set(&self, copies: &[&Copy]) {
        *self.0.lock().expect("no holder panicked") = copies.iter().map(|copy| copy.address()).collect();
    }
}

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, host: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        assert_eq!(host, "wallet.test");
        Ok(self.0.lock().expect("no holder panicked").clone())
    }
}

async fn client(names: &Names) -> WalletServiceClient<Channel> {
    WalletServiceClient::new(connect_with(hurried("http://wallet.test:7401"), names.clone()).await.expect("a channel"))
}

async fn post_for(client: &mut WalletServiceClient<Channel>, player: &str) {
    client.post(about(player, post(player))).await.expect("it is answered");
}

/// Which of the copies a player's call went to.
async fn home(client: &mut WalletServiceClient<Channel>, copies: &[&Copy], player: &str) -> usize {
    let before: Vec<usize> = copies.iter().map(|copy| copy.service.count()).collect();
    post_for(client, player).await;
    copies.iter().zip(before).position(|(copy, before)| copy.service.count() > before).expect("it arrived")
}

fn players() -> Vec<String> {
    (0..40).map(|player| format!("discord:{player}")).collect()
}

#[tokio::test]
async fn a_players_calls_go_to_one_copy_whoever_calls() {
    let copies = [&Copy::start().await, &Copy::start().await, &Copy::start().await];
    let names = Names::of(&copies);
    let (mut one, mut other) = (client(&names).await, client(&names).await);
    let mut homes = HashMap::new();
    for player in players() {
        let first = home(&mut one, &copies, &player).await;
        assert_eq!(home(&mut one, &copies, &player).await, first, "{player} moved");
        assert_eq!(home(&mut other, &copies, &player).await, first, "another caller sends {player} elsewhere");
        *homes.entry(first).or_insert(0) += 1;
    }
    assert_eq!(homes.len(), 3, "some copy has nobody: {homes:?}");
}

#[tokio::test]
async fn calls_about_nobody_are_spread() {
    let copies = [&Copy::start().await, &Copy::start().await];
    let mut client = client(&Names::of(&copies)).await;
    for call in 0..40 {
        client.post(post(&format!("k{call}"))).await.unwrap();
    }
    assert!(copies.iter().all(|copy| copy.service.count() > 5), "{:?}", copies.map(|copy| copy.service.count()));
}

#[tokio::test]
async fn a_dead_copy_is_skipped_and_has_its_players_again_when_it_is_back() {
    let copies = [&Copy::start().await, &Copy::start().await];
    let mut client = client(&Names::of(&copies)).await;
    let mut of_first = Vec::new();
    for player in players() {
        if home(&mut client, &copies, &player).await == 0 {
            of_first.push(player);
        }
    }
    copies[0].proxy.set(Fault::Gone);
    for player in &of_first {
        assert_eq!(home(&mut client, &copies, player).await, 1, "{player} has nowhere to go");
    }
    let dead = copies[0].proxy.accepted();
    for player in &of_first {
        post_for(&mut client, player).await;
    }
    // Only health checks still go there: far fewer than calls that would each try it first.
    let tried = copies[0].proxy.accepted() - dead;
    copies[0].proxy.set(Fault::None);
    in_time(async { while home(&mut client, &copies, &of_first[0]).await == 1 {} }).await;
    assert!(usize::try_from(tried).unwrap() < of_first.len(), "{tried} connections to the dead copy");
}

#[tokio::test]
async fn copies_that_come_and_go_are_followed_without_a_failed_call() {
    let copies = [&Copy::start().await, &Copy::start().await, &Copy::start().await];
    let names = Names::of(&copies[..1]);
    let mut client = client(&names).await;
    let all = players();
    for player in &all {
        assert_eq!(home(&mut client, &copies, player).await, 0);
    }
    // Two come.
    names.set(&copies);
    in_time(async {
        while !copies.iter().all(|copy| copy.service.count() > 0) {
            for player in &all {
                post_for(&mut client, player).await;
            }
        }
    })
    .await;
    // The first goes: from the names, and then altogether.
    names.set(&copies[1..]);
    in_time(async {
        loop {
            let before = copies[0].service.count();
            for player in &all {
                post_for(&mut client, player).await;
            }
            if copies[0].service.count() == before {
                break;
            }
        }
    })
    .await;
    copies[0].proxy.set(Fault::Gone);
    for player in &all {
        assert_ne!(home(&mut client, &copies, player).await, 0);
    }
    // A name with nobody keeps whom it had.
    names.set(&[]);
    for player in all.iter().cycle().take(200) {
        post_for(&mut client, player).await;
    }
}
