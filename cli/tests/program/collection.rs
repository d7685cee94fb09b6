//! What a person does with a collection, and what finds an end of it that somebody changed.

use std::path::Path;

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use crate::support::{Ended, Up, folder, wait_for};

const PLAYER: &str = "discord:1";

fn ok(ended: &Ended) -> Value {
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    ended.json()
}

/// Everything in one process, and a player with esprits, lumees and shards.
fn up_with(folder: &Path) -> Up {
    let up = Up::start(folder);
    for (asset, units) in [("azurites", "1600"), ("lumees", "100000"), ("shards", "1000")] {
        let posted = up.wallet(&["post", "--credit", PLAYER, asset, units, "--reason", "gift"]);
        assert_eq!(posted.code, 0, "{}", posted.stderr);
    }
    ok(&up.summon(&["standard", "--player", PLAYER, "--count", "10", "--json"]));
    up
}

/// Runs `auric collection VERB… discord:1 …`.
fn collection(up: &Up, verb: &[&str], rest: &[&str]) -> Ended {
    up.ask(&[&["collection"], verb, &[PLAYER], rest].concat())
}

fn json(up: &Up, verb: &[&str], rest: &[&str]) -> Value {
    ok(&collection(up, verb, &[rest, &["--json"]].concat()))
}

fn reason(ended: &Ended) -> (i32, String) {
    (ended.code, ended.json()["error"]["reason"].as_str().unwrap().to_owned())
}

/// The player's esprits by their ids, the strongest first.
fn ids(up: &Up) -> Vec<String> {
    let listed = collection(up, &["list"], &["--order", "power", "--ids"]);
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    listed.stdout.lines().map(str::to_owned).collect()
}

fn balance(up: &Up, asset: &str) -> i64 {
    ok(&up.wallet(&["balance", PLAYER, asset, "--json"]))["balances"][0]["available"].as_i64().unwrap()
}

fn units(of: &Value, asset: &str) -> i64 {
    let units = of.as_array().unwrap().iter().find(|units| units["asset_id"] == asset);
    units.map_or(0, |units| units["amount"].as_i64().unwrap())
}

fn settle(up: &Up) {
    wait_for("the end of what is under way", || {
        let open = ok(&up.ask(&["collection", "operations", "--json"]));
        open["operations"].as_array()?.is_empty().then_some(())
    });
}

fn verify(up: &Up) -> Ended {
    up.ask(&["audit", "verify", "--cross-service", "--json"])
}

#[test]
fn an_esprit_is_raised_and_paid_once() {
    let folder = folder();
    let up = up_with(folder.path());
    let esprit = &ids(&up)[0];
    let raised = json(&up, &["upgrade"], &[esprit, "--key", "up", "--expect", "1"]);
    assert_eq!(
        (&raised["level"], &raised["state"], &raised["versions"][esprit]),
        (&2.into(), &"done".into(), &2.into())
    );
    assert_eq!(balance(&up, "lumees"), 100_000 - units(&raised["cost"], "lumees"), "{raised}");
    assert_eq!(balance(&up, "shards"), 1_000 - units(&raised["cost"], "shards"), "{raised}");
    let again = json(&up, &["upgrade"], &[esprit, "--key", "up", "--expect", "1"]);
    assert_eq!((&again["replayed"], &again["operation_id"]), (&true.into(), &raised["operation_id"]));
    let stale = collection(&up, &["upgrade"], &[esprit, "--expect", "1", "--json"]);
    assert_eq!(reason(&stale), (3, "STALE_VERSION".to_owned()));
    let unknown = collection(&up, &["upgrade"], &["nobody", "--json"]);
    assert_eq!(reason(&unknown), (3, "ESPRIT_NOT_FOUND".to_owned()));

    let shown = collection(&up, &["show"], &[esprit]);
    assert!(shown.stdout.contains("level") && shown.stdout.contains(esprit.as_str()), "{}", shown.stdout);
    let compared = json(&up, &["compare"], &[esprit, &ids(&up)[1]]);
    assert_eq!((compared["esprits"].as_array().unwrap().len(), &compared["esprits"][0]["level"]), (2, &2.into()));
    let named_twice = collection(&up, &["compare"], &[esprit, esprit, "--json"]);
    assert_eq!(reason(&named_twice), (2, "INVALID_ARGUMENT".to_owned()));
}

