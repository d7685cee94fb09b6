//! A ledger in memory: gives a batch what the stores give it and not a row more, and takes its journal as strictly as they do.

use std::collections::BTreeMap;

use auric_ids::{HoldId, PlayerId, RetailTokenId};
use auric_time::Timestamp;
use auric_wallet::domain::{
    BalanceKey, BatchKeys, Book, ClaimRow, Entry, EventKey, EventRow, Guard, HoldRow, Journal, MutationKey, Opened,
    PaidRows, PaymentKey, PaymentRow, Player, Record, Row, TokenRow,
};

#[derive(Debug, Default)]
pub struct Memory {
    pub players: BTreeMap<PlayerId, Player>,
    pub rows: BTreeMap<BalanceKey, Row>,
    pub entries: Vec<Entry>,
    records: BTreeMap<MutationKey, Record>,
    holds: BTreeMap<HoldId, HoldRow>,
    claims: BTreeMap<Guard, MutationKey>,
    payments: BTreeMap<PaymentKey, PaymentRow>,
    events: BTreeMap<EventKey, EventRow>,
    tokens: BTreeMap<RetailTokenId, TokenRow>,
}

impl Memory {
    pub fn open(&self, mut keys: BatchKeys, now: Timestamp) -> Book {
        let mut holds: Vec<HoldRow> = keys.holds.keys().filter_map(|id| self.holds.get(id)).cloned().collect();
        for row in &holds {
            keys.add_hold(&row.hold);
        }
        let player = |id: &PlayerId| (id.clone(), self.players.get(id).copied().unwrap_or_default());
        let mut opened = Opened { now, players: keys.players.iter().map(player).collect(), ..Opened::default() };
        opened.paid = self.paid(&keys);
        opened.paid.payments.iter().for_each(|row| keys.add_payment(row));
        let due = opened.due_players();
        for row in self.holds.values().filter(|row| row.hold.is_open() && row.hold.expires_at.is_some()) {
            let of_due = row.hold.balances().any(|key| due.contains(&key.player));
            if of_due && !holds.contains(row) {
                holds.push(row.clone());
            }
        }
        let wanted = |key: &BalanceKey| {
            keys.assets.contains(&(key.player.clone(), key.asset.clone())) || due.contains(&key.player)
        };
        opened.balances =
            self.rows.iter().filter(|(key, _)| wanted(key)).map(|(key, row)| (key.clone(), *row)).collect();
        opened.records = keys.mutations.iter().filter_map(|key| self.records.get(key)).cloned().collect();
        opened.claims = keys.guards.iter().filter_map(|guard| self.claim(guard)).collect();
        opened.holds = holds;
        Book::new(opened)
    }

    fn paid(&self, keys: &BatchKeys) -> PaidRows {
        let wanted = |row: &&TokenRow| {
            let of_payment = row.token.payment.as_ref().is_some_and(|payment| keys.payments.contains(payment));
            keys.tokens.contains(&row.token.id) || of_payment
        };
        PaidRows {
            payments: keys.payments.iter().filter_map(|key| self.payments.get(key)).cloned().collect(),
            events: keys.events.iter().filter_map(|key| self.events.get(key)).cloned().collect(),
            tokens: self.tokens.values().filter(wanted).cloned().collect(),
        }
    }

    fn claim(&self, guard: &Guard) -> Option<ClaimRow> {
        let key = self.claims.get(guard)?;
        let outcome = self.records[key].outcome.clone();
        Some(ClaimRow { guard: guard.clone(), key: key.clone(), outcome })
    }

    pub fn commit(&mut self, journal: Journal) {
        let place = |entry: &Entry| (entry.player().clone(), entry.movement.number);
        assert!(journal.entries.is_sorted_by_key(place), "entries are written in the order of players and numbers");
        for record in journal.records {
            assert_eq!(self.records.insert(record.key.clone(), record), None, "a key is written once");
        }
        for (guard, key, _) in journal.claims {
            assert_eq!(self.claims.insert(guard, key), None, "a claim is written once");
        }
        for row in journal.holds {
            let loaded = self.holds.get(&row.hold.id).map_or(0, |row| row.version);
            assert_eq!(row.version, loaded + 1, "a hold is written over what was loaded: {row:?}");
            self.holds.insert(row.hold.id.clone(), row);
        }
        for row in journal.paid.events {
            assert_eq!(self.events.insert(row.key.clone(), row), None, "an event is written once");
        }
        for row in journal.paid.payments {
            let loaded = self.payments.get(&row.payment.key).map_or(0, |row| row.version);
            assert_eq!(row.version, loaded + 1, "a payment is written over what was loaded: {row:?}");
            self.payments.insert(row.payment.key.clone(), row);
        }
        for row in journal.paid.tokens {
            let loaded = self.tokens.get(&row.token.id).map_or(0, |row| row.version);
            assert_eq!(row.version, loaded + 1, "a token is written over what was loaded: {row:?}");
            self.tokens.insert(row.token.id.clone(), row);
        }
        for (key, row) in journal.balances {
            let loaded = self.rows.get(&key).map_or(0, |row| row.version);
            assert_eq!(row.version, loaded + 1, "a balance is written over what was loaded: {key:?}");
            self.rows.insert(key, row);
        }
        for (id, player) in journal.players {
            let stored = self.players.get(&id).copied().unwrap_or_default();
            assert_eq!(player.loaded, stored.head, "a player is written over what was loaded");
            let loaded = Player { loaded: player.head, loaded_expiry: player.next_expiry, ..player };
            self.players.insert(id, loaded);
        }
        self.entries.extend(journal.entries);
    }
}
