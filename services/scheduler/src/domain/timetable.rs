//! The times of a schedule.

use auric_time::Timestamp;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use super::{BadField, Schedule};

/// Characters of a cron expression.
const EXPRESSION_MAX: usize = 256;

/// What a schedule needs to tell its times.
///
/// By the clock on the wall a time that a day does not have fires when the gap is over, one that it has twice fires the first time, and what fires every so
/// many minutes or hours loses none and doubles none.
#[derive(Clone, Debug)]
pub enum Timetable {
    /// By the clock on the wall of a place.
    Wall {
        /// The pattern.
        cron: Box<Cron>,
        /// The place.
        zone: Tz,
    },
    /// Every so many microseconds.
    Every {
        /// At least 1.
        every_micros: i64,
        /// A moment that it fires at.
        anchor: Timestamp,
    },
    /// Once.
    Once(Timestamp),
}

impl Timetable {
    /// Reads a schedule.
    ///
    /// # Errors
    ///
    /// What of it cannot be, by its path in the API.
    pub fn of(schedule: &Schedule) -> Result<Self, BadField> {
        match schedule {
            Schedule::Cron { expression, time_zone } => {
                if expression.len() > EXPRESSION_MAX {
                    let fault = format!("must have at most {EXPRESSION_MAX} characters, has {}", expression.len());
                    return Err(BadField::new("cron.expression", fault));
                }
                let zone = time_zone.parse::<Tz>();
                let zone =
                    zone.map_err(|_| BadField::new("cron.time_zone", format!("{time_zone:?} is no IANA time zone")))?;
                let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
                let cron = parser.parse(expression);
                let cron = cron.map_err(|error| BadField::new("cron.expression", error.to_string()))?;
                Ok(Self::Wall { cron: Box::new(cron), zone })
            }
            Schedule::Interval { every_ms, anchor } => {
                let every_micros = i64::try_from(*every_ms).ok().and_then(|every| every.checked_mul(1_000));
                let every_micros = every_micros.filter(|every| *every > 0);
                let fault = || BadField::new("interval.every", format!("cannot be {every_ms} ms"));
                Ok(Self::Every { every_micros: every_micros.ok_or_else(fault)?, anchor: *anchor })
            }
            Schedule::OneShot { at } => Ok(Self::Once(*at)),
        }
    }

    /// The first of its times behind `time`; nothing when there is none.
    #[must_use]
    pub fn after(&self, time: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Wall { cron, zone } => {
                let whole = time.micros().div_euclid(1_000_000).checked_mul(1_000_000)?;
                let start = DateTime::<Utc>::from(Timestamp::from_micros(whole)).with_timezone(zone);
                let next = cron.find_next_occurrence(&start, false).ok()?;
                Some(Timestamp::from(next.with_timezone(&Utc))).filter(|next| *next > time)
            }
            Self::Every { every_micros, anchor } => {
                let since = time.micros().checked_sub(anchor.micros())?;
                let steps = since.div_euclid(*every_micros).checked_add(1)?;
                let next = anchor.micros().checked_add(steps.checked_mul(*every_micros)?)?;
                Some(Timestamp::from_micros(next))
            }
            Self::Once(at) => Some(*at).filter(|at| *at > time),
        }
    }

    /// The first time that a job fires which is defined at `now`: what should have fired once already fires at once.
    #[must_use]
    pub fn first(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once(at) if *at <= now => Some(whole_ms(now)),
            Self::Wall { .. } | Self::Every { .. } | Self::Once(_) => self.after(now),
        }
    }

    /// Whether `time` is one of its times.
    #[must_use]
    pub fn has(&self, time: Timestamp) -> bool {
        self.after(time.plus_micros(-1)) == Some(time)
    }

    /// Whether it fires only once.
    #[must_use]
    pub const fn is_once(&self) -> bool {
        matches!(self, Self::Once(_))
    }

    /// The path of the field in the API that it comes from.
    pub(crate) const fn path(&self) -> &'static str {
        match self {
            Self::Wall { .. } => "cron.expression",
            Self::Every { .. } => "interval.every",
            Self::Once(_) => "one_shot.at",
        }
    }
}

/// The millisecond that has begun: all scheduled times are whole ones, so that those of triggers can be told from them.
#[must_use]
pub fn whole_ms(time: Timestamp) -> Timestamp {
    Timestamp::from_micros(time.micros().saturating_sub(time.micros().rem_euclid(1_000)))
}

#[cfg(test)]
mod tests;
