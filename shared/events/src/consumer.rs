//! Consuming: the cursor and the effect of events are one transaction of the consumer's own database.
//!
//! A consumer keeps one row a source (`consumed_events`): the cursor. In the transaction that acts on some events it moves the row from the cursor
//! that they were read behind to the one after them ([`store::consumed`](crate::store::consumed)), and only from there: a copy of the
//! consumer that was faster, and a commit whose answer was lost, are found so, and nothing is acted on twice. No list of ids is kept: a cursor
//! stands for all of them.

use async_trait::async_trait;
use auric_db::StoreError;

/// Events that a consumer acts on in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<E> {
    /// The cursor that they were read behind.
    pub from: String,
    /// The cursor after them.
    pub to: String,
    /// What happened, in an order that keeps each player's.
    pub events: Vec<E>,
}

/// What acts on events.
#[async_trait]
pub trait Sink: Send + Sync {
    /// An event as it knows it.
    type Event: Send;

    /// Reads the cursor that it has come to; empty at the beginning.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: it is asked again.
    async fn cursor(&self) -> Result<String, StoreError>;

    /// Acts on the events and moves the cursor, in one transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: the cursor is read again, and what is behind it is taken again. [`StoreError::Contended`] when the cursor is not at
    /// `step.from`.
    async fn take(&self, step: Step<Self::Event>) -> Result<(), StoreError>;
}
