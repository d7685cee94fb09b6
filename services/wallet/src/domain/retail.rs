//! Retail tokens: each lets a player generate something once, and says afterwards what it was.

use auric_ids::{CallerId, GenerationId, IdempotencyKey, PayloadHash, PlayerId, RetailTokenId};
use auric_keys::{Canon, Field};
use auric_time::Timestamp;
use serde::{Deserialize, Serialize};

use super::holding::Ended;
use super::{Draft, MutationKey, Note, PaymentKey, Posted, Rejection, Stop, Unstored};

/// A retail token to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueRetailToken {
    /// Whose.
    pub player: PlayerId,
    /// The payment that it is issued for; nothing when an operator issues it.
    pub payment: Option<PaymentKey>,
    /// The token, drawn for this request; not part of its meaning.
    pub token: RetailTokenId,
    /// Why.
    pub note: Note,
}

/// A retail token to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedeemRetailToken {
    /// Which.
    pub token: RetailTokenId,
    /// What was generated.
    pub generation: GenerationId,
    /// The SHA-256 of it.
    pub payload_hash: PayloadHash,
}

/// A retail token as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetailToken {
    /// The token itself.
    pub id: RetailTokenId,
    /// Whose.
    pub player: PlayerId,
    /// The payment that it was issued for; nothing when an operator issued it.
    pub payment: Option<PaymentKey>,
    /// Who issued it.
    pub caller: CallerId,
    /// Under which key.
    pub issued_under: IdempotencyKey,
    /// Why.
    pub note: Note,
    /// When.
    pub issued_at: Timestamp,
    /// What was generated with it; nothing while it is unused.
    pub used: Option<Generation>,
}

/// What was generated with a retail token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Its maker's own name for it.
    pub id: GenerationId,
    /// The SHA-256 of it.
    pub payload_hash: PayloadHash,
    /// Who made it.
    pub caller: CallerId,
    /// Under which key.
    pub idempotency_key: IdempotencyKey,
    /// When.
    pub time: Timestamp,
}

/// A retail token and the number of times that it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// The token.
    pub token: RetailToken,
    /// 0 for one that was never written.
    pub version: u64,
}

impl IssueRetailToken {
    /// The request's fields as bytes.
    pub(super) fn canonical_fields(&self) -> Vec<Field> {
        let mut fields = vec![("player_id", Canon::of(self.player.as_str()))];
        if let Some(payment) = &self.payment {
            fields.push(("provider", Canon::of(payment.provider.as_str())));
            fields.push(("object_id", Canon::of(payment.object.as_str())));
        }
        fields.extend(self.note.canonical_fields());
        fields
    }
}

impl RedeemRetailToken {
    /// The request's fields as bytes.
    pub(super) fn canonical_fields(&self) -> Vec<Field> {
        vec![
            ("token", Canon::of(self.token.as_str())),
            ("generation_id", Canon::of(self.generation.as_str())),
            ("payload_hash", Canon::of(self.payload_hash.as_str())),
        ]
    }
}

impl RetailToken {
    /// The provider and the object of its payment; both empty when an operator issued it.
    #[must_use]
    pub fn source(&self) -> (&str, &str) {
        self.payment.as_ref().map_or(("", ""), |payment| (payment.provider.as_str(), payment.object.as_str()))
    }

    /// The answer to the request that issued it.
    fn issued(&self) -> Posted {
        Posted { time: self.issued_at, retail_token: Some(self.id.clone()), ..Posted::default() }
    }
}

/// Makes a token, unless its payment has one.
///
/// # Errors
///
/// [`Rejection::PaymentOfAnother`] when the payment's token is another player's.
pub(super) fn issue(draft: &mut Draft<'_>, issue: &IssueRetailToken, key: &MutationKey) -> Result<Ended, Stop> {
    if let Some(payment) = &issue.payment {
        let paid = &draft.book().paid;
        let first = paid.token_of(payment);
        let payer = first.map(|token| &token.player).or_else(|| paid.payment(payment).map(|row| &row.payment.player));
        if let Some(player) = payer.filter(|player| **player != issue.player).cloned() {
            let PaymentKey { provider, object } = payment.clone();
            return Err(Stop::rejected(Rejection::PaymentOfAnother { provider, object, player }));
        }
        if let Some(first) = first {
            return Ok(Ended::Before(first.issued()));
        }
    }
    draft.put_token(RetailToken {
        id: issue.token.clone(),
        player: issue.player.clone(),
        payment: issue.payment.clone(),
        caller: key.caller.clone(),
        issued_under: key.key.clone(),
        note: issue.note.clone(),
        issued_at: draft.time,
        used: None,
    });
    Ok(Ended::Anew)
}

/// Uses a token up.
///
/// # Errors
///
/// [`Rejection::RetailTokenUsed`] with what the first use made; [`Unstored::RetailTokenNotFound`].
pub(super) fn redeem(draft: &mut Draft<'_>, redeem: &RedeemRetailToken, key: &MutationKey) -> Result<Ended, Stop> {
    let Some(token) = draft.book().paid.token(&redeem.token) else {
        return Err(Stop::Unstored(Unstored::RetailTokenNotFound(redeem.token.clone())));
    };
    if let Some(first) = &token.used {
        return Err(Stop::rejected(Rejection::RetailTokenUsed { token: token.id.clone(), first: first.clone() }));
    }
    let made = Generation {
        id: redeem.generation.clone(),
        payload_hash: redeem.payload_hash.clone(),
        caller: key.caller.clone(),
        idempotency_key: key.key.clone(),
        time: draft.time,
    };
    draft.put_token(RetailToken { used: Some(made), ..token.clone() });
    Ok(Ended::Anew)
}
