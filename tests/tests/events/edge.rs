//! What a reader of events is told: pages, filters, heartbeats, and why a cursor is not good.

use std::time::Duration;

use auric_api::events::v1 as api;
use auric_api::events::v1::events_service_client::EventsServiceClient;
use auric_status::Problem;
use auric_testkit::databases::SqliteDatabase;
use tonic::Code;
use tonic::transport::Channel;

use crate::wallet::harness::{Ask, Caller, Cluster, Store, credit, debit, hold_leg, on_every_store};

on_every_store!(
    a_page_says_what_happened_and_where_to_go_on,
    what_is_wrong_with_a_request_is_named,
    a_cursor_that_was_kept_for_too_long_is_refused,
    a_watch_says_where_it_stands_and_ends_when_the_service_stops,
);

fn events(cluster: &Cluster) -> EventsServiceClient<Channel> {
    EventsServiceClient::new(cluster.channel(0).expect("it is up"))
}

async fn list(cluster: &Cluster, request: api::ListEventsRequest) -> Result<api::ListEventsResponse, Problem> {
    let answer = events(cluster).list_events(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| Problem::from_status(&status))
}

async fn apply(cluster: &Cluster, asks: &[Ask]) {
    for ask in asks {
        Caller::new(cluster).send(ask).await.outcome.expect("it is applied");
    }
}

