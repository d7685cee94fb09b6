//! What must be refused of each field. A field of a request without a rule here fails the suite.

use std::collections::BTreeSet;

use super::cases::Fault;
use super::cases::Fault::{
    AboveMax, Control, Empty, Huge, Large, Long, Max, Min, Missing, Negative, Newline, NonAscii, Nul, Sign, Space,
    TooLong, TooMany, Unknown, Unspecified, Upper, Zero,
};

/// What must be refused of a field; every other case must be answered without a fault.
#[derive(Clone, Copy)]
pub struct Rule {
    pub refuses: &'static [Fault],
    /// The longest text, or the most elements.
    pub most: usize,
}

/// Visible ASCII.
const fn printable(most: usize) -> Rule {
    Rule { refuses: &[Empty, Long, TooLong, Nul, Control, Newline, Space, NonAscii], most }
}

/// `A-Z a-z 0-9 _ . : -`
const NAME: Rule = Rule { refuses: &[Empty, Long, TooLong, Nul, Control, Newline, Space, NonAscii, Sign], most: 64 };

/// The same, and it may be absent.
const NAME_OR_NONE: Rule = Rule { refuses: &[Long, TooLong, Nul, Control, Newline, Space, NonAscii, Sign], most: 64 };

/// Lower case.
const fn lower(most: usize) -> Rule {
    Rule { refuses: &[Empty, Long, TooLong, Nul, Control, Newline, Space, NonAscii, Sign, Upper], most }
}

/// Lower case, and in the catalog.
const fn known(most: usize) -> Rule {
    Rule { refuses: &[Empty, Long, TooLong, Nul, Control, Newline, Space, NonAscii, Sign, Upper, Unknown], most }
}

/// The same, and it may be absent.
const fn known_or_none(most: usize) -> Rule {
    Rule { refuses: &[Long, TooLong, Nul, Control, Newline, Space, NonAscii, Sign, Upper, Unknown], most }
}

/// Lower case, in no catalog, and it may be absent: an id that was in force once is found too.
const LOWER_OR_NONE: Rule =
    Rule { refuses: &[Long, TooLong, Nul, Control, Newline, Space, NonAscii, Sign, Upper], most: 64 };

/// Text of a form of its own, or nothing.
const FORMED: Rule =
    Rule { refuses: &[Long, TooLong, Nul, Control, Newline, Space, NonAscii, Sign, Upper, Unknown], most: 64 };

/// 64 hexadecimal digits in lower case.
const HASH: Rule =
    Rule { refuses: &[Empty, Long, TooLong, Nul, Control, Newline, Space, NonAscii, Sign, Upper, Unknown], most: 64 };

/// 1 to 2^53 - 1.
const AMOUNT: Rule = Rule { refuses: &[Negative, Zero, Min, Max, AboveMax], most: 0 };

/// 0 to 2^53 - 1.
const UNITS: Rule = Rule { refuses: &[Negative, Min, Max, AboveMax], most: 0 };

/// 0 or more.
const COUNT: Rule = Rule { refuses: &[Negative, Min], most: 0 };

const PAGE: Rule = Rule { refuses: &[Negative, Min, Max], most: 0 };

const ANYTHING: Rule = Rule { refuses: &[], most: 0 };

/// 1 to `most` elements.
const fn some(most: usize) -> Rule {
    Rule { refuses: &[Missing, TooMany, Huge], most }
}

/// Up to `most` elements.
const fn up_to(most: usize) -> Rule {
    Rule { refuses: &[TooMany, Huge], most }
}

/// Pairs of a context, their names and their values.
const CONTEXT: Rule = Rule { refuses: &[Empty, Long, TooLong, TooMany, Huge, Nul, Control, Newline], most: 16 };