#[test]
fn nothing_is_dissolved_before_it_was_shown_and_confirmed() {
    let folder = folder();
    let up = up_with(folder.path());
    let all = ids(&up);
    let (locked, gone) = (&all[0], [all[1].as_str(), all[2].as_str()]);
    json(&up, &["lock"], &[locked]);
    assert_eq!(reason(&collection(&up, &["dissolve"], &[locked, "--yes", "--json"])), (3, "ESPRIT_LOCKED".to_owned()));
    let preview = json(&up, &["dissolve"], &gone);
    assert_eq!((&preview["dissolved"], preview["esprits"].as_array().unwrap().len()), (&false.into(), 2), "{preview}");
    assert_eq!(ids(&up).len(), 10, "nobody said yes");
    let told = collection(&up, &["dissolve"], &gone);
    let token = preview["preview_token"].as_str().unwrap();
    assert!(told.stdout.contains("nothing was dissolved") && told.stdout.contains(token), "{}", told.stdout);

    let before = balance(&up, "shards");
    let done = json(&up, &["dissolve"], &["--preview", token, "--key", "gone"]);
    assert_eq!((&done["esprit_ids"], &done["refund"]), (&serde_json::json!(gone), &preview["refund"]), "{done}");
    assert_eq!(balance(&up, "shards"), before + units(&preview["refund"], "shards"));
    let again = json(&up, &["dissolve"], &["--preview", token, "--key", "gone"]);
    assert_eq!((&again["replayed"], &again["operation_id"]), (&true.into(), &done["operation_id"]));
    assert_eq!(ids(&up).len(), 8);
    assert_ne!(json(&up, &["show"], &[gone[0]])["dissolve_time"], "", "whoever knows its id still sees it");
    json(&up, &["lock"], &[locked, "--off"]);
    assert_eq!(json(&up, &["dissolve"], &[locked, "--yes"])["dissolved"], true);
    let profile = json(&up, &["profile"], &[]);
    assert_eq!((&profile["esprits"], &profile["equipment"]), (&7.into(), &0.into()), "{profile}");

    // Without a preview or an esprit there is nothing to dissolve.
    assert_eq!(collection(&up, &["dissolve"], &[]).code, 2);
}

#[test]
fn a_team_is_optimized_fielded_and_armed() {
    let folder = folder();
    let up = up_with(folder.path());
    let best = json(&up, &["team", "optimize"], &[]);
    assert_eq!((&best["optimal"], &best["gap"], &best["fielded"]), (&true.into(), &0.into(), &false.into()), "{best}");
    assert_eq!(json(&up, &["team", "view"], &[])["power"]["total"], 0, "it was only looked for");
    json(&up, &["team", "optimize"], &["--field", "--key", "field"]);
    let team = json(&up, &["team", "view"], &[]);
    assert_eq!((&team["power"], &team["members"]).0, &best["power"]);
    let members: Vec<&str> =
        team["slots"].as_array().unwrap().iter().map(|slot| slot["esprit_id"].as_str().unwrap()).collect();
    assert_eq!(members.len(), 3);
    let listed = json(&up, &["list"], &["--in-team", "true"]);
    assert_eq!(listed["total_size"], 3);

    json(&up, &["grant"], &["fang=iron_fang", "mail=bark_mail", "--key", "gift"]);
    assert_eq!(json(&up, &["equip"], &[members[0], "fang", "--expect", "1"])["versions"]["fang"], 2);
    let unarmed = team["power"]["total"].as_i64().unwrap();
    assert!(json(&up, &["team", "view"], &[])["power"]["total"].as_i64().unwrap() > unarmed);
    let worn = json(&up, &["equipment"], &["--limit", "1"]);
    assert_eq!((&worn["equipment"][0]["esprit_id"], &worn["more"]), (&members[0].into(), &true.into()));
    for (in_the_way, why) in [(members[1], "ESPRIT_IN_TEAM"), (members[0], "ESPRIT_IN_TEAM")] {
        let refused = collection(&up, &["dissolve"], &[in_the_way, "--yes", "--json"]);
        assert_eq!(reason(&refused), (3, why.to_owned()));
    }
    json(&up, &["team", "clear"], &["1"]);
    let refused = collection(&up, &["dissolve"], &[members[0], "--yes", "--json"]);
    assert_eq!(reason(&refused), (3, "ESPRIT_EQUIPPED".to_owned()));
    json(&up, &["unequip"], &["fang"]);
    json(&up, &["team", "set"], &["2", members[0]]);
    let cleared = json(&up, &["team", "view"], &[]);
    let names: Vec<&Value> = cleared["slots"].as_array().unwrap().iter().map(|slot| &slot["esprit_id"]).collect();
    assert_eq!(names, ["", members[0], members[2]]);
    let unknown = collection(&up, &["grant"], &["hat=cardboard", "--json"]);
    assert_eq!(reason(&unknown), (2, "INVALID_ARGUMENT".to_owned()));
}

