//! Which products can be, and what is said of those that cannot.

use std::path::Path;

use super::*;

const ASSETS_TEXT: &str = "
[lumees]
kind = 'currency'
[xp]
kind = 'points'
[credit]
kind = 'credit'
pools = ['subscription', 'bulk']
";

fn load_text(products: &str) -> Result<Products, CatalogError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(ASSETS), ASSETS_TEXT).unwrap();
    std::fs::write(folder.path().join(PRODUCTS), products).unwrap();
    load(folder.path())
}

/// R-W14: prices are configuration.
#[test]
fn the_shipped_products_are_those_of_the_earlier_shop() {
    let products = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../game")).unwrap();
    let provider = ProviderId::parse("stripe").unwrap();
    let gives = |price: &str| {
        let product = products.of_price(&provider, price).unwrap();
        let leg = &product.legs[0];
        (product.kind, leg.pool.as_ref().unwrap().to_string(), leg.units)
    };
    assert_eq!(gives("subscription"), (Kind::Renewal, "subscription".to_owned(), 20));
    for (price, units) in [("bulk_50", 50), ("bulk_100", 100), ("bulk_250", 250)] {
        assert_eq!(gives(price), (Kind::Purchase, "bulk".to_owned(), units));
    }
    assert_eq!(products.of_price(&provider, "bulk_500"), None);
}

#[test]
fn a_price_is_its_providers_own() {
    let text = "[pack]\nkind = 'purchase'\nlegs = [{ asset = 'lumees', units = 7 }]\nprices.stripe = ['price_1']\n";
    let products = load_text(text).unwrap();
    let of = |provider: &str, price: &str| products.of_price(&ProviderId::parse(provider).unwrap(), price).is_some();
    assert!(of("stripe", "price_1") && of("stripe", "pack") && of("shop", "pack") && !of("shop", "price_1"));
}

#[test]
fn what_cannot_be_sold_is_named() {
    let leg = |leg: &str| load_text(&format!("[a]\nkind = 'purchase'\nlegs = [{leg}]")).unwrap_err().to_string();
    assert_eq!(leg(""), "products.toml: a.legs: gives nothing");
    assert_eq!(leg("{ asset = 'gold', units = 1 }"), "products.toml: a.legs[0].asset: assets.toml has no gold");
    assert!(leg("{ asset = 'xp', units = 1 }").contains("what only grows cannot be paid back"));
    assert!(leg("{ asset = 'credit', units = 1 }").contains("legs[0].pool: is missing"));
    assert!(leg("{ asset = 'credit', pool = 'gift', units = 1 }").contains("has no pool gift"));
    assert!(leg("{ asset = 'lumees', pool = 'bulk', units = 1 }").contains("lumees has no pools"));
    assert!(leg("{ asset = 'lumees', units = 0 }").contains("must be 1 to 9007199254740991, is 0"));
    assert!(leg("{ asset = 'lumees', units = -1 }").contains("legs[0].units"));
    assert!(leg("{ asset = 'lumees', units = 1 }, { asset = 'lumees', units = 2 }").contains("is given twice"));
    let renewal = load_text("[a]\nkind = 'renewal'\nlegs = [{ asset = 'lumees', units = 1 }]").unwrap_err();
    assert!(renewal.to_string().contains("no pool that could be set"));
    let token = "[a]\nkind = 'renewal'\nretail_token = true\nlegs = [{ asset = 'credit', pool = 'bulk', units = 1 }]";
    assert!(load_text(token).unwrap_err().to_string().contains("a.retail_token: a renewal is issued none"));
    let two = "[a]\nkind = 'purchase'\nlegs = [{ asset = 'lumees', units = 1 }]\nprices.stripe = ['p']\n";
    let twice = load_text(&format!("{two}{}", two.replace("[a]", "[b]"))).unwrap_err().to_string();
    assert_eq!(twice, "products.toml: b.prices.stripe: p is the price of a already");
    assert!(load_text(&two.replace("purchase", "gift")).is_err());
}
