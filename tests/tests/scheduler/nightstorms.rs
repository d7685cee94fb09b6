//! The nightstorms of all zones, as an operator sees them, who pauses, triggers and replays (R-T2, R-T3).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use auric_tests::tree;
use serde_json::Value;
use tempfile::TempDir;

use super::recorder::Recorder;
use crate::wallet::harness::{Line, Process, auric};
use crate::wallet::telemetry::http::Endpoint;

/// How long something may take that happens by itself: what it is bound to by the requirements.
const WAIT_MAX: Duration = Duration::from_mins(1);

const GROUP: &str = "nightstorm-group";

/// Jobs that somebody takes away.
const TAKEN: [&str; 5] = ["honeywood", "deepforge", "sunmeadow", "the_undertow", "heart_of_auric"];

/// A zone whose storm can never come any more.
const BROKEN: &str = "fernhollow";

/// A scheduler on a file, in a game of its own.
struct Desk {
    process: Process,
    folder: TempDir,
    metrics: Endpoint,
}

impl Desk {
    fn start(recorder: &Recorder) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let game = folder.path().join("game");
        std::fs::create_dir(&game).expect("a folder");
        for file in std::fs::read_dir(tree::root().join("game")).expect("the game") {
            let file = file.expect("a file");
            std::fs::copy(file.path(), game.join(file.file_name())).expect("it is copied");
        }
        let target = format!("[scheduler.targets.recorder]\nurl = \"{}\"\n", recorder.url());
        std::fs::write(folder.path().join("auric.toml"), target).expect("settings");
        let database = format!("sqlite://{}", folder.path().join("scheduler.db").display());
        let mut migrate = auric(["migrate", "--scheduler-database", &database]);
        let migrated = migrate.current_dir(folder.path()).output().expect("auric starts");
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        let mut command =
            auric(["serve", "scheduler", "--listen", "127.0.0.1:0", "--log", "info", "--log-format", "json"]);
        command.args(["--metrics", "127.0.0.1:0", "--database", &database]).current_dir(folder.path());
        command.env("AURIC_SCHEDULER_RECONCILE_MS", "300").env("AURIC_SCHEDULER_MAINTENANCE", "false");
        let process = Process::start(&mut command);
        let metrics = Endpoint::told_by(|wanted| process.wait_for(wanted));
        Self { process, folder, metrics }
    }

    /// What `auric jobs …` shows, as a document; a command that fails is told.
    fn jobs(&self, arguments: &[&str]) -> Value {
        let url = format!("http://{}", self.process.address());
        let mut command = auric([&["jobs"], arguments, &["--json", "--scheduler", &url]].concat());
        let asked = command.output().expect("auric starts");
        let said = String::from_utf8_lossy(&asked.stdout).into_owned();
        assert!(asked.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&asked.stderr));
        serde_json::from_str(&said).expect("a document")
    }

    /// The jobs of the nightstorms that will fire, by their zones.
    fn zones(&self) -> BTreeSet<String> {
        let listed = self.jobs(&["list", "--group", GROUP, "--active"]);
        let jobs = listed["jobs"].as_array().expect("jobs").clone();
        let coming = jobs.iter().filter(|job| job["next_fire_time"].as_str().is_some_and(|next| !next.is_empty()));
        let zone =
            |job: &Value| job["job_id"].as_str().and_then(|id| id.strip_prefix("nightstorm_")).map(str::to_owned);
        coming.filter_map(zone).collect()
    }

    fn zones_file(&self) -> PathBuf {
        self.folder.path().join("game/zones.toml")
    }

    /// How many repairs of a kind there were, in the words of the metrics.
    async fn repairs(&self, change: &str) -> u64 {
        let (_, page) = self.metrics.get("/metrics").await;
        let is_its = |line: &&str| line.starts_with("auric_scheduler_repairs_total") && line.contains(change);
        page.lines().find(is_its).and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
    }
}

/// Waits until `is_so`, which names what it misses.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < WAIT_MAX, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Adds a zone, and breaks the storm of another one, in one save.
fn rewrite(zones: &Path) {
    let text = std::fs::read_to_string(zones).expect("zones");
    let head = format!("[zones.{BROKEN}]\n");
    let broken = text.replace(&head, &format!("{head}nightstorm = {{ cron = \"0 0 30 2 *\" }}\n"));
    assert_ne!(text, broken);
    let new = "\n[zones.eighty_second]\nname = \"Eighty-Second\"\nelement = \"fire\"\nlevels = [1, 2]\n";
    let unfinished = zones.with_extension("unfinished");
    std::fs::write(&unfinished, broken + new).expect("it is written");
    std::fs::rename(unfinished, zones).expect("it is saved");
}