#[test]
fn operators_see_upgrades_and_dissolves_and_that_the_services_agree() {
    let folder = folder();
    let up = up_with(folder.path());
    let all = ids(&up);
    json(&up, &["upgrade"], &[&all[0]]);
    json(&up, &["dissolve"], &[&all[9], "--yes"]);
    let _ = collection(&up, &["upgrade"], &[&all[0], "--expect", "7", "--json"]);
    settle(&up);
    let listed = ok(&up.ask(&["collection", "operations", "--all", "--json"]));
    let rows = listed["operations"].as_array().unwrap();
    let mut kinds: Vec<(&str, &str)> =
        rows.iter().map(|row| (row["kind"].as_str().unwrap(), row["state"].as_str().unwrap())).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [("", "aborted"), ("dissolve", "committed"), ("upgrade", "committed")], "{listed}");
    let done = rows[0]["operation_id"].as_str().unwrap();
    let retried = up.ask(&["collection", "retry", done, "--player", PLAYER, "--json"]);
    assert_eq!(reason(&retried), (3, "OPERATION_NOT_FOUND".to_owned()));
    let report = ok(&verify(&up));
    assert_eq!((&report["whole"], &report["operations_compared"]), (&true.into(), &4.into()), "one summon: {report}");
}

/// Every end of an operation leaves its line, and what a click set off is found by its trace, to the wallet's own lines and entries (R-O1, R-O2).
#[test]
fn an_upgrade_leaves_one_line_and_one_trace() {
    let folder = folder();
    let up = Up::start_with(folder.path(), &["--log", "info", "--log-format", "json"], &[]);
    for (asset, units) in [("azurites", "160"), ("lumees", "100000"), ("shards", "1000")] {
        assert_eq!(up.wallet(&["post", "--credit", PLAYER, asset, units, "--reason", "gift"]).code, 0);
    }
    ok(&up.summon(&["standard", "--player", PLAYER, "--json"]));
    let esprit = &ids(&up)[0];
    let raised = json(&up, &["upgrade"], &[esprit, "--key", "up"]);
    let _ = collection(&up, &["upgrade"], &[esprit, "--key", "stale", "--expect", "1"]);
    let _ = collection(&up, &["upgrade"], &["no id!", "--key", "odd"]);
    json(&up, &["dissolve"], &[esprit, "--yes", "--key", "gone"]);
    settle(&up);

    let lines = || -> Vec<Value> { up.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect() };
    let of = |method: &str| -> Vec<Value> { lines().into_iter().filter(|line| line["method"] == method).collect() };
    let upgrades = of("UpgradeEsprit");
    assert_eq!(upgrades.len(), 3, "{upgrades:#?}");
    let told = [&upgrades[0]["player_id"], &upgrades[0]["operation_id"], &upgrades[0]["idempotency_key"]];
    assert_eq!(told, [&Value::from(PLAYER), &raised["operation_id"], &Value::from("up")]);
    assert!(upgrades[0]["amount"].as_str().unwrap().contains("lumees"), "{}", upgrades[0]);
    let ends: Vec<(&Value, &Value)> = upgrades.iter().map(|line| (&line["success"], &line["error"])).collect();
    assert_eq!(ends[0].0, &Value::Bool(true));
    assert_eq!(ends[1], (&Value::Bool(false), &"STALE_VERSION".into()));
    assert_eq!(ends[2], (&Value::Bool(false), &"INVALID_ARGUMENT".into()));
    let dissolved = of("DissolveEsprits");
    assert_eq!((dissolved.len(), &dissolved[0]["success"]), (1, &Value::Bool(true)), "{dissolved:#?}");

    for line in [&upgrades[0], &dissolved[0]] {
        let trace = line["trace_id"].as_str().unwrap();
        let in_trace: Vec<Value> = lines().into_iter().filter(|line| line["trace_id"] == trace).collect();
        for method in ["Reserve", "Commit"] {
            assert!(in_trace.iter().any(|line| line["method"] == method), "{method} is not in {in_trace:#?}");
        }
    }
    let entries = ok(&up.wallet(&["history", PLAYER, "--json"]));
    let is_paid = |entry: &&Value| entry["trace_id"] == upgrades[0]["trace_id"];
    assert!(entries["entries"].as_array().unwrap().iter().any(|entry| is_paid(&entry)), "{entries}");
}

