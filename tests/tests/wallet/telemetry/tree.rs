//! The whole tree of a Post, and what belongs to one id (R-O1, R-O2).

use std::collections::{BTreeMap, BTreeSet};

use auric_api::wallet::v1 as api;
use serde_json::json;

use super::super::harness::{Ask, Caller, Cluster, Line, Store, credit, debit};
use super::collector::{Arrived, Collector, Span};
use super::http::{Endpoint, sum};
use super::wait_until_somebody_waits;

/// `SpanKind` of the protocol.
const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// The span of the caller, which is not ours.
const CALLERS_SPAN: &str = "b7ad6b7169203331";

/// The statements of the first Post of a player, in their order.
const STATEMENTS_OF_POSTGRES: [&str; 11] = [
    "BEGIN",
    "SELECT players FOR UPDATE",
    "ROLLBACK",
    "INSERT players",
    "BEGIN",
    "SELECT players FOR UPDATE",
    "SELECT players",
    "SELECT mutations",
    "decide",
    "WRITE journal",
    "COMMIT",
];

/// The statements of a Post of a player whom this copy remembers, under a key that it never met: the clock, and everything at once.
const STATEMENTS_OF_REMEMBERED: [&str; 3] = ["SELECT", "decide", "WRITE journal"];

const STATEMENTS_OF_SQLITE: [&str; 7] =
    ["BEGIN", "SELECT players", "SELECT balances", "SELECT mutations", "decide", "WRITE journal", "COMMIT"];

fn trace(number: u32) -> String {
    format!("{:032x}", 0xB0_0000 + number)
}

fn traceparent(trace: &str, flags: &str) -> String {
    format!("00-{trace}-{CALLERS_SPAN}-{flags}")
}

fn pay(key: &str, player: &str) -> Ask {
    Ask::post(key, vec![credit(player, "lumees", 100)])
}

/// Finds the spans of a Post whose batch is complete: its own trace, and that of its batch.
fn tree_of(arrived: &Arrived, trace: &str) -> Option<(Vec<Span>, Vec<Span>)> {
    let own: Vec<Span> = arrived.of(trace).into_iter().cloned().collect();
    let mutation = own.iter().find(|span| span.name == "mutation")?;
    own.iter().find(|span| span.kind == SERVER)?;
    let (batch, _) = mutation.links.first()?;
    let batch: Vec<Span> = arrived.of(batch).into_iter().cloned().collect();
    batch.iter().find(|span| span.name == "batch")?;
    Some((own, batch))
}

