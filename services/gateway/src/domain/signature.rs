//! Whether bytes come from whom they say: a keyed hash over the raw body, tested before anybody reads what the body says.
//!
//! One HMAC a secret, whatever the header holds; what can be refused without one is.

use std::time::Duration;

use auric_time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Secrets that one provider may have: the one in use, and those that it replaces.
pub const SECRETS_MAX: usize = 4;

/// How old a signature may be where nothing else is said, or how far ahead of our clock.
pub const TOLERANCE_DEFAULT: Duration = Duration::from_mins(5);

/// The longest signature header that is looked at.
const HEADER_BYTES_MAX: usize = 1_024;

/// Signatures that one header may hold: a provider sends one for each of its active secrets.
const SIGNATURES_MAX: usize = 8;

/// What a provider and we both know. It is never shown.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes the secret's bytes; an empty one is none.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let bytes = text.trim().as_bytes();
        (!bytes.is_empty()).then(|| Self(bytes.to_vec()))
    }

    fn keyed(&self) -> Option<Hmac<Sha256>> {
        Hmac::<Sha256>::new_from_slice(&self.0).ok()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("…")
    }
}

/// How a provider signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `Stripe-Signature: t=SECONDS,v1=HEX[,v1=HEX…]`, over the seconds, a dot, and the body.
    ///
    /// # Source
    ///
    /// Stripe, *Verify webhook signatures manually*.
    Stripe {
        /// How far the seconds may be from our clock, either way.
        tolerance: Duration,
    },
    /// A header with the HMAC-SHA256 of the body.
    Hmac(HmacScheme),
}

/// Where a plain HMAC-SHA256 stands, and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HmacScheme {
    /// The header's name, in lower case.
    pub header: String,
    /// What stands before the signature, such as `sha256=`.
    pub prefix: String,
    /// How the signature is written.
    pub encoding: Encoding,
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Two digits a byte.
    Hex,
    /// Base64 with padding.
    Base64,
}

/// Why bytes are not believed. Whoever sent them is not told which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forged {
    /// There is no signature, or none that could be one.
    Malformed,
    /// It was made too long ago, or too far ahead.
    Stale,
    /// No secret of ours makes it.
    Unknown,
}

impl Forged {
    /// Names it, for metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Stale => "stale",
            Self::Unknown => "unknown",
        }
    }
}

/// A signature header that could be right, and is not compared yet.
#[derive(Debug)]
pub struct Claimed {
    /// What is signed before the body.
    prefix: Vec<u8>,
    signatures: Vec<Vec<u8>>,
}

impl Scheme {
    /// The header that holds the signature, in lower case.
    #[must_use]
    pub fn header(&self) -> &str {
        match self {
            Self::Stripe { .. } => "stripe-signature",
            Self::Hmac(scheme) => &scheme.header,
        }
    }

    /// Reads the header, before the body is: what cannot be right costs no more.
    ///
    /// # Errors
    ///
    /// [`Forged::Malformed`] and [`Forged::Stale`].
    pub fn claim(&self, header: Option<&[u8]>, now: Timestamp) -> Result<Claimed, Forged> {
        let header = header.filter(|header| header.len() <= HEADER_BYTES_MAX).ok_or(Forged::Malformed)?;
        let header = std::str::from_utf8(header).map_err(|_| Forged::Malformed)?;
        match self {
            Self::Stripe { tolerance } => stripe(header, *tolerance, now),
            Self::Hmac(scheme) => {
                let text = header.trim().strip_prefix(&scheme.prefix).ok_or(Forged::Malformed)?;
                let signature = scheme.encoding.read(text).ok_or(Forged::Malformed)?;
                Ok(Claimed { prefix: Vec::new(), signatures: vec![signature] })
            }
        }
    }
}

impl Claimed {
    /// Compares with what each secret makes of the body, in constant time.
    ///
    /// # Errors
    ///
    /// [`Forged::Unknown`].
    pub fn verify(&self, secrets: &[Secret], body: &[u8]) -> Result<(), Forged> {
        let is_made_by = |secret: &Secret| {
            let Some(mut keyed) = secret.keyed() else { return false };
            keyed.update(&self.prefix);
            keyed.update(body);
            let made = keyed;
            self.signatures.iter().any(|signature| made.clone().verify_slice(signature).is_ok())
        };
        if secrets.iter().take(SECRETS_MAX).any(is_made_by) { Ok(()) } else { Err(Forged::Unknown) }
    }
}

fn stripe(header: &str, tolerance: Duration, now: Timestamp) -> Result<Claimed, Forged> {
    let mut time = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", seconds)) if time.is_none() => time = Some(seconds),
            Some(("v1", signature)) if signatures.len() < SIGNATURES_MAX => {
                signatures.push(Encoding::Hex.read(signature).ok_or(Forged::Malformed)?);
            }
            None | Some(("t", _)) => return Err(Forged::Malformed),
            // Other versions are made for others: a `v0` is of test events.
            Some(_) => {}
        }
    }
    let text = time.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let text = text.ok_or(Forged::Malformed)?;
    let seconds: i64 = text.parse().map_err(|_| Forged::Malformed)?;
    if signatures.is_empty() {
        return Err(Forged::Malformed);
    }
    let made_at = Timestamp::from_micros(seconds.saturating_mul(1_000_000));
    let away_micros = now.micros_since(made_at).max(made_at.micros_since(now));
    if Duration::from_micros(away_micros) > tolerance {
        return Err(Forged::Stale);
    }
    // The text itself was signed: a number that is written otherwise is another text.
    Ok(Claimed { prefix: format!("{text}.").into_bytes(), signatures })
}

impl Encoding {
    /// Reads 32 bytes.
    fn read(self, text: &str) -> Option<Vec<u8>> {
        let bytes = match self {
            Self::Hex => hex::decode(text).ok()?,
            Self::Base64 => STANDARD.decode(text).ok()?,
        };
        (bytes.len() == 32).then_some(bytes)
    }
}
