//! The monolith: a summon as one transaction over one database, behind the same gRPC stack.
//!
//! It is what summons are held against: what they would cost if nothing was ever to be in a service of its own. It draws with the summon service's
//! own domain, checks funds, keeps the audit's chain, the counters and the log of pulls, and answers a key once. What it leaves out is what only two
//! phases need, and free summons and limits, which the measured banner does not have.

mod decide;
mod line;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use auric_db::StoreError;
use auric_ids::{AssetId, OperationId, TraceId};
use auric_keys::Fingerprint;
use auric_summon::domain::{
    Ask, BadField, Banner, Banners, CostOption, Pity, Plan, Price, SUMMON, Seeds, Unstored, Wanted,
};
use auric_time::Timestamp;
use rand::Rng as _;
use thiserror::Error;

use crate::store::MonolithStore;

pub use decide::{Answer, Delivery, Refusal, What, Written, decide};

/// How often a summon is run whose key was used by another one meanwhile.
const RUNS_MAX: u32 = 3;

/// What the monolith is started with.
#[derive(Clone, Debug)]
pub struct MonolithConfig {
    /// Its PostgreSQL.
    pub database: String,
    /// The folder of its catalog.
    pub catalog: PathBuf,
    /// Connections at most.
    pub connections_max: u32,
}

/// A player, locked.
#[derive(Clone, Debug)]
pub struct Player {
    /// What draws come from.
    pub seeds: Seeds,
    /// Summons that were drawn from them.
    pub nonce: u64,
    /// The newest entry's number.
    pub last_number: u64,
    /// The newest entry's hash.
    pub last_hash: [u8; 32],
    /// A player's time never goes back.
    pub last_time: Timestamp,
    /// Esprits that were ever delivered.
    pub esprits: u64,
}

/// A key that was used.
#[derive(Clone, Debug)]
pub struct Known {
    /// What was asked.
    pub fingerprint: Fingerprint,
    /// What was answered.
    pub answer: Answer,
}

/// All that a summon depends on.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The database's clock, and never before the player's time.
    pub now: Timestamp,
    /// The player.
    pub player: Player,
    /// The key, if it was used.
    pub known: Option<Known>,
    /// Units of the asset that is asked for.
    pub available: u64,
    /// How far the player has come in the banner's group.
    pub pity: Pity,
    /// Pulls in the log of that group.
    pub pulls: u64,
}

/// The answer to a summon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summoned {
    /// The answer.
    pub answer: Answer,
    /// Whether it was given before.
    pub replayed: bool,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum Failed {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The request does not fit; nothing was done.
    #[error("the request does not fit")]
    Unstored(Unstored),
}

/// The service.
#[derive(Debug)]
pub struct Monolith {
    store: MonolithStore,
    banners: Banners,
}

/// A banner, and how it is paid.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The catalog in force.
    pub banners: &'a Banners,
    /// From which banner.
    pub banner: &'a Banner,
    /// By which option.
    pub cost: &'a CostOption,
    /// What all pulls together cost.
    pub asset: &'a AssetId,
}

impl Monolith {
    /// Loads the catalog, and makes the tables.
    ///
    /// # Errors
    ///
    /// The catalog is invalid, or the database cannot be used.
    pub async fn open(config: &MonolithConfig) -> Result<Self> {
        let banners = load(&config.catalog)?;
        let store = MonolithStore::open(&config.database, config.connections_max).await;
        Ok(Self { store: store.context("the monolith's database cannot be used")?, banners })
    }

    /// Whether it can serve now.
    ///
    /// # Errors
    ///
    /// What is missing, for a person.
    pub async fn ready(&self) -> Result<(), String> {
        self.store.ping().await.map_err(|error| error.to_string())
    }

