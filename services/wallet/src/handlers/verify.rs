//! Verifies the audit while traffic runs: player by player, and never in one long snapshot.
//!
//! A player's newest entry, balances and open holds are read at one moment; the entries up to that one never change, so that they are read
//! afterwards in pages. Then every answer that was given is compared with the entries that it names, and every payment with the answers to
//! its events.

mod payments;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use auric_db::StoreError;
use auric_ids::{AssetId, PlayerId, PoolId};
use futures::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::Handlers;
use crate::domain::{Entry, Head, Method, Movement, MutationKey, Newest, Record};
use crate::store::{EntriesOrder, EntriesQuery, Portrait};

/// Entries of one read.
const ENTRIES_PAGE: u32 = 1_000;

/// Players or answers of one read, and of one report.
const SLICE: u32 = 200;

/// Reports that wait for a slow reader; beyond them the verification waits.
const REPORTS_MAX: usize = 8;

/// How a verification goes.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Players there were at the start.
    pub players_total: u64,
    /// Players verified so far.
    pub players_verified: u64,
    /// Entries verified so far.
    pub entries_verified: u64,
    /// Answers compared with their entries so far.
    pub mutations_verified: u64,
    /// Faults found since the report before.
    pub faults: Vec<AuditFault>,
    /// Whether this is the last report.
    pub done: bool,
}

/// Something that cannot be if nobody but the wallet wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFault {
    /// Whose audit.
    pub player: Option<PlayerId>,
    /// Which entry; 0 when it is not one entry's.
    pub number: u64,
    /// What kind of thing.
    pub kind: FaultKind,
    /// The sentence for a person.
    pub message: String,
}

/// What kind of thing cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A number is missing, or there twice.
    NumberGap,
    /// An entry is not what was chained.
    ChainBroken,
    /// The newest entry of a balance is not the one that the balance names.
    HeadMismatch,
    /// The entries do not add up to the balance.
    SumMismatch,
    /// What is held or promised is not what the open holds say.
    HoldMismatch,
    /// An answer names an entry that is not there, or another one.
    AnswerMismatch,
    /// A transfer took what it did not give.
    OneSided,
    /// A payment gave other than its events moved.
    PaymentMismatch,
    /// A row cannot be read at all.
    Unreadable,
}

impl FaultKind {
    /// The word that is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NumberGap => "NUMBER_GAP",
            Self::ChainBroken => "CHAIN_BROKEN",
            Self::HeadMismatch => "HEAD_MISMATCH",
            Self::SumMismatch => "SUM_MISMATCH",
            Self::HoldMismatch => "HOLD_MISMATCH",
            Self::AnswerMismatch => "ANSWER_MISMATCH",
            Self::OneSided => "ONE_SIDED",
            Self::PaymentMismatch => "PAYMENT_MISMATCH",
            Self::Unreadable => "UNREADABLE",
        }
    }
}

impl Handlers {
    /// Verifies one player's audit, or everybody's, and reports as it goes.
    ///
    /// # Cancellation
    ///
    /// Dropping the stream ends the verification at its next report.
    pub fn verify_audit(self: Arc<Self>, player: Option<PlayerId>) -> impl Stream<Item = Result<Progress, StoreError>> {
        let (reports, stream) = mpsc::channel(REPORTS_MAX);
        let handlers = Arc::clone(&self);
        self.tasks.spawn(async move {
            let mut verifier = Verifier { handlers, progress: Progress::default(), reports };
            if let Err(error) = verifier.run(player).await {
                // A reader that went away does not want to know.
                drop(verifier.reports.send(Err(error)).await);
            }
        });
        ReceiverStream::new(stream)
    }
}

struct Verifier {
    handlers: Arc<Handlers>,
    progress: Progress,
    reports: mpsc::Sender<Result<Progress, StoreError>>,
}

impl Verifier {
    async fn run(&mut self, player: Option<PlayerId>) -> Result<(), StoreError> {
        if let Some(player) = player {
            self.progress.players_total = 1;
            self.player(&player).await?;
        } else {
            self.progress.players_total = self.handlers.store.player_count().await?;
            let mut after = None;
            while let Some(last) = self.players(after.as_ref()).await? {
                after = Some(last);
            }
            let mut after = None;
            while let Some(last) = self.answers(after.as_ref()).await? {
                after = Some(last);
            }
            let mut after = None;
            while let Some(last) = self.payments(after.as_ref()).await? {
                after = Some(last);
            }
        }
        self.progress.done = true;
        self.report().await;
        Ok(())
    }

