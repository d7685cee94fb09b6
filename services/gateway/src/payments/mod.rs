//! Payment providers: how each signs, and what its events mean. A file a format; nothing here touches a wallet or a disk.

mod generic;
mod stripe;

use std::collections::BTreeMap;

use auric_ids::{EventId, ProviderId};
use serde::Deserialize;

use crate::domain::{Forged, Meaning, Scheme, Secret};

/// Everybody who may tell of payments.
pub type Providers = BTreeMap<ProviderId, Provider>;

/// The longest event that is taken.
pub const EVENT_BYTES_MAX: usize = 256 * 1024;

/// One payment provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// How it signs.
    pub scheme: Scheme,
    /// What it signs with: the secret in use, and those that it replaces.
    pub secrets: Vec<Secret>,
    /// What its events look like.
    pub format: Format,
}

/// What a provider's events look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Stripe's `event` objects.
    Stripe,
    /// Auric's own: one flat object, for shops without a format of their own.
    Generic,
}

/// Why a body that was signed is not an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoEvent(pub String);

/// What every format has: the event's own name.
#[derive(Deserialize)]
struct Named {
    id: String,
}

impl Provider {
    /// Tests the signature of a body.
    ///
    /// # Errors
    ///
    /// [`Forged`].
    pub fn verify(&self, claimed: &crate::domain::Claimed, body: &[u8]) -> Result<(), Forged> {
        claimed.verify(&self.secrets, body)
    }
}

impl Format {
    /// Reads the event's name. Call it only with bytes whose signature is right.
    ///
    /// # Errors
    ///
    /// [`NoEvent`], for the sender: it knows what it signed.
    pub fn event_id(self, body: &[u8]) -> Result<EventId, NoEvent> {
        let named: Named =
            serde_json::from_slice(body).map_err(|fault| NoEvent(format!("the body is no event: {fault}")))?;
        EventId::parse(&named.id).map_err(|fault| NoEvent(format!("id {fault}")))
    }

    /// Reads what the event says.
    pub fn meaning(self, body: &[u8]) -> Meaning {
        let read = match self {
            Self::Stripe => stripe::meaning(body),
            Self::Generic => generic::meaning(body),
        };
        read.unwrap_or_else(|fault| Meaning::Malformed { detail: fault.to_string() })
    }
}
