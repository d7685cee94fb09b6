use super::{follows, load};

const RARITIES: &str = "[common]\nrank = 1\ndissolve_rewards = [{ asset = \"shards\", amount = 5 }]\n";
const FOX: &str = "[fox]\nname = \"Fox\"\nrarity = \"common\"\nelement = \"fire\"\nclass = \"striker\"\n\
    base_stats = { hp = 1, attack = 2, defense = 3, speed = 4 }\n";
const COLLECTION: &str = "esprits_max = 10\nequipment_max = 5\n[team]\nsize = 3\n[growth]\npermille_per_level = 60\n\
    [growth.level_max]\ncommon = 30\n[upgrade.costs]\n\
    common = [{ asset = \"lumees\", base = 50, per_level = 10 }]\n[elements]\nfire = \"Fire\"\n[classes.striker]\nname = \"Striker\"\n\
    power_weights = { hp = 1, attack = 2, defense = 3, speed = 4 }\n";

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
    let bound = "collection.toml: esprits_max: must be 1 to 100000, is 0";
    assert_eq!(fault(FOX, RARITIES, &COLLECTION.replace("10", "0")), bound);
    let alien = "esprits.toml: fox.element: water is not in collection.toml";
    assert_eq!(fault(&FOX.replace("\"fire\"", "\"water\""), RARITIES, COLLECTION), alien);
    let six = "collection.toml: team.size: must be 1 to 5, is 6";
    assert_eq!(fault(FOX, RARITIES, &COLLECTION.replace("size = 3", "size = 6")), six);
    let none = "collection.toml: growth.level_max.common: is missing";
    assert_eq!(fault(FOX, RARITIES, &COLLECTION.replace("common = 30", "")), none);
    let free = "collection.toml: upgrade.costs.common: must cost something";
    let cost = "[{ asset = \"lumees\", base = 50, per_level = 10 }]";
    assert_eq!(fault(FOX, RARITIES, &COLLECTION.replace(cost, "[]")), free);
    let rare = "collection.toml: upgrade.costs.rare: rare is not in rarities.toml";
    assert_eq!(fault(FOX, RARITIES, &COLLECTION.replace("[elements]", &format!("rare = {cost}\n[elements]"))), rare);
    let dear = fault(FOX, RARITIES, &COLLECTION.replace("per_level = 10", "per_level = 9007199254740991"));
    assert!(
        dear.starts_with("collection.toml: upgrade.costs.common[0].base: must be at least 1, and at most"),
        "{dear}"
    );
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
    let after = load(folder(FOX, RARITIES, &COLLECTION.replace("10", "11")).path()).unwrap().catalog;
    assert_eq!(before.esprits_hash, after.esprits_hash);
    assert_ne!(before.hash, after.hash);
}

#[test]
fn what_is_worn_and_what_teams_do_is_checked() {
    let fault = |name: &str, text: &str| {
        let folder = folder(FOX, RARITIES, COLLECTION);
        std::fs::write(folder.path().join(name), text).unwrap();
        load(folder.path()).unwrap_err().to_string()
    };
    let fang = "[fang]\nname = \"Fang\"\nslot = \"weapon\"\npermille = { attack = 1_001 }";
    assert_eq!(fault("equipment.toml", fang), "equipment.toml: fang.permille.attack: must be 0 to 1000, is 1001");
    let synergy = |rest: &str| format!("[kin]\nname = \"Kin\"\npower_permille = 5\n{rest}");
    assert_eq!(fault("synergies.toml", &synergy("")), "synergies.toml: kin.-: must name a condition");
    let many = "synergies.toml: kin.-: asks for 4 members, a team has 3";
    assert_eq!(fault("synergies.toml", &synergy("same_element = 4")), many);
    let alien = "synergies.toml: kin.classes: bard is not in collection.toml";
    assert_eq!(fault("synergies.toml", &synergy("classes = { bard = 1 }")), alien);
}
