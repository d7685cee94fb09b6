use std::sync::Arc;

use super::{Zones, load};
use crate::domain::{BadField, JobSpec, Schedule};

const COLLECTION: &str = "[elements]\nfire = \"Fire\"\n";
const STORM: &str = "[nightstorm]\ncron = \"0 22 * * *\"\ntime_zone = \"UTC\"\n";
const PLAIN: &str = "[zones.plain]\nname = \"Cinder Plain\"\nelement = \"fire\"\nlevels = [1, 9]\n";

fn folder(zones: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("collection.toml"), COLLECTION).unwrap();
    std::fs::write(folder.path().join("zones.toml"), zones).unwrap();
    folder
}

/// A job's specification, or what is wrong with it.
type Specified = Result<Arc<JobSpec>, Vec<BadField>>;

fn nightstorms(zones: &Zones) -> Vec<(String, Specified)> {
    let jobs = zones.nightstorms(&"scheduler".parse().unwrap(), &"record".parse().unwrap());
    jobs.into_iter().map(|job| (job.job.to_string(), job.spec)).collect()
}

fn fault(zones: &str) -> String {
    load(folder(zones).path()).unwrap_err().to_string()
}

#[test]
fn the_shipped_catalog_brings_the_nightstorm_to_81_zones() {
    // R-T2
    let game = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../game");
    let loaded = load(&game).unwrap();
    assert_eq!(loaded.zones.len(), 81);
    assert!(loaded.summary().broken.is_empty(), "{:?}", loaded.summary());
    let jobs = nightstorms(&loaded);
    assert_eq!(jobs.len(), 81);
    let (_, spec) = jobs.iter().find(|(job, _)| job == "nightstorm_fernhollow").unwrap();
    assert_eq!(spec.as_ref().unwrap().payload, br#"{"zone":"fernhollow"}"#);
    assert!(jobs.iter().all(|(_, spec)| spec.as_ref().unwrap().check(auric_time::Timestamp::EPOCH).is_ok()));
}

#[test]
fn a_game_without_a_world_has_no_zones() {
    let folder = tempfile::tempdir().unwrap();
    assert!(load(folder.path()).unwrap().zones.is_empty());
}

#[test]
fn a_zone_says_when_its_storm_comes_or_the_file_does() {
    let own = PLAIN.replace("plain", "own") + "nightstorm = { time_zone = \"Australia/Lord_Howe\" }\n";
    let loaded = load(folder(&format!("{STORM}{PLAIN}{own}")).path()).unwrap();
    let storms: Vec<_> = loaded.zones.values().map(|zone| zone.nightstorm.clone().unwrap()).collect();
    let at = |zone: &str| Schedule::Cron { expression: "0 22 * * *".to_owned(), time_zone: zone.to_owned() };
    assert_eq!(storms, [at("Australia/Lord_Howe"), at("UTC")]);
}

#[test]
fn a_storm_that_can_never_come_is_named_and_the_others_come() {
    // R-T2
    let never = PLAIN.replace("plain", "never") + "nightstorm = { cron = \"0 0 30 2 *\" }\n";
    let nowhere = PLAIN.replace("plain", "nowhere") + "nightstorm = { time_zone = \"Europe/Atlantis\" }\n";
    let loaded = load(folder(&format!("{STORM}{PLAIN}{never}{nowhere}")).path()).unwrap();
    let named: Vec<_> = loaded.summary().broken.into_iter().map(|fault| fault.key).collect();
    assert_eq!(named, ["zones.never.nightstorm.cron", "zones.nowhere.nightstorm.time_zone"]);
    let jobs = nightstorms(&loaded);
    let can_be: Vec<_> = jobs.iter().map(|(job, spec)| (job.as_str(), spec.is_ok())).collect();
    assert_eq!(can_be, [("nightstorm_never", false), ("nightstorm_nowhere", false), ("nightstorm_plain", true)]);
    let bad = jobs[0].1.as_ref().unwrap_err();
    assert_eq!(bad[0].path, "zones.toml: zones.never.nightstorm.cron");
}

#[test]
fn a_fault_names_the_file_the_key_and_the_reason() {
    // R-P3
    let zone = |text: &str| fault(&format!("{STORM}{text}"));
    assert_eq!(
        zone(&PLAIN.replace("\"fire\"", "\"tin\"")),
        "zones.toml: zones.plain.element: tin is not in collection.toml"
    );
    let levels = "zones.toml: zones.plain.levels: must be two of 1 to 10000, the lower first, are 9 and 1";
    assert_eq!(zone(&PLAIN.replace("[1, 9]", "[9, 1]")), levels);
    let name = "zones.toml: zones.plain.name: must have 1 to 64 characters, has 0";
    assert_eq!(zone(&PLAIN.replace("Cinder Plain", "")), name);
    assert!(zone(&PLAIN.replace("name", "nome")).starts_with("zones.toml: zones.plain.nome: unknown field"));
    assert!(zone(&PLAIN.replace("plain", "Plain")).starts_with("zones.toml: zones"));
    assert!(fault(PLAIN).contains("missing field `nightstorm`"), "{}", fault(PLAIN));
    let never = fault(&format!("{}{PLAIN}", STORM.replace("22 * * *", "0 30 2 *")));
    assert!(never.starts_with("zones.toml: nightstorm.cron: "), "{never}");
}
