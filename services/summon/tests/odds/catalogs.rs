//! Catalogs of one banner, written in a test.

use std::sync::Arc;

use auric_summon::catalog;
use auric_summon::domain::{Banner, Banners};

/// A banner over pity and a table of `rules`, which name them `g` and `t`.
pub fn banner_of(rules: &str) -> Arc<Banner> {
    banner(rules, "")
}

/// The same, with more keys of the banner.
pub fn banner(rules: &str, keys: &str) -> Arc<Banner> {
    let banners = banners(rules, keys).unwrap_or_else(|fault| panic!("{fault}\n{rules}"));
    Arc::clone(banners.get(&"b".parse().unwrap()).unwrap())
}

/// The catalog of one banner, or its fault.
pub fn banners(rules: &str, keys: &str) -> Result<Banners, String> {
    let group = if rules.contains("[pity_groups.g") { "" } else { "[pity_groups.g]" };
    let banners = format!(
        "{group}\n{rules}\n[banners.b]\ntitle = \"B\"\npity_group = \"g\"\ntable = \"t\"\ncounts = [1, 10]\n{keys}\n\
         [banners.b.costs.coins]\ncurrency = \"aether\"\namount = 160\n\
         [banners.b.costs.free]\nfree = {{ every = \"day\" }}\nadvances_pity = false\nresets_pity = false\n"
    );
    file(&banners)
}

/// The catalog of a whole `banners.toml`, or its fault.
pub fn file(banners: &str) -> Result<Banners, String> {
    let shipped = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../game").join(name);
        std::fs::read_to_string(path).unwrap()
    };
    let texts = serde_json::json!({
        "esprits.toml": shipped("esprits.toml"),
        "rarities.toml": shipped("rarities.toml"),
        "banners.toml": banners,
    });
    catalog::parse(&texts.to_string()).map_err(|fault| fault.to_string())
}
