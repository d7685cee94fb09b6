//! What is drawn has the chances that are told, in the only way that has the power to tell: by the gaps between hits, and by the hits at each
//! count. The same battery catches engines that are wrong but have the right rate over all.
//!
//! A right engine fails one test in a million. The seeds are fixed.

use std::collections::BTreeMap;

use auric_summon::domain::{Banner, How, Loot, Pity, Play, Ppb, SeededWords, Simulation, Words as _};
use statrs::distribution::{ChiSquared, ContinuousCDF as _};

use super::catalogs::banner_of;

const ALPHA: f64 = 1e-6;

/// 200,000 pulls; five million in the campaign, which sets `PROPTEST_CASES`.
fn pulls() -> usize {
    usize::try_from(proptest::test_runner::Config::default().cases).unwrap() * 782
}

/// How likely it is that chance alone makes `found` as far from `expected` as it is.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn likelihood(cells: &[(usize, f64)], constraints: usize) -> f64 {
    let sum: f64 = cells.iter().map(|(found, expected)| (*found as f64 - expected).powi(2) / expected).sum();
    ChiSquared::new((cells.len() - constraints) as f64).unwrap().sf(sum)
}

/// Joins neighbours until each cell expects enough for the test to hold.
fn joined(cells: impl Iterator<Item = (usize, f64)>) -> Vec<(usize, f64)> {
    let mut joined: Vec<(usize, f64)> = Vec::new();
    let (mut found, mut expected) = (0, 0.0);
    for cell in cells {
        (found, expected) = (found + cell.0, expected + cell.1);
        if expected >= 10.0 {
            joined.push((found, expected));
            (found, expected) = (0, 0.0);
        }
    }
    if let Some(last) = joined.last_mut() {
        *last = (last.0 + found, last.1 + expected);
    }
    joined
}

/// The three tests of one tier, by gaps, by counts, and by all counts together: the chance at pull 1, 2, … after a hit is `hazard`, and `hits` says of each pull whether it hit.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn battery(hazard: &[f64], hits: impl Iterator<Item = bool>) -> [f64; 3] {
    let mut tried = vec![0_usize; hazard.len()];
    let mut hit = vec![0_usize; hazard.len()];
    let mut count = 0;
    for is_hit in hits {
        let place = count.min(hazard.len() - 1);
        tried[place] += 1;
        count += 1;
        if is_hit {
            hit[place] += 1;
            count = 0;
        }
    }
    let all: usize = hit.iter().sum();
    let mut left = 1.0;
    let gaps = hazard.iter().zip(&hit).map(|(chance, hit)| {
        let expected = all as f64 * left * chance;
        left *= 1.0 - chance;
        (*hit, expected)
    });
    let gaps = joined(gaps);
    let strata = hazard.iter().zip(tried.iter().zip(&hit)).flat_map(|(chance, (tried, hit))| {
        let expected = *tried as f64 * chance;
        let missed = *tried as f64 - expected;
        if expected >= 5.0 && missed >= 5.0 { vec![(*hit, expected), (tried - hit, missed)] } else { Vec::new() }
    });
    let strata: Vec<(usize, f64)> = strata.collect();
    let forbidden =
        hazard.iter().zip(tried.iter().zip(&hit)).any(|(chance, (tried, hit))| *chance >= 1.0 && hit < tried);
    if forbidden {
        return [0.0; 3];
    }
    // What is a little too often at every count shows in the sum: one number, with the variance of all strata.
    let rows = hazard.iter().zip(tried.iter().zip(&hit));
    let (apart, variance) = rows.fold((0.0, 0.0), |(apart, variance), (chance, (tried, hit))| {
        let expected = *tried as f64 * chance;
        (apart + *hit as f64 - expected, variance + expected * (1.0 - chance))
    });
    let pooled = ChiSquared::new(1.0).unwrap().sf(apart * apart / variance);
    // Each stratum has two cells and one sum.
    [likelihood(&gaps, 1), likelihood(&strata, strata.len() / 2), pooled]
}

const SOFT: &str =
    "[pity_groups.g.tiers.legendary]\nscheme = \"soft\"\nsoft_from = 74\nsoft_step_ppb = 60_000_000\nhard_at = 90\n";
const HARD: &str = "[pity_groups.g.tiers.legendary]\nscheme = \"hard\"\nhard_at = 90\n";
const METER: &str = "[pity_groups.g.tiers.legendary]\nscheme = \"meter\"\ngain_ppb = 20_000_000\n";
const TABLES: &str = "[tables.t.tiers.legendary]\nrate_ppb = 6_000_000\nitems = { nerissa = 3, aurelion = 1 }\n\
                      featured = { solmara = 1 }\nfeatured_share_ppb = 500_000_000\nguarantee_after = 1\n\
                      [tables.t.tiers.epic]\nrate_ppb = 994_000_000\nitems = { elder_dryad = 1, ashen_phoenix = 2, titan_of_slate = 5 }\n";

/// The hazard of the golden scheme, written out.
fn soft(pull: u32) -> f64 {
    match pull {
        0..74 => 0.006,
        74..90 => 0.006 + 0.06 * f64::from(pull - 73),
        _ => 1.0,
    }
}

fn hazard(at: impl Fn(u32) -> f64, last: u32) -> Vec<f64> {
    (1..=last).map(at).collect()
}

#[track_caller]
fn passes(likelihoods: [f64; 3]) {
    assert!(likelihoods.iter().all(|likelihood| *likelihood > ALPHA), "as unlikely as {likelihoods:?}");
}

