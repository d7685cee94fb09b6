//! Claims, holds, levels and credits by the commands, and entries that are followed.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Ended, Up, folder};

fn ok(ended: &Ended) -> Value {
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    ended.json()
}

fn available(up: &Up, player: &str, asset: &str) -> Value {
    ok(&up.wallet(&["balance", player, asset, "--json"]))["balances"][0]["available"].clone()
}

#[test]
fn a_claim_pays_once_whatever_key_it_comes_under() {
    let folder = folder();
    let up = Up::start(folder.path());
    let claim = ["claim", "a", "daily", "2026-08-07", "--credit", "a", "azurites", "50", "--reason", "daily", "--json"];
    let first = ok(&up.wallet(&[&claim[..], &["--key", "k-1"]].concat()));
    assert_eq!((&first["replayed"], &first["movements"][0]["kind"]), (&false.into(), &"CLAIMED".into()));
    assert_eq!(ok(&up.wallet(&[&claim[..], &["--key", "k-1"]].concat()))["replayed"], true);
    let second = up.wallet(&[&claim[..], &["--key", "k-2"]].concat());
    assert_eq!(second.code, 3);
    let error = &second.json()["error"];
    assert_eq!((&error["reason"], &error["metadata"]["idempotency_key"]), (&"CLAIM_MADE".into(), &"k-1".into()));
    assert_eq!(available(&up, "a", "azurites"), 50);
}

#[test]
fn a_hold_is_taken_in_part_and_the_rest_comes_back() {
    let folder = folder();
    let up = Up::start(folder.path());
    ok(&up.wallet(&["post", "--credit", "a", "lumees", "100", "--reason", "gift", "--json"]));
    let reserve = [
        "reserve",
        "deal",
        "--debit",
        "a",
        "lumees",
        "40",
        "--transfer",
        "a",
        "b",
        "lumees",
        "10",
        "--ttl",
        "1h",
        "--reason",
        "deal",
        "--json",
    ];
    // A hold of two players cannot lapse by itself.
    assert_eq!(up.wallet(&reserve).code, 2);
    let reserved: Vec<&str> = reserve.iter().copied().filter(|word| !["--ttl", "1h"].contains(word)).collect();
    ok(&up.wallet(&reserved));
    assert_eq!(available(&up, "a", "lumees"), 50);

    let open = ok(&up.wallet(&["hold", "--player", "b", "--of", "local", "--json"]));
    assert_eq!((&open["holds"][0]["hold_id"], &open["more"]), (&"deal".into(), &false.into()));
    let older = ok(&up.wallet(&["hold", "--older-than", "1h", "--json"]));
    assert_eq!(older["holds"], Value::Array(Vec::new()));

    assert_eq!(up.wallet(&["commit", "deal", "41", "0"]).code, 3);
    ok(&up.wallet(&["commit", "deal", "25", "10", "--json"]));
    let hold = ok(&up.wallet(&["hold", "deal", "--json"]));
    assert_eq!((&hold["state"], &hold["committed_amounts"]), (&"COMMITTED".into(), &serde_json::json!([25, 10])));
    assert_eq!((available(&up, "a", "lumees"), available(&up, "b", "lumees")), (65.into(), 10.into()));
    let ended = up.wallet(&["release", "deal", "--json"]);
    assert_eq!((ended.code, &ended.json()["error"]["reason"]), (3, &"HOLD_ENDED".into()));

    assert_eq!(ok(&up.wallet(&["release", "never", "--json"]))["voided"], true);
    let late = up.wallet(&["reserve", "never", "--debit", "a", "lumees", "1", "--reason", "late", "--json"]);
    assert_eq!((late.code, &late.json()["error"]["reason"]), (3, &"HOLD_ENDED".into()));
    assert_eq!(up.wallet(&["commit", "unseen"]).code, 3);
    let whole = ok(&up.ask(&["audit", "verify", "--json"]));
    assert_eq!((&whole["whole"], &whole["players_verified"]), (&true.into(), &2.into()));
}

#[test]
fn a_level_gives_points_that_raise_a_capacity() {
    let folder = folder();
    let up = Up::start(folder.path());
    ok(&up.wallet(&["post", "--credit", "a", "xp", "100", "--reason", "quest", "--json"]));
    let stats = ok(&up.wallet(&["stats", "a", "--json"]));
    assert_eq!(
        (&stats["level"], &stats["stat_points"], &stats["xp_of_next_level"]),
        (&2.into(), &5.into(), &250.into())
    );
    let spent = ok(&up.wallet(&["stats", "spend", "a", "energy", "2", "--reason", "profile", "--json"]));
    let movements = spent["movements"].as_array().unwrap();
    let change = |asset: &str| {
        movements.iter().find(|row| row["asset_id"] == asset).map(|row| row["available_change"].clone()).unwrap()
    };
    assert_eq!((change("stat_points"), change("stat_points_spent/energy")), ((-2).into(), 2.into()));
    let stats = ok(&up.wallet(&["stats", "a", "--json"]));
    let energy =
        stats["capacities"].as_array().unwrap().iter().find(|row| row["asset_id"] == "energy").unwrap().clone();
    assert_eq!((&stats["stat_points"], &energy["capacity"]), (&3.into(), &120.into()));
    let missing = up.wallet(&["stats", "spend", "a", "energy", "4", "--reason", "profile", "--json"]);
    assert_eq!((missing.code, &missing.json()["error"]["reason"]), (3, &"INSUFFICIENT_FUNDS".into()));
}

