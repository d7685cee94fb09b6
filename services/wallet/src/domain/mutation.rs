//! One keyed request, and the fingerprint that tells whether two requests are the same.

use auric_ids::{AssetId, CallerId, ClaimKey, ClaimType, IdempotencyKey, PlayerId, PoolId, StatId, TraceId};
use auric_money::Amount;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Commit, IssueRetailToken, Note, Post, RecordPayment, RedeemRetailToken, Release, Reserve, canon::Canon};

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
    /// Whether its caller may end holds that another made; not part of its meaning.
    pub ends_any_hold: bool,
    /// What is asked.
    pub action: Action,
}

/// What a mutation asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Apply legs, all or none.
    Post(Post),
    /// The same, once per guard.
    Claim(Claim),
    /// Move units from one player to another.
    Transfer(Post),
    /// Set legs aside.
    Reserve(Reserve),
    /// Take what was set aside, whole or in part.
    Commit(Commit),
    /// Give back what was set aside.
    Release(Release),
    /// Turn stat points into a higher capacity.
    SpendStatPoints(SpendStatPoints),
    /// Set a credit pool to a number of units.
    RenewCredits(RenewCredits),
    /// Act on what a payment provider told.
    RecordPayment(RecordPayment),
    /// Make a retail token.
    IssueRetailToken(IssueRetailToken),
    /// Use a retail token up.
    RedeemRetailToken(RedeemRetailToken),
    /// Make sure that the request of this key never happens.
    Void,
}

/// A posting that is made at most once per guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The guard.
    pub guard: Guard,
    /// The reward.
    pub post: Post,
}

/// What a claim is guarded by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guard {
    /// Whose reward.
    pub player: PlayerId,
    /// What kind of reward.
    pub claim_type: ClaimType,
    /// Which one of its kind.
    pub claim_key: ClaimKey,
}

/// Stat points to spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendStatPoints {
    /// Whose.
    pub player: PlayerId,
    /// On what.
    pub stat: StatId,
    /// How many.
    pub points: Amount,
    /// Why.
    pub note: Note,
}

/// A credit pool to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewCredits {
    /// Whose.
    pub player: PlayerId,
    /// Of what.
    pub asset: AssetId,
    /// Which pool.
    pub pool: PoolId,
    /// To how many units; 0 empties it. At most [`Amount::MAX_UNITS`].
    pub units: u64,
    /// Why.
    pub note: Note,
}

/// What a request means, shortened: two requests under one key must have the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// SHA-256 over the method and the canonical bytes of every field.
    pub digest: [u8; 32],
    /// A short hash of every field that is not absent, as `name=hash name=hash`, so that a mismatch can be named.
    pub fields: String,
}

/// A request field's name and its canonical bytes.
pub type Field = (&'static str, Canon);

impl Mutation {
    /// Shortens what is asked: the action, without the key and the trace.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.action.method(), self.action.canonical_fields())
    }

    /// The player whose lane it goes through: the smallest that it names, so that all copies agree. A hold verb without a player goes
    /// through the lane of its hold, and so the use of a retail token.
    #[must_use]
    pub fn lane_key(&self) -> &str {
        let thing = match &self.action {
            Action::Commit(commit) => commit.hold.as_str(),
            Action::Release(release) => release.hold.as_str(),
            Action::RedeemRetailToken(redeem) => redeem.token.as_str(),
            _ => self.key.key.as_str(),
        };
        self.action.players().into_iter().min().map_or(thing, PlayerId::as_str)
    }
}

impl Action {
    /// The players that the request names, with repetitions; a hold verb's others are known only from the hold.
    #[must_use]
    pub fn players(&self) -> Vec<&PlayerId> {
        match self {
            Self::Post(post) | Self::Transfer(post) => post.players().collect(),
            Self::Claim(claim) => claim.post.players().chain([&claim.guard.player]).collect(),
            Self::Reserve(reserve) => reserve.players().collect(),
            Self::Commit(Commit { player, .. }) | Self::Release(Release { player, .. }) => player.iter().collect(),
            Self::SpendStatPoints(spend) => vec![&spend.player],
            Self::RenewCredits(renew) => vec![&renew.player],
            Self::RecordPayment(record) => vec![&record.player],
            Self::IssueRetailToken(issue) => vec![&issue.player],
            Self::RedeemRetailToken(_) | Self::Void => Vec::new(),
        }
    }

