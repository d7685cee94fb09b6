//! Who may know what: `domain/` nothing, `store/` SQL, `grpc/` protobuf, `config.rs` the environment.

use auric_tests::tree::{File, Tree};

use super::{allows, catches, code_of, code_with_tests_of, holds, paths_of, tree};

/// What would bring input, output, time or chance into `domain/`.
const IMPURE: [&str; 29] = [
    "tokio",
    "tokio_util",
    "futures",
    "async_trait",
    "sqlx",
    "tonic",
    "tonic_types",
    "prost",
    "prost_types",
    "rand",
    "getrandom",
    "auric_api",
    "auric_db",
    "auric_server",
    "auric_lanes",
    "auric_telemetry",
    "tracing",
    "opentelemetry",
    "std::fs",
    "std::env",
    "std::net",
    "std::io",
    "std::thread",
    "std::process",
    "std::time::SystemTime",
    "std::time::Instant",
    "redis",
    "deadpool_redis",
    "config",
];

/// The same by the end of the path, since the front may have been imported.
const IMPURE_ENDS: [&str; 8] = [
    "Utc::now",
    "Local::now",
    "SystemTime::now",
    "Instant::now",
    "Uuid::new_v4",
    "Uuid::now_v7",
    "OsRng",
    "thread_rng",
];

fn domain_is_pure(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for file in tree.product().filter(|file| file.is_in_folder("domain")) {
        let impure = paths_of(file).into_iter().filter(|path| {
            IMPURE.iter().any(|start| path.starts_with(start)) || IMPURE_ENDS.iter().any(|end| path.ends_with(end))
        });
        broken.extend(impure.map(|path| format!("{}:{} names {}", file.path, path.line, path.segments.join("::"))));
        let code = code_of(file);
        let waits = ["async", "await"].iter().flat_map(|word| code.lines_of(&[word]));
        broken.extend(waits.map(|line| format!("{}:{line} is async", file.path)));
    }
    broken
}

#[test]
fn a_domain_knows_neither_io_nor_time_nor_chance() {
    assert!(tree().product().any(|file| file.is_in_folder("domain")), "no domain was looked at");
    holds(domain_is_pure);
    let path = "services/later/src/domain/rule.rs";
    for text in [
        "async fn decide() {}",
        "use tokio::sync::Mutex;",
        "use std::{collections::BTreeMap, fs};",
        "fn f() { let _ = std::time::Instant::now(); }",
        "use std::time::SystemTime;",
        "use chrono::Utc; fn f() { Utc::now(); }",
        "fn f() -> u8 { rand::random() }",
        "#[derive(sqlx::Type)] struct S;",
        "fn f() { id!(uuid::Uuid::new_v4()) }",
    ] {
        catches(domain_is_pure, path, text);
    }
    allows(
        domain_is_pure,
        path,
        "//! No tokio.\nuse std::time::Duration; const A: &str = \"sqlx::query\"; #[cfg(test)] mod t { use std::fs; }",
    );
    allows(domain_is_pure, "services/later/src/store/rule.rs", "async fn open() {}");
}

fn only_stores_know_sql(tree: &Tree) -> Vec<String> {
    let may = |file: &&File| {
        let is_store = file.is_below(&["services", "shared"]) && file.is_in_folder("store");
        is_store || file.is_below(&["shared/db", "shared/testkit", "tests", "xtask", "bench"])
    };
    naming(tree, may, &["sqlx", "rusqlite", "tokio_postgres"])
}

#[test]
fn only_a_store_knows_sql() {
    holds(only_stores_know_sql);
    catches(only_stores_know_sql, "services/later/src/handlers/post.rs", "fn f() { sqlx::query(\"SELECT 1\"); }");
    catches(only_stores_know_sql, "services/later/src/store.rs", "use sqlx::Row;");
    catches(only_stores_know_sql, "cli/src/check.rs", "use {std::fmt, sqlx::Row};");
    allows(only_stores_know_sql, "services/later/src/store/postgres.rs", "use sqlx::Row;");
    allows(only_stores_know_sql, "shared/events/src/store/mod.rs", "use sqlx::Row;");
    allows(only_stores_know_sql, "services/later/tests/laws.rs", "use sqlx::Row;");
}