fn attribute<'a>(span: &'a Span, name: &str) -> &'a str {
    span.attributes.get(name).map_or("", String::as_str)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_post_is_one_tree_from_its_caller_to_its_statements_on_postgres() {
    let collector = Collector::start().await;
    let cluster = Cluster::postgres_with(1, collector.variables("0")).await;
    is_one_tree(&cluster, &collector, "b", ("postgresql", &STATEMENTS_OF_POSTGRES)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_post_of_a_remembered_player_locks_by_writing_on_postgres() {
    let collector = Collector::start().await;
    let cluster = Cluster::postgres_with(1, collector.variables("0")).await;
    is_one_tree(&cluster, &collector, "a", ("postgresql", &STATEMENTS_OF_REMEMBERED)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_post_is_one_tree_from_its_caller_to_its_statements_on_sqlite() {
    let collector = Collector::start().await;
    let cluster = Cluster::sqlite_with(collector.variables("0"));
    is_one_tree(&cluster, &collector, "b", ("sqlite", &STATEMENTS_OF_SQLITE)).await;
}

/// Posts for the player of `before`, and then for `a`, whose statements are looked at.
async fn is_one_tree(cluster: &Cluster, collector: &Collector, before: &str, (system, statements): (&str, &[&str])) {
    let caller = Caller::new(cluster);
    // The caller keeps the trace of the second only; the third names none, and none of those that begin here is kept.
    caller.send_traced(&pay("before", before), &traceparent(&trace(1), "00")).await.outcome.expect("applied");
    caller.send_traced(&pay("kept", "a"), &traceparent(&trace(2), "01")).await.outcome.expect("applied");
    caller.send(&pay("after", "c")).await.outcome.expect("applied");
    let (own, batch) = collector.wait_for("the tree", |arrived| tree_of(arrived, &trace(2))).await;

    let [mutation, rpc] = &own[..] else { panic!("{own:#?}") };
    assert_eq!((rpc.parent.as_str(), rpc.kind, rpc.status), (CALLERS_SPAN, SERVER, 0));
    assert_eq!((rpc.name.as_str(), rpc.service.as_str()), ("auric.wallet.v1.WalletService/Post", "auric-wallet"));
    assert_eq!(attribute(rpc, "rpc.system.name"), "grpc");
    assert_eq!(attribute(rpc, "rpc.method"), "auric.wallet.v1.WalletService/Post");
    assert_eq!(attribute(rpc, "rpc.response.status_code"), "OK");
    assert_eq!((&mutation.parent, mutation.kind, mutation.status), (&rpc.id, INTERNAL, 0));
    let said = ["auric.method", "auric.outcome", "auric.caller", "auric.idempotency_key", "auric.player_id"];
    assert_eq!(said.map(|name| attribute(mutation, name)), ["Post", "applied", "local", "kept", "a"]);

    // The batch is a tree of its own, since many share it: linked both ways.
    let (runs, steps): (Vec<&Span>, Vec<&Span>) = batch.iter().partition(|span| span.name == "batch");
    let [run] = runs[..] else { panic!("{runs:#?}") };
    assert_eq!((run.parent.as_str(), run.kind, attribute(run, "auric.batch.size")), ("", INTERNAL, "1"));
    assert_eq!(run.links, [(mutation.trace.clone(), mutation.id.clone())]);
    assert_eq!(mutation.links, [(run.trace.clone(), run.id.clone())]);
    assert!(rpc.began <= mutation.began && mutation.began <= run.began && run.ended <= rpc.ended);

    let mut steps = steps;
    steps.sort_by_key(|span| span.began);
    assert_eq!(steps.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), statements);
    for step in &steps {
        assert_eq!(step.parent, run.id, "{step:#?}");
        // Not `step.ended`: SQLite's own thread lets go of a statement's span a moment after it has answered.
        assert!(run.began <= step.began && step.began <= run.ended, "{step:#?}");
        if step.name == "decide" {
            let counted = ["auric.applied", "auric.replayed", "auric.refused"].map(|name| attribute(step, name));
            assert_eq!((step.kind, counted), (INTERNAL, ["1", "0", "0"]));
            continue;
        }
        let operation = step.name.split(' ').next().expect("a word");
        assert_eq!((step.kind, step.status), (CLIENT, 0), "{step:#?}");
        let said = ["db.system.name", "db.operation.name", "db.query.summary"].map(|name| attribute(step, name));
        assert_eq!(said, [system, operation, step.name.as_str()]);
    }
    is_all_that_was_kept(collector, &own, &batch).await;
    cluster.stop_without_errors();
}

/// The line of the Post was sent as a log of its span; of what was not kept nothing was sent.
async fn is_all_that_was_kept(collector: &Collector, own: &[Span], batch: &[Span]) {
    let line = |arrived: &Arrived| arrived.logs.iter().find(|log| log.body == "Post applied").cloned();
    let log = collector.wait_for("the log", line).await;
    assert_eq!((log.trace.as_str(), &log.span), (trace(2).as_str(), &own[0].id));
    assert_eq!(log.attributes["trace_id"], trace(2));
    let arrived = collector.arrived();
    let kept: BTreeSet<&str> = arrived.spans.iter().map(|span| span.trace.as_str()).collect();
    assert_eq!(kept, BTreeSet::from([own[0].trace.as_str(), batch[0].trace.as_str()]));
    assert!(arrived.logs.iter().all(|log| log.trace == trace(2)), "{:#?}", arrived.logs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_batch_links_to_every_mutation_in_it() {
    let collector = Collector::start().await;
    let cluster = Cluster::postgres_with(1, collector.variables("1")).await;
    let Store::Postgres(database) = &cluster.store else { panic!("it was made on PostgreSQL") };
    let pool = sqlx::PgPool::connect(database.url()).await.expect("the database is there");
    let caller = Caller::new(&cluster);
    caller.send(&pay("first", "a")).await.outcome.expect("applied");

    // While the player is locked one batch waits for it, and everybody else for that batch: the next takes them all.
    let mut lock = pool.begin().await.expect("it begins");
    let locked = sqlx::query("SELECT * FROM balances WHERE player_id = 'a' FOR UPDATE").execute(&mut *lock).await;
    assert_eq!(locked.expect("it is locked").rows_affected(), 1);
    let keys: Vec<String> = (0..10).map(|number| format!("at-once-{number}")).collect();
    let asks: Vec<Ask> = keys.iter().map(|key| pay(key, "a")).collect();
    let unlocked = async {
        wait_until_somebody_waits(&pool).await;
        lock.rollback().await.expect("it is let go");
    };
    let (answers, ()) = tokio::join!(futures::future::join_all(asks.iter().map(|ask| caller.send(ask))), unlocked);
    assert!(answers.iter().all(|answer| answer.outcome.is_ok()));

    let of_mutations = |arrived: &Arrived| -> Option<BTreeMap<String, Span>> {
        let keyed = |span: &Span| Some((span.attributes.get("auric.idempotency_key")?.clone(), span.clone()));
        let found: BTreeMap<String, Span> = arrived.spans.iter().filter_map(keyed).collect();
        let batches = found.values().flat_map(|span| &span.links).map(|(batch, _)| batch);
        let is_whole = |batch: &String| arrived.of(batch).iter().any(|span| span.name == "batch");
        (keys.iter().all(|key| found.contains_key(key)) && batches.clone().all(is_whole)).then_some(found)
    };
    let mutations = collector.wait_for("every mutation and its batch", of_mutations).await;
    let spans = collector.arrived().spans;
    let mut largest = 0;
    for batch in spans.iter().filter(|span| span.name == "batch") {
        let name = (batch.trace.clone(), batch.id.clone());
        let members = mutations.values().filter(|mutation| mutation.links.contains(&name));
        let members: BTreeSet<_> = members.map(|mutation| (mutation.trace.clone(), mutation.id.clone())).collect();
        assert_eq!(batch.links.iter().cloned().collect::<BTreeSet<_>>(), members);
        assert_eq!(attribute(batch, "auric.batch.size"), members.len().to_string());
        largest = largest.max(members.len());
    }
    assert!(largest > 1, "no batch had more than one mutation");
    cluster.stop_without_errors();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn from_the_line_of_a_refused_post_one_finds_its_trace_and_its_metric() {
    let collector = Collector::start().await;
    let mut variables = collector.variables("1");
    variables.push(("AURIC_METRICS_LISTEN", "127.0.0.1:0".to_owned()));
    let cluster = Cluster::postgres_with(1, variables).await;
    let caller = Caller::new(&cluster);
    // Nobody names a trace: the wallet gives each request one.
    caller.send(&pay("fund", "a")).await.outcome.expect("applied");
    let ask = Ask::post("spend", vec![debit("a", "lumees", 101)]);
    caller.send(&ask).await.outcome.expect_err("refused");

    let line = cluster.wait_for(0, |line| line["idempotency_key"] == "spend");
    let (trace, method, error) = (text(&line, "trace_id"), text(&line, "method"), text(&line, "error"));
    assert_eq!((method, error, &line["traced"]), ("Post", "INSUFFICIENT_FUNDS", &json!(true)));

    let (own, batch) = collector.wait_for("its trace", |arrived| tree_of(arrived, trace)).await;
    let [mutation, rpc] = &own[..] else { panic!("{own:#?}") };
    assert_eq!((rpc.parent.as_str(), attribute(rpc, "rpc.response.status_code")), ("", "FAILED_PRECONDITION"));
    // A rule that says no is no failure of the wallet.
    assert_eq!((rpc.status, mutation.status), (0, 0));
    assert_eq!((attribute(mutation, "auric.outcome"), attribute(mutation, "auric.reason")), ("refused", error));
    assert!(batch.iter().any(|span| span.name == "COMMIT"), "a refusal is stored: {batch:#?}");

    let endpoint = Endpoint::told_by(|wanted| cluster.wait_for(0, wanted));
    let labels = [("auric_method", method), ("auric_outcome", "refused"), ("auric_reason", error)];
    assert!((sum(&endpoint.metrics().await, "auric_mutations_total", &labels) - 1.0).abs() < f64::EPSILON);
    let sent = |arrived: &Arrived| {
        let is_it =
            |name: &str, value: &str, has: &BTreeMap<String, String>| has.get(name).is_some_and(|it| it == value);
        let mut counts = arrived.counts.iter().filter(|count| count.name == "auric.mutations");
        counts.find(|count| is_it("auric.reason", error, &count.attributes)).map(|count| count.count)
    };
    assert_eq!(collector.wait_for("the same metric", sent).await, 1);

    // The entry of what was applied names the same trace as its line.
    let applied = cluster.wait_for(0, |line| line["idempotency_key"] == "fund");
    let request = api::ListEntriesRequest { player_id: "a".to_owned(), ..Default::default() };
    let entries = caller.client().list_entries(request).await.expect("the audit is read").into_inner().entries;
    let [entry] = &entries[..] else { panic!("{entries:#?}") };
    assert_eq!(entry.trace_id, text(&applied, "trace_id"));
    assert_eq!(entry.trace_id.len(), 32);
    cluster.stop_without_errors();
}

fn text<'a>(line: &'a Line, field: &str) -> &'a str {
    line[field].as_str().unwrap_or_else(|| panic!("{field} is no text: {line}"))
}
