//! Starting and stopping.

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::support::{Served, Up, auric, folder, game, run};

#[test]
fn the_first_start_makes_everything_and_the_next_has_it() {
    let folder = folder();
    let up = Up::start(folder.path());
    assert_eq!(up.ready["services"][0]["health"], "SERVING");
    assert_eq!(up.ready["services"][0]["schema"]["from"], 0);
    // Outside a checkout the program brings its catalog.
    assert_eq!(up.ready["catalog"]["folder"], "./data/game");
    assert!(folder.path().join("data/game/assets.toml").is_file());
    assert_eq!(up.wallet(&["post", "--credit", "a", "lumees", "100", "--reason", "gift", "--key", "k"]).code, 0);
    up.signal("INT");
    let (status, stderr) = up.wait();
    assert!(status.success(), "{stderr}");
    assert!(stderr.contains("stopped; everything is kept"), "{stderr}");

    let up = Up::start(folder.path());
    assert_eq!(up.ready["services"][0]["schema"]["from"], up.ready["services"][0]["schema"]["to"]);
    let ready_ms = up.ready["ready_ms"].as_u64().unwrap();
    assert!(ready_ms < 1_000, "ready after {ready_ms} ms on existing data");
    let balance = up.wallet(&["balance", "a", "lumees", "--json"]).json();
    assert_eq!(balance["balances"][0]["available"], 100);
    up.signal("TERM");
    assert!(up.wait().0.success());
}

#[test]
fn every_service_has_its_own_file_and_its_own_port() {
    let folder = folder();
    let up = Up::start(folder.path());
    for service in ["wallet", "collection", "summon"] {
        assert!(folder.path().join(format!("data/{service}.db")).is_file(), "{service}");
        assert!(folder.path().join(format!("data/{service}.db.lock")).is_file(), "{service}");
        let address = up.url_of(service).trim_start_matches("http://");
        assert!(TcpStream::connect(address).is_ok(), "{service} does not listen on {address}");
    }
    let migrate = run(folder.path(), &["migrate", "--service", "summon"]);
    assert_eq!(migrate.code, 11, "the file is locked: {}", migrate.stderr);
}

/// A copy shows three times in a lease that it lives; whoever stops it must not wait for the next time.
#[test]
fn a_stop_does_not_wait_for_a_lease() {
    let folder = folder();
    let up = Up::start_with(folder.path(), &[], &[("AURIC_SUMMON_LEASE_MS", "600000")]);
    let begun = Instant::now();
    up.signal("TERM");
    let (status, log) = up.wait();
    assert!(status.success() && log.contains("stopped; everything is kept"), "{log}");
    assert!(begun.elapsed() < Duration::from_mins(1), "stopped after {:?}", begun.elapsed());
}

#[test]
fn services_that_are_served_apart_find_each_other() {
    let folder = folder();
    game(folder.path(), "game");
    let migrated = run(folder.path(), &["migrate", "--json"]);
    assert_eq!(migrated.code, 0, "{}", migrated.stderr);
    let document = migrated.json();
    let services: Vec<&str> =
        document["databases"].as_array().unwrap().iter().map(|done| done["service"].as_str().unwrap()).collect();
    assert_eq!(services, ["wallet", "collection", "summon", "scheduler"]);

    let wallet = Served::start(folder.path(), &["serve", "wallet"]);
    let collection = Served::start(folder.path(), &["serve", "collection"]);
    let peers = ["--wallet", &wallet.url, "--collection", &collection.url];
    let summon = Served::start(folder.path(), &[&["serve", "summon"], &peers[..]].concat());
    let scheduler = Served::start(folder.path(), &["serve", "scheduler"]);
    let addresses = [&peers[..], &["--summon", &summon.url, "--scheduler", &scheduler.url]].concat();
    let check = run(folder.path(), &[&["check", "--serving", "--json"], &addresses[..]].concat());
    assert_eq!(check.code, 0, "{}", check.stdout);
}

#[test]
fn a_deployment_of_one_service_is_not_given_files_for_the_others() {
    let folder = folder();
    let database = format!("sqlite://{}", folder.path().join("there.db").display());
    let migrated = run(folder.path(), &["migrate", "--json", "--summon-database", &database]);
    assert_eq!(migrated.code, 0, "{}", migrated.stderr);
    assert_eq!(migrated.json()["databases"].as_array().unwrap().len(), 1, "{}", migrated.stdout);
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_killed_process_loses_nothing_and_blocks_nobody() {
    let folder = folder();
    let up = Up::start(folder.path());
    assert_eq!(up.wallet(&["post", "--credit", "a", "lumees", "100", "--reason", "gift", "--key", "k"]).code, 0);
    up.signal("KILL");
    assert!(!up.wait().0.success());

    let up = Up::start(folder.path());
    let again =
        up.wallet(&["post", "--credit", "a", "lumees", "100", "--reason", "gift", "--key", "k", "--json"]).json();
    assert_eq!(again["replayed"], true);
    assert_eq!(again["movements"][0]["available_after"], 100);
}

#[test]
fn a_second_process_on_the_same_data_is_told_who_has_it() {
    let folder = folder();
    let _up = Up::start(folder.path());
    for arguments in [&["up", "--port", "0"][..], &["migrate"], &["serve", "wallet", "--listen", "127.0.0.1:0"]] {
        let second = run(folder.path(), arguments);
        assert_eq!(second.code, 11, "{arguments:?}: {}", second.stderr);
        assert_eq!(second.errors().len(), 1, "{}", second.stderr);
        assert!(second.stderr.contains("in use by another process (process "), "{}", second.stderr);
    }
}

#[test]
fn a_taken_port_is_named() {
    let folder = folder();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let refused = run(folder.path(), &["up", "--port", &port]);
    assert_eq!(refused.code, 12, "{}", refused.stderr);
    assert_eq!(refused.errors(), [format!("error: port {port} is taken: another process listens on 127.0.0.1:{port}")]);
}

#[test]
fn an_address_that_others_reach_is_refused() {
    let folder = folder();
    assert_eq!(run(folder.path(), &["migrate"]).code, 0);
    std::fs::create_dir(folder.path().join("game")).unwrap();
    std::fs::write(folder.path().join("game/assets.toml"), "[lumees]\nkind = \"currency\"\n").unwrap();
    let refused = run(folder.path(), &["serve", "wallet", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.code, 12, "{}", refused.stderr);
    assert!(refused.errors()[0].starts_with("error: refusing to listen on 0.0.0.0:0"), "{}", refused.stderr);
}

#[test]
fn a_data_folder_that_cannot_be_made_is_named() {
    let folder = folder();
    std::fs::write(folder.path().join("data"), "a file in its place").unwrap();
    let refused = run(folder.path(), &["up", "--port", "0"]);
    assert_eq!(refused.code, 11, "{}", refused.stderr);
    assert_eq!(refused.errors(), ["error: data folder ./data: cannot be made: File exists (os error 17)"]);
}

#[test]
fn an_invalid_catalog_is_named_by_file_key_and_reason() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("game")).unwrap();
    std::fs::write(folder.path().join("game/assets.toml"), "[lumees]\nkind = \"currency\"\nmaximum = -1\n").unwrap();
    let refused = run(folder.path(), &["up", "--port", "0"]);
    assert_eq!(refused.code, 10, "{}", refused.stderr);
    assert_eq!(refused.errors().len(), 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("catalog game: assets.toml: lumees.maximum: "), "{}", refused.stderr);
}