#[test]
fn a_renewal_sets_one_pool_and_leaves_the_other() {
    let folder = folder();
    let up = Up::start(folder.path());
    let credit = "generation_credit";
    ok(&up.wallet(&["post", "--credit", "a", credit, "50", "bulk", "--reason", "purchase", "--json"]));
    for units in ["5", "20"] {
        ok(&up.wallet(&["renew", "a", credit, "subscription", units, "--reason", "renewal", "--json"]));
    }
    let balances = ok(&up.wallet(&["balance", "a", credit, "--json"]));
    let units = |index: usize| balances["balances"][index]["available"].clone();
    assert_eq!((units(0), units(1)), (20.into(), 50.into()));
    let transferred = up.wallet(&["transfer", "a", "b", credit, "30", "bulk", "--reason", "gift", "--json"]);
    assert_eq!(ok(&transferred)["movements"][0]["pool_id"], "subscription");
}

#[test]
fn a_voided_key_never_happens() {
    let folder = folder();
    let up = Up::start(folder.path());
    assert_eq!(ok(&up.wallet(&["void", "k-1", "--json"]))["refusal"]["reason"], "MUTATION_VOIDED");
    let post = ["post", "--credit", "a", "lumees", "7", "--reason", "gift", "--json"];
    let late = up.wallet(&[&post[..], &["--key", "k-1"]].concat());
    assert_eq!((late.code, &late.json()["error"]["reason"]), (3, &"MUTATION_VOIDED".into()));
    ok(&up.wallet(&[&post[..], &["--key", "k-2"]].concat()));
    let applied = ok(&up.wallet(&["void", "k-2", "--json"]));
    assert_eq!(applied["posted"]["movements"][0]["available_after"], 7, "what happened stays");
}

#[test]
fn an_expected_version_refuses_what_was_decided_too_early() {
    let folder = folder();
    let up = Up::start(folder.path());
    let post = ["post", "--credit", "a", "lumees", "1", "--reason", "gift", "--expect", "a=0", "--json"];
    ok(&up.wallet(&post));
    let stale = up.wallet(&post);
    assert_eq!((stale.code, &stale.json()["error"]["reason"]), (3, &"STALE_VERSION".into()));
}

#[test]
fn supply_and_flows_tell_what_came_and_went() {
    let folder = folder();
    let up = Up::start(folder.path());
    ok(&up.wallet(&["post", "--credit", "a", "lumees", "100", "--reason", "gift", "--json"]));
    ok(&up.wallet(&["post", "--debit", "a", "lumees", "30", "--reason", "shop", "--json"]));
    let supply = ok(&up.wallet(&["supply", "lumees", "--json"]));
    assert_eq!(supply["supplies"][0]["outstanding"], 70);
    let flows = ok(&up.wallet(&["flows", "lumees", "--json"]));
    let reasons: Vec<&str> =
        flows["flows"].as_array().unwrap().iter().map(|flow| flow["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["gift", "shop"]);
}

/// R-W2: what is followed is what is on the audit, over a service that stops and starts again.
#[test]
fn a_followed_audit_skips_nothing_and_repeats_nothing() {
    let folder = folder();
    let up = Up::start(folder.path());
    let post = |up: &Up, key: &str| {
        ok(&up.wallet(&["post", "--credit", "a", "lumees", "1", "--reason", "gift", "--key", key, "--json"]));
    };
    post(&up, "k-1");
    let tail = ["audit", "tail", "a", "--limit", "3", "--json", "--timeout", "60"];
    let mut tail = up.asking(&tail).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap()["number"].clone();
    assert_eq!(next(), 1);
    post(&up, "k-2");
    assert_eq!(next(), 2);

    // The open stream does not hold up the drain.
    let port = up.url.rsplit(':').next().unwrap().to_owned();
    up.signal("TERM");
    let (status, log) = up.wait();
    assert!(status.success() && log.contains("stopped; everything is kept"), "{log}");
    let up = Up::start_with(folder.path(), &["--port", &port], &[]);
    post(&up, "k-3");
    assert_eq!(next(), 3);
    assert!(tail.wait().unwrap().success());
    let mut told = String::new();
    std::io::Read::read_to_string(&mut tail.stderr.take().unwrap(), &mut told).unwrap();
    assert!(told.contains("taking it up again after entry 2"), "{told}");
}