fn job_of(zone: &str) -> String {
    format!("nightstorm_{zone}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eighty_one_nightstorms_come_back_by_themselves_and_one_that_cannot_is_named() {
    // R-T2
    let recorder = Recorder::start().await;
    let desk = Desk::start(&recorder);
    wait_until("81 nightstorms", || desk.zones().len() == 81);
    let all = desk.zones();

    for zone in TAKEN {
        desk.jobs(&["delete", &job_of(zone)]);
    }
    rewrite(&desk.zones_file());
    let with_new: BTreeSet<String> = all.iter().cloned().chain(["eighty_second".to_owned()]).collect();
    wait_until("every nightstorm is there again, and a new one", || desk.zones() == with_new);
    let named = desk.process.wait_for(|line| line["job_id"] == job_of(BROKEN) && line["change"] == "refused");
    assert!(named["detail"].as_str().is_some_and(|why| why.contains("zones.toml")), "{named}");
    assert_eq!(desk.repairs("created").await, 6);
    assert!(desk.repairs("refused").await > 0);

    // Two rounds later nothing else was done.
    let rounds = desk.repairs("refused").await + 2;
    while desk.repairs("refused").await < rounds {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((desk.repairs("created").await, desk.repairs("repaired").await), (6, 0));
    desk.process.signal("TERM");
    let Desk { process, .. } = desk;
    let said = process.end();
    for zone in TAKEN.iter().chain(&["eighty_second"]) {
        let is_its = |line: &&Line| line["job_id"] == job_of(zone) && line["level"] == "WARN";
        assert_eq!(said.iter().filter(is_its).count(), 1, "{zone}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_operator_pauses_triggers_and_replays() {
    // R-T3, R-O1
    let recorder = Recorder::start().await;
    let desk = Desk::start(&recorder);
    let storm = job_of("willowmere");
    wait_until("81 nightstorms", || desk.zones().len() == 81);

    assert_eq!(desk.jobs(&["pause", &storm])["job"]["paused"], true);
    assert!(!desk.zones().contains("willowmere"));
    let triggered = desk.jobs(&["trigger", &storm, "--key", "by-hand"]);
    let key = triggered["firing"]["key"].as_str().expect("a key").to_owned();
    assert_eq!(
        desk.jobs(&["trigger", &storm, "--key", "by-hand"])["firing"]["key"],
        key.as_str(),
        "the same key fires once"
    );
    let latest = || desk.jobs(&["firings", &storm])["firings"].clone();
    wait_until("the nightstorm is recorded", || latest()[0]["state"] == "done");
    let fired = latest();
    assert_eq!((fired.as_array().map(Vec::len), fired[0]["key"].as_str()), (Some(1), Some(key.as_str())));
    assert_eq!(desk.jobs(&["resume", &storm])["job"]["paused"], false);
    assert_eq!(desk.zones().len(), 81, "it was paused, and nobody repaired that");

    let odd = ["create", "odd", "--at", "2026-01-01T00:00:00Z", "--to", "recorder", "--handler", "paint"];
    desk.jobs(&[&odd[..], &["--payload", r#"{"rejects":true}"#]].concat());
    let dead = || desk.jobs(&["dead"])["dead_letters"].clone();
    wait_until("it failed for good", || dead().as_array().is_some_and(|letters| letters.len() == 1));
    let letter = dead()[0].clone();
    assert_eq!(
        (&letter["firing"]["reason"], &letter["firing"]["message"]),
        (&"PERMANENT".into(), &"it will never be done".into())
    );
    recorder.mend();
    let key = letter["firing"]["key"].as_str().expect("a key").to_owned();
    desk.jobs(&["replay", &key]);
    wait_until("it is done after all", || desk.jobs(&["firings", "odd"])["firings"][0]["state"] == "done");
    assert_eq!(dead(), Value::Array(Vec::new()));
    assert_eq!(recorder.effects(), [key].into());
    let status = desk.jobs(&["status"]);
    assert_eq!((&status["jobs"], &status["dead_letters"]), (&81.into(), &0.into()), "{status}");
    desk.process.signal("TERM");
    let Desk { process, .. } = desk;
    each_change_and_each_end_left_one_line(&process.end(), &fired[0], &letter["firing"]);
}

/// R-O1: what an operator did, and how each attempt ended, is told once.
fn each_change_and_each_end_left_one_line(said: &[Line], storm: &Value, odd: &Value) {
    let triggers: Vec<_> = said.iter().filter(|line| line["idempotency_key"] == "by-hand").collect();
    let told: Vec<_> = triggers.iter().map(|line| (&line["method"], &line["success"], &line["replayed"])).collect();
    let method = Value::from("TriggerJob");
    assert_eq!(told, [(&method, &true.into(), &false.into()), (&method, &true.into(), &true.into())], "{triggers:?}");
    let ends = |firing: &Value| -> Vec<(Value, Value, Value)> {
        let of_firing = said.iter().filter(|line| line["firing"] == firing["key"]);
        of_firing.map(|line| (line["message"].clone(), line["success"].clone(), line["error"].clone())).collect()
    };
    let end = |message: &str, success: bool, error: Value| (message.into(), success.into(), error);
    assert_eq!(ends(storm), [end("firing done", true, Value::Null)]);
    assert_eq!(
        ends(odd),
        [end("firing dead", false, "PERMANENT".into()), end("firing done", true, Value::Null)],
        "it failed for good, and was replayed"
    );
}