fn only_grpc_knows_protobuf(tree: &Tree) -> Vec<String> {
    let clients = [
        "cli",
        "bench",
        "tests",
        "shared/api",
        "shared/auth",
        "shared/client",
        "shared/edge",
        "shared/server",
        "shared/status",
    ];
    naming(
        tree,
        |file| file.is_in_folder("grpc") || file.is_below(&clients),
        &["auric_api", "prost", "prost_types", "tonic_prost"],
    )
}

#[test]
fn only_grpc_folders_and_clients_know_protobuf() {
    holds(only_grpc_knows_protobuf);
    catches(only_grpc_knows_protobuf, "services/later/src/handlers/post.rs", "use auric_api::wallet::v1::PostRequest;");
    catches(
        only_grpc_knows_protobuf,
        "services/later/src/store/rows.rs",
        "fn f() { prost_types::Timestamp::default(); }",
    );
    catches(only_grpc_knows_protobuf, "shared/money/src/lib.rs", "impl From<prost::Message> for A {}");
    allows(only_grpc_knows_protobuf, "services/later/src/grpc/decode.rs", "use auric_api::wallet::v1::PostRequest;");
    allows(only_grpc_knows_protobuf, "cli/src/wallet.rs", "use auric_api::wallet::v1::PostRequest;");
}

fn naming(tree: &Tree, may: impl Fn(&&File) -> bool, roots: &[&str]) -> Vec<String> {
    let others = tree.product().filter(|file| !may(file));
    let named = others.flat_map(|file| paths_of(file).into_iter().map(move |path| (file, path)));
    let broken = named.filter(|(_, path)| roots.iter().any(|root| path.starts_with(root)));
    broken.map(|(file, path)| format!("{}:{} names {}", file.path, path.line, path.segments.join("::"))).collect()
}

const READERS: [&str; 6] = ["env::var", "env::var_os", "env::vars", "env::vars_os", "env::set_var", "env::remove_var"];

fn only_config_reads_the_environment(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    // Cargo speaks to a build script through the environment.
    for file in tree.rust().filter(|file| !["config.rs", "build.rs"].contains(&file.name())) {
        let code = code_with_tests_of(file);
        let reads = code.paths().into_iter().filter(|path| READERS.iter().any(|end| path.ends_with(end)));
        broken.extend(reads.map(|path| format!("{}:{} names {}", file.path, path.line, path.segments.join("::"))));
        if !file.is_below(&["cli"]) {
            broken.extend(
                clap_environment(&code).map(|line| format!("{}:{line} reads the environment through clap", file.path)),
            );
        }
    }
    broken
}

/// Gives the lines of `#[arg(…, env = …)]`: of the word `env` that stands by itself inside such an attribute.
fn clap_environment(code: &auric_tests::code::Code) -> impl Iterator<Item = usize> {
    let tokens = code.tokens();
    let starts = tokens.windows(4).enumerate().filter(|(_, run)| {
        run[0].text == "#"
            && run[1].text == "["
            && ["arg", "clap"].contains(&run[2].text.as_str())
            && run[3].text == "("
    });
    starts.filter_map(move |(start, _)| {
        let inside = tokens[start..].iter().take_while(|token| token.text != "]");
        inside.skip(4).find(|token| token.text == "env").map(|token| token.line)
    })
}

#[test]
fn only_config_reads_the_environment_of_the_process() {
    holds(only_config_reads_the_environment);
    catches(only_config_reads_the_environment, "services/later/src/lib.rs", "fn f() { std::env::var(\"A\"); }");
    catches(only_config_reads_the_environment, "cli/src/main.rs", "use std::env; fn f() { env::var_os(\"A\"); }");
    catches(only_config_reads_the_environment, "shared/later/src/lib.rs", "use std::env::{self, vars};");
    catches(
        only_config_reads_the_environment,
        "services/later/tests/laws.rs",
        "#[test] fn f() { std::env::set_var(\"A\", \"\"); }",
    );
    catches(only_config_reads_the_environment, "xtask/src/main.rs", "struct A { #[arg(long, env = \"A\")] a: u8 }");
    allows(only_config_reads_the_environment, "services/later/src/config.rs", "fn f() { std::env::var(\"A\"); }");
    allows(only_config_reads_the_environment, "cli/src/args.rs", "struct A { #[arg(long, env = \"A\")] a: u8 }");
    allows(only_config_reads_the_environment, "cli/src/main.rs", "fn f() { std::env::args(); env!(\"A\"); }");
}
