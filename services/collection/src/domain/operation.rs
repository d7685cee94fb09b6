//! What the collection does together with the wallet: an upgrade that is paid for, a dissolve that gives something.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use auric_catalog::CatalogHash;
use auric_ids::{AssetId, EspritId, PlayerId};
use auric_keys::{Canon, Field, Fingerprint, MutationKey};
use serde::{Deserialize, Serialize};

use super::{Changed, Rejection, Units};

/// Esprits that one request may dissolve.
pub const DISSOLVE_MAX: usize = 100;

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who asks, under which key.
    pub key: MutationKey,
    /// Whose collection.
    pub player: PlayerId,
    /// What is to be done.
    pub deed: Deed,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Raise an esprit by a level.
    Upgrade {
        /// Which.
        esprit: EspritId,
        /// The version that it must have; nothing means any.
        expected_version: Option<u64>,
    },
    /// Dissolve what a preview showed.
    Dissolve(Preview),
}

/// What a dissolve would do, as its player saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// 1 to [`DISSOLVE_MAX`] esprits, each once.
    pub esprits: Vec<Seen>,
    /// What they give, in the order of assets.
    pub refund: Vec<Units>,
}

/// An esprit as it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Which.
    pub esprit: EspritId,
    /// Its version then.
    pub version: u64,
}

/// What an operation does, as it was when it was begun: the wallet is told what follows from it, and no rule is asked again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What is done.
    pub kind: Kind,
    /// The esprits that it has marked, with the versions that they must still have.
    pub esprits: Vec<Seen>,
    /// What is paid, in the order of assets.
    pub cost: Vec<Units>,
    /// What is given, in the order of assets.
    pub refund: Vec<Units>,
    /// The catalog that both are by.
    pub catalog: CatalogHash,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An esprit is raised by a level.
    Upgrade,
    /// Esprits are dissolved.
    Dissolve,
}

/// What was done: the key's answer for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// What was changed.
    pub changed: Changed,
    /// The level that was reached by an upgrade.
    pub level: Option<u32>,
}

/// Why nothing was done: the key's answer for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denial {
    /// A rule of the collection said no.
    Rule(Rejection),
    /// Another service said no.
    Participant {
        /// Which.
        service: String,
        /// Its word for it.
        reason: String,
        /// Its sentence.
        message: String,
        /// What it said, by name.
        metadata: BTreeMap<String, String>,
    },
}

impl Request {
    /// Shortens what is asked, without the key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut fields: Vec<Field> = vec![("player_id", Canon::of(self.player.as_str()))];
        match &self.deed {
            Deed::Upgrade { esprit, expected_version } => {
                fields.push(("esprit_id", Canon::of(esprit.as_str())));
                fields.extend(expected_version.map(|version| ("expected_version", Canon::of(&version.to_string()))));
            }
            Deed::Dissolve(preview) => fields.push(("preview_token", Canon::of(&preview.to_string()))),
        }
        Fingerprint::of(self.deed.kind().method(), fields)
    }
}

impl Deed {
    /// What is done.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Upgrade { .. } => Kind::Upgrade,
            Self::Dissolve(_) => Kind::Dissolve,
        }
    }

    /// The esprits that it names.
    pub fn esprits(&self) -> impl Iterator<Item = &EspritId> {
        let (one, many) = match self {
            Self::Upgrade { esprit, .. } => (Some(esprit), [].as_slice()),
            Self::Dissolve(preview) => (None, preview.esprits.as_slice()),
        };
        one.into_iter().chain(many.iter().map(|seen| &seen.esprit))
    }
}

impl Kind {
    /// The name of its RPC.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Upgrade => "UpgradeEsprit",
            Self::Dissolve => "DissolveEsprits",
        }
    }

    /// The word for it, as the wallet's audit and operators have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upgrade => "upgrade",
            Self::Dissolve => "dissolve",
        }
    }
}

