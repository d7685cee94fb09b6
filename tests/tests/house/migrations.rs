//! Each service's migrations exist in both dialects, under the same numbers and names.

use std::collections::BTreeSet;

use auric_tests::tree::{File, Tree};
use regex::Regex;

use super::{catches, holds};

const DIALECTS: [&str; 2] = ["postgres", "sqlite"];

fn migrations_match(tree: &Tree) -> Vec<String> {
    tree.folders_in("services")
        .iter()
        .chain(&tree.folders_in("migrations"))
        .flat_map(|service| of_service(tree, service))
        .collect()
}

fn of_service(tree: &Tree, service: &str) -> Vec<String> {
    let [postgres, sqlite] = DIALECTS.map(|dialect| names_in(tree, &format!("migrations/{service}/{dialect}")));
    let mut broken: Vec<String> = postgres
        .symmetric_difference(&sqlite)
        .map(|name| format!("migrations/{service}: {name} is there in one dialect only"))
        .collect();
    if postgres.is_empty() {
        broken.push(format!("services/{service} has no migrations/{service}/postgres"));
    }
    let form = Regex::new(r"^(\d{4})_[a-z0-9_]+\.sql$").expect("the form of a name");
    for (name, number) in postgres.iter().zip(1_u32..) {
        let found = form.captures(name).and_then(|parts| parts[1].parse::<u32>().ok());
        if found != Some(number) {
            broken.push(format!("migrations/{service}: {name} should be {number:04}_what_it_does.sql"));
        }
    }
    broken
}

fn names_in(tree: &Tree, folder: &str) -> BTreeSet<String> {
    tree.files()
        .iter()
        .filter_map(|file| file.path.strip_prefix(folder)?.strip_prefix('/'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_migration_is_there_in_both_dialects() {
    holds(migrations_match);
    catches(migrations_match, "services/later/src/lib.rs", "");
    catches(migrations_match, "migrations/later/postgres/0001_ledger.sql", "");
    for (postgres, sqlite) in [
        ("0001_ledger.sql", "0001_the_ledger.sql"),
        ("0002_ledger.sql", "0002_ledger.sql"),
        ("1_ledger.sql", "1_ledger.sql"),
    ] {
        let broken = migrations_match(&Tree::of(vec![
            File::planted(&format!("migrations/later/postgres/{postgres}"), ""),
            File::planted(&format!("migrations/later/sqlite/{sqlite}"), ""),
        ]));
        assert!(!broken.is_empty(), "{postgres} and {sqlite} passed");
    }
    let right = DIALECTS.map(|dialect| File::planted(&format!("migrations/later/{dialect}/0001_ledger.sql"), ""));
    assert!(migrations_match(&Tree::of(right.to_vec())).is_empty());
}
