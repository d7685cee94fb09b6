//! What a process says of itself: lines, traces, metrics and health.
//!
//! A line's message reads alone; its fields are there to be searched. Everything that leaves by OTLP is made by one pipeline, under one
//! resource, and ends with the process, within a bound. Library spans and logs never leave.
//!
//! What a service does with it: [`rpc::RpcLayer`] around its routes gives every request a trace and counts it; [`context`] takes the trace in
//! and out; spans are `tracing` spans, made only while the current one is kept; instruments come from [`context::meter`]; [`Health`] knows the
//! dependencies, and [`Endpoint`] shows both.

mod config;
pub mod context;
mod endpoint;
mod export;
mod health;
pub mod http;
mod lines;
pub mod rpc;
mod writer;

use std::net::SocketAddr;

use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::error::OTelSdkError;
use thiserror::Error;
use tracing::Subscriber;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

pub use config::{LogFormat, Otlp, SampleRatio, TelemetryConfig};
pub use endpoint::{Endpoint, EndpointError};
pub use health::{Dependency, Health, Report};

use export::Exports;
use lines::LinesLayer;

/// Why telemetry cannot be set up.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("log filter {filter:?} is malformed; examples are \"info\" and \"warn,auric_wallet=debug\"")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The collector's endpoint is not one.
    #[error("OTLP endpoint {endpoint:?} is malformed; an example is http://127.0.0.1:4317")]
    Otlp {
        /// What was given.
        endpoint: String,
        /// What is wrong with it.
        source: ExporterBuildError,
    },
    /// Lines cannot be written by a thread of their own.
    #[error("there is no thread to write lines")]
    Lines(#[source] std::io::Error),
    /// Metrics cannot be collected.
    #[error("metrics cannot be collected")]
    Metrics(#[source] OTelSdkError),
    /// Telemetry is already set up in this process.
    #[error("the log is already set up")]
    Twice(#[from] TryInitError),
}

/// Keeps telemetry alive; dropping it sends what waits, within a bound, and ends the log after the last line.
#[derive(Debug)]
#[must_use = "telemetry ends when this is dropped"]
pub struct Telemetry {
    listen: Option<SocketAddr>,
    exports: Exports,
    // After the exports: what they say at the end is a line too.
    _lines: writer::Ending,
}

/// Sets up what `config` asks for, for the whole process.
///
/// # Errors
///
/// [`TelemetryError`]; nothing is written.
///
/// # Panics
///
/// With a collector, outside a Tokio runtime.
pub fn init(config: &TelemetryConfig) -> Result<Telemetry, TelemetryError> {
    let filter = lines::parse(&config.filter)?;
    let exports = Exports::start(config)?;
    let (lines, ending) = lines::on_stderr(config.format, filter).map_err(TelemetryError::Lines)?;
    stack(lines, &exports).try_init()?;
    std::panic::set_hook(Box::new(lines::log_panic));
    Ok(Telemetry { listen: config.listen, exports, _lines: ending })
}

/// What every line and every span goes through.
fn stack(lines: LinesLayer<Registry>, exports: &Exports) -> impl Subscriber + Send + Sync + 'static + use<> {
    tracing_subscriber::registry().with(lines).with(exports.traces_layer()).with(exports.logs_layer())
}

impl Telemetry {
    /// Shows metrics and health by HTTP, where that is asked for, until the endpoint is dropped.
    ///
    /// # Errors
    ///
    /// [`EndpointError`]; nothing is bound.
    pub async fn serve(&self, health: &Health) -> Result<Option<Endpoint>, EndpointError> {
        let (Some(address), Some(registry)) = (self.listen, self.exports.registry.clone()) else { return Ok(None) };
        Endpoint::start(address, registry, health.clone()).await.map(Some)
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        std::mem::take(&mut self.exports).end();
    }
}

#[cfg(test)]
mod tests {
    use tracing::level_filters::LevelFilter;

    use super::*;

    /// HTTP/2 has a span for every frame. One that is made costs what a posting does, though nobody is shown it.
    #[tokio::test]
    async fn no_span_of_a_library_is_made() {
        let here = TelemetryConfig::lines("test", LogFormat::Json, "info");
        let otlp = Otlp { endpoint: "http://127.0.0.1:1".to_owned(), sample_ratio: SampleRatio::new(0.1).unwrap() };
        for config in [here.clone(), TelemetryConfig { otlp: Some(otlp), ..here }] {
            let exports = Exports::start(&config).unwrap();
            let (lines, _ending) = lines::on_stderr(config.format, lines::parse(&config.filter).unwrap()).unwrap();
            let stack = stack(lines, &exports);
            assert_eq!(stack.max_level_hint(), Some(LevelFilter::INFO), "{config:?}");
        }
    }
}
