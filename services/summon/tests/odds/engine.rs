//! What a pull draws, forced to both sides of every boundary.

use std::num::NonZeroU64;

use super::catalogs::{self, banner_of};
use auric_summon::domain::{Draws, How, Loot, Pity, Play, pulls};

/// Draws what it is told to, then 0.
pub struct Forced(pub Vec<u64>);

impl Draws for Forced {
    fn below(&mut self, bound: NonZeroU64) -> u64 {
        let drawn = if self.0.is_empty() { 0 } else { self.0.remove(0) };
        assert!(drawn < bound.get(), "{drawn} is not below {bound}");
        drawn
    }
}

const GOLDEN: &str = r#"
[pity_groups.g.tiers.legendary]
scheme = "soft"
soft_from = 74
soft_step_ppb = 60_000_000
hard_at = 90
[tables.t.tiers.legendary]
rate_ppb = 6_000_000
items = { nerissa = 1, aurelion = 1 }
featured = { solmara = 1 }
featured_share_ppb = 500_000_000
guarantee_after = 1
[tables.t.tiers.epic]
rate_ppb = 994_000_000
items = { elder_dryad = 3, ashen_phoenix = 1 }
"#;

pub fn pity(text: &str) -> Pity {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_tier_is_hit_below_its_rate_and_missed_from_there_on_at_every_count() {
    let banner = banner_of(GOLDEN);
    for count in 0..90_u64 {
        let rate = match count + 1 {
            1..=73 => 6_000_000,
            90 => 1_000_000_000,
            pull => 6_000_000 + (pull - 73) * 60_000_000,
        };
        let before = pity(&format!(r#"{{"tiers":{{"legendary":{{"count":{count}}}}}}}"#));
        let drawn = |tier| Play::new(&banner, How::PAID, &before).step(None, &mut Forced(vec![tier])).tier.as_str();
        assert_eq!(drawn(rate - 1), "legendary", "pull {}", count + 1);
        if rate < 1_000_000_000 {
            assert_eq!(drawn(rate), "epic", "pull {}", count + 1);
        }
    }
}

#[test]
fn the_weights_of_the_items_are_kept_at_every_boundary() {
    let banner = banner_of(GOLDEN);
    let species = |draws: &[u64]| {
        Play::new(&banner, How::PAID, &Pity::default()).step(None, &mut Forced(draws.to_vec())).species.as_str()
    };
    // ashen_phoenix comes first by name, with one part of four.
    let drawn: Vec<&str> = (0..4).map(|item| species(&[999_999_999, item])).collect();
    assert_eq!(drawn, ["ashen_phoenix", "elder_dryad", "elder_dryad", "elder_dryad"]);
    assert_eq!(species(&[0, 499_999_999, 0]), "solmara");
    assert_eq!(species(&[0, 500_000_000, 0]), "aurelion");
    assert_eq!(species(&[0, 500_000_000, 1]), "nerissa");
}

#[test]
fn a_lost_share_guarantees_the_next_without_a_draw() {
    let banner = banner_of(GOLDEN);
    let cost = &banner.costs[0];
    let lost = pulls(&banner, cost, 1, &Pity::default(), &mut Forced(vec![0, 999_999_999, 0])).remove(0);
    assert_eq!((lost.featured, lost.draws.len()), (Some(false), 3));
    assert_eq!(lost.after, pity(r#"{"pulls":1,"tiers":{"legendary":{"losses":1}}}"#));
    let won = pulls(&banner, cost, 1, &lost.after, &mut Forced(vec![0, 0])).remove(0);
    assert_eq!((won.featured, won.species.as_str(), won.draws.as_slice()), (Some(true), "solmara", &[0, 0][..]));
    assert_eq!(won.after, pity(r#"{"pulls":2}"#));
}

#[test]
fn the_pity_of_a_summon_is_handed_from_pull_to_pull() {
    let banner = banner_of(GOLDEN);
    let miss = [999_999_999, 0];
    let draws: Vec<u64> = [&miss[..], &miss, &[0, 0, 0], &miss].concat();
    let drawn =
        pulls(&banner, &banner.costs[0], 10, &pity(r#"{"tiers":{"legendary":{"count":7}}}"#), &mut Forced(draws));
    let counts: Vec<u32> = drawn[..4].iter().map(|pull| count(&pull.after)).collect();
    assert_eq!(counts, [8, 9, 0, 1], "a ten-pull can span a reset");
    assert!(drawn.windows(2).all(|pair| pair[0].after == pair[1].before));
    assert_eq!(drawn.iter().map(|pull| pull.slot).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
}

fn count(pity: &Pity) -> u32 {
    pity.tiers.get("legendary").map_or(0, |tier| tier.count)
}

#[test]
fn a_summon_keeps_its_floor_at_the_last_moment_only() {
    let banner = catalogs::banner(GOLDEN, "floor = { count = 10, tier = \"legendary\" }");
    let draws = [999_999_999, 0].repeat(10);
    let drawn = pulls(&banner, &banner.costs[0], 10, &Pity::default(), &mut Forced(draws));
    assert!(drawn[..9].iter().all(|pull| pull.tier.as_str() == "epic" && pull.floor.is_none()));
    assert_eq!(drawn[9].floor.as_ref().unwrap().as_str(), "legendary");
    assert_eq!(drawn[9].tier.as_str(), "legendary");
    assert_eq!(count(&drawn[9].after), 0, "what the floor gave is a hit like any other");
    let Loot::Tiers(tiers) = &banner.loot else { panic!("tiers") };
    assert_eq!(tiers.floor.unwrap().pulls, 10);
}

#[test]
fn a_pull_without_pity_neither_uses_it_nor_touches_it() {
    let banner = banner_of(GOLDEN);
    let free = banner.costs.iter().find(|cost| cost.id.as_str() == "free").unwrap();
    let due = pity(r#"{"pulls":89,"tiers":{"legendary":{"count":89,"losses":1}}}"#);
    let missed = pulls(&banner, free, 1, &due, &mut Forced(vec![6_000_000, 0])).remove(0);
    assert_eq!((missed.tier.as_str(), &missed.after), ("epic", &due));
    let hit = pulls(&banner, free, 1, &due, &mut Forced(vec![5_999_999, 999_999_999, 0])).remove(0);
    assert_eq!((hit.tier.as_str(), hit.featured, &hit.after), ("legendary", Some(false), &due));
}