impl Denial {
    /// The machine's word for it.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Rule(rejection) => rejection.reason(),
            Self::Participant { reason, .. } => reason,
        }
    }
}

/// Adds up what many give, by asset; nothing when it is more than anybody can hold.
#[must_use]
pub fn sum<'a>(all: impl IntoIterator<Item = &'a Units>, most: u64) -> Option<Vec<Units>> {
    let mut sums: BTreeMap<&AssetId, u64> = BTreeMap::new();
    for Units { asset, amount } in all {
        let sum = sums.entry(asset).or_default();
        *sum = sum.checked_add(*amount).filter(|sum| *sum <= most)?;
    }
    Some(sums.into_iter().map(|(asset, amount)| Units { asset: asset.clone(), amount }).collect())
}

/// As a preview's token has it: no id has a comma, an equals sign or a semicolon.
impl fmt::Display for Preview {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let esprits: Vec<String> =
            self.esprits.iter().map(|seen| format!("{}={}", seen.esprit, seen.version)).collect();
        let refund: Vec<String> = self.refund.iter().map(|units| format!("{}={}", units.asset, units.amount)).collect();
        write!(formatter, "{};{}", esprits.join(","), refund.join(","))
    }
}

impl FromStr for Preview {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = "is no preview";
        let (esprits, refund) = text.split_once(';').ok_or(fault)?;
        let seen = |pair: &str| -> Option<Seen> {
            let (esprit, version) = pair.split_once('=')?;
            Some(Seen { esprit: esprit.parse().ok()?, version: version.parse().ok()? })
        };
        let units = |pair: &str| -> Option<Units> {
            let (asset, amount) = pair.split_once('=')?;
            Some(Units { asset: asset.parse().ok()?, amount: amount.parse().ok()? })
        };
        let esprits: Vec<Seen> = esprits.split(',').map(seen).collect::<Option<_>>().ok_or(fault)?;
        let refund = refund.split(',').map(units).collect::<Option<_>>().ok_or(fault)?;
        let different: BTreeSet<&EspritId> = esprits.iter().map(|seen| &seen.esprit).collect();
        let are_as_many_as_may_be = (1..=DISSOLVE_MAX).contains(&esprits.len());
        if different.len() != esprits.len() || !are_as_many_as_may_be {
            return Err(fault);
        }
        Ok(Self { esprits, refund })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(asset: &str, amount: u64) -> Units {
        Units { asset: asset.parse().unwrap(), amount }
    }

    fn seen(esprit: &str, version: u64) -> Seen {
        Seen { esprit: esprit.parse().unwrap(), version }
    }

    #[test]
    fn a_preview_is_read_back_and_nothing_else_is() {
        let preview = Preview {
            esprits: vec![seen("a:1.b", 7), seen("c-2", 1)],
            refund: vec![units("lumees", 500), units("stat_points_spent/hp", 85)],
        };
        assert_eq!(preview.to_string().parse(), Ok(preview));
        let many: Vec<String> = (0..=DISSOLVE_MAX).map(|number| format!("e{number}=1")).collect();
        for text in
            ["", ";", "a=1", "a;shards=5", "a=1,a=2;shards=5", "a=x;shards=5", ";shards=5", &many.join(","), "a=1;"]
        {
            assert!(text.parse::<Preview>().is_err(), "{text}");
        }
        assert!(format!("{};shards=5", many.join(",")).parse::<Preview>().is_err());
    }

    #[test]
    fn what_many_give_is_added_up_within_what_can_be_held() {
        let all = [units("shards", 5), units("lumees", 500), units("shards", 80)];
        assert_eq!(sum(&all, 100), None);
        assert_eq!(sum(&all, 500), Some(vec![units("lumees", 500), units("shards", 85)]));
        assert_eq!(sum(&[units("shards", u64::MAX), units("shards", 1)], u64::MAX), None);
    }
}