    /// Why, for the audit; a hold's end has the reason of its beginning.
    #[must_use]
    pub const fn note(&self) -> Option<&Note> {
        match self {
            Self::Post(post) | Self::Transfer(post) => Some(&post.note),
            Self::Claim(claim) => Some(&claim.post.note),
            Self::Reserve(reserve) => Some(&reserve.note),
            Self::SpendStatPoints(spend) => Some(&spend.note),
            Self::RenewCredits(renew) => Some(&renew.note),
            Self::RecordPayment(record) => Some(&record.note),
            Self::IssueRetailToken(issue) => Some(&issue.note),
            Self::Commit(_) | Self::Release(_) | Self::RedeemRetailToken(_) | Self::Void => None,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn method(&self) -> Method {
        match self {
            Self::Post(_) => Method::Post,
            Self::Claim(_) => Method::Claim,
            Self::Transfer(_) => Method::Transfer,
            Self::Reserve(_) => Method::Reserve,
            Self::Commit(_) => Method::Commit,
            Self::Release(_) => Method::Release,
            Self::SpendStatPoints(_) => Method::SpendStatPoints,
            Self::RenewCredits(_) => Method::RenewCredits,
            Self::RecordPayment(_) => Method::RecordPayment,
            Self::IssueRetailToken(_) => Method::IssueRetailToken,
            Self::RedeemRetailToken(_) => Method::RedeemRetailToken,
            Self::Void => Method::VoidMutation,
        }
    }

    fn canonical_fields(&self) -> Vec<Field> {
        match self {
            Self::Post(post) | Self::Transfer(post) => post.canonical_fields(),
            Self::Claim(Claim { guard, post }) => {
                let mut fields = vec![
                    ("player_id", Canon::of(guard.player.as_str())),
                    ("claim_type", Canon::of(guard.claim_type.as_str())),
                    ("claim_key", Canon::of(guard.claim_key.as_str())),
                ];
                fields.extend(post.canonical_fields());
                fields
            }
            Self::Reserve(reserve) => reserve.canonical_fields(),
            Self::Commit(commit) => commit.canonical_fields(),
            Self::Release(release) => vec![("hold_id", Canon::of(release.hold.as_str()))],
            Self::SpendStatPoints(spend) => {
                let mut points = Canon::default();
                points.units(spend.points.units());
                let player = ("player_id", Canon::of(spend.player.as_str()));
                let mut fields = vec![player, ("stat_id", Canon::of(spend.stat.as_str())), ("points", points)];
                fields.extend(spend.note.canonical_fields());
                fields
            }
            Self::RenewCredits(renew) => {
                let mut units = Canon::default();
                units.units(renew.units);
                let mut fields = vec![
                    ("player_id", Canon::of(renew.player.as_str())),
                    ("asset_id", Canon::of(renew.asset.as_str())),
                    ("pool_id", Canon::of(renew.pool.as_str())),
                    ("units", units),
                ];
                fields.extend(renew.note.canonical_fields());
                fields
            }
            Self::RecordPayment(record) => record.canonical_fields(),
            Self::IssueRetailToken(issue) => issue.canonical_fields(),
            Self::RedeemRetailToken(redeem) => redeem.canonical_fields(),
            Self::Void => Vec::new(),
        }
    }
}

/// Makes the names of the actions, as they are stored and shown: the RPC's names.
macro_rules! methods {
    ($($method:ident),+) => {
        /// The name of an action, as it is stored and shown: the RPC's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "each is the name of an RPC, whose documentation is in proto/")]
        pub enum Method { $($method),+ }

        impl Method {
            /// Every method.
            pub const ALL: &[Self] = &[$(Self::$method),+];

            /// The word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$method => stringify!($method)),+ }
            }
        }
    };
}

methods!(
    Post,
    Claim,
    Transfer,
    Reserve,
    Commit,
    Release,
    SpendStatPoints,
    RenewCredits,
    RecordPayment,
    IssueRetailToken,
    RedeemRetailToken,
    VoidMutation
);

impl Method {
    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|method| method.as_str() == word)
    }
}

impl Fingerprint {
    /// Goes up when the canonical bytes of a request change; fingerprints of other versions are never equal.
    const VERSION: u8 = 1;

    /// Shortens `fields`, absent ones left out.
    #[must_use]
    pub fn of(method: Method, fields: Vec<Field>) -> Self {
        let mut whole = Sha256::new();
        whole.update([Self::VERSION]);
        whole.update(Canon::of(method.as_str()).as_bytes());
        let mut short = Vec::new();
        for (name, bytes) in fields {
            whole.update(Canon::of(name).bytes(bytes.as_bytes()).as_bytes());
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
