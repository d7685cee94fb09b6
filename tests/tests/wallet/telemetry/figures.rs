//! Metrics say what was done: no more, no less (R-O2).

use auric_api::wallet::v1 as api;
use tonic::Code;

use super::super::harness::{Ask, Caller, Cluster, credit, debit, on_every_store};
use super::super::raw;
use super::http::{Endpoint, Metrics, sum};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn metrics_count_what_was_called_on_sqlite() {
    let variables = vec![("AURIC_METRICS_LISTEN", "127.0.0.1:0".to_owned())];
    metrics_count_what_was_called(&Cluster::sqlite_with(variables), 5, "COMMIT").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn metrics_count_what_was_called_on_postgres() {
    let variables = vec![("AURIC_METRICS_LISTEN", "127.0.0.1:0".to_owned())];
    // As many for readers as for batches.
    metrics_count_what_was_called(&Cluster::postgres_with(1, variables).await, 2 * 16, "WRITE journal").await;
}

/// `connections_max` is that of every pool together; `write` is the statement of every run that writes something.
async fn metrics_count_what_was_called(cluster: &Cluster, connections_max: u32, write: &str) {
    let caller = Caller::new(cluster);
    let pay = |key: &str| Ask::post(key, vec![credit("a", "lumees", 1)]);
    for key in ["one", "two", "three"] {
        caller.send(&pay(key)).await.outcome.expect("applied");
    }
    for _ in 0..2 {
        assert!(caller.send(&pay("one")).await.replayed);
    }
    caller.send(&Ask::post("poor", vec![debit("a", "aether", 1)])).await.outcome.expect_err("refused");
    caller.send(&Ask::post("bad", vec![credit("a", "lumees", -1)])).await.outcome.expect_err("malformed");
    caller.send(&Ask::claim("claim", "a", "1", vec![credit("a", "lumees", 1)])).await.outcome.expect("applied");
    assert_eq!(caller.available("a", "lumees").await, [4]);
    for made_up in ["/auric.wallet.v1.WalletService/Steal", "/no.such.Service/Call"] {
        let status = raw::call(caller, made_up, Vec::new()).await.expect_err("there is no such method");
        assert_eq!(status.code(), Code::Unimplemented);
    }
    let posts = api::PostBatchRequest { posts: vec![post("four"), post("five")] };
    caller.client().post_batch(posts).await.expect("applied");

    let metrics = Endpoint::told_by(|wanted| cluster.wait_for(0, wanted)).metrics().await;
    let mutations = |outcome, reason| {
        let labels = [("auric_method", "Post"), ("auric_outcome", outcome), ("auric_reason", reason)];
        let labels = if reason.is_empty() { &labels[..2] } else { &labels[..] };
        count(&metrics, "auric_mutations_total", labels)
    };
    assert_eq!(mutations("applied", ""), 5);
    assert_eq!(mutations("replayed", ""), 2);
    assert_eq!(mutations("refused", "INSUFFICIENT_FUNDS"), 1);
    assert_eq!(mutations("refused", "INVALID_ARGUMENT"), 1);
    assert_eq!(count(&metrics, "auric_mutations_total", &[("auric_method", "Claim")]), 1);
    assert_eq!(count(&metrics, "auric_mutations_total", &[]), 10);

    let calls = |method, code| {
        let labels = [("rpc_method", method), ("rpc_response_status_code", code)];
        count(&metrics, "rpc_server_call_duration_seconds_count", &labels)
    };
    assert_eq!(calls("auric.wallet.v1.WalletService/Post", "OK"), 5);
    assert_eq!(calls("auric.wallet.v1.WalletService/Post", "FAILED_PRECONDITION"), 1);
    assert_eq!(calls("auric.wallet.v1.WalletService/Post", "INVALID_ARGUMENT"), 1);
    assert_eq!(calls("auric.wallet.v1.WalletService/Claim", "OK"), 1);
    assert_eq!(calls("auric.wallet.v1.WalletService/PostBatch", "OK"), 1);
    assert_eq!(calls("auric.wallet.v1.WalletService/GetBalances", "OK"), 1);
    // What callers make up is not a name of its own.
    assert_eq!(calls("_OTHER", "UNIMPLEMENTED"), 2);
    assert_eq!(count(&metrics, "rpc_server_call_duration_seconds_count", &[]), 12);

    // Nine mutations passed the lanes: the malformed one did not come so far.
    for name in ["auric_lane_taken_total", "auric_lane_answered_total", "auric_lane_batch_size_sum"] {
        assert_eq!(count(&metrics, name, &[]), 9, "{name}");
    }
    let runs = count(&metrics, "auric_lane_batch_size_count", &[]);
    assert_eq!(count(&metrics, "auric_lane_batch_duration_seconds_count", &[]), runs);
    let writes = [("db_query_summary", write)];
    // Two runs wrote nothing: those of the replays.
    assert_eq!(count(&metrics, "db_client_operation_duration_seconds_count", &writes), runs - 2);
    for name in ["auric_lane_depth", "auric_gate_in_flight", "auric_lane_bugs_total", "auric_lane_halvings_total"] {
        assert!(metrics.keys().any(|(there, _)| there == name), "there is no {name}");
        assert_eq!(count(&metrics, name, &[]), 0, "{name}");
    }
    assert_eq!(count(&metrics, "db_client_connection_max", &[]), connections_max);
    assert!(count(&metrics, "db_client_connection_count", &[]) > 0);
    assert_eq!(count(&metrics, "auric_dependency_up", &[("auric_dependency", "wallet.database")]), 1);
    cluster.stop_without_errors();
}

on_every_store!(a_wallet_that_nobody_asks_for_metrics_listens_for_none);

async fn a_wallet_that_nobody_asks_for_metrics_listens_for_none(cluster: &Cluster) {
    Caller::new(cluster).send(&Ask::post("one", vec![credit("a", "lumees", 1)])).await.outcome.expect("applied");
    let lines = cluster.stop_without_errors();
    assert!(lines.iter().all(|line| line["metrics"].is_null()), "{lines:#?}");
}

fn post(key: &str) -> api::PostRequest {
    let Ask::Post(post) = Ask::post(key, vec![credit("a", "lumees", 1)]) else { panic!("it is one") };
    post
}

/// A whole number.
fn count(metrics: &Metrics, name: &str, labels: &[(&str, &str)]) -> u32 {
    let value = sum(metrics, name, labels);
    (0..1_000)
        .find(|count| (f64::from(*count) - value).abs() < f64::EPSILON)
        .unwrap_or_else(|| panic!("{name} is {value}"))
}
