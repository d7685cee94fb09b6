//! One keyed request, and the fingerprint that tells whether two requests are the same.

use auric_ids::{AssetId, ClaimKey, ClaimType, PlayerId, PoolId, StatId, TraceId};
use auric_keys::{Canon, Field, Fingerprint, MutationKey};
use auric_money::Amount;
use serde::{Deserialize, Serialize};

use super::{Commit, IssueRetailToken, Note, Post, RecordPayment, RedeemRetailToken, Release, Reserve};

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

impl Mutation {
    /// Shortens what is asked: the action, without the key and the trace.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.action.method().as_str(), self.action.canonical_fields())
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