#[test]
fn every_scheme_hits_as_often_at_each_count_as_it_should() {
    let flat = |certain: u32| move |pull: u32| if pull >= certain { 1.0 } else { 0.006 };
    let schemes = [(SOFT, hazard(soft, 90)), (HARD, hazard(flat(90), 90)), (METER, hazard(flat(51), 51))];
    for (seed, (rules, hazard)) in (1..).zip(schemes) {
        let banner = banner_of(&format!("{rules}{TABLES}"));
        let drawn = Simulation::paid(&banner, How::PAID, 1, &Pity::default(), seed).take(pulls());
        passes(battery(&hazard, drawn.map(|drawn| drawn.slot == 0)));
    }
}

#[test]
fn engines_with_the_right_rate_and_the_wrong_pity_are_caught() {
    let hazard = hazard(soft, 90);
    let mut words = SeededWords::new(77);
    let mut count = 0;
    let mut sham = |chance: &dyn Fn(u32) -> f64, uniform: &dyn Fn(u64) -> f64| {
        let hits: Vec<bool> = (0..pulls())
            .map(|_| {
                count += 1;
                let is_hit = uniform(words.word()) < chance(count);
                if is_hit {
                    count = 0;
                }
                is_hit
            })
            .collect();
        battery(&hazard, hits.into_iter())
    };
    #[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
    let fair = |word: u64| (word >> 11) as f64 / (1_u64 << 53) as f64;
    passes(sham(&soft, &fair));
    let caught = |likelihoods: [f64; 3]| likelihoods.iter().any(|likelihood| *likelihood < ALPHA);
    // No ramp at all, tuned to the same rate: its number of hits is right.
    assert!(caught(sham(&|_| 0.016_052_051_8, &fair)));
    assert!(caught(sham(&|pull| if pull >= 90 { 1.0 } else { 0.009_5 }, &fair)));
    // A ramp that begins one pull late.
    assert!(caught(sham(&|pull| if pull == 74 { 0.006 } else { soft(pull) }, &fair)));
    // A 32-bit word modulo a billion: the first 294,967,296 numbers come five times in 2^32, the others four times.
    let biased = |word: u64| f64::from(u32::try_from((word >> 32) % 1_000_000_000).unwrap()) / 1e9;
    assert!(caught(sham(&soft, &biased)));
}

/// For each state that a play passes often, how often each tier came, and how often it should have.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn strata(banner: &Banner, seed: u64) -> f64 {
    let Loot::Tiers(tiers) = &banner.loot else { panic!("tiers") };
    let (mut play, mut words) = (Play::new(banner, How::PAID, &Pity::default()), SeededWords::new(seed));
    let mut found: BTreeMap<Vec<u32>, Vec<usize>> = BTreeMap::new();
    for _ in 0..pulls() {
        let state = play.state();
        let shares: Vec<u32> = state.shares(&tiers.slots, state.floor(tiers, None)).map(Ppb::parts).collect();
        let hit = play.step(None, &mut words).slot;
        found.entry(shares).or_insert_with(|| vec![0; tiers.slots.len()])[hit] += 1;
    }
    let mut cells = Vec::new();
    let mut sums = 0;
    for (shares, found) in found {
        let all: usize = found.iter().sum();
        let of_state =
            joined(found.into_iter().zip(shares).map(|(found, share)| (found, all as f64 * f64::from(share) / 1e9)));
        if of_state.len() > 1 {
            cells.extend(of_state);
            sums += 1;
        }
    }
    likelihood(&cells, sums)
}

#[test]
fn the_shipped_banners_draw_every_tier_as_often_as_each_state_says() {
    let game = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../game");
    let loaded = auric_summon::catalog::load(&game).unwrap();
    for (seed, banner) in (21..).zip(loaded.banners.iter()) {
        let likelihood = strata(banner, seed);
        assert!(likelihood > ALPHA, "{} is as unlikely as {likelihood}", banner.id);
    }
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn items_come_by_weight_and_featured_ones_by_their_share_and_guarantee() {
    let banner = banner_of(&format!("{SOFT}{TABLES}"));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut lost, mut coins, mut wins) = (false, 0, 0);
    for drawn in Simulation::paid(&banner, How::PAID, 1, &Pity::default(), 99).take(pulls()) {
        *counts.entry(drawn.species.as_str()).or_default() += 1;
        if let Some(is_featured) = drawn.featured {
            if lost {
                assert!(is_featured, "a loss guarantees the next");
            } else {
                coins += 1;
                wins += usize::from(is_featured);
            }
            lost = !is_featured;
        }
    }
    let by_weight = |weights: &[(&str, f64)]| {
        let all: usize = weights.iter().map(|(species, _)| counts[species]).sum();
        let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
        let cells: Vec<(usize, f64)> =
            weights.iter().map(|(species, weight)| (counts[species], all as f64 * weight / sum)).collect();
        likelihood(&cells, 1)
    };
    let epics = by_weight(&[("elder_dryad", 1.0), ("ashen_phoenix", 2.0), ("titan_of_slate", 5.0)]);
    let losses = by_weight(&[("nerissa", 3.0), ("aurelion", 1.0)]);
    let coin = likelihood(&[(wins, coins as f64 / 2.0), (coins - wins, coins as f64 / 2.0)], 1);
    assert!([epics, losses, coin].iter().all(|likelihood| *likelihood > ALPHA), "{epics} {losses} {coin}");
}
