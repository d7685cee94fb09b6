//! What the wallet decides. Pure: no async, no IO, no clock, no randomness.
//!
//! A batch is decided against a [`Book`], which holds what the store loaded under the players' locks; [`decide`] answers one mutation and
//! changes the book; what is to be written is the book's [`Journal`].

#![deny(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::float_arithmetic)]

mod asset;
mod balance;
mod book;
mod decide;
mod draft;
mod entry;
mod hold;
mod holding;
mod keys;
mod mutation;
mod note;
mod paid;
mod paying;
mod payment;
mod player;
mod posting;
mod recharge;
mod rejection;
mod retail;
mod told;
mod view;

pub use auric_keys::{Fingerprint, MutationKey};

pub use asset::{Asset, AssetKind, Assets, Progression, Recharging};
pub use balance::{Balance, BalanceKey, Change, Newest, Row};
pub use book::{Book, ClaimRow, Flow, HoldRow, Journal, Opened, Record, Rules};
pub use decide::{Verdict, decide, settle};
pub use draft::Draft;
pub use entry::{Entry, Head, Movement, MovementKind, Seal};
pub use hold::{Commit, End, HeldPart, Hold, HoldAsk, HoldLeg, HoldState, HoldTerms, Release, Reserve};
pub use keys::{BatchKeys, HoldKey};
pub use mutation::{Action, Claim, Guard, Method, Mutation, RenewCredits, SpendStatPoints};
pub use note::{Context, Note};
pub use paid::{Paid, PaidRows};
pub use payment::{
    DisputeState, EventKey, EventRow, Fact, Gift, Known, PAYMENT_LEGS_MAX, Part, Payment, PaymentKey, PaymentRow,
    RecordPayment, Share,
};
pub use player::Player;
pub use posting::{AtMaximum, Direction, LEGS_MAX, Leg, Post};
pub use recharge::Settled;
pub use rejection::{BadField, BoundFault, Outcome, Posted, Rejection, Stop, Unstored};
pub use retail::{Generation, IssueRetailToken, RedeemRetailToken, RetailToken, TokenRow};
pub use told::Told;
pub use view::{BalanceView, view};

/// The trace of what no request set off.
fn no_trace() -> auric_ids::TraceId {
    static NONE: std::sync::LazyLock<auric_ids::TraceId> = std::sync::LazyLock::new(|| {
        #[expect(clippy::expect_used, reason = "a constant: a trace id may be empty")]
        "".parse().expect("a trace id may be empty")
    });
    NONE.clone()
}

/// The note of a change that has none: a tombstone's.
fn no_note() -> Note {
    static NONE: std::sync::LazyLock<Note> = std::sync::LazyLock::new(|| {
        #[expect(clippy::expect_used, reason = "a constant that is a reason")]
        Note { reason: "hold.voided".parse().expect("a constant that is a reason"), context: Context::new() }
    });
    NONE.clone()
}
