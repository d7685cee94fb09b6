//! A job's spec. What it may be is the domain's to say: here it only gets its types, and its defaults.

use auric_api::scheduler::v1 as api;
use auric_edge::Decoder;
use auric_time::Timestamp;

use crate::domain::{JobSpec, Misfire, MisfirePolicy, Overlap, Retry, Schedule};

/// Reads a spec, whose fields are at `path`.
pub fn spec(decoder: &mut Decoder, path: &str, spec: Option<&api::JobSpec>) -> Option<JobSpec> {
    let Some(spec) = spec else {
        decoder.fault(path, "must be set");
        return None;
    };
    let at = |field: &str| format!("{path}.{field}");
    let schedule = schedule(decoder, path, spec.schedule.as_ref());
    let misfire = misfire(decoder, &at("misfire"), spec);
    let overlap = match api::OverlapPolicy::try_from(spec.overlap) {
        Ok(api::OverlapPolicy::Unspecified | api::OverlapPolicy::Skip) => Some(Overlap::Skip),
        Ok(api::OverlapPolicy::QueueOne) => Some(Overlap::QueueOne),
        Ok(api::OverlapPolicy::Allow) => Some(Overlap::Allow),
        Err(_) => {
            decoder.fault(at("overlap"), format!("is no policy: {}", spec.overlap));
            None
        }
    };
    let jitter_ms = millis(decoder, &at("jitter"), spec.jitter.as_ref());
    let retry = retry(decoder, &at("retry"), spec.retry.as_ref());
    let deadline_ms = millis(decoder, &at("deadline"), spec.deadline.as_ref());
    let target = decoder.id(&at("target"), &spec.target);
    let handler = decoder.id(&at("handler"), &spec.handler);
    Some(JobSpec {
        misfire: misfire?,
        overlap: overlap?,
        jitter_ms: jitter_ms?.unwrap_or(0),
        retry: retry?,
        deadline_ms: deadline_ms?.unwrap_or(JobSpec::DEADLINE_DEFAULT_MS),
        payload: spec.payload.clone(),
        ..JobSpec::new(schedule?, target?, handler?)
    })
}

fn schedule(decoder: &mut Decoder, path: &str, schedule: Option<&api::job_spec::Schedule>) -> Option<Schedule> {
    match schedule {
        None => {
            decoder.fault(format!("{path}.schedule"), "must be set: cron, interval or one_shot");
            None
        }
        Some(api::job_spec::Schedule::Cron(cron)) => {
            let zone = if cron.time_zone.is_empty() { "UTC" } else { &cron.time_zone };
            let has_nul = cron.expression.contains('\0') || zone.contains('\0');
            if has_nul {
                decoder.fault(format!("{path}.cron.expression"), "must not have NUL in it");
            }
            Some(Schedule::Cron { expression: cron.expression.trim().to_owned(), time_zone: zone.to_owned() })
        }
        Some(api::job_spec::Schedule::Interval(interval)) => {
            let every = millis(decoder, &format!("{path}.interval.every"), interval.every.as_ref())?;
            if every.is_none() {
                decoder.fault(format!("{path}.interval.every"), "must be set");
            }
            let anchor = match &interval.anchor {
                None => Some(Timestamp::EPOCH),
                Some(anchor) => time(decoder, &format!("{path}.interval.anchor"), anchor),
            };
            Some(Schedule::Interval { every_ms: every?, anchor: anchor? })
        }
        Some(api::job_spec::Schedule::OneShot(one_shot)) => {
            let field = format!("{path}.one_shot.at");
            let Some(at) = &one_shot.at else {
                decoder.fault(field, "must be set");
                return None;
            };
            Some(Schedule::OneShot { at: time(decoder, &field, at)? })
        }
    }
}

