//! A collector: an OTLP server that keeps what it is sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1 as logs_service;
use opentelemetry_proto::tonic::collector::metrics::v1 as metrics_service;
use opentelemetry_proto::tonic::collector::trace::v1 as trace_service;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric, number_data_point};
use opentelemetry_proto::tonic::resource::v1::Resource;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// How long what was done may take to arrive, on a busy machine.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

/// Attributes as texts.
pub type Attributes = BTreeMap<String, String>;

/// A span that arrived.
#[derive(Clone, Debug)]
pub struct Span {
    pub service: String,
    pub name: String,
    pub trace: String,
    pub id: String,
    /// Empty for the first span of a trace.
    pub parent: String,
    pub kind: i32,
    pub began: u64,
    pub ended: u64,
    /// 0 unset, 1 good, 2 an error.
    pub status: i32,
    pub attributes: Attributes,
    /// Trace and span.
    pub links: Vec<(String, String)>,
}

/// A log that arrived.
#[derive(Clone, Debug)]
pub struct Log {
    pub trace: String,
    pub span: String,
    pub body: String,
    pub attributes: Attributes,
}

/// A number of a counter that arrived.
#[derive(Clone, Debug)]
pub struct Count {
    pub name: String,
    pub attributes: Attributes,
    pub count: i64,
}

/// All that arrived.
#[derive(Clone, Debug, Default)]
pub struct Arrived {
    pub spans: Vec<Span>,
    pub logs: Vec<Log>,
    pub counts: Vec<Count>,
}

impl Arrived {
    /// The spans of one trace.
    pub fn of(&self, trace: &str) -> Vec<&Span> {
        self.spans.iter().filter(|span| span.trace == trace).collect()
    }
}

/// A collector that listens; gone when it is dropped.
pub struct Collector {
    url: String,
    kept: Kept,
    _server: JoinSet<()>,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let kept = Kept(Arc::new((Mutex::default(), watch::Sender::new(()))));
        let mut server = JoinSet::new();
        let services = Server::builder()
            .add_service(trace_service::trace_service_server::TraceServiceServer::new(kept.clone()))
            .add_service(logs_service::logs_service_server::LogsServiceServer::new(kept.clone()))
            .add_service(metrics_service::metrics_service_server::MetricsServiceServer::new(kept.clone()));
        server.spawn(async move {
            services.serve_with_incoming(TcpIncoming::from(listener)).await.expect("the collector serves");
        });
        Self { url, kept, _server: server }
    }

    /// What makes a process send everything here, soon.
    pub fn variables(&self, sample_ratio: &str) -> Vec<(&'static str, String)> {
        vec![
            ("AURIC_OTLP_ENDPOINT", self.url.clone()),
            ("AURIC_SAMPLE_RATIO", sample_ratio.to_owned()),
            ("OTEL_BSP_SCHEDULE_DELAY", "20".to_owned()),
            ("OTEL_BLRP_SCHEDULE_DELAY", "20".to_owned()),
            ("OTEL_METRIC_EXPORT_INTERVAL", "100".to_owned()),
        ]
    }

    /// Waits until what arrived has what is looked for.
    pub async fn wait_for<T>(&self, what: &str, find: impl Fn(&Arrived) -> Option<T>) -> T {
        let mut more = self.kept.0.1.subscribe();
        let found = async {
            loop {
                more.borrow_and_update();
                if let Some(found) = find(&self.arrived()) {
                    return found;
                }
                more.changed().await.expect("the collector lives");
            }
        };
        let found = tokio::time::timeout(ARRIVES_WITHIN, found).await;
        found.unwrap_or_else(|_| panic!("{what} did not arrive; what did: {:#?}", self.arrived()))
    }

    pub fn arrived(&self) -> Arrived {
        self.kept.0.0.lock().expect("no holder panicked").clone()
    }
}

