//! What leaves the process: traces, metrics and logs by OTLP, and metrics for whoever asks.
//!
//! Spans are only made where the edge decided to keep a trace (`rpc.rs`), so everything that is made is sent. Logs are sent when they belong to
//! such a trace, or are warnings and errors: standard error has them all, and a copy of each line would cost more than everything else here.

use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Context, Key, KeyValue, Value, global};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator, Sampler, SdkTracerProvider};
use opentelemetry_semantic_conventions::resource::{
    SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_NAMESPACE, SERVICE_VERSION,
};
use prometheus::Registry;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets, dynamic_filter_fn, filter_fn};
use tracing_subscriber::registry::LookupSpan;

use crate::{Otlp, TelemetryConfig, TelemetryError};

/// How long one export may take.
const EXPORT_MAX: Duration = Duration::from_secs(3);

/// How long the end of a process may be held up by what is not sent yet.
const FLUSH_MAX: Duration = Duration::from_secs(3);

/// Links of one span: as many mutations as one batch has, as it ships.
const LINKS_MAX: u32 = 1_024;

/// What is ours: the spans and logs of libraries are not sent, those of the sender least of all.
const OURS: &str = "auric";

/// What unnamed services are called by the SDK.
const UNKNOWN: &str = "unknown_service";

static SAMPLER: OnceLock<Sampler> = OnceLock::new();

/// What sends and collects.
#[derive(Debug, Default)]
pub struct Exports {
    traces: Option<SdkTracerProvider>,
    logs: Option<SdkLoggerProvider>,
    metrics: Option<SdkMeterProvider>,
    /// What whoever asks for metrics is shown.
    pub registry: Option<Registry>,
}

impl Exports {
    /// Starts what `config` asks for.
    ///
    /// # Errors
    ///
    /// [`TelemetryError::Otlp`] when the endpoint is none; [`TelemetryError::Metrics`].
    pub fn start(config: &TelemetryConfig) -> Result<Self, TelemetryError> {
        let resource = resource(config.service);
        let mut exports = Self::default();
        let mut metrics = SdkMeterProvider::builder().with_resource(resource.clone());
        if let Some(otlp) = &config.otlp {
            let refuse = |source| TelemetryError::Otlp { endpoint: otlp.endpoint.clone(), source };
            exports.traces = Some(traces(otlp, resource.clone()).map_err(refuse)?);
            exports.logs = Some(logs(otlp, resource).map_err(refuse)?);
            metrics = metrics.with_periodic_exporter(metric_exporter(otlp).map_err(refuse)?);
        }
        if config.listen.is_some() {
            let registry = Registry::new();
            let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone());
            metrics = metrics.with_reader(exporter.scope_info_enabled(false).build().map_err(TelemetryError::Metrics)?);
            exports.registry = Some(registry);
        }
        if config.otlp.is_some() || config.listen.is_some() {
            let provider = metrics.build();
            global::set_meter_provider(provider.clone());
            exports.metrics = Some(provider);
        }
        if let (Some(traces), Some(otlp)) = (&exports.traces, &config.otlp) {
            global::set_tracer_provider(traces.clone());
            // Set once: telemetry cannot be set up twice.
            SAMPLER.get_or_init(|| Sampler::TraceIdRatioBased(otlp.sample_ratio.part()));
        }
        Ok(exports)
    }

    /// Makes a span of ours a span that is sent.
    pub fn traces_layer<S>(&self) -> Option<impl Layer<S> + Send + Sync + use<S>>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let tracer = self.traces.as_ref()?.tracer(OURS);
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        let layer = layer.with_location(false).with_threads(false).with_tracked_inactivity(false).with_target(false);
        Some(layer.with_filter(ours().and(filter_fn(is_span).with_max_level_hint(LevelFilter::TRACE))))
    }

    /// Makes a line of ours a log that is sent.
    pub fn logs_layer<S>(&self) -> Option<impl Layer<S> + Send + Sync + use<S>>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let layer = OpenTelemetryTracingBridge::new(self.logs.as_ref()?);
        let is_worth_sending = dynamic_filter_fn(|metadata, _| {
            metadata.is_event()
                && (*metadata.level() <= Level::WARN
                    || Context::map_current(|context| context.span().span_context().is_sampled()))
        });
        Some(layer.with_filter(ours().and(is_worth_sending.with_max_level_hint(LevelFilter::TRACE))))
    }

    /// Sends what waits, for at most `FLUSH_MAX`, and ends.
    pub fn end(self) {
        let Self { traces, logs, metrics, registry: _ } = self;
        let mut ends: Vec<Box<dyn FnOnce() -> OTelSdkResult + Send>> = Vec::new();
        ends.extend(traces.map(|traces| Box::new(move || traces.shutdown_with_timeout(FLUSH_MAX)) as Box<_>));
        ends.extend(logs.map(|logs| Box::new(move || logs.shutdown_with_timeout(FLUSH_MAX)) as Box<_>));
        ends.extend(metrics.map(|metrics| Box::new(move || metrics.shutdown_with_timeout(FLUSH_MAX)) as Box<_>));
        let (ended, wait) = mpsc::channel();
        let count = ends.len();
        for end in ends {
            let ended = ended.clone();
            // A thread each, left behind when it is late: not all of them keep to the time that they are given.
            thread::spawn(move || drop(ended.send(end())));
        }
        let late = Instant::now() + FLUSH_MAX;
        for _ in 0..count {
            if wait.recv_timeout(late.saturating_duration_since(Instant::now())).is_err() {
                tracing::warn!("what was not sent to the collector within {} s is given up", FLUSH_MAX.as_secs());
                return;
            }
        }
    }
}

