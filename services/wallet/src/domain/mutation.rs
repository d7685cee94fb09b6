//! One keyed request, and the fingerprint that tells whether two requests are the same.

use auric_ids::{CallerId, IdempotencyKey, TraceId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Post, canon::Canon};

/// The name of one mutation: a caller's key is the caller's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MutationKey {
    /// Who asks.
    pub caller: CallerId,
    /// Under which key.
    pub key: IdempotencyKey,
}

/// One keyed request to the wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// Its name.
    pub key: MutationKey,
    /// The trace that it came in; not part of its meaning.
    pub trace_id: TraceId,
    /// What is asked.
    pub action: Action,
}

/// What a mutation asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Apply legs, all or none.
    Post(Post),
}

/// The name of an action, as it is stored and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Method {
    /// [`Action::Post`].
    Post,
}

/// What a request means, shortened: two requests under one key must have the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// SHA-256 over the method and the canonical bytes of every field.
    pub digest: [u8; 32],
    /// A short hash of every field that is not absent, as `name=hash name=hash`, so that a mismatch can be named.
    pub fields: String,
}

impl Mutation {
    /// The player whose lane it goes through: the smallest that it touches, so that all copies agree.
    #[must_use]
    pub fn lane_key(&self) -> &str {
        match &self.action {
            Action::Post(post) => post.players().min().map_or("", |player| player.as_str()),
        }
    }

    /// Shortens what is asked: the action, without the key and the trace.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let fields = match &self.action {
            Action::Post(post) => post.canonical_fields(),
        };
        Fingerprint::of(self.action.method(), fields)
    }
}

impl Action {
    /// Its name.
    #[must_use]
    pub const fn method(&self) -> Method {
        match self {
            Self::Post(_) => Method::Post,
        }
    }
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 1] = [Self::Post];

    /// The word that is stored and shown: the RPC's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "Post",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == word)
    }
}

impl Fingerprint {
    /// Goes up when the canonical bytes of a request change; fingerprints of other versions are never equal.
    const VERSION: u8 = 1;

    /// Shortens `fields`, each a request field's name and its canonical bytes, absent ones left out.
    #[must_use]
    pub fn of(method: Method, fields: Vec<(&'static str, Canon)>) -> Self {
        let mut whole = Sha256::new();
        whole.update([Self::VERSION]);
        whole.update(Canon::default().text(method.as_str()).as_bytes());
        let mut short = Vec::new();
        for (name, bytes) in fields {
            whole.update(Canon::default().text(name).bytes(bytes.as_bytes()).as_bytes());
            let digest = Sha256::digest(bytes.as_bytes());
            short.push(format!("{name}={}", hex::encode(digest.get(..4).unwrap_or_default())));
        }
        Self { digest: whole.finalize().into(), fields: short.join(" ") }
    }

    /// The fields in which this request differs from `first`, by name, in the order of this request's fields and then of the first's.
    #[must_use]
    pub fn differing_fields(&self, first: &Self) -> Vec<String> {
        let here: Vec<&str> = self.fields.split_whitespace().collect();
        let there: Vec<&str> = first.fields.split_whitespace().collect();
        let only = |these: &[&str], those: &[&str]| -> Vec<String> {
            let missing = these.iter().filter(|field| !those.contains(field));
            missing.filter_map(|field| field.split_once('=')).map(|(name, _)| name.to_owned()).collect()
        };
        let mut names = only(&here, &there);
        for name in only(&there, &here) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}
