//! The gateway's deployment settings. Prices are not here: they are `products.toml` of the catalog.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use auric_client::ClientConfig;
use auric_db::PostgresSettings;
use auric_ids::ProviderId;
use serde::de::{self, Deserializer};
use serde::{Deserialize, de::Visitor};

use crate::StartError;
use crate::domain::{Encoding, HmacScheme, SECRETS_MAX, Scheme, Secret, TOLERANCE_DEFAULT};
use crate::payments::{Format, Provider, Providers};

/// The header of a plain HMAC where none is named.
const HMAC_HEADER: &str = "x-auric-signature";

/// What stands before a plain HMAC where nothing else is said.
const HMAC_PREFIX: &str = "sha256=";

/// The longest tolerance: a signature that is good for longer is no protection against one that was seen.
const TOLERANCE_MAX_SECONDS: u64 = 3_600;

/// How one copy of the gateway is set up.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// `sqlite:///path/to/gateway.db` or `postgres://user@host/database`.
    pub database: String,
    /// The folder of the catalog.
    pub catalog: PathBuf,
    /// The way to the wallet.
    pub wallet: ClientConfig,
    /// Who may tell of payments, and how they sign.
    pub providers: BTreeMap<ProviderId, ProviderConfig>,
    /// Connections to PostgreSQL at most.
    pub connections_max: Option<u32>,
    /// `false` behind a pooler in transaction mode.
    pub named_statements: Option<bool>,
    /// How events are applied.
    pub worker: WorkerConfig,
}

/// How one provider signs, and with what.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// How it signs and what its events look like; absent: `stripe` for the provider of that name, else `hmac`.
    #[serde(default)]
    pub scheme: Option<SchemeWord>,
    /// The secrets: the one in use, and those that it replaces.
    #[serde(default)]
    pub secrets: Secrets,
    /// `stripe`: how old a signature may be, in seconds.
    #[serde(default)]
    pub tolerance_seconds: Option<u64>,
    /// `hmac`: the header of the signature.
    #[serde(default)]
    pub header: Option<String>,
    /// `hmac`: what stands before the signature in the header.
    #[serde(default)]
    pub prefix: Option<String>,
    /// `hmac`: how the signature is written.
    #[serde(default)]
    pub encoding: Option<EncodingWord>,
}

/// A scheme's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemeWord {
    /// Stripe's.
    Stripe,
    /// HMAC-SHA256 over the body, and Auric's own events.
    Hmac,
}

/// An encoding's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EncodingWord {
    /// Hexadecimal digits.
    Hex,
    /// Base64.
    Base64,
}

/// Secrets: a list, or one text with commas between them, as a variable has it. They are never shown.
#[derive(Clone, Debug, Default)]
pub struct Secrets(pub Vec<Secret>);

/// How events are applied.
#[derive(Clone, Copy, Debug)]
pub struct WorkerConfig {
    /// Events that one copy applies at the same time.
    pub parallel_max: NonZeroU16,
    /// How long a copy has an event to itself; one that dies leaves it to the others after that.
    pub lease: Duration,
    /// How often a copy looks for what others left.
    pub poll: Duration,
    /// The longest pause before an event is tried again.
    pub backoff_max: Duration,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            parallel_max: NonZeroU16::new(16).unwrap_or(NonZeroU16::MIN),
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            backoff_max: Duration::from_secs(30),
        }
    }
}

impl GatewayConfig {
    /// The smallest set-up: a database, a catalog, and the wallet's URL.
    #[must_use]
    pub fn new(database: impl Into<String>, catalog: impl Into<PathBuf>, wallet: ClientConfig) -> Self {
        Self {
            database: database.into(),
            catalog: catalog.into(),
            wallet,
            providers: BTreeMap::new(),
            connections_max: None,
            named_statements: None,
            worker: WorkerConfig::default(),
        }
    }

