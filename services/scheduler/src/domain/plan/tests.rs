#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

use auric_time::Timestamp;
use proptest::prelude::*;

use super::{Plan, TIMES_MAX, plan};
use crate::domain::{JobSpec, Misfire, MisfirePolicy, Schedule, SkipReason, Timetable};

const SECOND: i64 = 1_000_000;

fn spec(every_ms: u64, misfire: Misfire) -> (JobSpec, Timetable) {
    let schedule = Schedule::Interval { every_ms, anchor: Timestamp::EPOCH };
    let timetable = Timetable::of(&schedule).unwrap();
    let spec = JobSpec { misfire, ..JobSpec::new(schedule, "t".parse().unwrap(), "h".parse().unwrap()) };
    (spec, timetable)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * SECOND)
}

fn seconds(times: &[Timestamp]) -> Vec<i64> {
    times.iter().map(|time| time.micros() / SECOND).collect()
}

#[test]
fn of_missed_times_the_latest_fires_and_the_others_are_on_record() {
    let (spec, timetable) = spec(10_000, Misfire { threshold_ms: 5_000, ..Misfire::default() });
    let plan = plan(&spec, &timetable, at(0), at(47), 0);
    assert_eq!(seconds(&plan.fire), [40]);
    assert_eq!(plan.skipped.len(), 1);
    assert_eq!((plan.skipped[0].from, plan.skipped[0].until, plan.skipped[0].count), (at(0), at(30), 4));
    assert_eq!(plan.skipped[0].reason, SkipReason::MisfireFireOnce);
    assert_eq!(plan.next_at, Some(at(50)));
}

#[test]
fn a_time_within_the_threshold_is_late_and_not_missed() {
    let (spec, timetable) =
        spec(10_000, Misfire { policy: MisfirePolicy::Skip, threshold_ms: 10_000, ..Misfire::default() });
    let plan = plan(&spec, &timetable, at(10), at(40), 0);
    assert_eq!(seconds(&plan.fire), [30, 40]);
    assert_eq!((plan.skipped[0].count, plan.skipped[0].reason), (2, SkipReason::MisfireSkip));
}

#[test]
fn all_fire_up_to_the_bound_and_within_the_window() {
    let misfire = Misfire { policy: MisfirePolicy::FireAll, threshold_ms: 0, window_ms: 55_000, firings_max: 3 };
    let (spec, timetable) = spec(10_000, misfire);
    let plan = plan(&spec, &timetable, at(0), at(101), 5 * SECOND);
    assert_eq!(seconds(&plan.fire), [80, 90, 100]);
    let reasons: Vec<_> = plan.skipped.iter().map(|run| (run.from, run.until, run.count, run.reason)).collect();
    assert_eq!(reasons, [(at(0), at(40), 5, SkipReason::MisfireWindow), (at(50), at(70), 3, SkipReason::MisfireBound)]);
    assert_eq!(plan.next_at, Some(at(110)));
}

#[test]
fn a_one_shot_fires_however_late() {
    let schedule = Schedule::OneShot { at: at(1) };
    let timetable = Timetable::of(&schedule).unwrap();
    let once = JobSpec::new(schedule, "t".parse().unwrap(), "h".parse().unwrap());
    let late = plan(&once, &timetable, at(1), at(1_000_000_000), 0);
    assert_eq!(late, Plan { fire: vec![at(1)], skipped: Vec::new(), next_at: None });
}

/// Plans again and again until nothing is left before the horizon, and tells all that came of it.
fn catch_up(
    spec: &JobSpec,
    timetable: &Timetable,
    from: Timestamp,
    now: Timestamp,
    ahead: i64,
) -> (Vec<Timestamp>, u64, u32) {
    let (mut next_at, mut fired, mut skipped, mut rounds) = (from, Vec::new(), 0, 0);
    loop {
        let plan = plan(spec, timetable, next_at, now, ahead);
        fired.extend(&plan.fire);
        skipped += plan.skipped.iter().map(|run| run.count).sum::<u64>();
        rounds += 1;
        let next = plan.next_at.unwrap();
        assert!(next > next_at || next > now.plus_micros(ahead), "a plan goes forward");
        next_at = next;
        if next_at > now.plus_micros(ahead) {
            return (fired, skipped, rounds);
        }
    }
}

