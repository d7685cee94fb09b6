//! Real processes on PostgreSQL, killed, stopped and cut off at every step of the protocol, with many operations in flight (R-W6, R-S2).
//!
//! Nothing is built into the program for this: a [`postman`] between the services sees each message, and what it sees is a step.

mod blows;
mod lines;
mod postman;
mod processes;

use std::time::Duration;

use auric_testkit::config::{CRASH_PAIRS, SEED, number};
use futures::future::join_all;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use blows::Blow;
use processes::{Answer, World};

/// Summons in flight while something breaks.
const STORM: usize = 16;

/// What each player begins with: one summon of one.
const GRANTED: i64 = 200;

/// What a summon costs.
const PRICE: i64 = 160;

/// One storm, with these blows in it: every player's click has one answer, which is the whole truth.
async fn storm(world: &World, name: &str, blows: &[Blow]) {
    let players: Vec<String> = (0..STORM).map(|index| format!("{name}-{index}")).collect();
    join_all(players.iter().map(|player| world.grant(player, "azurites", GRANTED))).await;
    world.arm(blows);
    let clicks = players.iter().enumerate().map(|(index, player)| world.summon(index % World::COPIES, player, player));
    let answers: Vec<Answer> = join_all(clicks).await;
    world.calm().await;
    for (player, answer) in players.iter().zip(answers) {
        let again = world.summon(0, player, player).await;
        assert_eq!(answer, again, "{name}: {player} got another answer, after {blows:?}");
        assert_eq!(answer.esprits.len(), 1, "{name}: {player}, after {blows:?}");
        let balance = world.balance(player, "azurites").await;
        assert_eq!(balance, (GRANTED - PRICE, 0), "{name}: {player} has that available and held, after {blows:?}");
        assert_eq!(world.esprits(player).await, answer.esprits, "{name}: {player}, after {blows:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_are_killed_anywhere_lose_and_double_nothing() {
    let world = World::start().await;
    let blows = blows::all();
    for (number, blow) in blows.iter().enumerate() {
        storm(&world, &format!("one-{number}"), &[*blow]).await;
        assert_eq!(world.struck(), 1, "{blow:?} did not happen");
    }
    let operations = world.check_ends().await;
    println!("{} blows, {STORM} summons in flight each: {operations} operations agree in three databases", blows.len());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_are_killed_twice_lose_and_double_nothing() {
    let (pairs, seed) = (number(CRASH_PAIRS).unwrap_or(4), number(SEED).unwrap_or(20_261_122));
    let world = World::start().await;
    let (blows, mut rng) = (blows::all(), SmallRng::seed_from_u64(seed));
    let mut struck = 0;
    for pair in 0..pairs {
        let mut draw = || blows[rng.random_range(0..blows.len())];
        storm(&world, &format!("two-{pair}"), &[draw(), draw()]).await;
        struck += world.struck();
    }
    let operations = world.check_ends().await;
    println!("{pairs} pairs from seed {seed}, {struck} blows: {operations} operations agree in three databases");
    assert!(u64::try_from(struck).expect("it fits") > pairs, "the second blows did not happen");
    world.stop().await;
}

/// How long a message is under way that comes late: longer than the lease, so that everybody has given it up.
const LATE: Duration = Duration::from_millis(1_200);

/// How long a stopped coordinator sleeps: several leases.
const SLEEP: Duration = Duration::from_millis(1_500);
