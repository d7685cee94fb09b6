//! Whether the ends of an upgrade or a dissolve agree: paid as it was planned if and only if it was done. Pure, so that every combination can be tested.

use std::collections::BTreeMap;

use auric_api::wallet::v1::HoldState;

use crate::commands::audit::cross::compare::{Difference, Kind, Verdict, hold_word};

/// Units by their asset.
pub type Amounts = BTreeMap<String, i64>;

/// What the collection's log says of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub operation_id: String,
    pub player_id: String,
    /// `upgrade` or `dissolve`; empty where a rule said no before anyone was asked.
    pub kind: String,
    /// `preparing`, `committing`, `aborting`, `committed` or `aborted`.
    pub state: String,
    /// `commit`, `refuse` or `give_up`; empty until it is decided.
    pub decision: String,
    pub esprits: Vec<String>,
    pub cost: Amounts,
    pub refund: Amounts,
}

/// What the wallet has under the operation's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub state: HoldState,
    /// Whose units it moves; empty for one that was never made.
    pub player_id: String,
    /// What was taken; nothing unless it was committed.
    pub taken: Amounts,
    /// What was given; nothing unless it was committed.
    pub given: Amounts,
}

/// What the log says that was done to one esprit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// By how many levels it was raised.
    pub raised: i32,
    /// How often it was dissolved.
    pub dissolved: u32,
    /// The last operation that names it.
    pub operation_id: String,
}

/// An esprit as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub level: i32,
    pub is_dissolved: bool,
}

/// How an esprit stands to what the log says was done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Agrees,
    /// More was done to it than the log said when it was read: it may have been done since.
    Ahead(String),
    Differs(String),
}

impl Told {
    /// Whether it was decided that it is done: what it does to esprits is done with the decision.
    pub fn is_commit(&self) -> bool {
        self.decision == "commit"
    }
}

/// Compares the log with the hold.
pub fn compare(told: &Told, hold: Option<&Hold>) -> Verdict {
    let is_commit = match told.state.as_str() {
        "committed" => true,
        "aborted" => false,
        _ => return Verdict::Pending,
    };
    let mut differ = Vec::new();
    if is_commit != told.is_commit() {
        let message = format!("it is {}, and decided was {:?}", told.state, told.decision);
        differ.push(Difference { kind: Kind::DecisionDiffers, message });
    }
    if let Some(message) = of_hold(told, is_commit, hold) {
        differ.push(Difference { kind: Kind::HoldDiffers, message });
    }
    if differ.is_empty() { Verdict::Agree } else { Verdict::Differ(differ) }
}

/// Says what is wrong with the wallet's end, if anything is.
fn of_hold(told: &Told, is_commit: bool, hold: Option<&Hold>) -> Option<String> {
    let Told { state, player_id, cost, refund, .. } = told;
    let Some(hold) = hold else {
        let planned = format!("{} and to give {}", text(cost), text(refund));
        return is_commit.then(|| format!("it is {state}, and nothing was held to take {planned}"));
    };
    if hold.state != HoldState::Voided && hold.player_id != *player_id {
        return Some(format!("it is of {player_id}, and its hold of {}", hold.player_id));
    }
    match (is_commit, hold.state) {
        (true, HoldState::Committed) if hold.taken != *cost => {
            Some(format!("it costs {}, and {} was taken", text(cost), text(&hold.taken)))
        }
        (true, HoldState::Committed) if hold.given != *refund => {
            Some(format!("it gives {}, and {} was given", text(refund), text(&hold.given)))
        }
        (true, HoldState::Committed) | (false, HoldState::Released | HoldState::Voided) => None,
        (_, held) => Some(format!("it is {state}, and its hold {}", hold_word(held))),
    }
}

/// Compares an esprit with what the log says that was done to it; the log must have been read first.
pub fn compare_esprit(esprit: &str, tally: &Tally, seen: Option<Seen>) -> Standing {
    let Some(Seen { level, is_dissolved }) = seen else {
        return Standing::Differs(format!("it names {esprit}, which is not there"));
    };
    let reached = tally.raised.saturating_add(1);
    if tally.dissolved > 1 {
        return Standing::Differs(format!("{esprit} was dissolved {} times", tally.dissolved));
    }
    if tally.dissolved == 1 && !is_dissolved {
        return Standing::Differs(format!("{esprit} was dissolved, and is still there"));
    }
    if level < reached {
        return Standing::Differs(format!("{esprit} was raised to level {reached}, and is at level {level}"));
    }
    if is_dissolved && tally.dissolved == 0 {
        return Standing::Ahead(format!("{esprit} is dissolved, and no operation did that"));
    }
    if level > reached {
        return Standing::Ahead(format!("{esprit} is at level {level}, and was raised to level {reached}"));
    }
    Standing::Agrees
}