/// Every field that a request may have, by its message.
pub const RULES: &[(&str, Rule)] = &[
    ("PostRequest.idempotency_key", printable(128)),
    ("PostRequest.legs", some(1_000)),
    ("PostRequest.reason", lower(64)),
    ("PostRequest.context", CONTEXT),
    ("PostRequest.expected_versions", up_to(100)),
    ("PlayerVersion.player_id", NAME),
    ("PlayerVersion.version", COUNT),
    ("Leg.player_id", NAME),
    ("Leg.asset_id", known(64)),
    ("Leg.pool_id", known_or_none(32)),
    ("Leg.direction", Rule { refuses: &[Unspecified, Unknown, Negative], most: 0 }),
    ("Leg.amount", AMOUNT),
    ("Leg.at_maximum", Rule { refuses: &[Unknown, Negative], most: 0 }),
    ("PostBatchRequest.posts", some(1_000)),
    ("PostStreamRequest.post", Rule { refuses: &[Missing, Empty], most: 0 }),
    ("ClaimRequest.idempotency_key", printable(128)),
    ("ClaimRequest.player_id", NAME),
    ("ClaimRequest.claim_type", lower(50)),
    ("ClaimRequest.claim_key", printable(100)),
    ("ClaimRequest.legs", some(1_000)),
    ("ClaimRequest.reason", lower(64)),
    ("ClaimRequest.context", CONTEXT),
    ("ReserveRequest.idempotency_key", printable(128)),
    ("ReserveRequest.hold_id", printable(128)),
    ("ReserveRequest.legs", some(1_000)),
    ("ReserveRequest.whole", ANYTHING),
    ("ReserveRequest.ttl", Rule { refuses: &[Negative, Zero, Min, Max, AboveMax, Large, Huge], most: 0 }),
    ("ReserveRequest.reason", lower(64)),
    ("ReserveRequest.context", CONTEXT),
    // An end may be absent, not both.
    ("HoldLeg.from", Rule { refuses: &[Empty], most: 0 }),
    ("HoldLeg.to", Rule { refuses: &[Empty], most: 0 }),
    ("HoldLeg.amount", AMOUNT),
    ("BalanceRef.player_id", NAME),
    ("BalanceRef.asset_id", known(64)),
    ("BalanceRef.pool_id", known_or_none(32)),
    ("CommitRequest.idempotency_key", printable(128)),
    ("CommitRequest.hold_id", printable(128)),
    ("CommitRequest.amounts", Rule { refuses: &[Negative, Min, Max, AboveMax, TooMany, Huge], most: 1_000 }),
    ("CommitRequest.player_id", NAME_OR_NONE),
    ("ReleaseRequest.idempotency_key", printable(128)),
    ("ReleaseRequest.hold_id", printable(128)),
    ("ReleaseRequest.player_id", NAME_OR_NONE),
    ("TransferRequest.idempotency_key", printable(128)),
    ("TransferRequest.from_player_id", NAME),
    ("TransferRequest.to_player_id", NAME),
    ("TransferRequest.asset_id", known(64)),
    ("TransferRequest.pool_id", known_or_none(32)),
    ("TransferRequest.amount", AMOUNT),
    ("TransferRequest.reason", lower(64)),
    ("TransferRequest.context", CONTEXT),
    ("SpendStatPointsRequest.idempotency_key", printable(128)),
    ("SpendStatPointsRequest.player_id", NAME),
    ("SpendStatPointsRequest.stat_id", known(32)),
    ("SpendStatPointsRequest.points", AMOUNT),
    ("SpendStatPointsRequest.reason", lower(64)),
    ("SpendStatPointsRequest.context", CONTEXT),
    ("RenewCreditsRequest.idempotency_key", printable(128)),
    ("RenewCreditsRequest.player_id", NAME),
    ("RenewCreditsRequest.asset_id", known(64)),
    ("RenewCreditsRequest.pool_id", known(32)),
    ("RenewCreditsRequest.units", UNITS),
    ("RenewCreditsRequest.reason", lower(64)),
    ("RenewCreditsRequest.context", CONTEXT),
    ("RecordPaymentRequest.idempotency_key", printable(128)),
    ("RecordPaymentRequest.player_id", NAME),
    ("RecordPaymentRequest.provider", lower(32)),
    ("RecordPaymentRequest.event_id", printable(100)),
    ("RecordPaymentRequest.object_id", printable(100)),
    ("RecordPaymentRequest.purchase", Rule { refuses: &[Missing, Empty], most: 0 }),
    ("RecordPaymentRequest.renewal", Rule { refuses: &[Missing, Empty], most: 0 }),
    ("RecordPaymentRequest.refund", Rule { refuses: &[Missing, Empty], most: 0 }),
    ("RecordPaymentRequest.dispute", Rule { refuses: &[Missing, Empty], most: 0 }),
    ("RecordPaymentRequest.reason", lower(64)),
    ("RecordPaymentRequest.context", CONTEXT),
    ("Purchase.legs", some(100)),
    ("PaidLeg.asset_id", known(64)),
    ("PaidLeg.pool_id", known_or_none(32)),
    ("PaidLeg.amount", AMOUNT),
    ("Renewal.pools", some(100)),
    ("Renewal.period", AMOUNT),
    ("RenewedPool.asset_id", known(64)),
    ("RenewedPool.pool_id", known(32)),
    ("RenewedPool.units", UNITS),
    ("Refund.refunded", AMOUNT),
    ("Refund.price", AMOUNT),
    ("Dispute.state", Rule { refuses: &[Unspecified, Unknown, Negative], most: 0 }),
    ("Dispute.disputed", AMOUNT),
    ("Dispute.price", AMOUNT),
    ("IssueRetailTokenRequest.idempotency_key", printable(128)),
    ("IssueRetailTokenRequest.player_id", NAME),
    // One without the other is refused.
    ("IssueRetailTokenRequest.provider", lower(32)),
    ("IssueRetailTokenRequest.object_id", printable(100)),
    ("IssueRetailTokenRequest.reason", lower(64)),
    ("IssueRetailTokenRequest.context", CONTEXT),
    ("RedeemRetailTokenRequest.idempotency_key", printable(128)),
    ("RedeemRetailTokenRequest.token", NAME),
    ("RedeemRetailTokenRequest.generation_id", printable(128)),
    ("RedeemRetailTokenRequest.payload_hash", HASH),
    ("GetRetailTokenRequest.token", NAME),
    ("ListGenerationsRequest.player_id", NAME_OR_NONE),
    ("ListGenerationsRequest.page_size", PAGE),
    ("ListGenerationsRequest.page_token", FORMED),
    (
        "GetBalancesRequest.player_ids",
        Rule {
            refuses: &[Missing, Empty, Long, TooLong, Nul, Control, Newline, Space, NonAscii, Sign, TooMany, Huge],
            most: 100,
        },
    ),
    ("GetBalancesRequest.asset_ids", ASSETS),
    ("ListEntriesRequest.player_id", NAME),
    ("ListEntriesRequest.asset_id", LOWER_OR_NONE),
    ("ListEntriesRequest.page_size", PAGE),
    ("ListEntriesRequest.page_token", FORMED),
    ("WatchEntriesRequest.player_id", NAME),
    ("WatchEntriesRequest.after_number", COUNT),
    ("GetHoldRequest.hold_id", printable(128)),
    ("ListHoldsRequest.player_id", NAME_OR_NONE),
    ("ListHoldsRequest.caller", NAME_OR_NONE),
    ("ListHoldsRequest.age_min", Rule { refuses: &[Negative, Min, Max, Large, Huge], most: 0 }),
    ("ListHoldsRequest.page_size", PAGE),
    ("ListHoldsRequest.page_token", FORMED),
    ("GetMutationRequest.idempotency_key", printable(128)),
    ("GetMutationRequest.caller", NAME_OR_NONE),
    ("VoidMutationRequest.idempotency_key", printable(128)),
    ("GetSupplyRequest.asset_ids", ASSETS),
    ("GetFlowsRequest.asset_id", LOWER_OR_NONE),
    ("GetFlowsRequest.from_day", FORMED),
    ("GetFlowsRequest.to_day", FORMED),
    ("VerifyAuditRequest.player_id", NAME_OR_NONE),
    ("GetCatalogRequest.catalog_hash", FORMED),
];

/// Ids of the catalog, up to 100.
const ASSETS: Rule = Rule {
    refuses: &[Empty, Long, TooLong, Nul, Control, Newline, Space, NonAscii, Sign, Upper, Unknown, TooMany, Huge],
    most: 100,
};

/// The rule of a field.
pub fn of(name: &str) -> Option<Rule> {
    RULES.iter().find(|(field, _)| *field == name).map(|(_, rule)| *rule)
}

/// A rule of a field that is gone guards nothing.
pub fn assert_all_used(names: &BTreeSet<String>) {
    let unused: Vec<&str> = RULES.iter().map(|(field, _)| *field).filter(|field| !names.contains(*field)).collect();
    assert!(unused.is_empty(), "no request has {unused:?}");
}