#[test]
fn a_key_that_nobody_reads_is_refused_before_anything_is_made() {
    let folder = folder();
    std::fs::write(folder.path().join("auric.toml"), "dta = 'elsewhere'\n").unwrap();
    let refused = run(folder.path(), &["up", "--port", "0"]);
    assert_eq!(refused.code, 10, "{}", refused.stderr);
    assert!(refused.errors()[0].contains("auric.toml: unknown field `dta`"), "{}", refused.stderr);
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_database_that_is_not_migrated_is_not_served() {
    let folder = folder();
    std::fs::create_dir_all(folder.path().join("data/game")).unwrap();
    std::fs::write(folder.path().join("data/game/assets.toml"), "[lumees]\nkind = \"currency\"\n").unwrap();
    let serve = ["serve", "wallet", "--listen", "127.0.0.1:0"];
    let refused = run(folder.path(), &serve);
    assert_eq!(refused.code, 13, "{}", refused.stderr);
    assert!(refused.errors()[0].ends_with("run `auric migrate`"), "{}", refused.stderr);
}

#[test]
fn check_tells_what_is_absent_from_what_is_wrong() {
    let folder = folder();
    // A port that nobody listens on.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{free}");
    let everywhere = |[wallet, summon, collection, scheduler]: [&str; 4]| {
        ["--wallet", wallet, "--summon", summon, "--collection", collection, "--scheduler", scheduler]
            .map(str::to_owned)
    };
    let check = |flags: &[&str], services: &[String; 8]| {
        let services = services.iter().map(String::as_str);
        run(
            folder.path(),
            &["check", "--json"].into_iter().chain(flags.iter().copied()).chain(services).collect::<Vec<_>>(),
        )
    };
    let nobody = everywhere([&nobody; 4]);
    let before = check(&[], &nobody);
    assert_eq!((before.code, &before.json()["ok"]), (0, &true.into()), "{}", before.stdout);
    assert_eq!(check(&["--serving"], &nobody).code, 5);

    let up = Up::start(folder.path());
    let while_up = check(
        &["--serving"],
        &everywhere([&up.url, up.url_of("summon"), up.url_of("collection"), up.url_of("scheduler")]),
    );
    assert_eq!(while_up.code, 0, "{}", while_up.stdout);
    let document = while_up.json();
    let states: Vec<&str> =
        document["checks"].as_array().unwrap().iter().map(|check| check["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["ok"; 10], "{document}");

    let mistyped = auric(folder.path(), &["check", "--json"]).env("AURIC_TIMEOUT_SECONDS", "soon").output().unwrap();
    assert_eq!(mistyped.status.code(), Some(5));
}

/// Each service reads its own files; whether they fit together is told by `auric check`.
#[test]
fn a_price_in_an_asset_that_nobody_has_is_named() {
    for (file, from, to, place) in [
        (
            "banners.toml",
            "token = \"summon_token\"\namount = 1",
            "token = \"summon_tokens\"\namount = 1",
            "banners.standard.costs.token",
        ),
        ("collection.toml", "asset = \"lumees\", base = 50", "asset = \"lumes\", base = 50", "upgrade.costs.common"),
        (
            "rarities.toml",
            "asset = \"shards\", amount = 5 ",
            "asset = \"sherds\", amount = 5 ",
            "rarities.common.dissolve_rewards",
        ),
    ] {
        let folder = folder();
        let game = game(folder.path(), "game");
        let text = std::fs::read_to_string(game.join(file)).unwrap();
        let changed = text.replacen(from, to, 1);
        assert_ne!(text, changed, "{file}");
        std::fs::write(game.join(file), changed).unwrap();
        let check = run(folder.path(), &["check", "--json"]);
        assert_eq!(check.code, 5, "{}", check.stdout);
        let (asset, said) = (to.split('"').nth(1).unwrap(), check.stdout);
        assert!(said.contains(&format!("{file}: {place}: {asset} is no asset of assets.toml")), "{said}");
    }
}
