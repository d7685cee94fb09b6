//! Random histories: few players, few holds and few keys, so that everything meets everything.

mod paid;

use std::collections::BTreeMap;

use auric_ids::PlayerId;
use auric_money::Amount;
use auric_wallet::domain::{
    Action, AtMaximum, Claim, Commit, Direction, HoldAsk, Leg, Mutation, MutationKey, Release, RenewCredits, Reserve,
    SpendStatPoints,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::asks::{asking, end, end_in, guard, hold_of};
use crate::harness::{in_pool, leg, note, player, posting};

const PLAYERS: [&str; 3] = ["a", "b", "c"];

/// Every asset, and one that is not in the catalog.
const ASSETS: [&str; 12] = [
    "lumees",
    "aether",
    "xp",
    "stat_points",
    "spent/energy",
    "token",
    "credit",
    "credit",
    "charge",
    "energy",
    "focus",
    "gold",
];

#[derive(Clone, Debug)]
pub struct History(pub Vec<Step>);

#[derive(Clone, Debug)]
pub enum Step {
    /// Requests that are decided in one transaction.
    Batch(Vec<Ask>),
    /// The clock moves, sometimes back.
    Clock(i64),
    /// Another catalog is in force.
    Catalog(usize),
}

#[derive(Clone, Debug)]
pub enum Ask {
    /// Something under a key that may have been used.
    Anew(Mutation),
    /// A posting that says where a player's audit stands, or where it stood or will stand.
    At(Mutation, u64),
    /// An earlier request, under its key.
    Again(Index),
    /// An earlier request, under another key.
    Under(Index, MutationKey),
}

impl Ask {
    pub fn mutation(&self, asked: &[Mutation], entries: &BTreeMap<PlayerId, u64>) -> Mutation {
        let earlier = |index: &Index| index.get(asked).clone();
        match self {
            Self::Anew(mutation) => mutation.clone(),
            Self::At(mutation, ahead) => {
                let mut mutation = mutation.clone();
                if let Action::Post(post) = &mut mutation.action {
                    let player = post.legs[0].player.clone();
                    let stands = entries.get(&player).copied().unwrap_or(0);
                    post.expected_versions.insert(player, stands + ahead);
                }
                mutation
            }
            Self::Again(index) => earlier(index),
            Self::Under(index, key) => Mutation { key: key.clone(), ..earlier(index) },
        }
    }
}

impl History {
    /// The same history with players, holds and keys of its own, so that it can share a ledger with others.
    pub fn of_world(self, number: usize) -> Self {
        let steps = self.0.into_iter().map(|step| match step {
            Step::Batch(asks) => Step::Batch(asks.into_iter().map(|ask| ask.of_world(number)).collect()),
            other => other,
        });
        Self(steps.collect())
    }
}

impl Ask {
    fn of_world(self, number: usize) -> Self {
        match self {
            Self::Anew(mutation) => Self::Anew(in_world(mutation, number)),
            Self::At(mutation, ahead) => Self::At(in_world(mutation, number), ahead),
            Self::Under(index, key) => Self::Under(index, key_in_world(key, number)),
            Self::Again(index) => Self::Again(index),
        }
    }
}

pub fn players(world: usize) -> Vec<PlayerId> {
    PLAYERS.iter().map(|name| player_in_world(&player(name), world)).collect()
}

fn player_in_world(player: &PlayerId, world: usize) -> PlayerId {
    if world == 0 { player.clone() } else { format!("{player}-{world}").parse().unwrap() }
}

fn key_in_world(key: MutationKey, world: usize) -> MutationKey {
    MutationKey { key: format!("{}-{world}", key.key).parse().unwrap(), ..key }
}

fn in_world(mut mutation: Mutation, world: usize) -> Mutation {
    mutation.key = key_in_world(mutation.key, world);
    let rename = |player: &mut PlayerId| *player = player_in_world(player, world);
    let rename_hold = |hold: &mut auric_ids::HoldId| *hold = format!("{hold}-{world}").parse().unwrap();
    match &mut mutation.action {
        Action::Post(post) | Action::Transfer(post) => post.legs.iter_mut().for_each(|leg| rename(&mut leg.player)),
        Action::Claim(claim) => {
            rename(&mut claim.guard.player);
            claim.post.legs.iter_mut().for_each(|leg| rename(&mut leg.player));
        }
        Action::Reserve(reserve) => {
            rename_hold(&mut reserve.hold);
            for leg in &mut reserve.legs {
                leg.from.iter_mut().chain(&mut leg.to).for_each(|end| rename(&mut end.player));
            }
        }
        Action::Commit(Commit { hold, player, .. }) | Action::Release(Release { hold, player }) => {
            rename_hold(hold);
            player.iter_mut().for_each(rename);
        }
        Action::SpendStatPoints(spend) => rename(&mut spend.player),
        Action::RenewCredits(renew) => rename(&mut renew.player),
        Action::RecordPayment(record) => {
            rename(&mut record.player);
            record.payment.object = format!("{}-{world}", record.payment.object).parse().unwrap();
            record.event = format!("{}-{world}", record.event).parse().unwrap();
        }
        Action::IssueRetailToken(issue) => rename(&mut issue.player),
        Action::RedeemRetailToken(_) | Action::Void => {}
    }
    mutation
}

pub fn any() -> impl Strategy<Value = History> {
    let step = prop_oneof![
        8 => prop::collection::vec(ask(), 1..6).prop_map(Step::Batch),
        3 => select(vec![1, 1_000, 60_000_000, 299_999_999, 600_000_000, 3_600_000_000, 40_000_000_000, -3_600_000_000])
            .prop_map(Step::Clock),
        1 => (0..3_usize).prop_map(Step::Catalog),
    ];
    prop::collection::vec(step, 1..40).prop_map(|mut steps| {
        steps.insert(0, Step::Batch(vec![Ask::Anew(funds())]));
        History(steps)
    })
}

/// What every history begins with.
fn funds() -> Mutation {
    let credit = |name, asset, amount| leg(name, asset, amount, Direction::Credit(AtMaximum::Refuse));
    let mut legs = Vec::new();
    for name in &PLAYERS[..2] {
        legs.extend([credit(name, "lumees", 300), credit(name, "aether", 500), credit(name, "xp", 99)]);
        legs.extend(["subscription", "bulk"].map(|pool| in_pool(credit(name, "credit", 25), pool)));
    }
    Mutation { action: Action::Post(posting(legs)), ..void() }
}

fn ask() -> impl Strategy<Value = Ask> {
    let request = (key(), action()).prop_map(|(key, action)| Mutation { key, ..with(action) });
    let legs = prop::collection::vec(some_leg(), 1..3);
    let placed = (key(), legs, 0..3_u64)
        .prop_map(|(key, legs, ahead)| Ask::At(Mutation { key, ..with(Action::Post(posting(legs))) }, ahead));
    prop_oneof![
        16 => request.prop_map(Ask::Anew),
        2 => placed,
        2 => any_index().prop_map(Ask::Again),
        2 => (any_index(), key()).prop_map(|(index, key)| Ask::Under(index, key)),
    ]
}

fn any_index() -> impl Strategy<Value = Index> {
    proptest::arbitrary::any::<Index>()
}

fn with(action: Action) -> Mutation {
    Mutation { action, ..void() }
}

fn void() -> Mutation {
    crate::asks::void("k")
}

/// Mostly new ones, now and then one that was used; a few of another caller.
fn key() -> impl Strategy<Value = MutationKey> {
    (prop_oneof![1 => 0..6_u32, 6 => 6..100_000_u32], prop_oneof![9 => Just("game"), 1 => Just("shop")]).prop_map(
        |(number, caller)| MutationKey { caller: caller.parse().unwrap(), key: format!("k{number}").parse().unwrap() },
    )
}

fn action() -> impl Strategy<Value = Action> {
    let post = || prop::collection::vec(some_leg(), 1..5).prop_map(posting);
    let hold = || select(vec!["h0", "h1", "h2", "h3"]);
    let ttl = prop_oneof![2 => Just(None), 1 => select(vec![1, 1_000, 60_000_000, 900_000_000]).prop_map(Some)];
    let reserve = (hold(), prop::collection::vec(hold_ask(), 1..4), ttl, any_bool(1, 5));
    let amounts = prop_oneof![2 => Just(Vec::new()), 3 => prop::collection::vec(0..12_u64, 1..4)];
    let hint = prop::option::of(some_player());
    prop_oneof![
        6 => post().prop_map(Action::Post),
        1 => (some_player(), 0..2_u8, post()).prop_map(|(name, number, post)| {
            Action::Claim(Claim { guard: guard(name, "daily", &format!("d{number}")), post })
        }),
        5 => reserve.prop_map(|(hold, legs, ttl_micros, whole)| {
            Action::Reserve(Reserve { whole, ttl_micros, ..asking(hold, legs) })
        }),
        5 => (hold(), amounts, hint.clone()).prop_map(|(hold, amounts, hint)| {
            Action::Commit(Commit { hold: hold.parse().unwrap(), amounts, player: hint.map(player) })
        }),
        2 => (hold(), hint).prop_map(|(hold, hint)| {
            Action::Release(Release { hold: hold.parse().unwrap(), player: hint.map(player) })
        }),
        2 => (some_player(), select(vec!["energy", "energy", "luck"]), 1..9_i64).prop_map(|(name, stat, points)| {
            let points = Amount::new(points).unwrap();
            let stat = stat.parse().unwrap();
            Action::SpendStatPoints(SpendStatPoints { player: player(name), stat, points, note: note() })
        }),
        2 => (some_player(), select(vec!["credit", "credit", "lumees"]), some_pool(), 0..70_u64).prop_map(
            |(name, asset, pool, units)| {
                let (asset, pool) = (asset.parse().unwrap(), pool.parse().unwrap());
                Action::RenewCredits(RenewCredits { player: player(name), asset, pool, units, note: note() })
            }
        ),
        5 => paid::record().prop_map(Action::RecordPayment),
        1 => Just(Action::Void),
    ]
}

fn some_leg() -> impl Strategy<Value = Leg> {
    let direction = prop_oneof![
        3 => Just(Direction::Credit(AtMaximum::Refuse)),
        1 => Just(Direction::Credit(AtMaximum::Clamp)),
        1 => Just(Direction::Credit(AtMaximum::Overfill)),
        3 => Just(Direction::Debit),
    ];
    let pool = prop_oneof![1 => Just(None), 2 => some_pool().prop_map(Some)];
    (some_player(), select(ASSETS.to_vec()), pool, direction, amount()).prop_map(
        |(name, asset, pool, direction, amount)| {
            let pool = pool.filter(|_| asset == "credit").map(|pool| pool.parse().unwrap());
            Leg { pool, ..leg(name, asset, amount, direction) }
        },
    )
}

fn hold_ask() -> impl Strategy<Value = HoldAsk> {
    let end = || {
        (some_player(), select(ASSETS.to_vec()), prop::option::of(some_pool())).prop_map(|(name, asset, pool)| {
            pool.filter(|_| asset == "credit").map_or_else(|| end(name, asset), |pool| end_in(name, asset, pool))
        })
    };
    prop_oneof![
        3 => (end(), amount()).prop_map(|(from, amount)| hold_of(Some(from), None, amount)),
        2 => (end(), amount()).prop_map(|(to, amount)| hold_of(None, Some(to), amount)),
        2 => (end(), some_player(), amount()).prop_map(|(from, name, amount)| {
            let to = auric_wallet::domain::End { player: player(name), ..from.clone() };
            hold_of(Some(from), Some(to), amount)
        }),
    ]
}

fn some_player() -> impl Strategy<Value = &'static str> + Clone {
    select(PLAYERS.to_vec())
}

fn some_pool() -> impl Strategy<Value = &'static str> {
    prop_oneof![5 => Just("subscription"), 5 => Just("bulk"), 1 => Just("gold")]
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![6 => 1..12_i64, 2 => 12..130_i64, 1 => 130..600_i64]
}

fn any_bool(yes: u32, no: u32) -> impl Strategy<Value = bool> {
    prop_oneof![yes => Just(true), no => Just(false)]
}
