//! The catalog changes while requests run (R-P3).

use std::path::Path;
use std::sync::Arc;

use auric_collection::domain::{Refusal, Verdict};

use crate::asks::prepare_under;
use crate::harness::{Shelf, on_every_store, send};

on_every_store!(
    a_promise_sees_the_old_catalog_or_the_new_one,
    an_invalid_catalog_is_refused_and_the_old_one_stays,
    every_catalog_that_was_in_force_is_known_for_ever,
);

fn write(folder: &Path, esprits_max: u64, hp: u64) {
    let rarities = "[common]\nrank = 1\ndissolve_rewards = [{ asset = \"shards\", amount = 5 }]\n";
    let fox = format!(
        "[fox]\nname = \"Fox\"\nrarity = \"common\"\nelement = \"fire\"\nclass = \"striker\"\n\
         base_stats = {{ hp = {hp}, attack = 2, defense = 3, speed = 4 }}\n"
    );
    let numbers = format!(
        "esprits_max = {esprits_max}\nequipment_max = 5\n[team]\nsize = 3\n[growth]\npermille_per_level = 60\n[growth.level_max]\ncommon = 30\n\
         [upgrade.costs]\ncommon = [{{ asset = \"lumees\", base = 50, per_level = 10 }}]\n\
         [elements]\nfire = \"Fire\"\n[classes.striker]\nname = \"Striker\"\n\
         power_weights = {{ hp = 1, attack = 2, defense = 3, speed = 4 }}\n"
    );
    std::fs::write(folder.join("rarities.toml"), rarities).unwrap();
    std::fs::write(folder.join("esprits.toml"), fox).unwrap();
    std::fs::write(folder.join("collection.toml"), numbers).unwrap();
}

async fn a_promise_sees_the_old_catalog_or_the_new_one(shelf: Shelf) {
    let collection = shelf.copy().await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 3, 1);
    let species = collection.reload(folder.path()).await.unwrap().esprits_hash;

    let mut storm = tokio::task::JoinSet::new();
    for number in 0..200_u64 {
        let copy = Arc::clone(&collection);
        // Five are too many under the one bound and few enough under the other.
        storm.spawn(async move { send(&copy, prepare_under(species, number, &format!("p{number}"), 5)).await });
        if number % 20 == 10 {
            tokio::task::yield_now().await;
            write(folder.path(), if number % 40 == 10 { 9 } else { 3 }, 1);
            collection.reload(folder.path()).await.unwrap();
        }
    }
    for verdict in storm.join_all().await {
        match verdict {
            Verdict::Stands { again: false, .. }
            | Verdict::Refused(Refusal::CollectionFull { maximum: 3, asked: 5, .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    shelf.assert_whole().await;
}

async fn an_invalid_catalog_is_refused_and_the_old_one_stays(shelf: Shelf) {
    let collection = shelf.copy().await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 3, 1);
    let before = collection.reload(folder.path()).await.unwrap().hash;
    write(folder.path(), 3, 0);
    let refused = collection.reload(folder.path()).await.unwrap_err().to_string();
    assert!(refused.starts_with("esprits.toml: fox.base_stats.hp: must be 1 to"), "{refused}");
    // A species that players may have is not taken away, by a copy that was never told of it either.
    write(folder.path(), 3, 1);
    let text = std::fs::read_to_string(folder.path().join("esprits.toml")).unwrap();
    std::fs::write(folder.path().join("esprits.toml"), text.replace("[fox]", "[owl]")).unwrap();
    for copy in [Arc::clone(&collection), shelf.copy().await] {
        let refused = copy.reload(folder.path()).await.unwrap_err().to_string();
        assert!(refused.starts_with("esprits.toml: fox: was in force and cannot be removed"), "{refused}");
    }
    assert_eq!(collection.rules().catalog.hash, before);
}

async fn every_catalog_that_was_in_force_is_known_for_ever(shelf: Shelf) {
    let folder = tempfile::tempdir().unwrap();
    let collection = shelf.copy().await;
    let mut known = Vec::new();
    for hp in 1..=3 {
        write(folder.path(), 9, hp);
        known.push(collection.reload(folder.path()).await.unwrap().esprits_hash);
    }
    // Another copy, which never ran any of them, promises under each.
    let other = shelf.copy().await;
    for (species, number) in known.into_iter().zip(1..) {
        let verdict = send(&other, prepare_under(species, number, "p", 1)).await;
        assert!(matches!(verdict, Verdict::Stands { again: false, .. }), "{verdict:?}");
    }
}
