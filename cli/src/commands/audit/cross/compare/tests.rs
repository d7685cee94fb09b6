//! Every combination of ends, and which of them agree.

use super::*;

const HOLDS: [Option<HoldState>; 6] = [
    None,
    Some(HoldState::Held),
    Some(HoldState::Committed),
    Some(HoldState::Released),
    Some(HoldState::Expired),
    Some(HoldState::Voided),
];

const PARTS: [Option<ParticipationState>; 5] = [
    None,
    Some(ParticipationState::Prepared),
    Some(ParticipationState::Committed),
    Some(ParticipationState::Cancelled),
    Some(ParticipationState::Voided),
];

fn price() -> Price {
    Price { asset_id: "azurites".to_owned(), units: 1_600 }
}

fn ends(state: &str, is_free: bool, hold: Option<HoldState>, part: Option<ParticipationState>) -> Ends {
    let decision = match state {
        "committing" | "committed" => "commit",
        "aborting" | "aborted" => "refuse",
        _ => "",
    };
    let player_id = "discord:1".to_owned();
    Ends {
        told: Told {
            operation_id: "0af7".to_owned(),
            player_id: player_id.clone(),
            state: state.to_owned(),
            decision: decision.to_owned(),
            price: (!is_free).then(price),
            esprits: if decision == "commit" { 10 } else { 0 },
        },
        hold: hold.map(|state| Hold {
            state,
            player_id: if state == HoldState::Voided { String::new() } else { player_id.clone() },
            taken: (state == HoldState::Committed).then(price),
        }),
        part: part.map(|state| Part {
            state,
            player_id: player_id.clone(),
            esprits: if state == ParticipationState::Committed { 10 } else { 0 },
        }),
    }
}

fn kinds(ends: &Ends) -> Vec<Kind> {
    match compare(ends) {
        Verdict::Differ(differ) => differ.iter().map(|difference| difference.kind).collect(),
        Verdict::Agree => Vec::new(),
        Verdict::Pending => panic!("it is done: {ends:?}"),
    }
}

#[test]
fn a_done_operation_is_paid_if_and_only_if_it_is_delivered() {
    for hold in HOLDS {
        for part in PARTS {
            let delivered = part == Some(ParticipationState::Committed);
            let given_up = matches!(part, None | Some(ParticipationState::Cancelled | ParticipationState::Voided));
            let given_back = matches!(hold, None | Some(HoldState::Released | HoldState::Voided));
            for (state, is_free, hold_agrees, part_agrees) in [
                ("committed", false, hold == Some(HoldState::Committed), delivered),
                ("committed", true, hold.is_none(), delivered),
                ("aborted", false, given_back, given_up),
                ("aborted", true, given_back, given_up),
            ] {
                let mut wanted = Vec::new();
                wanted.extend((!hold_agrees).then_some(Kind::HoldDiffers));
                wanted.extend((!part_agrees).then_some(Kind::PartDiffers));
                let ends = ends(state, is_free, hold, part);
                assert_eq!(kinds(&ends), wanted, "{ends:?}");
            }
        }
    }
}

#[test]
fn what_is_not_done_is_no_fault_whatever_its_ends_are() {
    for state in ["preparing", "committing", "aborting"] {
        for hold in HOLDS {
            for part in PARTS {
                assert_eq!(compare(&ends(state, false, hold, part)), Verdict::Pending);
            }
        }
    }
}

fn committed() -> Ends {
    ends("committed", false, Some(HoldState::Committed), Some(ParticipationState::Committed))
}

fn messages(ends: &Ends) -> Vec<String> {
    match compare(ends) {
        Verdict::Differ(differ) => differ.into_iter().map(|difference| difference.message).collect(),
        agreed => panic!("{agreed:?}: {ends:?}"),
    }
}

#[test]
fn another_price_another_number_and_another_player_are_faults() {
    let mut cheap = committed();
    cheap.hold.as_mut().unwrap().taken = Some(Price { units: 160, ..price() });
    assert_eq!(messages(&cheap), ["it costs 1600 azurites, and 160 azurites was taken"]);

    let mut other = committed();
    other.hold.as_mut().unwrap().taken = Some(Price { asset_id: "lumees".to_owned(), ..price() });
    assert_eq!(messages(&other), ["it costs 1600 azurites, and 1600 lumees was taken"]);

    let mut short = committed();
    short.part.as_mut().unwrap().esprits = 9;
    assert_eq!(messages(&short), ["it brings 10 esprits, and 9 were delivered"]);

    let mut astray = committed();
    astray.hold.as_mut().unwrap().player_id = "discord:2".to_owned();
    astray.part.as_mut().unwrap().player_id = "discord:3".to_owned();
    assert_eq!(
        messages(&astray),
        ["it is of discord:1, and its hold of discord:2", "it is of discord:1, and its part of discord:3"]
    );
}

#[test]
fn a_state_that_is_not_that_of_its_decision_is_a_fault() {
    for (state, decision) in [("committed", "give_up"), ("committed", ""), ("aborted", "commit")] {
        let mut ends = committed();
        (ends.told.state, ends.told.decision) = (state.to_owned(), decision.to_owned());
        assert!(kinds(&ends).contains(&Kind::DecisionDiffers), "{ends:?}");
    }
    for decision in ["refuse", "give_up"] {
        let mut ends = ends("aborted", false, None, None);
        ends.told.decision = decision.to_owned();
        assert_eq!(compare(&ends), Verdict::Agree, "{ends:?}");
    }
}
