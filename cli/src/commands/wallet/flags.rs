//! What several commands ask for: the key, the reason, a length of time.

use std::collections::HashMap;
use std::time::Duration;

use auric_ids::IdempotencyKey;
use uuid::Uuid;

/// The longest time that can be asked for.
const DAYS_MAX: u64 = 366;

/// The key that a mutation is known by.
#[derive(Debug, clap::Args)]
pub struct KeyFlag {
    /// The key that this is known by [default: a new one, printed].
    #[arg(long)]
    key: Option<IdempotencyKey>,
}

/// Why, for the audit.
#[derive(Debug, clap::Args)]
pub struct NoteFlags {
    /// Why, such as quest.reward.
    #[arg(long)]
    pub reason: String,

    /// What else is to be on the audit; can be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    context: Vec<(String, String)>,
}

/// A key, and whether it was made here.
#[derive(Debug)]
pub struct Key {
    pub text: String,
    pub is_generated: bool,
}

impl KeyFlag {
    /// The key that was named, or a new one.
    pub fn key(self) -> Key {
        match self.key {
            Some(key) => Key { text: key.to_string(), is_generated: false },
            None => Key { text: Uuid::now_v7().to_string(), is_generated: true },
        }
    }
}

impl NoteFlags {
    /// What else is to be on the audit, by name.
    pub fn context(&self) -> HashMap<String, String> {
        self.context.iter().cloned().collect()
    }
}

/// Reads `NAME=VALUE`; the value may have an equals sign.
pub fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("wants NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Reads a length of time: a whole number and `ms`, `s`, `m`, `h` or `d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("wants a whole number and ms, s, m, h or d, such as 90s".to_owned()),
    };
    let count: u64 = count.parse().map_err(|_| "wants a whole number before its unit, such as 90s".to_owned())?;
    let length = Duration::from_millis(count.saturating_mul(unit_ms));
    if length.is_zero() || length > Duration::from_hours(24 * DAYS_MAX) {
        return Err(format!("must be 1 ms to {DAYS_MAX} days"));
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_value_may_have_an_equals_sign() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(pair("a").is_err());
    }

    #[test]
    fn a_length_of_time_has_a_unit() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("2h", 7_200), ("1d", 86_400), ("366d", 366 * 86_400)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("5ms"), Ok(Duration::from_millis(5)));
        for bad in ["", "5", "s", "0s", "-5s", "1.5h", "367d", "99999999999999999999d"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }
}
