//! What can be set about telemetry.

use std::net::SocketAddr;

use serde::{Deserialize, Deserializer};

/// What a process says of itself, and where to.
#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    /// What traces, metrics and logs are filed under, unless `OTEL_SERVICE_NAME` says otherwise.
    pub service: &'static str,
    /// Which lines are written, such as `warn,auric_wallet=debug`.
    pub filter: String,
    /// What a line looks like.
    pub format: LogFormat,
    /// Where everything goes that leaves the process by OTLP; nothing does without it.
    pub otlp: Option<Otlp>,
    /// Where metrics and health can be asked for by HTTP; nowhere without it.
    pub listen: Option<SocketAddr>,
}

impl TelemetryConfig {
    /// Lines on standard error, and nothing else.
    #[must_use]
    pub fn lines(service: &'static str, format: LogFormat, filter: impl Into<String>) -> Self {
        Self { service, filter: filter.into(), format, otlp: None, listen: None }
    }
}

/// A collector of traces, metrics and logs.
#[derive(Clone, Debug, PartialEq)]
pub struct Otlp {
    /// Its gRPC endpoint, such as `http://127.0.0.1:4317`.
    pub endpoint: String,
    /// How many of the traces that begin here are kept.
    pub sample_ratio: SampleRatio,
}

/// How many of the traces that begin in a process are kept: a part of them, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleRatio(f64);

impl SampleRatio {
    /// Reads a part of a whole.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for a person.
    pub fn new(ratio: f64) -> Result<Self, String> {
        if (0.0..=1.0).contains(&ratio) { Ok(Self(ratio)) } else { Err(format!("must be from 0 to 1, is {ratio}")) }
    }

    /// The part of the whole.
    #[must_use]
    pub fn part(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for SampleRatio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What a line looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LogFormat {
    /// Text on a terminal, JSON everywhere else.
    #[default]
    Auto,
    /// For a person; coloured on a terminal.
    Text,
    /// An object a line: `timestamp`, `level`, `target`, `message` and the fields side by side.
    Json,
}

impl LogFormat {
    /// The words that a configuration may use.
    pub const NAMES: [&str; 3] = ["auto", "text", "json"];
}

impl TryFrom<String> for LogFormat {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("must be one of {}; {text:?} is not", Self::NAMES.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_format_is_one() {
        for name in LogFormat::NAMES {
            assert!(LogFormat::try_from(name.to_owned()).is_ok(), "{name}");
        }
        assert_eq!(
            LogFormat::try_from("xml".to_owned()),
            Err("must be one of auto, text, json; \"xml\" is not".to_owned())
        );
    }

    #[test]
    fn a_ratio_is_a_part_of_a_whole() {
        for good in [0.0, 0.1, 1.0] {
            assert_eq!(SampleRatio::new(good).map(SampleRatio::part), Ok(good));
        }
        for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(SampleRatio::new(bad).unwrap_err().starts_with("must be from 0 to 1, is "), "{bad}");
        }
    }
}
