//! The payments, their events and the retail tokens of one batch: loaded, changed, and to be written.

use std::collections::{BTreeMap, BTreeSet};

use auric_ids::RetailTokenId;

use super::{EventKey, EventRow, Payment, PaymentKey, PaymentRow, RetailToken, TokenRow};

/// What the store read.
#[derive(Clone, Debug, Default)]
pub struct PaidRows {
    /// Every payment that exists.
    pub payments: Vec<PaymentRow>,
    /// Every event that was acted on.
    pub events: Vec<EventRow>,
    /// Every retail token that exists, by its name or its payment.
    pub tokens: Vec<TokenRow>,
}

/// The working set.
#[derive(Debug, Default)]
pub struct Paid {
    payments: BTreeMap<PaymentKey, PaymentRow>,
    events: BTreeMap<EventKey, EventRow>,
    tokens: BTreeMap<RetailTokenId, TokenRow>,
    written_payments: BTreeSet<PaymentKey>,
    written_events: BTreeSet<EventKey>,
    written_tokens: BTreeSet<RetailTokenId>,
}

impl Paid {
    /// Takes up what was loaded.
    pub(super) fn new(rows: PaidRows) -> Self {
        Self {
            payments: rows.payments.into_iter().map(|row| (row.payment.key.clone(), row)).collect(),
            events: rows.events.into_iter().map(|row| (row.key.clone(), row)).collect(),
            tokens: rows.tokens.into_iter().map(|row| (row.token.id.clone(), row)).collect(),
            ..Self::default()
        }
    }

    /// The payment of that name.
    #[must_use]
    pub fn payment(&self, key: &PaymentKey) -> Option<&PaymentRow> {
        self.payments.get(key)
    }

    /// The event of that name, when it was acted on.
    #[must_use]
    pub fn event(&self, key: &EventKey) -> Option<&EventRow> {
        self.events.get(key)
    }

    /// The retail token of that name.
    #[must_use]
    pub fn token(&self, id: &RetailTokenId) -> Option<&RetailToken> {
        self.tokens.get(id).map(|row| &row.token)
    }

    /// The retail token that was issued for `payment`.
    #[must_use]
    pub fn token_of(&self, payment: &PaymentKey) -> Option<&RetailToken> {
        self.tokens.values().map(|row| &row.token).find(|token| token.payment.as_ref() == Some(payment))
    }

    pub(super) fn put_payment(&mut self, payment: Payment) {
        let key = payment.key.clone();
        let loaded = self.payments.get(&key).map_or(0, |row| row.version);
        let first = self.written_payments.insert(key.clone());
        self.payments.insert(key, PaymentRow { payment, version: loaded.saturating_add(u64::from(first)) });
    }

    pub(super) fn put_event(&mut self, event: EventRow) {
        self.written_events.insert(event.key.clone());
        self.events.insert(event.key.clone(), event);
    }

    pub(super) fn put_token(&mut self, token: RetailToken) {
        let id = token.id.clone();
        let loaded = self.tokens.get(&id).map_or(0, |row| row.version);
        let first = self.written_tokens.insert(id.clone());
        self.tokens.insert(id, TokenRow { token, version: loaded.saturating_add(u64::from(first)) });
    }

    /// What is to be written: payments and tokens with the version that they are to get, each in ascending order.
    pub(super) fn into_rows(mut self) -> PaidRows {
        PaidRows {
            payments: self.written_payments.iter().filter_map(|key| self.payments.remove(key)).collect(),
            events: self.written_events.iter().filter_map(|key| self.events.remove(key)).collect(),
            tokens: self.written_tokens.iter().filter_map(|id| self.tokens.remove(id)).collect(),
        }
    }
}