proptest! {
    /// Every time is fired or on record, none is both, and each plan is bounded, however much was missed.
    #[test]
    fn nothing_is_lost_and_nothing_doubled(
        every_ms in 1_000_u64..100_000,
        behind in 0_i64..200_000,
        ahead in 0_i64..10,
        policy in prop::sample::select(vec![MisfirePolicy::FireOnce, MisfirePolicy::Skip, MisfirePolicy::FireAll]),
        threshold_ms in 0_u64..100_000,
        window_ms in 0_u64..200_000_000,
        firings_max in 1_u32..=1_000,
    ) {
        let misfire = Misfire { policy, threshold_ms, window_ms, firings_max };
        let (spec, timetable) = spec(every_ms, misfire);
        let now = at(1_000_000);
        let from = timetable.after(now.plus_micros(-behind * SECOND)).unwrap();
        let until = now.plus_micros(ahead * SECOND);
        let all: Vec<Timestamp> = std::iter::successors(Some(from), |time| timetable.after(*time)).take_while(|time| *time <= until).collect();
        let (fired, skipped, rounds) = catch_up(&spec, &timetable, from, now, ahead * SECOND);

        prop_assert!(fired.windows(2).all(|pair| pair[0] < pair[1]), "in order, and none twice");
        prop_assert!(fired.iter().all(|time| all.binary_search(time).is_ok()), "only times of the job");
        prop_assert_eq!(fired.len() + usize::try_from(skipped).unwrap(), all.len(), "nothing is lost");
        prop_assert!(usize::try_from(rounds).unwrap() <= all.len() / TIMES_MAX + 2, "bounded");
        let missed_before = now.plus_micros(-i64::try_from(threshold_ms * 1_000).unwrap());
        let missed: Vec<Timestamp> = all.iter().copied().filter(|time| *time < missed_before).collect();
        let worth = missed.iter().filter(|time| **time >= now.plus_micros(-i64::try_from(window_ms * 1_000).unwrap())).count();
        let may = match policy { MisfirePolicy::FireOnce => 1, MisfirePolicy::Skip => 0, MisfirePolicy::FireAll => usize::try_from(firings_max).unwrap() };
        let kept = fired.iter().filter(|time| **time < missed_before).count();
        prop_assert_eq!(kept, may.min(worth), "of the missed ones exactly those that the policy lets fire");
        prop_assert_eq!(fired.len() - kept, all.len() - missed.len(), "what was not missed fires");
    }

    /// A plan's runs and firings tile the times from where the job stood to where it stands.
    #[test]
    fn a_plan_is_gapless(every_ms in 1_000_u64..5_000, behind in 0_i64..20_000, firings_max in 1_u32..50) {
        let misfire = Misfire { policy: MisfirePolicy::FireAll, threshold_ms: 0, window_ms: 5_000_000, firings_max };
        let (spec, timetable) = spec(every_ms, misfire);
        let now = at(1_000_000);
        let from = timetable.after(now.plus_micros(-behind * SECOND)).unwrap();
        let plan = plan(&spec, &timetable, from, now, 0);
        let mut expected = from;
        for run in &plan.skipped {
            prop_assert_eq!(run.from, expected);
            let last = std::iter::successors(Some(run.from), |time| timetable.after(*time)).nth(usize::try_from(run.count).unwrap() - 1).unwrap();
            prop_assert_eq!(run.until, last);
            expected = timetable.after(last).unwrap();
        }
        for time in &plan.fire {
            prop_assert_eq!(*time, expected);
            expected = timetable.after(*time).unwrap();
        }
        prop_assert_eq!(plan.next_at, Some(expected));
    }
}
