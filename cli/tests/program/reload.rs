//! The catalog is changed while the wallet runs (R-P3): one swap, the whole new set or the whole old one.

use std::path::Path;

use crate::support::{Up, folder, game_without_assets, wait_for};

/// Written once for every catalog that was put into force after the start.
const IN_FORCE: &str = "the catalog in force is ";

const REFUSED: &str = "the catalog was refused";

fn write_assets(file: &Path, maximum: i64) {
    std::fs::write(file, format!("[lumees]\nkind = \"currency\"\nmaximum = {maximum}\n")).unwrap();
}

fn post(up: &Up, amount: &str) -> (i32, String) {
    let posted = up.wallet(&["post", "--credit", "a", "lumees", amount, "--reason", "gift"]);
    (posted.code, posted.stderr)
}

/// Lines of the wallet's log with `text`; the other services read other files of the folder.
fn lines(up: &Up, text: &str) -> Vec<String> {
    let is_meant = |line: &&str| line.contains(text) && line.contains("auric_wallet");
    up.log().lines().filter(is_meant).map(str::to_owned).collect()
}

/// A wallet whose catalog in `folder/rules` allows 1,000 lumees.
fn start(folder: &Path) -> Up {
    let game = game_without_assets(folder, "rules");
    write_assets(&game.join("assets.toml"), 1_000);
    let up = Up::start_with(folder, &["--game", "rules"], &[]);
    assert_eq!(post(&up, "100").0, 0);
    up
}

#[test]
fn a_lower_maximum_refuses_the_next_posting_without_a_restart() {
    let folder = folder();
    let up = start(folder.path());
    write_assets(&folder.path().join("rules/assets.toml"), 150);
    wait_for("the reload", || (lines(&up, IN_FORCE).len() == 1).then_some(()));

    let (code, refused) = post(&up, "51");
    assert_eq!(code, 3, "{refused}");
    assert!(refused.contains("error: ABOVE_MAXIMUM: lumees of a: 100 there, 51 to be added, 150 at most"), "{refused}");
    assert_eq!(post(&up, "50").0, 0, "what the new one allows is done");
    let balance = up.wallet(&["balance", "a", "lumees", "--json"]).json();
    assert_eq!((&balance["balances"][0]["available"], &balance["balances"][0]["maximum"]), (&150.into(), &150.into()));
}

#[test]
fn an_invalid_file_is_refused_with_file_key_and_reason_and_the_old_set_stays() {
    let folder = folder();
    let up = start(folder.path());
    let file = folder.path().join("rules/assets.toml");
    let faults = [
        ("[lumees]\nkind = \"currency\"\nmaximum = -1\n", "assets.toml: lumees.maximum: invalid value: integer `-1`"),
        ("[lumees]\nkind = \"points\"\n", "assets.toml: lumees.kind: was currency and cannot become points"),
        ("[azurites]\nkind = \"currency\"\n", "assets.toml: lumees: was in force and cannot be removed"),
        ("[lumees\n", "assets.toml: -: TOML parse error at line 1"),
    ];
    for (count, (text, reason)) in (1..).zip(faults) {
        std::fs::write(&file, text).unwrap();
        let refused = wait_for("the refusal", || Some(lines(&up, REFUSED)).filter(|lines| lines.len() >= count));
        assert_eq!(refused.len(), count, "one line for one fault: {refused:#?}");
        let line = refused.last().unwrap();
        assert!(line.contains("ERROR") && line.contains(reason), "{reason}: {line}");
        assert_eq!(post(&up, "1").0, 0, "the old set is in force");
    }
    let balance = up.wallet(&["balance", "a", "lumees", "--json"]).json();
    assert_eq!(balance["balances"][0]["maximum"], 1_000);
    assert!(lines(&up, IN_FORCE).is_empty());

    write_assets(&file, 150);
    wait_for("the reload", || (lines(&up, IN_FORCE).len() == 1).then_some(()));
    assert_eq!(post(&up, "100").0, 3, "the mended one is in force");
}

#[test]
fn a_hangup_reads_what_no_file_event_told() {
    let folder = folder();
    let game = game_without_assets(folder.path(), "rules");
    // The file that changes is in a folder that nobody watches, as where a volume is mounted.
    let elsewhere = folder.path().join("elsewhere.toml");
    write_assets(&elsewhere, 1_000);
    std::os::unix::fs::symlink(&elsewhere, game.join("assets.toml")).unwrap();
    let up = Up::start_with(folder.path(), &["--game", "rules"], &[]);
    assert_eq!(post(&up, "100").0, 0);
    write_assets(&elsewhere, 150);
    assert_eq!(post(&up, "100").0, 0, "nobody told it yet");

    up.signal("HUP");
    wait_for("the reload", || (lines(&up, IN_FORCE).len() == 1).then_some(()));
    assert_eq!(post(&up, "1").0, 3);
}

#[test]
fn a_retired_asset_keeps_its_balance_and_moves_no_more() {
    let folder = folder();
    let up = start(folder.path());
    let file = folder.path().join("rules/assets.toml");
    std::fs::write(&file, "[lumees]\nkind = \"currency\"\nmaximum = 1000\nretired = true\n").unwrap();
    wait_for("the reload", || (lines(&up, IN_FORCE).len() == 1).then_some(()));
    let (code, refused) = post(&up, "1");
    assert_eq!(code, 2, "{refused}");
    assert!(refused.contains("retired"), "{refused}");
    let balance = up.wallet(&["balance", "a", "lumees", "--json"]).json();
    assert_eq!(balance["balances"][0]["available"], 100);
}
