//! From what an event says to what the wallet is told, or to why it is told nothing.

use std::collections::BTreeMap;

use auric_ids::{ObjectId, PlayerId, ProviderId};

use super::{Effect, Item, Kind, Leg, Meaning, Payment, Product, Products};

/// What becomes of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The wallet is told.
    Pay(Payment),
    /// The wallet need not know.
    Ignore(Ignored),
    /// It is set aside where an operator sees it.
    Park(Park),
}

/// Why the wallet need not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// The type of event tells of no payment.
    NoPayment,
    /// It is not paid yet; another event will tell.
    NotPaid,
    /// Another event tells of the same payment.
    ToldByAnother,
}

impl Ignored {
    /// Names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoPayment => "NO_PAYMENT",
            Self::NotPaid => "NOT_PAID",
            Self::ToldByAnother => "TOLD_BY_ANOTHER",
        }
    }
}

/// An event that is set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Park {
    /// Why.
    pub reason: Parked,
    /// The same for a person.
    pub detail: String,
    /// The payment that it waits for, where there is one.
    pub waits_for: Option<ObjectId>,
}

/// Why an event is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parked {
    /// Nobody has said what this type of event means.
    EventUnknown,
    /// The event is not as its type should be.
    EventMalformed,
    /// No product has this price.
    PriceUnknown,
    /// More of a product than one payment may buy.
    QuantityAboveMaximum,
    /// The event names no player, or what is no player's name.
    PlayerUnknown,
    /// A refund or a dispute of what was not paid here; it goes on by itself when the payment arrives.
    ObjectUnknown,
    /// What only a person can decide.
    Undecidable,
    /// The wallet refused it.
    WalletRefused,
}

impl Parked {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::EventUnknown,
        Self::EventMalformed,
        Self::PriceUnknown,
        Self::QuantityAboveMaximum,
        Self::PlayerUnknown,
        Self::ObjectUnknown,
        Self::Undecidable,
        Self::WalletRefused,
    ];

    /// Names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventUnknown => "EVENT_UNKNOWN",
            Self::EventMalformed => "EVENT_MALFORMED",
            Self::PriceUnknown => "PRICE_UNKNOWN",
            Self::QuantityAboveMaximum => "QUANTITY_ABOVE_MAXIMUM",
            Self::PlayerUnknown => "PLAYER_UNKNOWN",
            Self::ObjectUnknown => "OBJECT_UNKNOWN",
            Self::Undecidable => "UNDECIDABLE",
            Self::WalletRefused => "WALLET_REFUSED",
        }
    }

    /// Sets an event aside.
    pub fn because(self, detail: impl Into<String>) -> Park {
        Park { reason: self, detail: detail.into(), waits_for: None }
    }
}

/// Decides what becomes of an event; `sale` is the payment of its object, where one has arrived.
#[must_use]
pub fn decide(provider: &ProviderId, meaning: Meaning, products: &Products, sale: Option<&Payment>) -> Decision {
    let decided = match meaning {
        Meaning::NoEffect(ignored) => return Decision::Ignore(ignored),
        Meaning::Unknown { event_type } => {
            Err(Parked::EventUnknown.because(format!("nobody has said what {event_type} means")))
        }
        Meaning::Malformed { detail } => Err(Parked::EventMalformed.because(detail)),
        Meaning::Undecidable { detail } => Err(Parked::Undecidable.because(detail)),
        Meaning::Sale { object, player, items, period_seconds } => {
            sold(provider, products, player, &object, (&items, period_seconds))
        }
        Meaning::Refund { object, player, share } => taken_back(&object, player, sale, Effect::Refund { share }),
        Meaning::Dispute { object, player, share, state } => {
            taken_back(&object, player, sale, Effect::Dispute { share, state })
        }
    };
    decided.map_or_else(Decision::Park, Decision::Pay)
}

fn sold(
    provider: &ProviderId,
    products: &Products,
    player: Option<String>,
    object: &str,
    (items, period_seconds): (&[Item], Option<i64>),
) -> Result<Payment, Park> {
    let player = player.ok_or_else(|| Parked::PlayerUnknown.because("the event names no player"))?;
    let (player, object) = (player_of(&player)?, object_of(object)?);
    let mut bought: Vec<(&Product, u64)> = Vec::new();
    for Item { price, quantity } in items {
        let product = products.of_price(provider, price);
        let product = product.ok_or_else(|| {
            Parked::PriceUnknown.because(format!("no product of products.toml has the price {price}"))
        })?;
        if *quantity == 0 || *quantity > product.quantity_max {
            let most = product.quantity_max;
            let detail = format!("{quantity} of {price} were bought, 1 to {most} may be");
            return Err(Parked::QuantityAboveMaximum.because(detail));
        }
        bought.push((product, *quantity));
    }
    let Some((first, _)) = bought.first() else {
        return Err(Parked::EventMalformed.because("nothing was bought"));
    };
    let kind = first.kind;
    if bought.iter().any(|(product, _)| product.kind != kind) {
        return Err(Parked::Undecidable.because("one payment for what is added and for what is set"));
    }
    let legs = sum(&bought);
    let effect = match (kind, period_seconds) {
        (Kind::Purchase, _) => {
            let retail_token = bought.iter().any(|(product, _)| product.retail_token);
            Effect::Purchase { legs, retail_token }
        }
        (Kind::Renewal, Some(period_seconds)) => Effect::Renewal { legs, period_seconds },
        (Kind::Renewal, None) => return Err(Parked::EventMalformed.because("a renewal without a period")),
    };
    Ok(Payment { player, object, effect })
}

fn sum(bought: &[(&Product, u64)]) -> Vec<Leg> {
    let mut units: BTreeMap<_, u64> = BTreeMap::new();
    for (product, quantity) in bought {
        for leg in &product.legs {
            let sum = units.entry((leg.asset.clone(), leg.pool.clone())).or_default();
            *sum = sum.saturating_add(leg.units.saturating_mul(*quantity));
        }
    }
    units.into_iter().map(|((asset, pool), units)| Leg { asset, pool, units }).collect()
}

/// A refund or a dispute of what was not paid yet waits, unless it says whose it is: the wallet takes the two in any order.
fn taken_back(object: &str, player: Option<String>, sale: Option<&Payment>, effect: Effect) -> Result<Payment, Park> {
    if let Some(sale) = sale {
        return Ok(Payment { player: sale.player.clone(), object: sale.object.clone(), effect });
    }
    let object = object_of(object)?;
    let Some(player) = player else {
        let park = Parked::ObjectUnknown.because(format!("no payment of {object} has arrived yet"));
        return Err(Park { waits_for: Some(object), ..park });
    };
    Ok(Payment { player: player_of(&player)?, object, effect })
}

fn player_of(text: &str) -> Result<PlayerId, Park> {
    PlayerId::parse(text).map_err(|fault| Parked::PlayerUnknown.because(format!("player_id {fault}")))
}

fn object_of(text: &str) -> Result<ObjectId, Park> {
    ObjectId::parse(text).map_err(|fault| Parked::EventMalformed.because(format!("the object's id {fault}")))
}