#[derive(Clone)]
struct Kept(Arc<(Mutex<Arrived>, watch::Sender<()>)>);

impl Kept {
    fn add(&self, add: impl FnOnce(&mut Arrived)) {
        add(&mut self.0.0.lock().expect("no holder panicked"));
        self.0.1.send_replace(());
    }
}

#[tonic::async_trait]
impl trace_service::trace_service_server::TraceService for Kept {
    async fn export(
        &self,
        request: Request<trace_service::ExportTraceServiceRequest>,
    ) -> Result<Response<trace_service::ExportTraceServiceResponse>, Status> {
        self.add(|arrived| {
            for of_resource in request.into_inner().resource_spans {
                let service = service_of(of_resource.resource);
                let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
                arrived.spans.extend(spans.map(|span| {
                    Span {
                        service: service.clone(),
                        name: span.name,
                        trace: hex::encode(span.trace_id),
                        id: hex::encode(span.span_id),
                        parent: hex::encode(span.parent_span_id),
                        kind: span.kind,
                        began: span.start_time_unix_nano,
                        ended: span.end_time_unix_nano,
                        status: span.status.map_or(0, |status| status.code),
                        attributes: texts(span.attributes),
                        links: span
                            .links
                            .into_iter()
                            .map(|link| (hex::encode(link.trace_id), hex::encode(link.span_id)))
                            .collect(),
                    }
                }));
            }
        });
        Ok(Response::new(trace_service::ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl logs_service::logs_service_server::LogsService for Kept {
    async fn export(
        &self,
        request: Request<logs_service::ExportLogsServiceRequest>,
    ) -> Result<Response<logs_service::ExportLogsServiceResponse>, Status> {
        self.add(|arrived| {
            let scopes = request.into_inner().resource_logs.into_iter().flat_map(|logs| logs.scope_logs);
            arrived.logs.extend(scopes.flat_map(|scope| scope.log_records).map(|log| Log {
                trace: hex::encode(log.trace_id),
                span: hex::encode(log.span_id),
                body: log.body.map(text).unwrap_or_default(),
                attributes: texts(log.attributes),
            }));
        });
        Ok(Response::new(logs_service::ExportLogsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl metrics_service::metrics_service_server::MetricsService for Kept {
    async fn export(
        &self,
        request: Request<metrics_service::ExportMetricsServiceRequest>,
    ) -> Result<Response<metrics_service::ExportMetricsServiceResponse>, Status> {
        self.add(|arrived| {
            let scopes = request.into_inner().resource_metrics.into_iter().flat_map(|metrics| metrics.scope_metrics);
            // Each export has the whole count: the newest is the one that counts.
            arrived.counts = scopes.flat_map(|scope| scope.metrics).flat_map(counts).collect();
        });
        Ok(Response::new(metrics_service::ExportMetricsServiceResponse::default()))
    }
}

fn counts(metric: Metric) -> Vec<Count> {
    let Some(metric::Data::Sum(sum)) = metric.data else { return Vec::new() };
    let name = metric.name;
    let count = |value| match value {
        Some(number_data_point::Value::AsInt(count)) => count,
        other => panic!("{name} is {other:?}"),
    };
    sum.data_points
        .into_iter()
        .map(|point| Count { name: name.clone(), attributes: texts(point.attributes), count: count(point.value) })
        .collect()
}

fn service_of(resource: Option<Resource>) -> String {
    texts(resource.unwrap_or_default().attributes).remove("service.name").unwrap_or_default()
}

fn texts(attributes: Vec<KeyValue>) -> Attributes {
    attributes.into_iter().map(|pair| (pair.key, pair.value.map(text).unwrap_or_default())).collect()
}

fn text(value: AnyValue) -> String {
    match value.value {
        Some(any_value::Value::StringValue(text)) => text,
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        Some(any_value::Value::BoolValue(flag)) => flag.to_string(),
        Some(any_value::Value::DoubleValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}