    /// How PostgreSQL is connected to.
    pub(crate) fn postgres(&self) -> PostgresSettings {
        let defaults = PostgresSettings::default();
        PostgresSettings {
            connections_max: self.connections_max.unwrap_or(defaults.connections_max),
            named_statements: self.named_statements.unwrap_or(defaults.named_statements),
        }
    }

    /// Who may tell of payments.
    ///
    /// # Errors
    ///
    /// [`StartError::Config`] with the key; never with a secret.
    pub fn providers(&self) -> Result<Providers, StartError> {
        if self.providers.is_empty() {
            let reason = "none is configured: nobody could tell of a payment".to_owned();
            return Err(StartError::Config { key: "gateway.providers".to_owned(), reason });
        }
        let provider = |(id, config): (&ProviderId, &ProviderConfig)| Ok((id.clone(), config.provider(id)?));
        self.providers.iter().map(provider).collect()
    }
}

impl ProviderConfig {
    fn provider(&self, id: &ProviderId) -> Result<Provider, StartError> {
        let fault =
            |key: &str, reason: String| StartError::Config { key: format!("gateway.providers.{id}.{key}"), reason };
        let secrets = self.secrets.0.clone();
        if secrets.is_empty() || secrets.len() > SECRETS_MAX {
            return Err(fault("secrets", format!("1 to {SECRETS_MAX} are wanted, {} are given", secrets.len())));
        }
        let by_name = if id.as_str() == "stripe" { SchemeWord::Stripe } else { SchemeWord::Hmac };
        let is_stripe = self.scheme.unwrap_or(by_name) == SchemeWord::Stripe;
        let unfit = |key: &str, is_given: bool| {
            if is_given { Err(fault(key, "is no setting of this scheme".to_owned())) } else { Ok(()) }
        };
        if is_stripe {
            unfit("header", self.header.is_some())?;
            unfit("prefix", self.prefix.is_some())?;
            unfit("encoding", self.encoding.is_some())?;
            let tolerance = self.tolerance_seconds.map_or(TOLERANCE_DEFAULT, Duration::from_secs);
            if tolerance.is_zero() || tolerance.as_secs() > TOLERANCE_MAX_SECONDS {
                let reason = format!("must be 1 to {TOLERANCE_MAX_SECONDS}, is {}", tolerance.as_secs());
                return Err(fault("tolerance_seconds", reason));
            }
            return Ok(Provider { scheme: Scheme::Stripe { tolerance }, secrets, format: Format::Stripe });
        }
        unfit("tolerance_seconds", self.tolerance_seconds.is_some())?;
        let header = self.header.clone().unwrap_or_else(|| HMAC_HEADER.to_owned()).to_ascii_lowercase();
        if http::HeaderName::from_bytes(header.as_bytes()).is_err() {
            return Err(fault("header", format!("{header:?} is no name of a header")));
        }
        let prefix = self.prefix.clone().unwrap_or_else(|| HMAC_PREFIX.to_owned());
        let encoding = match self.encoding.unwrap_or(EncodingWord::Hex) {
            EncodingWord::Hex => Encoding::Hex,
            EncodingWord::Base64 => Encoding::Base64,
        };
        Ok(Provider { scheme: Scheme::Hmac(HmacScheme { header, prefix, encoding }), secrets, format: Format::Generic })
    }
}

impl<'de> Deserialize<'de> for Secrets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretsVisitor)
    }
}

struct SecretsVisitor;

impl<'de> Visitor<'de> for SecretsVisitor {
    type Value = Secrets;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("secrets, as a list or with commas between them")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Secrets, E> {
        // A comma at the end is no secret; neither is nothing at all.
        Ok(Secrets(text.split(',').filter_map(Secret::new).collect()))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Secrets, A::Error> {
        let mut secrets = Vec::new();
        while let Some(text) = list.next_element::<String>()? {
            secrets.push(Secret::new(&text).ok_or_else(|| de::Error::custom("a secret is empty"))?);
        }
        Ok(Secrets(secrets))
    }
}