fn text(amounts: &Amounts) -> String {
    let texts = amounts.iter().map(|(asset, units)| format!("{units} {asset}")).collect::<Vec<_>>().join(" and ");
    if texts.is_empty() { "nothing".to_owned() } else { texts }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amounts(asset: &str, units: i64) -> Amounts {
        if units == 0 { Amounts::new() } else { Amounts::from([(asset.to_owned(), units)]) }
    }

    fn told(kind: &str, state: &str) -> Told {
        let decision = match state {
            "committing" | "committed" => "commit",
            "aborting" | "aborted" => "refuse",
            _ => "",
        };
        let (cost, refund) = if kind == "upgrade" { (50, 0) } else { (0, 5) };
        Told {
            operation_id: "0af7".to_owned(),
            player_id: "discord:1".to_owned(),
            kind: kind.to_owned(),
            state: state.to_owned(),
            decision: decision.to_owned(),
            esprits: vec!["e.0".to_owned()],
            cost: amounts("lumees", cost),
            refund: amounts("shards", refund),
        }
    }

    fn hold(told: &Told, state: HoldState) -> Hold {
        let is_taken = state == HoldState::Committed;
        Hold {
            state,
            player_id: if state == HoldState::Voided { String::new() } else { told.player_id.clone() },
            taken: if is_taken { told.cost.clone() } else { Amounts::new() },
            given: if is_taken { told.refund.clone() } else { Amounts::new() },
        }
    }

    fn messages(told: &Told, hold: Option<&Hold>) -> Vec<String> {
        match compare(told, hold) {
            Verdict::Differ(differ) => differ.into_iter().map(|difference| difference.message).collect(),
            Verdict::Agree => Vec::new(),
            Verdict::Pending => panic!("it is done: {told:?}"),
        }
    }

    #[test]
    fn a_done_operation_is_paid_if_and_only_if_it_was_decided_so() {
        let holds = [HoldState::Held, HoldState::Committed, HoldState::Released, HoldState::Expired, HoldState::Voided];
        for kind in ["upgrade", "dissolve"] {
            for state in ["preparing", "committing", "aborting"] {
                let told = told(kind, state);
                assert_eq!(compare(&told, None), Verdict::Pending);
                assert!(holds.iter().all(|state| compare(&told, Some(&hold(&told, *state))) == Verdict::Pending));
            }
            let (done, undone) = (told(kind, "committed"), told(kind, "aborted"));
            assert_eq!((messages(&done, None).len(), messages(&undone, None).len()), (1, 0));
            for state in holds {
                let (is_taken, is_back) =
                    (state == HoldState::Committed, matches!(state, HoldState::Released | HoldState::Voided));
                assert_eq!(messages(&done, Some(&hold(&done, state))).is_empty(), is_taken, "{state:?}");
                assert_eq!(messages(&undone, Some(&hold(&undone, state))).is_empty(), is_back, "{state:?}");
            }
        }
    }

    #[test]
    fn other_amounts_another_player_and_another_decision_are_faults() {
        let (raised, dissolved) = (told("upgrade", "committed"), told("dissolve", "committed"));
        let cheap = Hold { taken: amounts("lumees", 49), ..hold(&raised, HoldState::Committed) };
        assert_eq!(messages(&raised, Some(&cheap)), ["it costs 50 lumees, and 49 lumees was taken"]);
        let rich = Hold { given: amounts("shards", 500), ..hold(&dissolved, HoldState::Committed) };
        assert_eq!(messages(&dissolved, Some(&rich)), ["it gives 5 shards, and 500 shards was given"]);
        let astray = Hold { player_id: "discord:2".to_owned(), ..hold(&raised, HoldState::Committed) };
        assert_eq!(messages(&raised, Some(&astray)), ["it is of discord:1, and its hold of discord:2"]);
        let other = Told { decision: "give_up".to_owned(), ..raised.clone() };
        let paid = hold(&raised, HoldState::Committed);
        assert_eq!(messages(&other, Some(&paid)), ["it is committed, and decided was \"give_up\""]);
    }

    #[test]
    fn an_esprit_is_what_the_log_made_of_it() {
        let tally = |raised, dissolved| Tally { raised, dissolved, operation_id: "0af7".to_owned() };
        let seen = |level, is_dissolved| Some(Seen { level, is_dissolved });
        assert_eq!(compare_esprit("e", &tally(2, 0), seen(3, false)), Standing::Agrees);
        assert_eq!(compare_esprit("e", &tally(2, 1), seen(3, true)), Standing::Agrees);
        let differs = |tally, seen| matches!(compare_esprit("e", &tally, seen), Standing::Differs(_));
        let ahead = |tally, seen| matches!(compare_esprit("e", &tally, seen), Standing::Ahead(_));
        assert!(differs(tally(0, 0), None));
        assert!(differs(tally(2, 0), seen(2, false)));
        assert!(differs(tally(0, 1), seen(1, false)));
        assert!(differs(tally(0, 2), seen(1, true)));
        assert!(ahead(tally(2, 0), seen(4, false)));
        assert!(ahead(tally(0, 0), seen(1, true)));
    }
}
