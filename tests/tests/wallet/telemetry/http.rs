//! What `/metrics`, `/livez` and `/readyz` say, read as Prometheus and a load balancer read it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::super::harness::Line;

/// How long a change may take to show.
const SHOWS_WITHIN: Duration = Duration::from_secs(30);

/// Numbers by name and labels.
pub type Metrics = BTreeMap<(String, BTreeMap<String, String>), f64>;

/// Where a process answers.
pub struct Endpoint(String);

impl Endpoint {
    /// Finds it in the line in which the process tells it.
    pub fn told_by(wait_for: impl FnOnce(fn(&Line) -> bool) -> Line) -> Self {
        let line = wait_for(|line| line["metrics"].is_string());
        Self(line["metrics"].as_str().expect("an address").to_owned())
    }

    /// Asks for a page: its status and its text.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.0).await.expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.0);
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers and closes");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        (status, body.to_owned())
    }

    /// Whether it is live, and whether it is ready with all that it says about that.
    pub async fn health(&self) -> (u16, u16, Value) {
        let (live, _) = self.get("/livez").await;
        let (ready, report) = self.get("/readyz").await;
        (live, ready, serde_json::from_str(&report).expect("a document"))
    }

    /// Waits until readiness is as it should be; it must be live all the while.
    pub async fn wait_until_ready_is(&self, wanted: u16) -> Value {
        let since = Instant::now();
        loop {
            let (live, ready, report) = self.health().await;
            assert_eq!(live, 200, "{report}");
            if ready == wanted {
                return report;
            }
            assert!(since.elapsed() < SHOWS_WITHIN, "ready is {ready}: {report}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn metrics(&self) -> Metrics {
        let (status, text) = self.get("/metrics").await;
        assert_eq!(status, 200);
        parse(&text)
    }
}

/// Reads Prometheus text.
pub fn parse(text: &str) -> Metrics {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a series and a value");
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.strip_suffix('}').expect("labels end");
            // A value may have a comma in it: the services of a process are one.
            let labels = labels.split_terminator('"').collect::<Vec<_>>();
            let labels = labels.chunks_exact(2).map(|label| {
                let name = label[0].trim_start_matches(',').strip_suffix('=').expect("a label and its value");
                (name.to_owned(), label[1].to_owned())
            });
            ((name.to_owned(), labels.collect()), value.parse().expect("a number"))
        })
        .collect()
}

/// The sum over every series of that name that has these labels.
pub fn sum(metrics: &Metrics, name: &str, labels: &[(&str, &str)]) -> f64 {
    let has = |series: &BTreeMap<String, String>| {
        labels.iter().all(|(label, value)| series.get(*label).is_some_and(|there| there == value))
    };
    metrics.iter().filter(|((there, series), _)| there == name && has(series)).map(|(_, value)| value).sum()
}
