//! Summons as a person makes them, and what finds an end that somebody changed.

use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;
use sqlx::{AssertSqlSafe, SqlitePool};

use crate::support::{Ended, Up, folder, wait_for};

/// What one pull of the standard banner costs, as the shipped catalog has it.
const PRICE: i64 = 160;

const PLAYER: &str = "discord:1";

fn ok(ended: &Ended) -> Value {
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    ended.json()
}

/// Everything in one process, and azurites for so many pulls.
fn up_with(folder: &Path, pulls: i64) -> Up {
    let up = Up::start(folder);
    let azurites = (pulls * PRICE).to_string();
    let posted = up.wallet(&["post", "--credit", PLAYER, "azurites", &azurites, "--reason", "gift"]);
    assert_eq!(posted.code, 0, "{}", posted.stderr);
    up
}

fn azurites_of(up: &Up) -> Value {
    ok(&up.wallet(&["balance", PLAYER, "azurites", "--json"]))["balances"][0]["available"].clone()
}

fn summon(up: &Up, rest: &[&str]) -> Ended {
    up.summon(&[&["standard", "--player", PLAYER, "--json"], rest].concat())
}

/// Waits until nothing is under way: callers are answered a moment before the log says done.
fn settle(up: &Up) {
    wait_for("the end of what is under way", || {
        let open = ok(&up.summon(&["operations", "--json"]));
        open["operations"].as_array()?.is_empty().then_some(())
    });
}

fn verify(up: &Up) -> Ended {
    up.ask(&["audit", "verify", "--cross-service", "--json"])
}

#[test]
fn a_summon_is_paid_and_delivered_once() {
    let folder = folder();
    let up = up_with(folder.path(), 11);
    let one = ok(&summon(&up, &["--key", "one"]));
    assert_eq!((&one["state"], &one["price"]["amount"]), (&"delivered".into(), &PRICE.into()), "{one}");
    let ten = ok(&summon(&up, &["--count", "10", "--key", "ten"]));
    assert_eq!((ten["pulls"].as_array().unwrap().len(), &ten["pity"]["pulls"]), (10, &11.into()), "{ten}");
    assert!(ten["pulls"].as_array().unwrap().iter().all(|pull| pull["name"] != ""), "{ten}");
    assert_eq!(azurites_of(&up), 0);

    let again = ok(&summon(&up, &["--count", "10", "--key", "ten"]));
    assert_eq!((&again["replayed"], &again["pulls"]), (&true.into(), &ten["pulls"]));
    let shown = ok(&up.summon(&["show", "ten", "--json"]));
    assert_eq!((&shown["operation_id"], &shown["pulls"]), (&ten["operation_id"], &ten["pulls"]));

    let refused = summon(&up, &["--key", "eleven"]);
    assert_eq!((refused.code, &refused.json()["error"]["reason"]), (3, &"INSUFFICIENT_FUNDS".into()));
    let unknown = up.summon(&["nowhere", "--player", PLAYER, "--json"]);
    assert_eq!((unknown.code, &unknown.json()["error"]["reason"]), (3, &"BANNER_NOT_FOUND".into()));
    assert_eq!(summon(&up, &["--count", "7"]).code, 2);

    let listed = ok(&up.ask(&["collection", "list", PLAYER, "--json"]));
    assert_eq!(listed["total_size"], 11);
    let esprit = one["pulls"][0]["esprit_id"].as_str().unwrap();
    let found = ok(&up.ask(&["collection", "show", PLAYER, esprit, "--json"]));
    assert_eq!((&found["species_id"], &found["operation_id"]), (&one["pulls"][0]["species_id"], &one["operation_id"]));

    let pulls = ok(&up.summon(&["pulls", "standard", "--player", PLAYER, "--limit", "4", "--json"]));
    let numbers: Vec<i64> =
        pulls["pulls"].as_array().unwrap().iter().map(|pull| pull["number"].as_i64().unwrap()).collect();
    assert_eq!((numbers.as_slice(), &pulls["more"]), (&[11, 10, 9, 8][..], &true.into()));
}

