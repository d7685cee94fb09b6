//! Where settings come from, and which are refused.

use super::*;

fn surroundings(variables: &[(&str, &str)]) -> Surroundings {
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    Surroundings { variables: variables.iter().map(owned).collect() }
}

fn load_text(text: &str, variables: &[(&str, &str)], flags: &Flags) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auric.toml");
    std::fs::write(&path, text).unwrap();
    let shown = path.display().to_string();
    load(Some(&path), &surroundings(variables), flags).map_err(|fault| fault.to_string().replace(&shown, "FILE"))
}

#[test]
fn a_flag_is_stronger_than_the_environment_than_the_file_than_the_default() {
    let file = "data = 'file'\n[client]\ntimeout_seconds = 3\n[wallet]\nlisten = '127.0.0.1:1'";
    let variables =
        [("AURIC_DATA", "variable"), ("AURIC_WALLET_LISTEN", "127.0.0.1:2"), ("AURIC_WALLET", "http://here")];
    let settings = load_text(file, &variables, &vec![("data", Some("flag".to_owned())), ("game", None)]).unwrap();
    assert_eq!(settings.data, Path::new("flag"));
    assert_eq!(settings.wallet.listen.port(), 2);
    assert_eq!(settings.client.timeout_seconds, 3);
    assert_eq!(settings.client.wallet, "http://here");
    assert_eq!(settings.drain_seconds, 10);
    assert_eq!(settings.game, None);
}

#[test]
fn nothing_at_all_is_enough() {
    assert!(load(None, &Surroundings::default(), &Flags::new()).is_ok());
}

fn fault(text: &str, variables: &[(&str, &str)], flags: &Flags) -> String {
    load_text(text, variables, flags).unwrap_err()
}

#[test]
fn a_key_that_nobody_reads_is_named() {
    insta::assert_snapshot!(fault("[wallet]\nlistem = '127.0.0.1:1'", &[], &Flags::new()), @"config: FILE: wallet: unknown field `listem`, expected one of `listen`, `database`, `audit_key`, `connections_max`, `named_statements`, `lanes`, `events`");
    insta::assert_snapshot!(fault("datta = 'x'", &[], &Flags::new()), @"config: FILE: unknown field `datta`, expected one of `data`, `game`, `drain_seconds`, `threads`, `log`, `telemetry`, `access`, `wallet`, `collection`, `summon`, `gateway`, `scheduler`, `client`");
}