async fn a_page_says_what_happened_and_where_to_go_on(cluster: &Cluster) {
    let fund = Ask::post("fund", vec![credit("p", "aether", 100), credit("q", "aether", 1)]);
    let reserve = Ask::reserve("reserve", "h", vec![hold_leg("p", "", "aether", 30)]);
    apply(cluster, &[fund, reserve, Ask::commit("commit", "h", vec![20])]).await;

    let page = list(cluster, api::ListEventsRequest { page_size: 4, ..Default::default() }).await.expect("a page");
    let rest = api::ListEventsRequest { cursor: page.cursor.clone(), ..Default::default() };
    let rest = list(cluster, rest).await.expect("a page");
    assert!(page.more && !rest.more && page.events.len() == 4);
    let all = [page.events, rest.events].concat();
    let told: Vec<(&str, i32, i64)> =
        all.iter().map(|event| (event.player_id.as_str(), event.r#type, event.player_version)).collect();
    let [entry, opened, ended] = [1, 2, 3];
    assert_eq!(
        told,
        [
            ("p", entry, 1),
            ("q", entry, 1),
            ("p", entry, 2),
            ("p", opened, 2),
            ("p", entry, 3),
            ("p", entry, 4),
            ("p", ended, 4)
        ]
    );
    assert!(all.iter().all(|event| event.source == "wallet" && event.occur_time.is_some() && event.payload.is_some()));
    let held = |event: &api::Event| match &event.payload {
        Some(api::event::Payload::Hold(hold)) => (hold.state, hold.committed_amounts.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!((held(&all[3]), held(&all[6])), ((1, vec![]), (2, vec![20])), "as it stood then");

    let only_q = api::ListEventsRequest { player_id: "q".to_owned(), ..Default::default() };
    assert_eq!(list(cluster, only_q).await.expect("a page").events, [all[1].clone()]);
    let holds = api::ListEventsRequest { types: vec![opened, ended], ..Default::default() };
    assert_eq!(list(cluster, holds).await.expect("a page").events, [all[3].clone(), all[6].clone()]);
    let now = api::ListEventsRequest { start: api::EventStart::Now.into(), ..Default::default() };
    let now = list(cluster, now).await.expect("a page");
    assert_eq!((now.events.len(), now.cursor), (0, rest.cursor));
}

async fn what_is_wrong_with_a_request_is_named(cluster: &Cluster) {
    let base = api::ListEventsRequest::default();
    let cases = [
        (api::ListEventsRequest { cursor: "x".to_owned(), ..base.clone() }, "cursor"),
        (api::ListEventsRequest { start: 9, ..base.clone() }, "start"),
        (api::ListEventsRequest { cursor: "MQ".to_owned(), start: 2, ..base.clone() }, "start"),
        (api::ListEventsRequest { page_size: 501, ..base.clone() }, "page_size"),
        (api::ListEventsRequest { player_id: "no one".to_owned(), ..base.clone() }, "player_id"),
        (api::ListEventsRequest { types: vec![1, 0], ..base.clone() }, "types[1]"),
    ];
    for (request, field) in cases {
        let problem = list(cluster, request.clone()).await.expect_err("refused");
        assert_eq!(problem.code, Code::InvalidArgument, "{request:?}");
        assert!(problem.bad_fields.iter().any(|bad| bad.path == field), "{field}: {problem:?}");
    }
    let watch = api::WatchEventsRequest { cursor: "x".to_owned(), ..Default::default() };
    let status = events(cluster).watch_events(watch).await.expect_err("refused");
    assert_eq!(Problem::from_status(&status).bad_fields[0].path, "cursor");
}

async fn a_cursor_that_was_kept_for_too_long_is_refused(cluster: &Cluster) {
    let post = |n: usize| Ask::post(&format!("post-{n}"), vec![credit("p", "aether", 1)]);
    apply(cluster, &[post(0), post(1), post(2)]).await;
    let first = api::ListEventsRequest { page_size: 1, ..Default::default() };
    let first = list(cluster, first).await.expect("a page");
    sql(cluster, "DELETE FROM outbox WHERE seq < 3").await;
    let again = api::ListEventsRequest { cursor: first.cursor.clone(), ..Default::default() };
    let problem = list(cluster, again).await.expect_err("refused");
    assert_eq!((problem.code, problem.reason.as_str()), (Code::FailedPrecondition, "CURSOR_PRUNED"));
    assert_eq!(problem.bad_fields[0].path, "cursor");
    let watch = api::WatchEventsRequest { cursor: first.cursor.clone(), ..Default::default() };
    let mut watch = events(cluster).watch_events(watch).await.expect("a stream").into_inner();
    let problem = Problem::from_status(&watch.message().await.expect_err("refused"));
    assert_eq!(problem.reason, "CURSOR_PRUNED");

    sql(cluster, "DELETE FROM outbox_lanes").await;
    let again = api::ListEventsRequest { cursor: first.cursor, ..Default::default() };
    assert_eq!(list(cluster, again).await.expect_err("refused").reason, "CURSOR_AHEAD");
    let said = cluster.stop_without_errors();
    let ended =
        said.iter().filter(|line| line["message"].as_str().is_some_and(|it| it.contains("a watch of events ended")));
    assert_eq!(ended.count(), 1, "once, where it is handled");
}

async fn a_watch_says_where_it_stands_and_ends_when_the_service_stops(cluster: &Cluster) {
    apply(cluster, &[Ask::post("fund", vec![credit("p", "aether", 10)])]).await;
    let watch = api::WatchEventsRequest { start: api::EventStart::Now.into(), ..Default::default() };
    let mut watch = events(cluster).watch_events(watch).await.expect("a stream").into_inner();
    let at_once = watch.message().await.expect("it lives").expect("it says where it stands");
    assert!(at_once.events.is_empty() && !at_once.cursor.is_empty());
    let heartbeat = tokio::time::timeout(Duration::from_secs(30), watch.message()).await.expect("a heartbeat");
    assert_eq!(heartbeat.expect("it lives").expect("it says where it stands"), at_once);
    apply(cluster, &[Ask::post("spend", vec![debit("p", "aether", 3)])]).await;
    let event = watch.message().await.expect("it lives").expect("an event");
    assert!(event.events.len() == 1 && event.cursor != at_once.cursor);
    cluster.terminate(0);
    assert_eq!(watch.message().await.expect("it ends well"), None);
}

async fn sql(cluster: &Cluster, statement: &'static str) {
    match &cluster.store {
        Store::Sqlite(file) => {
            let _: &SqliteDatabase = file;
            let database = auric_db::SqliteDatabase::open(&file.path()).await.expect("the file");
            sqlx::query(statement).execute(&database.writer).await.expect("it runs");
        }
        Store::Postgres(database) => {
            let pool = sqlx::PgPool::connect(database.url()).await.expect("the database");
            sqlx::query(statement).execute(&pool).await.expect("it runs");
            pool.close().await;
        }
    }
}
