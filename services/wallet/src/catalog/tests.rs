use super::{follows, load, parse};

fn fault_of(assets: &str, levels: Option<&str>) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("assets.toml"), assets).unwrap();
    if let Some(levels) = levels {
        std::fs::write(folder.path().join("levels.toml"), levels).unwrap();
    }
    load(folder.path()).unwrap_err().to_string()
}

fn fault(assets: &str) -> String {
    fault_of(assets, None)
}

#[test]
fn the_shipped_catalog_is_valid_and_has_the_five_pillars() {
    // R-W1
    let game = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../game");
    let loaded = load(&game).unwrap();
    for pillar in ["lumees", "auric_coin", "azurites", "aether", "shards", "energy", "stamina", "hp"] {
        assert!(loaded.assets.get(&pillar.parse().unwrap()).is_some(), "{pillar}");
    }
    let kept = parse(&loaded.content).unwrap();
    assert_eq!((kept.hash, kept.len()), (loaded.assets.hash, loaded.assets.len()));
}

#[test]
fn a_fault_names_the_file_the_key_and_the_reason() {
    // R-P3
    let max = "assets.toml: lumees.maximum: must be 1 to 9007199254740991, is 0";
    assert_eq!(fault("[lumees]\nkind = \"currency\"\nmaximum = 0"), max);
    assert!(fault("[lumees]\nkind = \"gold\"").starts_with("assets.toml: lumees.kind: unknown variant `gold`"));
    assert!(fault("[LUMEES]\nkind = \"currency\"").contains("has 'L' at position 1"));
    assert_eq!(fault("[c]\nkind = \"credit\"\npools = []"), "assets.toml: c.pools: must name at least one pool");
    assert_eq!(fault("[c]\nkind = \"credit\"\npools = [\"a\", \"a\"]"), "assets.toml: c.pools: names the pool a twice");
    assert_eq!(fault("[c]\nkind = \"credit\""), "assets.toml: c.pools: must name at least one pool");
    assert_eq!(fault("[c]\nkind = \"token\"\npools = [\"a\"]"), "assets.toml: c.pools: only a credit asset has pools");
    assert_eq!(fault("[e]\nkind = \"recharging\"\nbase_capacity = 5"), "assets.toml: e.regen_amount: is missing");
    assert_eq!(fault(""), "assets.toml: -: has no asset");
}

#[test]
fn a_level_is_worth_more_than_the_one_before() {
    let assets = "[xp]\nkind = \"points\"\n[levels_gained]\nkind = \"points\"\n[stat_points]\nkind = \"token\"\n";
    let levels = |curve: &str| {
        let head = "xp = \"xp\"\nlevels_gained = \"levels_gained\"\nstat_points = \"stat_points\"\n";
        format!("{head}stat_points_per_level = 5\n[curve]\n{curve}\n")
    };
    let ascending = "levels.toml: curve.thresholds: must be at least 1 and ascending";
    assert_eq!(fault_of(assets, Some(&levels("thresholds = [100, 100]"))), ascending);
    let either = "levels.toml: curve: must have either thresholds, or first, increase and level_max";
    assert_eq!(fault_of(assets, Some(&levels("first = 100"))), either);
    let unknown = fault_of("[xp]\nkind = \"points\"", Some(&levels("thresholds = [1]")));
    assert_eq!(unknown, "levels.toml: levels_gained: levels_gained is not in assets.toml");
}

#[test]
fn an_asset_that_players_may_have_stays_what_it_is() {
    let catalog = |text: &str| parse(&serde_json::json!({ "assets.toml": text }).to_string()).unwrap();
    let before = catalog("[a]\nkind = \"currency\"\n[c]\nkind = \"credit\"\npools = [\"x\", \"y\"]");
    let gone = follows(&before, &catalog("[c]\nkind = \"credit\"\npools = [\"x\", \"y\"]")).unwrap_err().to_string();
    assert!(gone.starts_with("assets.toml: a: was in force and cannot be removed"), "{gone}");
    let other = catalog("[a]\nkind = \"points\"\n[c]\nkind = \"credit\"\npools = [\"x\", \"y\"]");
    assert_eq!(
        follows(&before, &other).unwrap_err().to_string(),
        "assets.toml: a.kind: was currency and cannot become points"
    );
    let pool = catalog("[a]\nkind = \"currency\"\n[c]\nkind = \"credit\"\npools = [\"x\"]");
    assert!(follows(&before, &pool).unwrap_err().to_string().contains("the pool y was in force"));
    let retired =
        catalog("[a]\nkind = \"currency\"\nretired = true\n[c]\nkind = \"credit\"\npools = [\"y\", \"x\", \"z\"]");
    follows(&before, &retired).unwrap();
}
