//! Odds before a banner opens, and a player's own proof of a pull.

use std::path::Path;

use crate::support::{Ended, Up, folder, run};

const PLAYER: &str = "discord:1";

fn game() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../game").display().to_string()
}

fn ok(ended: &Ended) -> serde_json::Value {
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    ended.json()
}

/// A designer sees the odds of the folder alone, drawn too, and what a change of it changes.
#[test]
fn odds_are_told_from_the_catalog_alone() {
    let (folder, game) = (folder(), game());
    let drawn = ["odds", "standard", "--game", &game, "--svg", "a.svg", "--png", "a.png", "--json"];
    let told = ok(&run(folder.path(), &drawn));
    let chances = told["next"]["tiers"].as_array().unwrap().iter().map(|tier| tier["chance_ppb"].as_i64().unwrap());
    assert_eq!(chances.sum::<i64>(), 1_000_000_000);
    assert!(told["waits"][0]["from_start"]["mean_pulls"].as_str().unwrap().starts_with("62.2973"), "{told}");
    assert!(std::fs::read_to_string(folder.path().join("a.svg")).unwrap().contains("legendary"));
    assert!(std::fs::read(folder.path().join("a.png")).unwrap().starts_with(b"\x89PNG"));

    let next = folder.path().join("next");
    std::fs::create_dir(&next).unwrap();
    for file in std::fs::read_dir(&game).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), next.join(file.file_name())).unwrap();
    }
    let same = run(folder.path(), &["odds", "diff", &game, "next", "--json"]);
    assert_eq!(ok(&same)["differences"].as_array().unwrap().len(), 0);
    let banners = std::fs::read_to_string(next.join("banners.toml")).unwrap();
    std::fs::write(next.join("banners.toml"), banners.replace("soft_from = 74", "soft_from = 75")).unwrap();
    let changed = run(folder.path(), &["odds", "diff", &game, "next", "--json"]);
    assert_eq!(changed.code, 5, "{}", changed.stderr);
    let named = |what: &str| changed.json()["differences"].as_array().unwrap().iter().any(|row| row["what"] == what);
    assert!(named("rate of legendary"), "{}", changed.stdout);

    let simulate = ["odds", "simulate", "standard", "--game", &game, "--pulls", "20000", "--seed", "8", "--json"];
    let first = ok(&run(folder.path(), &simulate));
    assert_eq!(first, ok(&run(folder.path(), &simulate)), "the same seed draws the same");
    let hits = first["tiers"].as_array().unwrap().iter().map(|tier| tier["hits"].as_u64().unwrap());
    assert_eq!(hits.sum::<u64>(), 20_000);
    assert_eq!(run(folder.path(), &["odds", "nowhere", "--game", &game]).code, 10);
}

/// From the first commitment to a receipt that is proved without any service.
#[test]
fn a_player_proves_a_pull_offline() {
    let (folder, game) = (folder(), game());
    let up = Up::start(folder.path());
    up.wallet(&["post", "--credit", PLAYER, "azurites", "160", "--reason", "gift"]);
    let before = ok(&up.summon(&["fairness", "--player", PLAYER, "--json"]));
    ok(&up.summon(&["seed", "my-own", "--player", PLAYER, "--key", "seed", "--json"]));
    ok(&up.summon(&["standard", "--player", PLAYER, "--json"]));
    let path = folder.path().join("receipt.json");
    let early = up.summon(&["verify", "standard", "1", "--player", PLAYER]);
    std::fs::write(&path, &early.stdout).unwrap();
    assert_eq!(run(folder.path(), &["odds", "verify", "receipt.json"]).code, 6);

    let rotated = ok(&up.summon(&["rotate", "--player", PLAYER, "--key", "rotate", "--json"]));
    assert_eq!(rotated["ended"]["commitment"], before["fairness"]["commitment"]);
    let receipt = up.summon(&["verify", "standard", "1", "--player", PLAYER]).stdout;
    std::fs::write(&path, &receipt).unwrap();
    let proved = run(folder.path(), &["odds", "verify", "receipt.json", "--with-catalog", "--game", &game, "--json"]);
    assert_eq!(ok(&proved)["receipts"][0]["proved"], true);
    std::fs::write(&path, receipt.replacen("\"nonce\":0", "\"nonce\":1", 1)).unwrap();
    assert_eq!(run(folder.path(), &["odds", "verify", "receipt.json"]).code, 6);

    let csv = up.summon(&["export", "standard", "--player", PLAYER]);
    assert_eq!((csv.code, csv.stdout.lines().count()), (0, 2), "{}{}", csv.stdout, csv.stderr);
    assert!(csv.stdout.starts_with("number,"), "{}", csv.stdout);
    let told = up.summon(&["pity", "standard", "--player", PLAYER, "--json"]);
    assert_eq!(ok(&told)["pulls"], 1);
}