#[test]
fn operators_see_what_was_done_and_that_the_services_agree() {
    let folder = folder();
    let up = up_with(folder.path(), 2);
    for key in ["a", "b", "c"] {
        let _ = summon(&up, &["--key", key]);
    }
    settle(&up);
    let all = ok(&up.summon(&["operations", "--all", "--json"]));
    let mut states: Vec<&str> =
        all["operations"].as_array().unwrap().iter().map(|operation| operation["state"].as_str().unwrap()).collect();
    states.sort_unstable();
    assert_eq!(states, ["aborted", "committed", "committed"], "{all}");
    let done = all["operations"][0]["operation_id"].as_str().unwrap();
    let retried = up.summon(&["retry", done, "--player", PLAYER, "--json"]);
    assert_eq!((retried.code, &retried.json()["error"]["reason"]), (3, &"OPERATION_NOT_FOUND".into()));

    let report = ok(&verify(&up));
    assert_eq!((&report["whole"], &report["operations_compared"]), (&true.into(), &3.into()), "{report}");
    assert_eq!(up.ask(&["audit", "verify", "--cross-service", "--player", PLAYER]).code, 2);
}

/// The README's word: whatever dies in the middle of a storm, the next start ends it, paid and delivered, or neither.
#[test]
fn a_storm_that_is_killed_ends_after_the_next_start() {
    const KEYS: usize = 12;
    const PULLS: i64 = 7;
    let folder = folder();
    let impatient = [("AURIC_SUMMON_LEASE_MS", "300")];
    let up = Up::start_with(folder.path(), &[], &impatient);
    let azurites = (PULLS * PRICE).to_string();
    assert_eq!(up.wallet(&["post", "--credit", PLAYER, "azurites", &azurites, "--reason", "gift"]).code, 0);
    let keys: Vec<String> = (0..KEYS).map(|key| format!("k-{key}")).collect();
    let draw = |up: &Up, key: &str| up.asking(&["summon", "standard", "--player", PLAYER, "--key", key, "--json"]);
    let clicks: Vec<Child> =
        keys.iter().map(|key| draw(&up, key).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()).collect();
    wait_for("a summon in the log", || {
        let listed = up.summon(&["operations", "--all", "--json"]).json();
        (!listed["operations"].as_array()?.is_empty()).then_some(())
    });
    up.signal("KILL");
    for mut click in clicks {
        click.wait().unwrap();
    }

    drop(up);
    let up = Up::start_with(folder.path(), &[], &impatient);
    settle(&up);
    assert_eq!(ok(&verify(&up))["whole"], true);

    let mut codes: Vec<i32> = keys
        .iter()
        .map(|key| {
            wait_for("the key's answer", || {
                Some(Ended::from(draw(&up, key).output().unwrap()).code).filter(|code| *code != 4)
            })
        })
        .collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 0, 0, 0, 0, 0, 0, 3, 3, 3, 3, 3], "seven are paid for");
    assert_eq!(azurites_of(&up), 0);
    assert_eq!(ok(&up.ask(&["collection", "list", PLAYER, "--json"]))["total_size"], PULLS);
    assert_eq!(ok(&verify(&up))["whole"], true);
}

/// Somebody with every right on the three databases.
async fn forge(folder: &Path, service: &str, sql: String) {
    let file = folder.join(format!("data/{service}.db"));
    let pool = SqlitePool::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let done = sqlx::query(AssertSqlSafe(sql.clone())).execute(&pool).await.unwrap();
    assert!(done.rows_affected() > 0, "{sql}");
    pool.close().await;
}

fn faults(found: &Ended) -> Vec<(String, String)> {
    assert_eq!(found.code, 6, "{}{}", found.stdout, found.stderr);
    let text = |fault: &Value, name: &str| fault[name].as_str().unwrap().to_owned();
    let document = found.json();
    let faults = document["faults"].as_array().unwrap();
    faults.iter().map(|fault| (text(fault, "operation_id"), text(fault, "kind"))).collect()
}

