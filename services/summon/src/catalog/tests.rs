use super::{follows, load, parse};

#[test]
fn the_shipped_banners_are_valid_and_cost_what_the_earlier_systems_did() {
    // R-S1
    let game = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../game");
    let loaded = load(&game).unwrap();
    for (banner, asset) in [("standard", "azurites"), ("premium", "aether")] {
        let banner = loaded.banners.get(&banner.parse().unwrap()).unwrap();
        let cost = banner.cost(&asset.parse().unwrap()).unwrap();
        let (paid, amount) = cost.total(10).unwrap();
        assert_eq!(paid.as_str(), asset);
        assert_eq!(amount.units() % 10, 0);
    }
    let kept = parse(&loaded.content).unwrap();
    assert_eq!((kept.hash, kept.esprits_hash), (loaded.banners.hash, loaded.banners.esprits_hash));
    follows(&loaded.banners, &kept).unwrap();
}
