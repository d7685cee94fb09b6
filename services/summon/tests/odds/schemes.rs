//! What each scheme makes of hits and misses.

use std::num::NonZeroU64;

use auric_summon::domain::odds::{Wish, consolidated, next, until};
use auric_summon::domain::pity::{SparkFault, choose, exchange};
use auric_summon::domain::{Draws, How, Pity, Play, Simulation, pulls};

use super::catalogs::{banner, banner_of};
use super::engine::{Forced, pity};

const THREE: &str = "[tables.t.tiers.legendary]\nrate_ppb = 10_000_000\nitems = { nerissa = 1 }\n\
                     [tables.t.tiers.epic]\nrate_ppb = 90_000_000\nitems = { elder_dryad = 1 }\n\
                     [tables.t.tiers.rare]\nrate_ppb = 900_000_000\nitems = { riverglass = 1 }\n";

/// What is left of the epic's count after a pull that drew `tier`, when it was `count`.
fn epic_after(on_higher: &str, count: u32, tier: u64) -> u32 {
    let group =
        format!("[pity_groups.g.tiers.epic]\nscheme = \"hard\"\nhard_at = 10\non_higher = \"{on_higher}\"\n{THREE}");
    let banner = banner_of(&group);
    let before = pity(&format!(r#"{{"tiers":{{"epic":{{"count":{count}}}}}}}"#));
    let mut play = Play::new(&banner, How::PAID, &before);
    play.step(None, &mut Forced(vec![tier]));
    play.pity(&before).tiers.get("epic").map_or(0, |tier| tier.count)
}

#[test]
fn a_higher_hit_keeps_resets_or_freezes_a_lower_count() {
    let legendary = 0;
    assert_eq!(
        [epic_after("keep", 4, legendary), epic_after("reset", 4, legendary), epic_after("freeze", 4, legendary)],
        [5, 0, 4]
    );
    for on_higher in ["keep", "reset", "freeze"] {
        assert_eq!(epic_after(on_higher, 4, 10_000_000), 0, "its own hit");
        assert_eq!(epic_after(on_higher, 4, 999_999_999), 5, "a miss");
    }
    assert_eq!(epic_after("keep", 9, legendary), 9, "what was due stays due when a higher tier crowds it out");
    assert_eq!(epic_after("freeze", 9, legendary), 9);
}

#[test]
fn a_table_gives_each_pull_its_own_chance_and_a_meter_fills() {
    let table = banner_of(&format!(
        "[pity_groups.g.tiers.epic]\nscheme = \"table\"\nrates_ppb = [90_000_000, 0, 500_000_000]\n{THREE}"
    ));
    let rate = |count: u32| {
        let pity = pity(&format!(r#"{{"tiers":{{"epic":{{"count":{count}}}}}}}"#));
        next(&table, How::PAID, &pity).tiers[1].chance.decimal().to_string()
    };
    assert_eq!([0, 1, 2, 3].map(rate), ["0.090000000000", "0.000000000000", "0.500000000000", "0.500000000000"]);
    let meter = banner_of(&format!("[pity_groups.g.tiers.epic]\nscheme = \"meter\"\ngain_ppb = 400_000_000\n{THREE}"));
    let miss = [999_999_999, 0].repeat(3);
    let missed = pulls(&meter, &meter.costs[0], 3, &Pity::default(), &mut Forced(miss));
    let bars: Vec<u32> = missed.iter().map(|pull| pull.after.tiers["epic"].count).collect();
    assert_eq!(bars, [400_000_000, 800_000_000, 1_000_000_000]);
    let told = next(&meter, How::PAID, &missed[2].after);
    assert_eq!(told.tiers[1].filled.unwrap().to_string(), "100%");
    assert_eq!(told.tiers[1].chance.decimal().to_string(), "0.990000000000", "certain, but for what is higher");
}

#[test]
fn the_first_pulls_keep_their_promise_once() {
    let banner = banner_of(&format!("[pity_groups.g]\nfirst = {{ within = 3, tier = \"epic\" }}\n{THREE}"));
    let drawn = pulls(&banner, &banner.costs[0], 10, &Pity::default(), &mut Forced([999_999_999, 0].repeat(10)));
    let tiers: Vec<&str> = drawn.iter().map(|pull| pull.tier.as_str()).collect();
    assert_eq!(tiers[..4], ["rare", "rare", "epic", "rare"]);
    assert!(tiers[4..].iter().all(|tier| *tier == "rare") && drawn[9].after.first_kept);
    let early = pulls(&banner, &banner.costs[0], 4, &Pity::default(), &mut Forced([0, 0, 999_999_999, 0].repeat(2)));
    assert_eq!(
        early.iter().map(|pull| pull.tier.as_str()).collect::<Vec<_>>(),
        ["legendary", "rare", "legendary", "rare"]
    );
    let least = until(&banner, How::PAID, &Pity::default(), &Wish::AtLeast("epic".parse().unwrap())).unwrap().unwrap();
    assert_eq!((least.curve[2].to_string(), least.worst), ("1.000000000000".to_owned(), Some(3)));
    // The pulls before it decide whether the third is promised anything.
    assert_eq!(next(&banner, How::PAID, &drawn[1].after).tiers[2].chance.over, 0);
    assert_eq!(format!("{:.3}", consolidated(&banner, How::PAID, 1, None).unwrap().tiers[1].rate), "0.090");
}

const PATH: &str = "[tables.t.tiers.legendary]\nrate_ppb = 500_000_000\nitems = { nerissa = 1 }\n\
                    featured = { solmara = 1, zephyra = 1 }\nfeatured_share_ppb = 750_000_000\nguarantee_after = 2\npath_points = 2\n\
                    [tables.t.tiers.epic]\nrate_ppb = 500_000_000\nitems = { elder_dryad = 1 }\n";

#[test]
fn a_path_leads_to_its_target_after_so_many_other_hits() {
    let banner = banner_of(PATH);
    let target = "zephyra".parse().unwrap();
    let chosen = choose(&banner, &Pity::default(), Some(&target)).unwrap();
    // Featured, but another; then not featured at all; then the target, without a draw for it.
    let draws = vec![0, 0, 0, 0, 750_000_000, 0, 0];
    let drawn = pulls(&banner, &banner.costs[0], 3, &chosen, &mut Forced(draws));
    let species: Vec<&str> = drawn.iter().map(|pull| pull.species.as_str()).collect();
    assert_eq!(species, ["solmara", "nerissa", "zephyra"]);
    assert_eq!(drawn.iter().map(|pull| pull.after.paths["b"].points).collect::<Vec<_>>(), [1, 2, 0]);
    assert_eq!((drawn[2].draws.as_slice(), drawn[2].featured), (&[0][..], Some(true)));
    let wish = Wish::Item(target.clone());
    let (with, without) =
        (until(&banner, How::PAID, &chosen, &wish), until(&banner, How::PAID, &Pity::default(), &wish));
    assert!(with.unwrap().unwrap().mean < without.unwrap().unwrap().mean);
    // The same target again keeps the points, another loses them, none forgets the path.
    assert_eq!(choose(&banner, &drawn[1].after, Some(&target)).unwrap(), drawn[1].after);
    let other = choose(&banner, &drawn[1].after, Some(&"solmara".parse().unwrap())).unwrap();
    assert_eq!(other.paths["b"].points, 0);
    assert_eq!(choose(&banner, &drawn[1].after, None).unwrap().paths.len(), 0);
    let fault = choose(&banner, &Pity::default(), Some(&"nerissa".parse().unwrap())).unwrap_err();
    assert_eq!(fault.to_string(), "nerissa cannot be chosen on the banner b");
}

#[test]
fn spark_points_come_with_every_pull_that_advances_and_buy_what_is_offered() {
    let rules = format!("[pity_groups.g]\nspark = {{ price_points = 3 }}\n{PATH}");
    let banner = banner(&rules, "spark_items = [\"solmara\"]");
    let free = banner.cost(&"free".parse().unwrap()).unwrap();
    let mut words = auric_summon::domain::SeededWords::new(1);
    let paid = pulls(&banner, banner.cost(&"coins".parse().unwrap()).unwrap(), 10, &Pity::default(), &mut words);
    let after = pulls(&banner, free, 1, &paid[9].after, &mut words).remove(0).after;
    assert_eq!(after.spark_points, 10, "a pull without pity gives none");
    let (left, tier) = exchange(&banner, &after, &"solmara".parse().unwrap()).unwrap();
    assert_eq!((left.spark_points, tier.as_str()), (7, "legendary"));
    assert_eq!(Pity { spark_points: 10, ..left }, after, "nothing else changes");
    let poor = exchange(&banner, &paid[1].after, &"solmara".parse().unwrap());
    assert!(matches!(poor, Err(SparkFault::TooFew { price_points: 3, points: 2, .. })), "{poor:?}");
    assert!(exchange(&banner, &after, &"zephyra".parse().unwrap()).is_err());
}

const BOX: &str = "[tables.t.box]\nitems = { nerissa = 1, elder_dryad = 3, riverglass = 6 }\n";

#[test]
fn a_box_gives_exactly_what_is_in_it_and_then_anew() {
    let banner = banner_of(BOX);
    for seed in 0..50 {
        let drawn: Vec<&str> = Simulation::new(&banner, &banner.costs[0], 1, &Pity::default(), seed)
            .take(20)
            .map(|drawn| drawn.species.as_str())
            .collect();
        for full in drawn.chunks(10) {
            let count = |species| full.iter().filter(|drawn| **drawn == species).count();
            assert_eq!([count("nerissa"), count("elder_dryad"), count("riverglass")], [1, 3, 6]);
        }
    }
    let wish = Wish::Item("nerissa".parse().unwrap());
    let told = until(&banner, How::PAID, &Pity::default(), &wish).unwrap().unwrap();
    assert_eq!((told.mean.to_string(), told.worst, told.p50), ("5.500000000000".to_owned(), Some(10), 5));
    let half = pity(r#"{"boxes":{"b":{"taken":{"riverglass":6,"elder_dryad":3}}}}"#);
    assert_eq!(next(&banner, How::PAID, &half).items[1].chance.decimal().to_string(), "1.000000000000");
    let last = pulls(&banner, &banner.costs[0], 1, &half, &mut Forced(vec![])).remove(0);
    assert_eq!((last.species.as_str(), last.after.boxes["b"].finished), ("nerissa", 1));
}

#[test]
fn a_box_that_is_renewed_without_its_prize_gives_the_others_half_as_often() {
    let banner = banner_of(&format!("{BOX}renews_without = \"nerissa\"\n"));
    let told = consolidated(&banner, How::PAID, 1, None).unwrap();
    let rates: Vec<String> = told.items.iter().map(|item| format!("{:.4}", item.rate)).collect();
    // A prize of one copy leaves half of the other nine in the box: 1, 1.5 and 3 of 5.5 pulls.
    assert_eq!(rates, ["0.2727", "0.1818", "0.5455"]);
    let pulls = 100_000;
    let prizes = Simulation::new(&banner, &banner.costs[0], 1, &Pity::default(), 3)
        .take(pulls)
        .filter(|drawn| drawn.species.as_str() == "nerissa")
        .count();
    assert!((17_700..18_700).contains(&prizes), "{prizes}");
    let wish = Wish::Item("riverglass".parse().unwrap());
    assert_eq!(until(&banner, How::PAID, &Pity::default(), &wish), Ok(None), "it may never come out of this box");
}

#[test]
fn words_that_would_favour_a_number_change_nothing_for_the_next_pull() {
    struct Ends(u64);
    impl auric_summon::domain::Words for Ends {
        fn begin(&mut self, slot: u32) {
            self.0 = u64::from(slot) * 7;
        }
        fn word(&mut self) -> u64 {
            self.0 += 1;
            // Zero is below 2^64 mod bound unless that is 0: the first word of each pull is thrown away.
            if self.0 % 7 == 1 { 0 } else { u64::MAX }
        }
    }
    let banner = banner_of(THREE);
    let drawn = pulls(&banner, &banner.costs[0], 3, &Pity::default(), &mut Ends(0));
    assert!(drawn.iter().all(|pull| pull.draws[0] == 999_999_999 && pull.tier.as_str() == "rare"));
    assert_eq!(Draws::below(&mut Ends(0), NonZeroU64::new(1_000_000_000).unwrap()), 999_999_999);
}
