//! How fast pulls are drawn and odds are told: `cargo run --release -p auric-summon --example speed`.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use auric_summon::catalog;
use auric_summon::domain::odds::{Wish, consolidated, until};
use auric_summon::domain::{Banner, ClientSeed, FairDraws, How, Pity, ServerSeed, Simulation, pulls};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let game = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../game");
    let loaded = catalog::load(&game)?;
    for banner in loaded.banners.iter() {
        seeded(banner);
        with_receipts(banner)?;
        tell(banner)?;
    }
    Ok(())
}

/// Pulls a second from a seed.
fn seeded(banner: &Banner) {
    const PULLS: usize = 10_000_000;
    let start = Instant::now();
    let hits = Simulation::paid(banner, How::PAID, 10, &Pity::default(), 1)
        .take(PULLS)
        .filter(|drawn| drawn.slot == 0)
        .count();
    report(banner, "seeded", PULLS, start.elapsed());
    black_box(hits);
}

/// Pulls a second with provable draws, the pity before and after each, and all else that their receipts are made from.
fn with_receipts(banner: &Banner) -> Result<(), Box<dyn std::error::Error>> {
    const SUMMONS: u64 = 200_000;
    let (server, client) = (ServerSeed::new([7; 32]), ClientSeed::parse("speed")?);
    let cost = banner.costs.iter().find(|cost| banner.allows(cost, 10)).ok_or("no summon of ten")?;
    let mut pity = Pity::default();
    let start = Instant::now();
    for nonce in 0..SUMMONS {
        let mut draws = FairDraws::new(&server, &client, nonce);
        let drawn = black_box(pulls(banner, cost, 10, &pity, &mut draws));
        if let Some(last) = drawn.into_iter().last() {
            pity = last.after;
        }
    }
    report(banner, "with receipts", usize::try_from(SUMMONS)? * 10, start.elapsed());
    Ok(())
}

fn report(banner: &Banner, what: &str, pulls: usize, took: Duration) {
    let each = took.as_nanos() / u128::try_from(pulls.max(1)).unwrap_or(1);
    println!("{} {what}: {pulls} pulls in {took:?}, {each} ns each", banner.id);
}

fn tell(banner: &Banner) -> Result<(), Box<dyn std::error::Error>> {
    for count in &banner.counts {
        let start = Instant::now();
        let told = consolidated(banner, How::PAID, *count, None)?;
        println!("{} by {count}: {} states in {:?}", banner.id, told.states, start.elapsed());
        for tier in told.tiers {
            let start = Instant::now();
            let found = until(banner, How::PAID, &Pity::default(), &Wish::Tier(tier.tier.clone()))?;
            let mean = found.map(|found| found.mean.to_string()).unwrap_or_default();
            println!("  {} {} {mean} in {:?}", tier.tier, tier.rate, start.elapsed());
        }
    }
    Ok(())
}
