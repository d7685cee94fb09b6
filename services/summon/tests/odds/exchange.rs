//! What was taken for spark points is proved by the points, and a forged exchange is not.

use std::path::Path;

use auric_summon::catalog;
use auric_summon::domain::{
    ClientSeed, Evidence, LoggedPull, Outcome, Pity, Plan, Proved, Pull, Seeds, ServerSeed, Unproved, pity,
};
use auric_time::Timestamp;

/// An exchange as it is kept, which `forge` changed in both places.
fn proved(forge: impl FnOnce(&mut Pull)) -> Result<Proved, Unproved> {
    let loaded = catalog::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../game")).unwrap();
    let banner = loaded.banners.get(&"premium".parse().unwrap()).unwrap();
    let species = "nerissa".parse().unwrap();
    let before = Pity { pulls: 412, spark_points: 412, ..Pity::default() };
    let (after, rarity) = pity::exchange(banner, &before, &species).unwrap();
    let plan = Plan {
        banner: banner.id.clone(),
        cost: None,
        spark: Some(species.clone()),
        count: 1,
        price: None,
        group: banner.group.id.clone(),
        catalog: loaded.banners.hash,
        esprits: loaded.banners.esprits_hash,
        epoch: Some(0),
    };
    let json = |pity: &Pity| serde_json::to_string(pity).unwrap();
    let mut pull = Pull {
        number: 413,
        slot: 0,
        esprit: "0af7651916cd43dd8448eb211c80319c.0".parse().unwrap(),
        species,
        rarity,
        featured: None,
        before: json(&before),
        after: json(&after),
        draws: vec![],
    };
    forge(&mut pull);
    let logged = LoggedPull {
        player: "p".parse().unwrap(),
        group: plan.group.clone(),
        banner: plan.banner.clone(),
        operation: "0af7651916cd43dd8448eb211c80319c".parse().unwrap(),
        nonce: 7,
        epoch: 0,
        catalog: plan.catalog,
        time: Timestamp::from_micros(0),
        pull: pull.clone(),
    };
    let seeds = Seeds { server: ServerSeed::new([7; 32]), client: ClientSeed::parse("p").unwrap() };
    let outcome = Outcome { nonce: 7, epoch: 0, pulls: vec![pull] };
    let evidence =
        Evidence { banners: &loaded.banners, plan: &plan, outcome: &outcome, seeds: &seeds, is_revealed: false };
    evidence.prove(&logged)
}

#[test]
fn an_exchange_is_proved_by_the_points_that_are_gone() {
    assert_eq!(proved(|_| {}), Ok(Proved::Taken));
}

#[test]
fn a_forged_exchange_is_not_proved() {
    let forged = |forge: fn(&mut Pull)| proved(forge);
    let unproved = Err(Unproved::Exchange);
    assert_eq!(forged(|pull| pull.after.clone_from(&pull.before)), unproved, "points that stayed");
    assert_eq!(forged(|pull| pull.before = points(&pull.before, 299)), unproved, "points too few for it");
    assert_eq!(forged(|pull| pull.after = points(&pull.after, 113)), unproved, "points that were added");
    assert_eq!(forged(|pull| pull.species = "aurelion".parse().unwrap()), unproved, "another species");
    assert_eq!(forged(|pull| pull.rarity = "common".parse().unwrap()), unproved, "another rarity");
    assert_eq!(forged(|pull| pull.draws = vec![1]), unproved, "a draw");
}

fn points(text: &str, points: u64) -> String {
    let pity = Pity { spark_points: points, ..serde_json::from_str(text).unwrap() };
    serde_json::to_string(&pity).unwrap()
}