    /// Lets go of the database.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Summons, or finds the answer that the key has.
    ///
    /// # Errors
    ///
    /// [`Failed`]: nothing is known to be done.
    pub async fn summon(&self, ask: &Ask, trace_id: &TraceId) -> Result<Summoned, Failed> {
        let mut runs = 1;
        let summoned = loop {
            match self.run(ask, trace_id).await {
                Err(Failed::Store(StoreError::Contended(..))) if runs < RUNS_MAX => runs += 1,
                ended => break ended,
            }
        };
        line::log(ask, trace_id, &summoned);
        summoned
    }

    async fn run(&self, ask: &Ask, trace_id: &TraceId) -> Result<Summoned, Failed> {
        let offer = self.find(ask).map_err(Failed::Unstored)?;
        let (operation, fresh_seed) = draw_names();
        let reads = (offer.asset.as_str(), offer.banner.group.id.as_str());
        let (opened, transaction) = self.store.begin(ask, reads, fresh_seed).await?;
        if let Some(known) = opened.known {
            let fields = ask.fingerprint().differing_fields(&known.fingerprint);
            if ask.fingerprint() != known.fingerprint {
                return Err(Failed::Unstored(Unstored::KeyReused { fields, first_method: SUMMON }));
            }
            return Ok(Summoned { answer: known.answer, replayed: true });
        }
        let written = decide(ask, offer, &opened, operation, trace_id)?;
        transaction.commit(ask, &written).await?;
        Ok(Summoned { answer: written.answer, replayed: false })
    }

    fn find(&self, ask: &Ask) -> Result<Offer<'_>, Unstored> {
        let Some(banner) = self.banners.get(&ask.banner) else {
            return Err(Unstored::BannerNotFound(ask.banner.clone()));
        };
        let invalid = |path, fault: &str| Unstored::Invalid(BadField { path, fault: fault.to_owned() });
        let Wanted::Pulls { cost, count } = &ask.wanted else {
            return Err(invalid("species_id", "is not drawn, and the monolith does nothing else"));
        };
        let named = match cost {
            Some(id) => banner.cost(id),
            None => banner.costs.first(),
        };
        let cost = named.ok_or_else(|| invalid("cost_id", "is no cost option of the banner"))?;
        if !banner.allows(cost, *count) {
            return Err(invalid("count", "is no count of the banner by this cost option"));
        }
        if banner.limit.is_some() {
            return Err(invalid("banner_id", "has a limit, which the monolith does not count"));
        }
        match cost.total(*count) {
            Some((asset, _)) => Ok(Offer { banners: &self.banners, banner, cost, asset }),
            None => Err(invalid("cost_id", "is free, and the monolith summons for units only")),
        }
    }

    /// The store, for tests that look into it.
    #[cfg(test)]
    pub fn store(&self) -> &MonolithStore {
        &self.store
    }
}

impl Offer<'_> {
    /// What `count` pulls cost.
    pub fn price(&self, count: u32) -> Option<Price> {
        self.cost.total(count).map(|(asset, amount)| Price { asset: asset.clone(), amount })
    }

    /// What a summon of `count` pulls does.
    pub fn plan(&self, count: u32) -> Plan {
        Plan {
            banner: self.banner.id.clone(),
            cost: Some(self.cost.id.clone()),
            spark: None,
            count,
            price: self.price(count),
            group: self.banner.group.id.clone(),
            catalog: self.banners.hash,
            esprits: self.banners.esprits_hash,
            epoch: None,
        }
    }
}

fn load(catalog: &Path) -> Result<Banners> {
    Ok(auric_summon::catalog::load(catalog).context("the catalog is invalid")?.banners)
}

/// Draws an operation's name, and a seed for a player who has none.
fn draw_names() -> (OperationId, [u8; 32]) {
    let (mut name, mut seed) = ([0; 16], [0; 32]);
    let mut rng = rand::rng();
    rng.fill_bytes(&mut name);
    rng.fill_bytes(&mut seed);
    let operation = OperationId::parse(&hex::encode(name));
    (operation.unwrap_or_else(|_| unreachable!("32 hexadecimal digits are an operation's name")), seed)
}
