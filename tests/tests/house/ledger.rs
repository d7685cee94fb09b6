//! Rows of the ledger are inserted and never changed: not by the store, and not by a migration.

use std::collections::BTreeSet;

use auric_tests::tree::{File, Tree};
use regex::Regex;

use super::{allows, catches, code_with_tests_of, holds, tree};

/// The tables whose rows are facts from the first migration on.
const LEDGER: [&str; 2] = ["entries", "mutations"];

/// The tables that the migrations guard, besides the ledger, by what they call the triggers.
struct Guarded {
    /// Rows are only ever added.
    insert_only: BTreeSet<String>,
    /// Rows may change, and never go.
    kept: BTreeSet<String>,
}

impl Guarded {
    fn read(tree: &Tree) -> Self {
        let guard =
            Regex::new(r"(?i)CREATE\s+TRIGGER\s+(\w+?)_are_(only_added|not_updated|not_deleted)\b").expect("a guard");
        let mut guarded =
            Self { insert_only: LEDGER.map(str::to_owned).into(), kept: LEDGER.map(str::to_owned).into() };
        for file in tree.files().iter().filter(|file| file.is_below(&["migrations"])) {
            for found in guard.captures_iter(&file.text) {
                if &found[2] != "not_deleted" {
                    guarded.insert_only.insert(found[1].to_owned());
                }
                guarded.kept.insert(found[1].to_owned());
            }
        }
        guarded
    }

    /// Gives what no statement may match.
    fn forbidden(&self) -> [Regex; 3] {
        let (insert_only, kept) = (alternatives(&self.insert_only), alternatives(&self.kept));
        let change = format!(r#"(?is)\b(?:UPDATE(?:\s+ONLY)?|MERGE\s+INTO)\s+(?:\w+\.)?"?({insert_only})\b"#);
        let upsert = format!(r#"(?is)\bINTO\s+(?:\w+\.)?"?({insert_only})\b[^;]*?\bDO\s+UPDATE\b"#);
        let removal = format!(
            r#"(?is)\b(?:DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?|REPLACE\s+INTO|DROP\s+TABLE(?:\s+IF\s+EXISTS)?)\s+(?:\w+\.)?"?({kept})\b"#
        );
        [change, upsert, removal].map(|form| Regex::new(&form).expect("the form of a change"))
    }
}

fn alternatives(tables: &BTreeSet<String>) -> String {
    tables.iter().map(String::as_str).collect::<Vec<_>>().join("|")
}

fn ledger_rows_are_only_inserted(tree: &Tree) -> Vec<String> {
    let forbidden = Guarded::read(tree).forbidden();
    let mut broken = Vec::new();
    for file in tree.files() {
        for statement in statements(tree, file) {
            let found = forbidden.iter().find_map(|form| form.captures(&statement));
            broken.extend(
                found.map(|found| format!("{} changes {}: {}", file.path, &found[1], found[0].replace('\n', " "))),
            );
        }
    }
    broken
}

/// Gives the SQL of a migration, and the literals of product code.
fn statements(tree: &Tree, file: &File) -> Vec<String> {
    if file.is_below(&["migrations"]) {
        vec![file.text.clone()]
    } else if file.is_rust() && !tree.is_test(file) {
        auric_tests::code::Code::read(&file.text)
            .map(|code| code.literals().iter().map(|it| it.text.clone()).collect())
            .unwrap_or_default()
    } else {
        Vec::new()
    }
}

#[test]
fn rows_of_the_ledger_are_only_inserted() {
    holds(ledger_rows_are_only_inserted);
    let store = "services/later/src/store/postgres.rs";
    for statement in [
        "UPDATE entries SET amount = 0",
        "update\\n   public.entries set amount = 0",
        "DELETE FROM mutations WHERE caller = $1",
        "TRUNCATE entries",
        "INSERT OR REPLACE INTO entries VALUES (1)",
        "INSERT INTO mutations (caller) VALUES ($1) ON CONFLICT (caller) DO UPDATE SET caller = $1",
    ] {
        catches(
            ledger_rows_are_only_inserted,
            store,
            &format!("const A: &str = \"{}\";", statement.replace("\\n", "\n")),
        );
        catches(ledger_rows_are_only_inserted, "migrations/later/sqlite/0001_a.sql", &statement.replace("\\n", "\n"));
    }
    for statement in [
        "INSERT INTO entries (a) VALUES (1) ON CONFLICT DO NOTHING",
        "UPDATE players SET entries = 1",
        "SELECT number FROM entries FOR UPDATE",
    ] {
        allows(ledger_rows_are_only_inserted, store, &format!("const A: &str = \"{statement}\";"));
    }
    allows(
        ledger_rows_are_only_inserted,
        "migrations/later/postgres/0001_a.sql",
        "CREATE TRIGGER t BEFORE UPDATE OR DELETE ON entries",
    );
}

#[test]
fn a_table_that_a_migration_guards_is_held_to_it() {
    let broken = |guard: &str, statement: &str| {
        let migration = File::planted("migrations/later/postgres/0001_a.sql", guard);
        let store = File::planted("services/later/src/store/a.rs", &format!("const A: &str = \"{statement}\";"));
        !ledger_rows_are_only_inserted(&Tree::of(vec![migration, store])).is_empty()
    };
    let (added, kept) = ("CREATE TRIGGER pulls_are_only_added BEFORE", "CREATE TRIGGER pulls_are_not_deleted BEFORE");
    assert!(!broken("", "UPDATE pulls SET a = 1"));
    assert!(broken(added, "UPDATE pulls SET a = 1") && broken(added, "DELETE FROM pulls"));
    assert!(!broken(kept, "UPDATE pulls SET a = 1") && broken(kept, "DELETE FROM pulls"));
}

#[test]
fn every_insert_only_table_is_guarded_in_both_dialects() {
    for dialect in ["postgres", "sqlite"] {
        let sql: String = tree()
            .files()
            .iter()
            .filter(|file| file.is_below(&["migrations"]) && file.is_in_folder(dialect))
            .map(|file| file.text.as_str())
            .collect();
        for table in &Guarded::read(tree()).insert_only {
            let events: &[&str] =
                if dialect == "postgres" { &["UPDATE", "DELETE", "TRUNCATE"] } else { &["UPDATE", "DELETE"] };
            for event in events {
                let trigger = Regex::new(&format!(
                    r"(?i)CREATE\s+TRIGGER\s+\w+\s+BEFORE\s+(?:\w+\s+OR\s+)*{event}(?:\s+OR\s+\w+)*\s+ON\s+{table}\b"
                ))
                .unwrap();
                assert!(trigger.is_match(&sql), "{dialect} does not refuse {event} of {table}");
            }
        }
    }
}

#[test]
fn the_literals_of_a_store_are_read() {
    let stores = tree().product().filter(|file| file.is_in_folder("store"));
    let inserts =
        stores.filter(|file| code_with_tests_of(file).literals().iter().any(|it| it.text.contains("INSERT INTO")));
    assert!(inserts.count() > 0, "no store inserts anything");
}
