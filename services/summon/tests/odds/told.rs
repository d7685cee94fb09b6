//! The odds that are told: golden figures, exact rationals, and a second implementation that knows nothing of the first.

use auric_summon::domain::odds::{Decimal, Wish, consolidated, diff, next, until};
use auric_summon::domain::{How, Pity, Play, SeededWords, Words as _};
use num_rational::BigRational;

use super::catalogs::{banner, banner_of, banners};
use super::naive::Naive;

fn two_tiers(pity: &str, rate: u64) -> String {
    format!(
        "{pity}\n[tables.t.tiers.legendary]\nrate_ppb = {rate}\nitems = {{ nerissa = 1, aurelion = 1 }}\n\
         featured = {{ solmara = 1 }}\nfeatured_share_ppb = 500_000_000\nguarantee_after = 1\n\
         [tables.t.tiers.epic]\nrate_ppb = {}\nitems = {{ elder_dryad = 1 }}",
        1_000_000_000 - rate
    )
}

fn tier(name: &str) -> auric_ids::RarityId {
    name.parse().unwrap()
}

const SOFT: &str =
    "[pity_groups.g.tiers.legendary]\nscheme = \"soft\"\nsoft_from = 74\nsoft_step_ppb = 60_000_000\nhard_at = 90";
const HARD: &str = "[pity_groups.g.tiers.legendary]\nscheme = \"hard\"\nhard_at = 90";

#[test]
fn the_golden_schemes_have_their_golden_figures() {
    let soft = banner_of(&two_tiers(SOFT, 6_000_000));
    let told = consolidated(&soft, How::PAID, 1, None).unwrap();
    assert_eq!(format!("{:.4} {:.6}", told.tiers[0].mean_pulls, told.tiers[0].rate), "62.2973 0.016052");
    let fresh = until(&soft, How::PAID, &Pity::default(), &Wish::Tier(tier("legendary"))).unwrap().unwrap();
    assert_eq!((format!("{:.4}", fresh.mean), fresh.worst), ("62.2973".to_owned(), Some(90)));
    let featured = until(&soft, How::PAID, &Pity::default(), &Wish::Featured(tier("legendary"))).unwrap().unwrap();
    assert_eq!((format!("{:.3}", featured.mean), featured.worst), ("93.446".to_owned(), Some(180)));

    let hard = banner_of(&two_tiers(HARD, 6_000_000));
    let told = consolidated(&hard, How::PAID, 1, None).unwrap();
    assert_eq!(format!("{:.4} {:.6}", told.tiers[0].mean_pulls, told.tiers[0].rate), "69.6998 0.014347");
    assert_eq!(next(&hard, How::PAID, &Pity::default()).tiers[0].chance.under, 500);
}

/// How far a figure is from a fraction.
fn error(told: Decimal, exact: &BigRational) -> f64 {
    let told = BigRational::new(told.parts().into(), Decimal::ONE.parts().into());
    let apart = told - exact;
    // Of numbers as close as these the quotient of the rounded parts is close enough.
    let parts = (apart * BigRational::from_integer(10_u64.pow(18).into())).round().to_integer();
    parts.to_string().parse::<f64>().unwrap().abs() / 1e18
}

#[test]
fn small_schemes_are_told_within_a_trillionth_of_the_exact_fractions() {
    let mut words = SeededWords::new(12);
    let mut compared = 0;
    for _ in 0..40 {
        let mut naive = Naive::random(&mut words, 3, 3);
        if naive.tiers.len() == 2 && words.word().is_multiple_of(4) {
            naive.floor = Some((10, 0));
        }
        let count = if naive.floor.is_some() { 10 } else { 1 };
        let (rules, keys) = naive.toml();
        let Some(exact) = naive.exact() else { continue };
        let banner = banner(&rules, &keys);
        let told = consolidated(&banner, How::PAID, count, None).unwrap();
        for (tier, exact) in told.tiers.iter().zip(&exact) {
            let apart = error(tier.rate, exact);
            assert!(apart <= 1e-12, "{} is off by {apart:e} in\n{rules}{keys}", tier.tier);
        }
        let of_items = told.items.iter().fold(0, |sum, item| sum + item.rate.parts());
        assert!(of_items.abs_diff(Decimal::ONE.parts()) < 1_000_000, "the items are {of_items} together");
        compared += 1;
        if naive.floor.is_none() && naive.tiers[0].base > 1_000_000 {
            let exact = naive.exact_until(0).unwrap();
            let found = until(&banner, How::PAID, &Pity::default(), &Wish::Tier(tier("legendary"))).unwrap().unwrap();
            let apart = error(found.mean, &exact);
            assert!(apart <= 1e-9, "the mean is off by {apart:e} in\n{rules}");
        }
    }
    assert!(compared >= 30, "only {compared} schemes had one solution");
}