/// Whether traces are sent at all.
pub fn is_tracing() -> bool {
    SAMPLER.get().is_some()
}

/// Whether a trace that begins here is one of those that are kept.
pub fn keeps_new_trace() -> bool {
    use opentelemetry::trace::SpanKind;
    use opentelemetry_sdk::trace::{SamplingDecision, ShouldSample as _};

    let Some(sampler) = SAMPLER.get() else { return false };
    let trace_id = RandomIdGenerator::default().new_trace_id();
    let decided = sampler.should_sample(None, trace_id, "", &SpanKind::Server, &[], &[]);
    decided.decision == SamplingDecision::RecordAndSample
}

fn is_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span()
}

fn ours() -> Targets {
    Targets::new().with_target(OURS, Level::INFO)
}

fn traces(otlp: &Otlp, resource: Resource) -> Result<SdkTracerProvider, ExporterBuildError> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(&otlp.endpoint).with_timeout(EXPORT_MAX);
    let provider = SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter.build()?);
    Ok(provider.with_sampler(Sampler::AlwaysOn).with_max_links_per_span(LINKS_MAX).build())
}

fn logs(otlp: &Otlp, resource: Resource) -> Result<SdkLoggerProvider, ExporterBuildError> {
    let exporter = LogExporter::builder().with_tonic().with_endpoint(&otlp.endpoint).with_timeout(EXPORT_MAX);
    Ok(SdkLoggerProvider::builder().with_resource(resource).with_batch_exporter(exporter.build()?).build())
}

fn metric_exporter(otlp: &Otlp) -> Result<MetricExporter, ExporterBuildError> {
    MetricExporter::builder().with_tonic().with_endpoint(&otlp.endpoint).with_timeout(EXPORT_MAX).build()
}

/// Who sends. What `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say is stronger; the SDK reads them.
fn resource(service: &'static str) -> Resource {
    let said = Resource::builder().build();
    let is_said = |key: &Key| match said.get(key) {
        Some(Value::String(name)) => !name.as_str().starts_with(UNKNOWN),
        said => said.is_some(),
    };
    let instance = RandomIdGenerator::default().new_trace_id().to_string();
    let ours = [
        KeyValue::new(SERVICE_NAME, service),
        KeyValue::new(SERVICE_NAMESPACE, OURS),
        KeyValue::new(SERVICE_VERSION, env!("CARGO_PKG_VERSION")),
        KeyValue::new(SERVICE_INSTANCE_ID, instance),
    ];
    let unsaid = ours.into_iter().filter(|attribute| !is_said(&attribute.key));
    Resource::builder().with_attributes(unsaid.collect::<Vec<_>>()).build()
}