#[test]
fn a_wrong_value_is_named_with_its_source_and_its_key() {
    insta::assert_snapshot!(fault("drain_seconds = 'soon'", &[], &Flags::new()), @r#"
    config: FILE: drain_seconds: string "soon" is given, an integer is wanted
    "#);
    insta::assert_snapshot!(fault("", &[("AURIC_DRAIN_SECONDS", "soon")], &Flags::new()), @r#"
    config: AURIC_DRAIN_SECONDS: drain_seconds: string "soon" is given, an integer is wanted
    "#);
    insta::assert_snapshot!(fault("[wallet]\nlisten = 'here'", &[], &Flags::new()), @"config: FILE: wallet.listen: invalid socket address syntax");
    insta::assert_snapshot!(fault("[log]\nformat = 'xml'", &[], &Flags::new()), @r#"
    config: FILE: log.format: must be one of auto, text, json; "xml" is not
    "#);
    insta::assert_snapshot!(fault("", &[("AURIC_SAMPLE_RATIO", "7")], &Flags::new()), @"config: AURIC_SAMPLE_RATIO: telemetry.sample_ratio: must be from 0 to 1, is 7");
    insta::assert_snapshot!(fault("", &[("AURIC_SUMMON_LEASE_MS", "99")], &Flags::new()), @"config: AURIC_SUMMON_LEASE_MS: summon.lease_ms: must be from 100 to 600000, is 99");
    insta::assert_snapshot!(fault("[summon]\nlease_ms = 600001", &[], &Flags::new()), @"config: FILE: summon.lease_ms: must be from 100 to 600000, is 600001");
    insta::assert_snapshot!(fault("", &[("AURIC_CALLER", "two words")], &Flags::new()), @"config: AURIC_CALLER: client.caller: has ' ' at position 4; allowed are A-Z a-z 0-9 _ . : -");
    insta::assert_snapshot!(fault("", &[], &vec![("client.caller", Some(String::new()))]), @"config: flag: client.caller: must not be empty");
    insta::assert_snapshot!(fault("[wallet", &[], &Flags::new()), @"config: FILE: TOML parse error at line 1, column 8: unclosed table, expected `]`");
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let fault = load(Some(Path::new("/nowhere/auric.toml")), &Surroundings::default(), &Flags::new()).unwrap_err();
    insta::assert_snapshot!(fault, @"config: /nowhere/auric.toml: there is no such file");
}

#[test]
fn summon_comes_as_itself_to_where_its_settings_or_the_services_beside_it_are() {
    let beside = Peers { wallet: Some("http://127.0.0.1:1".to_owned()), ..Peers::default() };
    let of = |text: &str| load_text(text, &[], &Flags::new()).unwrap().summon_config("game".into(), &beside).unwrap();
    let config = of("[summon]\nlease_ms = 300");
    assert_eq!(config.lease, Some(std::time::Duration::from_millis(300)));
    assert_eq!(config.wallet.targets, ["http://127.0.0.1:1"]);
    assert_eq!(config.collection.targets, ["http://127.0.0.1:7403"]);
    for client in [config.wallet, config.collection] {
        assert_eq!(client.caller.unwrap().as_str(), "summon");
    }
    assert_eq!(of("[summon]\nwallet = 'http://a:1,http://b:2'").wallet.targets, ["http://a:1", "http://b:2"]);
}

#[test]
fn the_collection_comes_to_the_wallet_as_itself() {
    let beside = Peers { wallet: Some("http://127.0.0.1:1".to_owned()), ..Peers::default() };
    let of =
        |text: &str| load_text(text, &[], &Flags::new()).unwrap().collection_config("game".into(), &beside).unwrap();
    let config = of("[collection]\nlease_ms = 300");
    assert_eq!(config.lease, Some(std::time::Duration::from_millis(300)));
    let wallet = config.wallet.unwrap();
    assert_eq!(
        (wallet.targets, wallet.caller.unwrap().as_str()),
        (vec!["http://127.0.0.1:1".to_owned()], "collection")
    );
    assert_eq!(of("[collection]\nwallet = 'http://a:1'").wallet.unwrap().targets, ["http://a:1"]);
}

#[test]
fn the_scheduler_knows_the_suite_and_itself_and_whoever_else_is_named() {
    let beside =
        Peers { wallet: Some("http://w:1".to_owned()), own: Some("http://s:4".to_owned()), ..Peers::default() };
    let config = |text: &str| load_text(text, &[], &Flags::new()).unwrap().scheduler_config("game".into(), &beside);
    let text =
        "[scheduler]\nlease_ms = 300\n[scheduler.targets.shop]\nurl = 'http://shop:1,http://shop:2'\nparallel_max = 3";
    let found = config(text).unwrap();
    let urls: Vec<_> = found.targets.values().map(|target| target.client.targets.join(" ")).collect();
    assert_eq!(
        urls,
        ["http://127.0.0.1:7403", "http://s:4", "http://shop:1 http://shop:2", "http://127.0.0.1:7402", "http://w:1"]
    );
    assert!(found.targets.values().all(|target| target.client.caller.as_ref().unwrap().as_str() == "scheduler"));
    assert_eq!(found.pace.lease, std::time::Duration::from_millis(300));
    insta::assert_snapshot!(config("[scheduler.maintenance.jobs.paint]").unwrap_err(), @"config: scheduler.maintenance.jobs.paint: is none of these jobs: collection_prune_events, collection_recover, summon_prune_events, summon_recover, wallet_prune_events, wallet_sweep_holds, wallet_verify_audit");
}

#[test]
fn a_service_that_is_asked_who_it_is_needs_an_answer() {
    let load = |text: &str| load_text(text, &[], &Flags::new()).unwrap().everybody_is_somebody();
    assert!(load("").is_ok());
    let guarded = "[access]\ncallers = 'callers.toml'\n";
    insta::assert_snapshot!(load(guarded).unwrap_err(), @"config: summon.credential: access.callers asks who comes, and this service has nothing to present");
    let summon = format!("{guarded}[summon]\ncredential_file = 'summon.credential'\n");
    insta::assert_snapshot!(load(&summon).unwrap_err(), @"config: collection.credential: access.callers asks who comes, and this service has nothing to present");
    let collection = format!("{summon}[collection]\ncredential_file = 'collection.credential'\n");
    insta::assert_snapshot!(load(&collection).unwrap_err(), @"config: scheduler.credential: access.callers asks who comes, and this service has nothing to present");
    assert!(load(&format!("{collection}[scheduler]\ncredential_file = 'scheduler.credential'")).is_ok());
}

#[test]
fn every_setting_is_in_the_table_of_operations() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
    let page = std::fs::read_to_string(path).unwrap();
    for (variable, key) in VARIABLES {
        let row = format!("| `{key}` | `{variable}` |");
        assert!(page.lines().any(|line| line.starts_with(&row)), "docs/operations.md has no row {row}");
    }
}

#[test]
fn a_mistyped_variable_is_told() {
    let variables = surroundings(&[("AURIC_DTA", "x"), ("AURIC_DATA", "x"), ("AURIC_CONFIG", "x"), ("PATH", "x")]);
    assert_eq!(variables.unknown(), ["AURIC_DTA"]);
}
