//! What the events of the wallet are about, read from the ledger.

use std::collections::HashMap;

use auric_db::StoreError;
use auric_events::Happened;

use super::Handlers;
use crate::domain::{Entry, EventKey, EventRow, Told};
use crate::store::KeptHold;

/// What an event is about.
#[derive(Clone, Debug)]
pub enum Thing {
    /// An entry that was added.
    Entry(Box<Entry>),
    /// A hold that was made: as it stands now.
    HoldOpened(Box<KeptHold>),
    /// A hold that was ended: it stays as it is.
    HoldEnded(Box<KeptHold>),
    /// What a provider told.
    Payment(Box<EventRow>),
}

impl Handlers {
    /// Reads what `events` are about.
    ///
    /// # Shape
    ///
    /// One for each event, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when something that was told of is not in the ledger.
    pub async fn told(&self, events: &[Happened<Told>]) -> Result<Vec<Thing>, StoreError> {
        let (mut entries, mut holds, mut payments) = (Vec::new(), Vec::new(), Vec::new());
        for event in events {
            match &event.what {
                Told::Entry => entries.push((event.player.clone(), event.version)),
                Told::HoldOpened(id) | Told::HoldEnded(id) => holds.push(id.clone()),
                Told::Payment(provider, id) => {
                    payments.push(EventKey { provider: provider.clone(), event: id.clone() });
                }
            }
        }
        let entries = if entries.is_empty() { Vec::new() } else { self.store.entries_at(&entries).await? };
        let holds = if holds.is_empty() { Vec::new() } else { self.store.holds_at(&holds).await? };
        let payments = if payments.is_empty() { Vec::new() } else { self.store.told_at(&payments).await? };
        let of_entry = |entry: Entry| ((entry.player().clone(), entry.movement.number), entry);
        let entries: HashMap<_, _> = entries.into_iter().map(of_entry).collect();
        let holds: HashMap<_, _> = holds.into_iter().map(|kept| (kept.hold.id.clone(), kept)).collect();
        let payments: HashMap<_, _> = payments.into_iter().map(|row| (row.key.clone(), row)).collect();
        let thing = |event: &Happened<Told>| match &event.what {
            Told::Entry => {
                entries.get(&(event.player.clone(), event.version)).map(|entry| Thing::Entry(Box::new(entry.clone())))
            }
            Told::HoldOpened(id) => holds.get(id).map(|kept| Thing::HoldOpened(Box::new(kept.clone()))),
            Told::HoldEnded(id) => holds.get(id).map(|kept| Thing::HoldEnded(Box::new(kept.clone()))),
            Told::Payment(provider, id) => {
                let key = EventKey { provider: provider.clone(), event: id.clone() };
                payments.get(&key).map(|row| Thing::Payment(Box::new(row.clone())))
            }
        };
        let missing = |event: &Happened<Told>| {
            StoreError::Corrupt(format!("the event {} of {} tells of what is not there", event.id, event.player))
        };
        events.iter().map(|event| thing(event).ok_or_else(|| missing(event))).collect()
    }
}