    /// Verifies the next slice of players; tells the last one.
    async fn players(&mut self, after: Option<&PlayerId>) -> Result<Option<PlayerId>, StoreError> {
        let players = self.handlers.store.players(after, SLICE).await?;
        for player in &players {
            self.player(player).await?;
        }
        let gone = !self.report().await;
        Ok(players.last().filter(|_| !gone).cloned())
    }

    async fn player(&mut self, player: &PlayerId) -> Result<(), StoreError> {
        let portrait = match self.handlers.store.portrait(player).await {
            Ok(portrait) => portrait,
            Err(StoreError::Corrupt(what)) => {
                self.fault(Some(player), 0, FaultKind::Unreadable, what);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let head = portrait.player.map(|player| player.head).unwrap_or_default();
        let sums = self.entries(player, head).await?;
        self.balances(player, &portrait, sums);
        self.progress.players_verified = self.progress.players_verified.saturating_add(1);
        Ok(())
    }

    /// Walks the entries up to the head; tells what they add up to.
    async fn entries(&mut self, player: &PlayerId, head: Head) -> Result<Sums, StoreError> {
        let rules = self.handlers.rules();
        let mut sums = Sums::new();
        let mut last = Head::default();
        loop {
            let order = EntriesOrder::After(last.number);
            let query = EntriesQuery { player: player.clone(), asset: None, order, limit: ENTRIES_PAGE };
            let page = match self.handlers.store.entries(&query).await {
                Ok(page) => page,
                Err(StoreError::Corrupt(what)) => {
                    let number = last.number.saturating_add(1);
                    self.fault(Some(player), number, FaultKind::Unreadable, what);
                    return Ok(sums);
                }
                Err(error) => return Err(error),
            };
            let wanted: Vec<Entry> = page.into_iter().filter(|entry| entry.movement.number <= head.number).collect();
            let Some(newest) = wanted.last().map(|entry| entry.movement.number) else { break };
            for entry in &wanted {
                let expected = last.number.saturating_add(1);
                let number = entry.movement.number;
                if number != expected {
                    let message = format!("entry {expected} of {player} is missing, {number} follows {}", last.number);
                    self.fault(Some(player), expected, FaultKind::NumberGap, message);
                }
                if rules.seal.hash(&last.hash, entry) != entry.hash {
                    let message = format!("entry {number} of {player} is not what was chained after {}", last.number);
                    self.fault(Some(player), number, FaultKind::ChainBroken, message);
                }
                add(&mut sums, entry);
                last = Head { number, hash: entry.hash, time: entry.time };
            }
            self.progress.entries_verified = self.progress.entries_verified.saturating_add(wanted.len() as u64);
            if newest >= head.number {
                break;
            }
        }
        Ok(sums)
    }

    fn balances(&mut self, player: &PlayerId, portrait: &Portrait, mut sums: Sums) {
        let mut held: HashMap<(AssetId, PoolId), [i128; 2]> = HashMap::new();
        for leg in portrait.holds.iter().flat_map(|hold| &hold.terms.legs) {
            for part in leg.from.iter().filter(|part| part.key.player == *player) {
                let sum = held.entry((part.key.asset.clone(), part.key.pool.clone())).or_default();
                sum[0] += i128::from(part.units);
            }
            if let Some(key) = leg.to.as_ref().filter(|key| key.player == *player) {
                let sum = held.entry((key.asset.clone(), key.pool.clone())).or_default();
                sum[1] += i128::from(leg.amount.units());
            }
        }
        for (key, row) in &portrait.rows {
            let name = (key.asset.clone(), key.pool.clone());
            let Sum { parts: sum, newest } = sums.remove(&name).unwrap_or_default();
            let parts = row.balance.parts().map(i128::from);
            if sum != parts {
                let message =
                    format!("{} {} of {player} is {parts:?}, its entries add up to {sum:?}", key.asset, key.pool);
                self.fault(Some(player), 0, FaultKind::SumMismatch, message);
            }
            // A balance that was not written for long names none.
            if row.newest.is_some() && row.newest != newest {
                let [found, named] = [newest, row.newest].map(|newest| newest.map_or(0, |newest| newest.number));
                let message = format!(
                    "the newest entry of {} {} of {player} is {found}, its row names {named}; or their hashes differ",
                    key.asset, key.pool
                );
                self.fault(Some(player), found.max(named), FaultKind::HeadMismatch, message);
            }
            let explained = held.remove(&name).unwrap_or_default();
            if [parts[1], parts[2]] != explained {
                let found = [parts[1], parts[2]];
                let message = format!(
                    "held and room of {} {} of {player} are {found:?}, the open holds say {explained:?}",
                    key.asset, key.pool
                );
                self.fault(Some(player), 0, FaultKind::HoldMismatch, message);
            }
        }
        for ((asset, pool), Sum { parts, .. }) in sums.into_iter().filter(|(_, sum)| sum.parts != [0; 4]) {
            let message = format!("{asset} {pool} of {player} has no row, its entries add up to {parts:?}");
            self.fault(Some(player), 0, FaultKind::SumMismatch, message);
        }
        for (asset, pool) in held.into_keys() {
            let message = format!("{asset} {pool} of {player} has no row, but an open hold");
            self.fault(Some(player), 0, FaultKind::HoldMismatch, message);
        }
    }

    /// Compares the next slice of answers with their entries; tells the last key.
    async fn answers(&mut self, after: Option<&MutationKey>) -> Result<Option<MutationKey>, StoreError> {
        let records = self.handlers.store.mutations(after, SLICE).await?;
        let movements: Vec<&Movement> = records
            .iter()
            .filter_map(|record| record.outcome.as_ref().ok())
            .flat_map(|posted| &posted.movements)
            .collect();
        let wanted: Vec<(PlayerId, u64)> =
            movements.iter().map(|movement| (movement.key.player.clone(), movement.number)).collect();
        let entries = self.handlers.store.entries_at(&wanted).await?;
        let entries: HashMap<(PlayerId, u64), Entry> =
            entries.into_iter().map(|entry| ((entry.player().clone(), entry.movement.number), entry)).collect();
        for record in &records {
            self.answer(record, &entries);
        }
        self.progress.mutations_verified = self.progress.mutations_verified.saturating_add(records.len() as u64);
        let gone = !self.report().await;
        Ok(records.last().filter(|_| !gone).map(|record| record.key.clone()))
    }

    fn answer(&mut self, record: &Record, entries: &HashMap<(PlayerId, u64), Entry>) {
        let Ok(posted) = &record.outcome else { return };
        let MutationKey { caller, key } = &record.key;
        let mut sums: BTreeMap<&AssetId, i128> = BTreeMap::new();
        for movement in &posted.movements {
            let entry = entries.get(&(movement.key.player.clone(), movement.number));
            if entry.map(|entry| &entry.movement) != Some(movement) {
                let (player, number) = (&movement.key.player, movement.number);
                let message =
                    format!("the answer to {key} of {caller} names entry {number} of {player}: it is not there so");
                self.fault(Some(player), number, FaultKind::AnswerMismatch, message);
            }
            *sums.entry(&movement.key.asset).or_default() += i128::from(movement.change.available_units);
        }
        if record.method == Method::Transfer
            && let Some((asset, sum)) = sums.into_iter().find(|(_, sum)| *sum != 0)
        {
            let message = format!("the transfer {key} of {caller} is one-sided by {sum} {asset}");
            self.fault(None, 0, FaultKind::OneSided, message);
        }
    }

    fn fault(&mut self, player: Option<&PlayerId>, number: u64, kind: FaultKind, message: String) {
        tracing::error!(
            player_id = player.map(PlayerId::as_str),
            number,
            kind = kind.as_str(),
            "audit fault: {message}"
        );
        self.progress.faults.push(AuditFault { player: player.cloned(), number, kind, message });
    }

    /// Sends a report; says whether somebody still listens.
    async fn report(&mut self) -> bool {
        let report = self.progress.clone();
        self.progress.faults.clear();
        self.reports.send(Ok(report)).await.is_ok()
    }
}

/// What the entries of one balance add up to: available, held, room, owed; and the newest of them.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    parts: [i128; 4],
    newest: Option<Newest>,
}

type Sums = HashMap<(AssetId, PoolId), Sum>;

fn add(sums: &mut Sums, entry: &Entry) {
    let key = &entry.movement.key;
    let sum = sums.entry((key.asset.clone(), key.pool.clone())).or_default();
    for (sum, part) in sum.parts.iter_mut().zip(entry.movement.change.parts()) {
        *sum += i128::from(part);
    }
    sum.newest = Some(entry.newest());
}
