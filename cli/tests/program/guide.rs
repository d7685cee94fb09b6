//! game/README.md names everything that can be written into the files beside it.

use std::path::Path;

use crate::support::folder;

/// What the schema says that it would have wanted in place of a word that it does not know.
fn wanted(assets: &str, levels: &str) -> Vec<String> {
    let folder = folder();
    std::fs::write(folder.path().join("assets.toml"), assets).unwrap();
    if !levels.is_empty() {
        std::fs::write(folder.path().join("levels.toml"), levels).unwrap();
    }
    let fault = auric_wallet::check_catalog(folder.path()).unwrap_err().to_string();
    let (_, wanted) = fault.split_once("expected ").unwrap_or_else(|| panic!("{fault}"));
    let words: Vec<String> = wanted.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    assert!(words.len() > 1, "{fault}");
    words
}

#[test]
fn every_key_of_the_catalog_is_explained() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../game/README.md");
    let page = std::fs::read_to_string(path).unwrap();
    let asset = "[lumees]\nkind = \"currency\"\n";
    let keys = [
        wanted("[lumees]\nunheard_of = 1\n", ""),
        wanted("[lumees]\nkind = \"unheard_of\"\n", ""),
        wanted(asset, "unheard_of = 1\n"),
        wanted(asset, "[curve]\nunheard_of = 1\n"),
    ];
    for key in keys.iter().flatten() {
        assert!(
            page.lines().any(|line| line.starts_with(&format!("| `{key}` |"))),
            "game/README.md has no row for {key}"
        );
    }
}
