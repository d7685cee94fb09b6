//! One operation, as its coordinator keeps it.

use auric_ids::{OperationId, PlayerId};
use auric_keys::MutationKey;
use auric_time::Timestamp;
use uuid::Uuid;

use crate::State;

/// One attempt at what a caller asked for under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Whose operation it is.
    pub player: PlayerId,
    /// Its id: what holds and participations are named after.
    pub id: OperationId,
    /// Who asked, under which key. An operation that was made for an orphaned hold has its coordinator's name and its own id here.
    pub key: MutationKey,
    /// The how-manieth attempt under that key, from 1.
    pub attempt: u32,
    /// How it stands.
    pub state: State,
    /// The exact inputs, costs and versions, in the coordinator's own words: what participants are told follows from it alone.
    pub plan: String,
    /// What was decided; nothing while it is [`State::Preparing`].
    pub decision: Option<Decision>,
    /// When it was begun, by the database's clock.
    pub begun_at: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
    /// When everything was done.
    pub done_at: Option<Timestamp>,
    /// The number of its lease; whoever has an older one is refused.
    pub fence: u64,
    /// When anybody may take it up.
    pub due_at: Timestamp,
    /// How often it was taken up after its first copy.
    pub recoveries: u32,
    /// What kept it from being done the last time; empty when nothing did.
    pub last_error: String,
}

/// Draws the id of an operation: a version 7 UUID, 74 bits of which are random.
///
/// It begins with the time, so that whatever is named after it comes at the end of an index, on a page that was written just before.
#[must_use]
#[expect(clippy::expect_used, clippy::missing_panics_doc, reason = "32 hexadecimal digits are an operation's id")]
pub fn draw_id() -> OperationId {
    OperationId::parse(&Uuid::now_v7().simple().to_string()).expect("32 hexadecimal digits are an operation's id")
}

impl Operation {
    /// Whether it came to nothing and its key may be tried again, once all is given back.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        matches!(self.decision, Some(Decision::GiveUp(_)))
    }
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is done, with this outcome in the coordinator's own words.
    Commit(String),
    /// A rule said no, in the coordinator's own words: the key's answer for ever.
    Refuse(String),
    /// Nobody knows any more what was promised: nothing happened, and the key may be tried again. The reason is for a person.
    GiveUp(String),
}

impl Decision {
    /// The word that is stored.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Commit(_) => "commit",
            Self::Refuse(_) => "refuse",
            Self::GiveUp(_) => "give_up",
        }
    }

    /// What was said with it.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Commit(text) | Self::Refuse(text) | Self::GiveUp(text) => text,
        }
    }

    /// Reads what was stored.
    #[must_use]
    pub fn parse(word: &str, text: String) -> Option<Self> {
        match word {
            "commit" => Some(Self::Commit(text)),
            "refuse" => Some(Self::Refuse(text)),
            "give_up" => Some(Self::GiveUp(text)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_in_the_order_in_which_they_are_drawn() {
        let drawn: Vec<String> = (0..10_000).map(|_| draw_id().to_string()).collect();
        assert!(drawn.is_sorted_by(|one, next| one < next));
    }
}
