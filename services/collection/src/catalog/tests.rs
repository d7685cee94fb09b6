use super::{follows, load};

const RARITIES: &str = "[common]\nrank = 1\ndissolve_rewards = [{ asset = \"shards\", amount = 5 }]\n";
const FOX: &str = "[fox]\nname = \"Fox\"\nrarity = \"common\"\nelement = \"fire\"\nclass = \"striker\"\n\
    base_stats = { hp = 1, attack = 2, defense = 3, speed = 4 }\n";
const COLLECTION: &str = "esprits_max = 10\n";

fn folder(esprits: &str, rarities: &str, collection: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("esprits.toml", esprits), ("rarities.toml", rarities), ("collection.toml", collection)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn fault(esprits: &str, rarities: &str, collection: &str) -> String {
    load(folder(esprits, rarities, collection).path()).unwrap_err().to_string()
}

#[test]
fn the_shipped_catalog_is_valid_and_large_enough_for_a_game() {
    let game = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../game");
    let loaded = load(&game).unwrap();
    assert!(loaded.catalog.species.len() >= 40, "{} species", loaded.catalog.species.len());
    for rarity in loaded.catalog.rarities.keys() {
        let count = loaded.catalog.species.values().filter(|species| species.rarity == *rarity).count();
        assert!(count > 0, "no species is {rarity}");
    }
}

#[test]
fn a_fault_names_the_file_the_key_and_the_reason() {
    // R-C1, R-P3
    let none = "rarities.toml: common.dissolve_rewards: must give something";
    assert_eq!(fault(FOX, "[common]\nrank = 1\n", COLLECTION), none);
    let twice = format!("{RARITIES}[rare]\nrank = 1\ndissolve_rewards = [{{ asset = \"shards\", amount = 5 }}]");
    assert_eq!(fault(FOX, &twice, COLLECTION), "rarities.toml: rare.rank: is 1, as that of common");
    let zero = RARITIES.replace("amount = 5", "amount = 0");
    assert!(fault(FOX, &zero, COLLECTION).starts_with("rarities.toml: common.dissolve_rewards[0].amount: must be 1"));
    let unknown = FOX.replace("\"common\"", "\"mythic\"");
    assert_eq!(fault(&unknown, RARITIES, COLLECTION), "esprits.toml: fox.rarity: mythic is not in rarities.toml");
    let weak = FOX.replace("speed = 4", "speed = 0");
    assert_eq!(fault(&weak, RARITIES, COLLECTION), "esprits.toml: fox.base_stats.speed: must be 1 to 1000000, is 0");
    assert_eq!(fault("", RARITIES, COLLECTION), "esprits.toml: -: has no species");
    let bound = "collection.toml: esprits_max: must be 1 to 1000000, is 0";
    assert_eq!(fault(FOX, RARITIES, "esprits_max = 0"), bound);
}

#[test]
fn what_players_may_have_is_never_removed() {
    let two = format!("{FOX}{}", FOX.replace("[fox]", "[owl]"));
    let before = load(folder(&two, RARITIES, COLLECTION).path()).unwrap();
    let next = load(folder(FOX, RARITIES, COLLECTION).path()).unwrap();
    let gone = follows(&before.kept[0].content, &next.catalog).unwrap_err().to_string();
    assert!(gone.starts_with("esprits.toml: owl: was in force and cannot be removed"), "{gone}");
    let retired = load(folder(&format!("{two}retired = true"), RARITIES, COLLECTION).path()).unwrap();
    follows(&before.kept[0].content, &retired.catalog).unwrap();
}

#[test]
fn a_change_of_the_collections_own_numbers_is_none_to_coordinators() {
    let before = load(folder(FOX, RARITIES, COLLECTION).path()).unwrap().catalog;
    let after = load(folder(FOX, RARITIES, "esprits_max = 11").path()).unwrap().catalog;
    assert_eq!(before.esprits_hash, after.esprits_hash);
    assert_ne!(before.hash, after.hash);
}