#[tokio::test]
async fn an_end_that_somebody_changed_is_named() {
    let folder = folder();
    let up = up_with(folder.path(), 4);
    assert_eq!(up.wallet(&["reserve", "other", "--debit", PLAYER, "azurites", "160", "--reason", "bid"]).code, 0);
    assert_eq!(up.wallet(&["release", "other"]).code, 0);
    let operations: Vec<String> = ["a", "b", "c"]
        .map(|key| ok(&summon(&up, &["--key", key]))["operation_id"].as_str().unwrap().to_owned())
        .into();
    settle(&up);
    assert_eq!(ok(&verify(&up))["whole"], true);

    let whose = |index: usize| format!("WHERE operation_id = '{}'", operations[index]);
    let undelivered = format!("UPDATE participations SET state = 'cancelled', outcome = NULL {}", whose(0));
    forge(folder.path(), "collection", undelivered).await;
    let unpaid = format!(
        "UPDATE holds SET (state, ended_by, ended_under) = \
         (SELECT state, ended_by, ended_under FROM holds WHERE hold_id = 'other') \
         WHERE hold_id = 'summon:{}'",
        operations[1]
    );
    forge(folder.path(), "wallet", unpaid).await;
    let stranger = "f".repeat(32);
    let delivered_for_nobody = format!(
        "INSERT INTO participations SELECT '{stranger}', player_id, coordinator, state, catalog_hash, intent, outcome, \
         created_at, updated_at FROM participations {}",
        whose(2)
    );
    forge(folder.path(), "collection", delivered_for_nobody).await;

    let mut named = faults(&verify(&up));
    named.sort();
    let mut wanted = vec![
        (operations[0].clone(), "PART_DIFFERS".to_owned()),
        (operations[1].clone(), "HOLD_DIFFERS".to_owned()),
        (stranger, "PART_WITHOUT_OPERATION".to_owned()),
    ];
    wanted.sort();
    assert_eq!(named, wanted);
}

#[test]
fn a_hold_that_no_operation_made_is_named() {
    let folder = folder();
    let up = up_with(folder.path(), 1);
    let stranger = "e".repeat(32);
    let hold = format!("summon:{stranger}");
    let reserve =
        ["reserve", &hold, "--debit", PLAYER, "azurites", "160", "--reason", "summon", "--caller", "summon", "--json"];
    ok(&up.wallet(&reserve));
    assert_eq!(faults(&verify(&up)), [(stranger, "HOLD_WITHOUT_OPERATION".to_owned())]);
}

#[test]
fn what_is_taken_for_spark_points_is_delivered_proved_and_shown() {
    let folder = folder();
    let game = crate::support::game(folder.path(), "game");
    let banners = std::fs::read_to_string(game.join("banners.toml")).unwrap();
    let cheap = banners.replace("price_points = 300", "price_points = 1");
    assert_ne!(banners, cheap);
    std::fs::write(game.join("banners.toml"), cheap).unwrap();
    let up = Up::start(folder.path());
    let spark = |key: &str| up.summon(&["spark", "premium", "nerissa", "--player", PLAYER, "--key", key, "--json"]);
    let poor = spark("too-early");
    assert_eq!(poor.code, 3, "{}{}", poor.stdout, poor.stderr);
    assert!(poor.stdout.contains("INSUFFICIENT_SPARK_POINTS") || poor.stderr.contains("INSUFFICIENT_SPARK_POINTS"));

    let given = up.wallet(&["post", "--credit", PLAYER, "aether", "300", "--reason", "gift"]);
    assert_eq!(given.code, 0, "{}", given.stderr);
    let path = ok(&up.summon(&["path", "premium", "aurelion", "--player", PLAYER, "--json"]));
    assert_eq!((&path["species_id"], &path["points"]), (&"aurelion".into(), &0.into()), "{path}");
    ok(&up.summon(&["premium", "--player", PLAYER, "--key", "pull", "--json"]));
    let taken = ok(&spark("taken"));
    assert_eq!((&taken["spark_species_id"], &taken["price"]), (&"nerissa".into(), &Value::Null), "{taken}");
    assert_eq!((&taken["pulls"][0]["exchanged"], &taken["pity"]["spark_points"]), (&true.into(), &0.into()), "{taken}");
    let proof = ok(&up.summon(&["verify", "--player", PLAYER, "premium", "2", "--json"]));
    assert_eq!((&proof["verified"], &proof["exchanged"]), (&true.into(), &true.into()), "{proof}");
    settle(&up);
    assert_eq!(verify(&up).code, 0);
}
