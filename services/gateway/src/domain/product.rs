//! What is sold for real money: the one place where amounts come from.

use std::collections::BTreeMap;

use auric_ids::ProviderId;

use super::Leg;

/// Everything that is sold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Products {
    /// The SHA-256 of the file, 64 hexadecimal digits.
    pub hash: String,
    products: BTreeMap<String, Product>,
    by_price: BTreeMap<(ProviderId, String), String>,
}

/// One thing that is sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// How it is given.
    pub kind: Kind,
    /// What it gives.
    pub legs: Vec<Leg>,
    /// Whether a payment for it is issued a one-time retail token, which the wallet makes.
    pub retail_token: bool,
    /// How many of it one payment may buy.
    pub quantity_max: u64,
}

/// How something is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its legs are added.
    Purchase,
    /// Its pools are set, once a period.
    Renewal,
}

impl Products {
    /// Takes the products, and which price of which provider is which of them.
    #[must_use]
    pub fn new(
        hash: String,
        products: BTreeMap<String, Product>,
        by_price: BTreeMap<(ProviderId, String), String>,
    ) -> Self {
        Self { hash, products, by_price }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.products.len()
    }

    /// Whether nothing is sold.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.products.is_empty()
    }

    /// Finds what a price buys: a price that the product lists, or the product's own name.
    #[must_use]
    pub fn of_price(&self, provider: &ProviderId, price: &str) -> Option<&Product> {
        let listed = self.by_price.get(&(provider.clone(), price.to_owned()));
        self.products.get(listed.map_or(price, String::as_str))
    }
}
