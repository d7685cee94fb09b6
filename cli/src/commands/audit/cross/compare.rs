//! Whether the ends of one operation agree: paid if and only if delivered. Pure, so that every combination can be tested.

use auric_api::participant::v1::ParticipationState;
use auric_api::wallet::v1::HoldState;

/// What the coordinator's log says of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub operation_id: String,
    pub player_id: String,
    /// `preparing`, `committing`, `aborting`, `committed` or `aborted`.
    pub state: String,
    /// `commit`, `refuse` or `give_up`; empty until it is decided.
    pub decision: String,
    /// What it costs, where it is not free.
    pub price: Option<Price>,
    /// How many esprits it delivers.
    pub esprits: usize,
}

/// So many units of an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    pub asset_id: String,
    pub units: i64,
}

/// What the wallet has under the operation's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub state: HoldState,
    /// Whose units it takes; empty for one that was never made.
    pub player_id: String,
    /// What was taken; nothing unless it was committed.
    pub taken: Option<Price>,
}

/// What the collection has under the operation's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub state: ParticipationState,
    pub player_id: String,
    /// How many esprits were delivered; none unless it was committed.
    pub esprits: usize,
}

/// The three ends of one operation; what is [`None`] is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    pub told: Told,
    pub hold: Option<Hold>,
    pub part: Option<Part>,
}

/// How the ends stand to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Agree,
    /// It is not done, so that they need not agree yet.
    Pending,
    /// One line for each end that differs.
    Differ(Vec<Difference>),
}

/// An end that is not as the operation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub kind: Kind,
    pub message: String,
}

/// Which end differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// The state of the operation is not that of its decision.
    DecisionDiffers,
    /// The wallet's end is not as the operation says.
    HoldDiffers,
    /// The collection's end is not as the operation says.
    PartDiffers,
    /// An esprit is not what the collection's log made of it.
    EspritDiffers,
    /// Something is held for an operation that nobody knows.
    HoldWithoutOperation,
    /// Something is promised or delivered for an operation that nobody knows.
    PartWithoutOperation,
}

impl Kind {
    /// The word for it, as in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DecisionDiffers => "DECISION_DIFFERS",
            Self::HoldDiffers => "HOLD_DIFFERS",
            Self::PartDiffers => "PART_DIFFERS",
            Self::EspritDiffers => "ESPRIT_DIFFERS",
            Self::HoldWithoutOperation => "HOLD_WITHOUT_OPERATION",
            Self::PartWithoutOperation => "PART_WITHOUT_OPERATION",
        }
    }
}

/// Compares the ends of one operation.
pub fn compare(ends: &Ends) -> Verdict {
    let Ends { told, hold, part } = ends;
    let is_commit = match told.state.as_str() {
        "committed" => true,
        "aborted" => false,
        _ => return Verdict::Pending,
    };
    let mut differ = Vec::new();
    if is_commit != (told.decision == "commit") {
        let message = format!("it is {}, and decided was {:?}", told.state, told.decision);
        differ.push(Difference { kind: Kind::DecisionDiffers, message });
    }
    let wanted = Wanted { is_commit, told };
    if let Some(message) = wanted.of_hold(hold.as_ref()) {
        differ.push(Difference { kind: Kind::HoldDiffers, message });
    }
    if let Some(message) = wanted.of_part(part.as_ref()) {
        differ.push(Difference { kind: Kind::PartDiffers, message });
    }
    if differ.is_empty() { Verdict::Agree } else { Verdict::Differ(differ) }
}

/// What the ends of an operation that is done must be.
struct Wanted<'a> {
    is_commit: bool,
    told: &'a Told,
}

impl Wanted<'_> {
    /// Says what is wrong with the wallet's end, if anything is.
    fn of_hold(&self, hold: Option<&Hold>) -> Option<String> {
        let (state, player) = (&self.told.state, &self.told.player_id);
        let price = self.told.price.as_ref().filter(|_| self.is_commit);
        let Some(hold) = hold else {
            return price.map(|price| format!("it is {state}, and nothing was held of its {}", text(price)));
        };
        if hold.state != HoldState::Voided && hold.player_id != *player {
            return Some(format!("it is of {player}, and its hold of {}", hold.player_id));
        }
        match (price, hold.state) {
            (Some(price), HoldState::Committed) if hold.taken.as_ref() == Some(price) => None,
            (Some(price), HoldState::Committed) => {
                let taken = hold.taken.as_ref().map_or_else(|| "nothing".to_owned(), text);
                Some(format!("it costs {}, and {taken} was taken", text(price)))
            }
            (None, HoldState::Released | HoldState::Voided) if !self.is_commit => None,
            (_, held) => {
                let free = if self.is_commit && price.is_none() { " and free" } else { "" };
                Some(format!("it is {state}{free}, and its hold {}", hold_word(held)))
            }
        }
    }

    /// Says what is wrong with the collection's end, if anything is.
    fn of_part(&self, part: Option<&Part>) -> Option<String> {
        let Told { state, player_id, esprits, .. } = self.told;
        let Some(part) = part else {
            return self
                .is_commit
                .then(|| format!("it is {state}, and nothing was delivered of its {esprits} esprits"));
        };
        if part.player_id != *player_id {
            return Some(format!("it is of {player_id}, and its part of {}", part.player_id));
        }
        match (self.is_commit, part.state) {
            (true, ParticipationState::Committed) if part.esprits == *esprits => None,
            (true, ParticipationState::Committed) => {
                Some(format!("it brings {esprits} esprits, and {} were delivered", part.esprits))
            }
            (false, ParticipationState::Cancelled | ParticipationState::Voided) => None,
            (_, at) => Some(format!("it is {state}, and its part {}", part_word(at))),
        }
    }
}

fn text(price: &Price) -> String {
    format!("{} {}", price.units, price.asset_id)
}

/// A hold's state as a person reads it.
pub const fn hold_word(state: HoldState) -> &'static str {
    match state {
        HoldState::Unspecified => "unspecified",
        HoldState::Held => "held",
        HoldState::Committed => "committed",
        HoldState::Released => "released",
        HoldState::Expired => "expired",
        HoldState::Voided => "voided",
    }
}

/// A part's state as a person reads it.
pub const fn part_word(state: ParticipationState) -> &'static str {
    match state {
        ParticipationState::Unspecified => "unspecified",
        ParticipationState::Prepared => "prepared",
        ParticipationState::Committed => "committed",
        ParticipationState::Cancelled => "cancelled",
        ParticipationState::Voided => "voided",
    }
}

#[cfg(test)]
mod tests;
