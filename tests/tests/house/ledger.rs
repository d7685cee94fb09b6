//! Rows of the ledger are inserted and never changed: not by the store, and not by a migration.

use auric_tests::tree::{File, Tree};
use regex::Regex;

use super::{allows, catches, code_with_tests_of, holds, tree};

/// The tables whose rows are facts. A table whose migration says that its rows are only ever added belongs here.
const LEDGER: [&str; 2] = ["entries", "mutations"];

/// What the migrations call the trigger that guards such a table.
const GUARD: &str = r"(?i)CREATE\s+TRIGGER\s+(\w+)_(?:are|is)_(?:only_added|not_updated)\b";

fn ledger_rows_are_only_inserted(tree: &Tree) -> Vec<String> {
    let tables = LEDGER.join("|");
    let change = Regex::new(&format!(
        r#"(?is)\b(?:UPDATE(?:\s+ONLY)?|DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?|REPLACE\s+INTO|DROP\s+TABLE(?:\s+IF\s+EXISTS)?|MERGE\s+INTO)\s+(?:\w+\.)?"?({tables})\b"#
    ))
    .expect("the form of a change");
    let upsert = Regex::new(&format!(r#"(?is)\bINTO\s+(?:\w+\.)?"?({tables})\b[^;]*?\bDO\s+UPDATE\b"#))
        .expect("the form of an upsert");
    let mut broken = Vec::new();
    for (file, statement) in
        tree.files().iter().flat_map(|file| statements(tree, file).into_iter().map(move |it| (file, it)))
    {
        let found = change.captures(&statement).or_else(|| upsert.captures(&statement));
        broken
            .extend(found.map(|found| format!("{} changes {}: {}", file.path, &found[1], found[0].replace('\n', " "))));
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

/// Finds guarded tables that the list above forgot.
fn guarded_tables_are_listed(tree: &Tree) -> Vec<String> {
    let guard = Regex::new(GUARD).expect("the form of a guard");
    let migrations = tree.files().iter().filter(|file| file.is_below(&["migrations"]));
    let guarded =
        migrations.flat_map(|file| guard.captures_iter(&file.text).map(move |found| (file, found[1].to_owned())));
    let forgotten = guarded.filter(|(_, table)| !LEDGER.contains(&table.as_str()));
    forgotten.map(|(file, table)| format!("{} guards {table}, which LEDGER does not list", file.path)).collect()
}

#[test]
fn every_guarded_table_is_a_table_of_the_ledger() {
    holds(guarded_tables_are_listed);
    catches(
        guarded_tables_are_listed,
        "migrations/later/postgres/0001_a.sql",
        "CREATE TRIGGER pulls_are_only_added BEFORE UPDATE OR DELETE ON pulls",
    );
}

#[test]
fn every_table_of_the_ledger_is_guarded_in_both_dialects() {
    for dialect in ["postgres", "sqlite"] {
        let sql: String = tree()
            .files()
            .iter()
            .filter(|file| file.is_below(&["migrations"]) && file.is_in_folder(dialect))
            .map(|file| file.text.as_str())
            .collect();
        for table in LEDGER {
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