/// Somebody with every right on the databases, whom no check of theirs stops.
async fn forge(folder: &Path, service: &str, sql: String) {
    let file = folder.join(format!("data/{service}.db"));
    let options = SqliteConnectOptions::new().filename(file).pragma("ignore_check_constraints", "1");
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let done = sqlx::query(AssertSqlSafe(sql.clone())).execute(&mut connection).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{sql}");
    connection.close().await.unwrap();
}

fn faults(found: &Ended) -> Vec<(String, String, String)> {
    assert_eq!(found.code, 6, "{}{}", found.stdout, found.stderr);
    let text = |fault: &Value, name: &str| fault[name].as_str().unwrap().to_owned();
    let document = found.json();
    let faults = document["faults"].as_array().unwrap();
    let fault = |fault| (text(fault, "operation_id"), text(fault, "kind"), text(fault, "message"));
    faults.iter().map(fault).collect()
}

#[tokio::test]
async fn an_end_of_an_upgrade_or_a_dissolve_that_somebody_changed_is_named() {
    let folder = folder();
    let up = up_with(folder.path());
    assert_eq!(up.wallet(&["reserve", "other", "--debit", PLAYER, "lumees", "10", "--reason", "bid"]).code, 0);
    assert_eq!(up.wallet(&["release", "other"]).code, 0);
    let esprits = ids(&up);
    let id = |done: &Value| done["operation_id"].as_str().unwrap().to_owned();
    let raised: Vec<String> = esprits[..5].iter().map(|esprit| id(&json(&up, &["upgrade"], &[esprit]))).collect();
    let gone: Vec<String> =
        esprits[5..7].iter().map(|esprit| id(&json(&up, &["dissolve"], &[esprit, "--yes"]))).collect();
    settle(&up);
    assert_eq!(ok(&verify(&up))["whole"], true);

    let folder = folder.path();
    let hold = |operation: &str| format!("WHERE hold_id = 'collection:{operation}'");
    let esprit = |index: usize| format!("WHERE esprit_id = '{}'", esprits[index]);
    // Raised for nothing, and given more than was planned.
    let end = "state, ended_by, ended_under, amounts";
    let released = format!("({end}) = (SELECT {end} FROM holds WHERE hold_id = 'other')");
    forge(folder, "wallet", format!("UPDATE holds SET {released} {}", hold(&raised[0]))).await;
    let moved = format!("(terms, {end}) = (SELECT terms, {end} FROM holds {})", hold(&raised[4]));
    forge(folder, "wallet", format!("UPDATE holds SET {moved} {}", hold(&gone[0]))).await;
    // A level too few, one too many, one that came back, one that went by itself.
    forge(folder, "collection", format!("UPDATE esprits SET level = 1 {}", esprit(1))).await;
    forge(folder, "collection", format!("UPDATE esprits SET level = 9 {}", esprit(2))).await;
    forge(folder, "collection", format!("UPDATE esprits SET dissolved_at = updated_at {}", esprit(3))).await;
    forge(folder, "collection", format!("UPDATE esprits SET dissolved_at = NULL {}", esprit(6))).await;
    let undecided = format!("UPDATE operations SET state = 'aborted' WHERE operation_id = '{}'", raised[4]);
    forge(folder, "collection", undecided).await;
    let stranger = "e".repeat(32);
    let held = format!("collection:{stranger}");
    ok(&up.wallet(&[
        "reserve",
        &held,
        "--debit",
        PLAYER,
        "lumees",
        "1",
        "--reason",
        "upgrade",
        "--caller",
        "collection",
        "--json",
    ]));

    let mut named: Vec<(String, String)> = Vec::new();
    for (operation, kind, message) in faults(&verify(&up)) {
        assert!(!message.is_empty());
        named.push((operation, kind));
    }
    let mut wanted = [
        (&raised[0], "HOLD_DIFFERS"),
        (&gone[0], "HOLD_DIFFERS"),
        (&raised[1], "ESPRIT_DIFFERS"),
        (&raised[2], "ESPRIT_DIFFERS"),
        (&raised[3], "ESPRIT_DIFFERS"),
        (&gone[1], "ESPRIT_DIFFERS"),
        (&raised[4], "DECISION_DIFFERS"),
        (&raised[4], "HOLD_DIFFERS"),
        (&stranger, "HOLD_WITHOUT_OPERATION"),
    ]
    .map(|(operation, kind)| (operation.clone(), kind.to_owned()));
    named.sort();
    wanted.sort();
    assert_eq!(named, wanted);
}