fn misfire(decoder: &mut Decoder, path: &str, spec: &api::JobSpec) -> Option<Misfire> {
    let defaults = Misfire::default();
    let Some(misfire) = &spec.misfire else { return Some(defaults) };
    let policy = match api::MisfirePolicy::try_from(misfire.policy) {
        Ok(api::MisfirePolicy::Unspecified | api::MisfirePolicy::FireOnce) => Some(MisfirePolicy::FireOnce),
        Ok(api::MisfirePolicy::Skip) => Some(MisfirePolicy::Skip),
        Ok(api::MisfirePolicy::FireAll) => Some(MisfirePolicy::FireAll),
        Err(_) => {
            decoder.fault(format!("{path}.policy"), format!("is no policy: {}", misfire.policy));
            None
        }
    };
    let threshold = millis(decoder, &format!("{path}.threshold"), misfire.threshold.as_ref());
    let window = millis(decoder, &format!("{path}.window"), misfire.window.as_ref());
    let firings_max = number(decoder, &format!("{path}.firings_max"), misfire.firings_max);
    Some(Misfire {
        policy: policy?,
        threshold_ms: threshold?.unwrap_or(defaults.threshold_ms),
        window_ms: window?.unwrap_or(defaults.window_ms),
        firings_max: firings_max?.unwrap_or(defaults.firings_max),
    })
}

/// Reads how failures are tried again.
pub fn retry(decoder: &mut Decoder, path: &str, retry: Option<&api::RetryPolicy>) -> Option<Retry> {
    let defaults = Retry::default();
    let Some(retry) = retry else { return Some(defaults) };
    let attempts = number(decoder, &format!("{path}.attempts_max"), retry.attempts_max);
    let base = millis(decoder, &format!("{path}.backoff_base"), retry.backoff_base.as_ref());
    let max = millis(decoder, &format!("{path}.backoff_max"), retry.backoff_max.as_ref());
    let base_ms = base?.unwrap_or(defaults.base_ms);
    Some(Retry {
        attempts_max: attempts?.unwrap_or(defaults.attempts_max),
        base_ms,
        max_ms: max?.unwrap_or(defaults.max_ms.max(base_ms)),
    })
}

/// Reads a number that is at least 1; nothing when it is absent. The outer nothing is a fault.
#[expect(clippy::option_option, reason = "a fault and an absence are two things")]
fn number(decoder: &mut Decoder, path: &str, number: i32) -> Option<Option<u32>> {
    match u32::try_from(number) {
        Ok(0) => Some(None),
        Ok(number) => Some(Some(number)),
        Err(_) => {
            decoder.fault(path, format!("must be at least 1, is {number}"));
            None
        }
    }
}

/// Reads whole milliseconds; nothing when they are absent. The outer nothing is a fault.
#[expect(clippy::option_option, reason = "a fault and an absence are two things")]
pub fn millis(decoder: &mut Decoder, path: &str, duration: Option<&prost_types::Duration>) -> Option<Option<u64>> {
    let Some(duration) = duration else { return Some(None) };
    let read = std::time::Duration::try_from(*duration).ok();
    let whole = read.filter(|read| read.subsec_nanos() % 1_000_000 == 0);
    let millis = whole.and_then(|whole| u64::try_from(whole.as_millis()).ok());
    if millis.is_none() {
        decoder.fault(path, format!("must be whole milliseconds, not negative; is {duration}"));
    }
    millis.map(Some)
}

/// Reads a moment, to the millisecond that has begun.
fn time(decoder: &mut Decoder, path: &str, time: &prost_types::Timestamp) -> Option<Timestamp> {
    let is_sound = (0..1_000_000_000).contains(&time.nanos) && (0..253_402_300_800).contains(&time.seconds);
    if !is_sound {
        decoder.fault(path, format!("must be from 1970 to 9999, is {time}"));
        return None;
    }
    let millis = i64::from(time.nanos / 1_000_000);
    let seconds = time.seconds.checked_mul(1_000_000)?;
    Some(Timestamp::from_micros(seconds.saturating_add(millis * 1_000)))
}
