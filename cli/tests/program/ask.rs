//! Asking a running wallet.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use crate::support::{Up, auric, folder, run};

#[test]
fn a_key_that_was_made_can_be_sent_again() {
    let folder = folder();
    let up = Up::start(folder.path());
    let first = up.wallet(&["post", "--credit", "discord:1", "lumees", "100", "--reason", "gift"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let key = first.stderr.strip_prefix("key: ").and_then(|rest| rest.split(' ').next()).unwrap();

    let second = up.wallet(&["post", "--credit", "discord:1", "lumees", "100", "--reason", "gift", "--key", key]);
    assert_eq!(second.code, 0, "{}", second.stderr);
    assert!(second.stdout.starts_with("replayed: "), "{}", second.stdout);
    assert_eq!(second.stdout.lines().skip(1).collect::<Vec<_>>(), first.stdout.lines().collect::<Vec<_>>());

    let mutation = up.wallet(&["mutation", key, "--json"]).json();
    assert_eq!(mutation["posted"]["movements"][0]["available_after"], 100);
}

#[test]
fn a_refusal_has_its_exit_code_its_reason_and_its_numbers() {
    let folder = folder();
    let up = Up::start(folder.path());
    let overdraft = ["post", "--debit", "a", "lumees", "100", "--reason", "buy", "--key", "k-1"];
    let refused = up.wallet(&overdraft);
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.errors()[0].starts_with("error: INSUFFICIENT_FUNDS: "), "{}", refused.stderr);
    assert!(refused.stderr.contains("what to do: "), "{}", refused.stderr);

    let again = up.wallet(&[&overdraft[..], &["--json"]].concat());
    let error = &again.json()["error"];
    assert_eq!(again.code, 3);
    assert_eq!((&error["code"], &error["replayed"]), (&"FAILED_PRECONDITION".into(), &true.into()), "{error}");
    assert_eq!((&error["metadata"]["available"], &error["metadata"]["asked"]), (&"0".into(), &"100".into()), "{error}");
    assert_eq!(error["idempotency_key"], "k-1");

    let reused = up.wallet(&["post", "--debit", "a", "lumees", "99", "--reason", "buy", "--key", "k-1", "--json"]);
    assert_eq!((reused.code, &reused.json()["error"]["reason"]), (3, &"IDEMPOTENCY_KEY_REUSED".into()));
    let malformed = up.wallet(&["post", "--debit", "a", "gold", "99", "--reason", "two words", "--json"]);
    assert_eq!((malformed.code, &malformed.json()["error"]["reason"]), (2, &"INVALID_ARGUMENT".into()));
    let unseen = up.wallet(&["mutation", "k-2", "--json"]);
    assert_eq!((unseen.code, &unseen.json()["error"]["reason"]), (3, &"MUTATION_NOT_SEEN".into()));
}

#[test]
fn callers_have_keys_of_their_own() {
    let folder = folder();
    let up = Up::start(folder.path());
    let post = ["post", "--credit", "a", "lumees", "1", "--reason", "gift", "--key", "k", "--json"];
    for caller in ["shop", "arena"] {
        let posted = up.wallet(&[&post[..], &["--caller", caller]].concat());
        assert_eq!(posted.json()["replayed"], false, "{caller}");
    }
    assert_eq!(up.wallet(&["mutation", "k", "--of", "shop"]).code, 0);
    assert_eq!(up.wallet(&["mutation", "k"]).code, 3, "the caller of the command never used it");
}

#[test]
fn history_reads_page_after_page_and_says_when_there_is_more() {
    let folder = folder();
    let up = Up::start(folder.path());
    let legs = ["--credit", "a", "lumees", "1"].repeat(300);
    for key in ["k-1", "k-2"] {
        let rest = ["--reason", "gift", "--key", key];
        let posted = up.wallet(&[&["post"], &legs[..], &rest].concat());
        assert_eq!(posted.code, 0, "{}", posted.stderr);
    }
    let history = |limit: &str| up.wallet(&["history", "a", "--asset", "lumees", "--limit", limit, "--json"]).json();
    let numbers = |document: &serde_json::Value| -> Vec<i64> {
        document["entries"].as_array().unwrap().iter().map(|entry| entry["number"].as_i64().unwrap()).collect()
    };
    let part = history("550");
    assert_eq!(numbers(&part), (51..=600).rev().collect::<Vec<_>>());
    assert_eq!(part["more"], true);
    let all = history("600");
    assert_eq!(numbers(&all), (1..=600).rev().collect::<Vec<_>>());
    assert_eq!(all["more"], false);
}

#[test]
fn what_is_not_answered_has_an_unknown_outcome() {
    // Takes the connection and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let post = ["wallet", "post", "--credit", "a", "lumees", "1", "--reason", "gift", "--key", "k", "--timeout", "1"];
    let late = run(Path::new("/"), &[&post[..], &["--wallet", &url]].concat());
    assert_eq!(late.code, 4, "{}", late.stderr);
    assert!(late.errors()[0].starts_with("error: DEADLINE_EXCEEDED: "), "{}", late.stderr);
    assert!(late.stderr.ends_with("what to do: send it again under the same key\n"), "{}", late.stderr);

    drop(silent);
    let nobody = run(Path::new("/"), &[&post[..], &["--wallet", &url]].concat());
    assert_eq!(nobody.code, 4, "{}", nobody.stderr);
    assert!(nobody.errors()[0].starts_with("error: UNAVAILABLE: nothing answers at "), "{}", nobody.stderr);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = folder();
    let up = Up::start(folder.path());
    let legs = ["--credit", "a", "lumees", "1"].repeat(1_000);
    // More than a pipe holds, so that the writer meets the closed end.
    let command = [&["wallet", "post", "--reason", "gift", "--json"], &legs[..]].concat();
    let mut child = auric(Path::new("/"), &command)
        .env("AURIC_WALLET", &up.url)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(Path::new("/"), &["completions", shell]);
        assert_eq!(script.code, 0, "{}", script.stderr);
        assert!(script.stdout.contains("history"), "{shell}");
    }
}

#[test]
fn every_command_shows_examples() {
    for command in [
        "up",
        "serve",
        "migrate",
        "check",
        "completions",
        "wallet balance",
        "wallet post",
        "wallet history",
        "wallet transfer",
        "wallet claim",
        "wallet reserve",
        "wallet commit",
        "wallet release",
        "wallet hold",
        "wallet stats",
        "wallet stats spend",
        "wallet renew",
        "wallet pay",
        "wallet token",
        "wallet watch",
        "wallet mutation",
        "wallet void",
        "wallet supply",
        "wallet flows",
        "audit verify",
        "audit tail",
        "summon",
        "summon banners",
        "summon show",
        "summon pity",
        "summon pulls",
        "summon operations",
        "summon retry",
        "collection list",
        "collection show",
    ] {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = run(Path::new("/"), &words).stdout;
        assert!(help.contains(&format!("Examples:\n  auric {command}")), "{help}");
    }
}
