//! A collector that is away holds nothing up: neither a mutation nor a stop.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::super::harness::{Ask, Caller, Cluster, Line, credit};

/// Far more than the 3 s that a stop waits for a collector, for a busy machine.
const STOPS_WITHIN: Duration = Duration::from_secs(30);

fn variables(endpoint: String) -> Vec<(&'static str, String)> {
    vec![
        ("AURIC_OTLP_ENDPOINT", endpoint),
        ("AURIC_SAMPLE_RATIO", "1".to_owned()),
        ("OTEL_BSP_SCHEDULE_DELAY", "20".to_owned()),
    ]
}

/// Works and stops as if there were none, and gives what it said.
async fn works_and_stops(cluster: &Cluster) -> Vec<Line> {
    for number in 0..50 {
        let ask = Ask::post(&format!("key-{number}"), vec![credit("a", "lumees", 1)]);
        let answer = Caller::new(cluster).send(&ask).await;
        answer.outcome.expect("applied");
        assert_eq!(answer.tries, 1);
    }
    let since = Instant::now();
    let lines = cluster.stop();
    assert!(since.elapsed() < STOPS_WITHIN, "it took {:?} to stop", since.elapsed());
    assert_eq!(lines.iter().filter(|line| line["message"] == "Post applied").count(), 50);
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_collector_that_never_answers_holds_nothing_up() {
    // The system takes the connections, and nobody reads them.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", silent.local_addr().expect("an address"));
    let lines = works_and_stops(&Cluster::sqlite_with(variables(endpoint))).await;
    let told = |line: &Line| line["message"].as_str().is_some_and(|text| text.contains("to the collector within 3 s"));
    assert!(lines.iter().any(told), "nobody was told of what was given up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_collector_that_is_not_there_holds_nothing_up() {
    // Port 1 is nobody's.
    works_and_stops(&Cluster::sqlite_with(variables("http://127.0.0.1:1".to_owned()))).await;
}
