//! Services meet only in `proto/`, and each has all that belongs to it.

use auric_tests::tree::{File, Tree};

use super::{catches, holds, tree};

const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// A service's crate depends on no other one's; a shared crate on none at all.
fn services_meet_only_in_proto(tree: &Tree) -> Vec<String> {
    let services: Vec<String> = tree.folders_in("services").iter().map(|name| format!("auric-{name}")).collect();
    let mut broken = Vec::new();
    for file in manifests(tree).filter(|file| file.is_below(&["services", "shared"])) {
        let own = file
            .path
            .strip_prefix("services/")
            .and_then(|rest| rest.split('/').next())
            .map(|name| format!("auric-{name}"));
        for (name, value) in dependencies(&file.text) {
            let package = value.get("package").and_then(toml::Value::as_str).unwrap_or(&name).to_owned();
            let by_path =
                value.get("path").and_then(toml::Value::as_str).is_some_and(|path| path.contains("services/"));
            let is_other = (services.contains(&package) || by_path) && Some(&package) != own.as_ref();
            if is_other {
                broken.push(format!("{} depends on the service {package}", file.path));
            }
        }
    }
    broken
}

/// Gives the dependencies of every kind, those of single targets too.
fn dependencies(manifest: &str) -> Vec<(String, toml::Value)> {
    let manifest: toml::Table = manifest.parse().expect("a manifest is TOML");
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
    let places = targets.filter_map(toml::Value::as_table).chain([&manifest]);
    let tables = places.flat_map(|place| KINDS.iter().filter_map(|kind| place.get(*kind)?.as_table()));
    tables.flat_map(|table| table.iter().map(|(name, value)| (name.clone(), value.clone()))).collect()
}

fn manifests(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files().iter().filter(|file| file.name() == "Cargo.toml")
}

#[test]
fn a_service_depends_on_no_other_service() {
    assert!(!tree().folders_in("services").is_empty(), "no service was looked at");
    holds(services_meet_only_in_proto);
    for (path, text) in [
        ("services/later/Cargo.toml", "[dependencies]\nauric-wallet.workspace = true"),
        ("services/later/Cargo.toml", "[dev-dependencies]\nauric-wallet = { path = \"../wallet\" }"),
        (
            "services/later/Cargo.toml",
            "[target.'cfg(unix)'.dependencies]\nw = { package = \"auric-wallet\", path = \"../wallet\" }",
        ),
        ("shared/later/Cargo.toml", "[dependencies]\nw = { path = \"../../services/wallet\" }"),
    ] {
        let wallet = File::planted("services/wallet/Cargo.toml", "[dependencies]");
        let broken = services_meet_only_in_proto(&Tree::of(vec![wallet, File::planted(path, text)]));
        assert_eq!(broken.len(), 1, "{path}: {text}");
    }
}

/// Lints that a crate does not inherit are lints that nobody runs.
fn crates_inherit_the_lints(tree: &Tree) -> Vec<String> {
    let inherits = |file: &&File| {
        let manifest: toml::Table = file.text.parse().expect("a manifest is TOML");
        let lints = manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
        manifest.contains_key("workspace") || lints == Some(true)
    };
    manifests(tree)
        .filter(|file| !inherits(file))
        .map(|file| format!("{} lacks `lints.workspace = true`", file.path))
        .collect()
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    holds(crates_inherit_the_lints);
    catches(crates_inherit_the_lints, "shared/later/Cargo.toml", "[package]\nname = \"auric-later\"");
}

/// Each folder in `services/` has its API, and its base once there is one for anybody.
fn services_have_their_api(tree: &Tree) -> Vec<String> {
    let has = |folder: &str, ending: &str| {
        tree.files().iter().any(|file| file.is_below(&[folder]) && file.path.ends_with(ending))
    };
    let mut broken = Vec::new();
    for name in tree.folders_in("services") {
        let api = format!("proto/auric/{name}/v1");
        if !has(&api, ".proto") {
            broken.push(format!("services/{name} has no {api}"));
        }
        if !tree.folders_in("k8s").is_empty() && !has(&format!("k8s/base/{name}"), ".yaml") {
            broken.push(format!("services/{name} has no k8s/base/{name}"));
        }
    }
    broken
}

#[test]
fn every_service_has_its_api() {
    holds(services_have_their_api);
    catches(services_have_their_api, "services/later/src/lib.rs", "");
    let later = File::planted("services/later/src/lib.rs", "");
    let api = File::planted("proto/auric/later/v1/later.proto", "");
    assert!(services_have_their_api(&Tree::of(vec![later.clone(), api.clone()])).is_empty());
    let other_base = File::planted("k8s/base/wallet/deployment.yaml", "");
    assert_eq!(services_have_their_api(&Tree::of(vec![later, api, other_base])).len(), 1);
}