#[test]
fn random_catalogs_are_told_as_a_naive_implementation_tells_them() {
    let mut words = SeededWords::new(2_026);
    let mut compared = 0;
    for _ in 0..40 {
        let mut naive = Naive::random(&mut words, 4, 6);
        if words.word().is_multiple_of(4) {
            naive.floor = Some((10, naive.tiers.len() - 2));
        }
        let count = if naive.floor.is_some() { 10 } else { 1 };
        let (rules, keys) = naive.toml();
        let banner = banner(&rules, &keys);
        let Some(expected) = naive.averaged() else { continue };
        let told = consolidated(&banner, How::PAID, count, None).unwrap();
        for (tier, expected) in told.tiers.iter().zip(expected) {
            let rate: f64 = format!("{:.18}", tier.rate).parse().unwrap();
            assert!((rate - expected).abs() < 1e-11, "{} is {rate}, not {expected}, in\n{rules}{keys}", tier.tier);
        }
        compared += 1;
    }
    assert!(compared >= 30, "only {compared} catalogs came to rest");
}

#[test]
fn the_chances_of_every_state_are_those_of_the_papers() {
    // The engine's own chances, along random plays, against the second implementation.
    let mut words = SeededWords::new(5);
    for _ in 0..40 {
        let naive = Naive::random(&mut words, 4, 6);
        let banner = banner_of(&naive.toml().0);
        let mut play = Play::new(&banner, How::PAID, &Pity::default());
        let (mut state, mut pity) = (naive.fresh(), Pity::default());
        for _ in 0..300 {
            let told: Vec<u128> = next(&banner, How::PAID, &pity)
                .tiers
                .iter()
                .map(|tier| tier.chance.over * (1_000_000_000 / tier.chance.under))
                .collect();
            let expected: Vec<u128> = naive.chances(&state).into_iter().map(u128::from).collect();
            assert_eq!(told, expected, "at {state:?}");
            let hit = play.step(None, &mut words).slot;
            state = naive.after(&state, hit);
            pity = play.pity(&pity);
        }
    }
}

#[test]
fn a_deep_scheme_is_told_for_a_player_in_the_middle_of_it() {
    let soft = banner_of(&two_tiers(SOFT, 6_000_000));
    let at = |count: u32| -> Pity {
        serde_json::from_str(&format!(r#"{{"tiers":{{"legendary":{{"count":{count}}}}}}}"#)).unwrap()
    };
    let mut left = f64::from(1);
    let mut mean = 0.0;
    for pull in 81..=90 {
        mean += left;
        let chance = if pull == 90 { 1.0 } else { 0.006 + 0.06 * f64::from(pull - 73) };
        left *= 1.0 - chance;
    }
    let told = until(&soft, How::PAID, &at(80), &Wish::Tier(tier("legendary"))).unwrap().unwrap();
    assert_eq!(format!("{:.9}", told.mean), format!("{mean:.9}"));
    assert_eq!((told.p50, told.worst, told.curve.len()), (2, Some(10), 10));
    // Without any pity it is the geometric series, to its end.
    let plain = banner_of(&two_tiers("", 1_000_000));
    let told = until(&plain, How::PAID, &Pity::default(), &Wish::Tier(tier("legendary"))).unwrap().unwrap();
    assert_eq!(
        (format!("{:.6}", told.mean), told.p50, told.p99, told.worst),
        ("1000.000000".to_owned(), 693, 4_603, None)
    );
}

#[test]
fn the_difference_of_two_catalogs_names_what_players_notice() {
    let before = banners(&two_tiers(HARD, 6_000_000), "").unwrap();
    assert_eq!(diff(&before, &before), []);
    let next = banners(&two_tiers(SOFT, 6_000_000), "limit = { pulls = 5 }").unwrap();
    let found = diff(&before, &next);
    let of =
        |what: &str| found.iter().find(|found| found.what == what).unwrap_or_else(|| panic!("{what} in {found:?}"));
    assert_eq!(of("limit").next.as_deref(), Some("5 pulls a day"));
    let rate = of("rate of legendary");
    assert!(rate.before.as_ref().unwrap().starts_with("0.014347"), "{rate:?}");
    assert!(rate.next.as_ref().unwrap().starts_with("0.016052"), "{rate:?}");
}
