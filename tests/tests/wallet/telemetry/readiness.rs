//! Live is not ready: while the database is away and while the wallet drains it must get no traffic, and must not be killed (R-O4).

use std::process::Command;

use auric_testkit::servers::{Postgres, PostgresSettings};
use auric_tests::tree;
use sqlx::PgPool;

use super::super::harness::{Ask, Caller, Cluster, Process, Store, auric, credit};
use super::http::Endpoint;
use super::wait_until_somebody_waits;

const METRICS: (&str, &str) = ("AURIC_METRICS_LISTEN", "127.0.0.1:0");

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_its_database_is_away_a_wallet_is_live_and_not_ready() {
    let mut database = Postgres::start(PostgresSettings::fast()).expect("a private PostgreSQL");
    let process = serve(&database.url());
    let endpoint = Endpoint::told_by(|wanted| process.wait_for(wanted));
    let report = endpoint.wait_until_ready_is(200).await;
    assert_eq!(report["dependencies"]["wallet.database"]["ok"], true);

    // Frozen: it takes connections and says nothing.
    let frozen = freeze(&database);
    let report = endpoint.wait_until_ready_is(503).await;
    let database_says = &report["dependencies"]["wallet.database"];
    assert_eq!((&database_says["ok"], &report["draining"]), (&false.into(), &false.into()), "{report}");
    assert!(database_says["why"].is_string(), "{report}");
    for pid in &frozen {
        signal(*pid, "CONT");
    }
    endpoint.wait_until_ready_is(200).await;

    // Gone: nobody listens there.
    database.stop().expect("it stops");
    endpoint.wait_until_ready_is(503).await;
    database.restart().expect("it starts again");
    endpoint.wait_until_ready_is(200).await;

    process.signal("TERM");
    process.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_it_drains_a_wallet_is_live_and_not_ready() {
    let variables = vec![(METRICS.0, METRICS.1.to_owned())];
    let cluster = Cluster::postgres_with(1, variables).await;
    let Store::Postgres(database) = &cluster.store else { panic!("it was made on PostgreSQL") };
    let pool = PgPool::connect(database.url()).await.expect("the database is there");
    let caller = Caller::new(&cluster);
    let pay = |key: &str| Ask::post(key, vec![credit("a", "lumees", 1)]);
    caller.send(&pay("before")).await.outcome.expect("applied");
    let endpoint = Endpoint::told_by(|wanted| cluster.wait_for(0, wanted));
    endpoint.wait_until_ready_is(200).await;

    // A mutation that waits for its player keeps the drain open.
    let mut lock = pool.begin().await.expect("it begins");
    let locked = sqlx::query("SELECT * FROM balances WHERE player_id = 'a' FOR UPDATE").execute(&mut *lock).await;
    assert_eq!(locked.expect("it is locked").rows_affected(), 1);
    let ask = pay("meanwhile");
    let drained = async {
        wait_until_somebody_waits(&pool).await;
        cluster.terminate(0);
        let report = endpoint.wait_until_ready_is(503).await;
        assert_eq!(report["draining"], true, "{report}");
        assert_eq!(report["dependencies"]["wallet.database"]["ok"], true, "{report}");
        let (live, _) = endpoint.get("/livez").await;
        assert_eq!(live, 200);
        lock.rollback().await.expect("it is let go");
    };
    let (answer, ()) = tokio::join!(caller.send(&ask), drained);
    answer.outcome.expect("what was under way is answered");
    assert_eq!(answer.tries, 1);
}

/// A wallet on the database that `url` names, which has nothing in it.
fn serve(url: &str) -> Process {
    let folder = tempfile::tempdir().expect("a folder");
    let migrated = auric(["migrate", "--wallet-database", url]).current_dir(folder.path()).output();
    assert!(migrated.expect("auric starts").status.success());
    let mut command = auric(["serve", "wallet", "--listen", "127.0.0.1:0", "--log-format", "json", "--database", url]);
    Process::start(command.arg("--game").arg(tree::root().join("game")).env(METRICS.0, METRICS.1))
}

/// Freezes a server and all of its children, and gives their process ids.
fn freeze(database: &Postgres) -> Vec<u32> {
    let server = database.pid().expect("it runs");
    signal(server, "STOP");
    let children = std::fs::read_to_string(format!("/proc/{server}/task/{server}/children")).expect("it has children");
    let children: Vec<u32> = children.split_whitespace().map(|pid| pid.parse().expect("a process id")).collect();
    for pid in &children {
        signal(*pid, "STOP");
    }
    [vec![server], children].concat()
}

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
    assert!(sent.expect("kill runs").success(), "SIG{name} was not sent to {pid}");
}
