//! What one batch knows of its players, and what changes.

use std::collections::{BTreeMap, BTreeSet};

use auric_catalog::CatalogHash;
use auric_events::Noted;
use auric_ids::{BannerId, OperationId, PityGroupId, PlayerId};
use auric_keys::MutationKey;
use auric_time::Timestamp;
use auric_twophase::Log;
use auric_twophase::store::Wanted;

use super::change::Record;
use super::operation::Pull;
use super::{ClientSeed, News, Pity, ServerSeed};

/// What a batch may touch: the store locks the players and loads the rest, each in ascending order.
#[derive(Clone, Debug, Default)]
pub struct BatchKeys {
    /// Players to lock.
    pub players: BTreeSet<PlayerId>,
    /// Pity to load.
    pub groups: BTreeSet<(PlayerId, PityGroupId)>,
    /// Uses to load: all of a player's at a banner.
    pub banners: BTreeSet<(PlayerId, BannerId)>,
    /// Keys and operations to load.
    pub log: Wanted,
    /// Keys of other changes to load.
    pub mutations: BTreeSet<MutationKey>,
}

/// One player, as it was loaded.
#[derive(Clone, Debug)]
pub struct Player {
    /// What the player's draws come from; nothing before the first summon is begun.
    pub seeds: Option<Seeds>,
    /// How many summons were drawn from the server seed.
    pub nonce: u64,
    /// Which pair of seeds it is, from 0.
    pub epoch: u64,
    /// The first summon that is drawn from the pair.
    pub first_nonce: u64,
    /// A player's time never goes back.
    pub last_time: Timestamp,
    /// Counts the changes of the row.
    pub version: u64,
}

/// What a player's draws come from.
#[derive(Clone, Debug)]
pub struct Seeds {
    /// The server's part, secret.
    pub server: ServerSeed,
    /// The player's part.
    pub client: ClientSeed,
}

/// A pair of seeds that went out of use.
#[derive(Clone, Debug)]
pub struct EndedSeeds {
    /// Which pair of the player's, from 0.
    pub epoch: u64,
    /// The pair.
    pub seeds: Seeds,
    /// The first summon from it.
    pub first_nonce: u64,
    /// The one behind the last.
    pub next_nonce: u64,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// A player's pity in one group.
#[derive(Clone, Debug, Default)]
pub struct PityRow {
    /// How far the player has come.
    pub pity: Pity,
    /// Pulls in the log.
    pub pulls: u64,
    /// Counts the changes of the row; 0 before it is written.
    pub version: u64,
}

/// What is counted per period: the free summons of a cost option, or the pulls of a banner with a limit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UseKey {
    /// Whose.
    pub player: PlayerId,
    /// At which banner.
    pub banner: BannerId,
    /// The cost option that is free; empty for the banner's limit.
    pub what: String,
}

/// How much of it was used in the newest period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UseRow {
    /// Which period.
    pub period: String,
    /// How much.
    pub used: u64,
    /// Counts the changes of the row; 0 before it is written.
    pub version: u64,
}

/// A pull that is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedPull {
    /// Whose.
    pub player: PlayerId,
    /// In which group.
    pub group: PityGroupId,
    /// From which banner.
    pub banner: BannerId,
    /// Of which summon.
    pub operation: OperationId,
    /// The player's counter of summons.
    pub nonce: u64,
    /// The pair of seeds that it was drawn from.
    pub epoch: u64,
    /// From which catalog.
    pub catalog: CatalogHash,
    /// When.
    pub time: Timestamp,
    /// What was drawn.
    pub pull: Pull,
}

/// What the store loaded.
#[derive(Debug, Default)]
pub struct Opened {
    /// The database's clock, after the locks.
    pub now: Timestamp,
    /// Every locked player.
    pub players: Vec<(PlayerId, Player)>,
    /// The pity that is there.
    pub pity: Vec<((PlayerId, PityGroupId), PityRow)>,
    /// The uses that are there.
    pub uses: Vec<(UseKey, UseRow)>,
    /// Keys and operations.
    pub log: Log,
    /// Other changes whose keys are there.
    pub records: Vec<Record>,
}

/// What one batch knows; what changed in it is its journal.
#[derive(Debug)]
pub struct Book {
    now: Timestamp,
    players: BTreeMap<PlayerId, Player>,
    pity: BTreeMap<(PlayerId, PityGroupId), PityRow>,
    uses: BTreeMap<UseKey, UseRow>,
    /// Keys and operations.
    pub log: Log,
    records: BTreeMap<MutationKey, Record>,
    kept: BTreeSet<MutationKey>,
    ended: Vec<(PlayerId, EndedSeeds)>,
    pulls: Vec<LoggedPull>,
    changed_players: BTreeSet<PlayerId>,
    changed_pity: BTreeSet<(PlayerId, PityGroupId)>,
    changed_uses: BTreeSet<UseKey>,
}

/// What is to be written, each in ascending order. Versions are those after the write.
#[derive(Debug)]
pub struct Journal {
    /// When.
    pub time: Timestamp,
    /// Players that changed.
    pub players: Vec<(PlayerId, Player)>,
    /// Pity that changed.
    pub pity: Vec<((PlayerId, PityGroupId), PityRow)>,
    /// Uses that changed.
    pub uses: Vec<(UseKey, UseRow)>,
    /// Pulls that were drawn.
    pub pulls: Vec<LoggedPull>,
    /// Operations that were begun or decided.
    pub log: Log,
    /// Other changes that were answered.
    pub records: Vec<Record>,
    /// Seeds that went out of use.
    pub ended: Vec<(PlayerId, EndedSeeds)>,
    /// What happened, for others to follow.
    pub news: Vec<Noted<News>>,
    /// The lane of the outbox that it is told in.
    pub lane: i16,
}

impl Book {
    /// Takes up what was loaded.
    #[must_use]
    pub fn new(opened: Opened) -> Self {
        Self {
            now: opened.now,
            players: opened.players.into_iter().collect(),
            pity: opened.pity.into_iter().collect(),
            uses: opened.uses.into_iter().collect(),
            log: opened.log,
            records: opened.records.into_iter().map(|record| (record.key.clone(), record)).collect(),
            kept: BTreeSet::new(),
            ended: Vec::new(),
            pulls: Vec::new(),
            changed_players: BTreeSet::new(),
            changed_pity: BTreeSet::new(),
            changed_uses: BTreeSet::new(),
        }
    }

    /// The time for what a player does: the database's clock, and never before what was.
    #[must_use]
    pub fn time_for(&self, player: &PlayerId) -> Timestamp {
        self.players.get(player).map_or(self.now, |player| player.last_time.max(self.now))
    }

    /// The database's clock.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// A player's draws: seeds and the next nonce.
    #[must_use]
    pub fn player(&self, player: &PlayerId) -> Option<&Player> {
        self.players.get(player)
    }

    /// Changes a player.
    pub fn change_player(&mut self, player: &PlayerId, change: impl FnOnce(&mut Player)) {
        if let Some(found) = self.players.get_mut(player) {
            change(found);
            self.changed_players.insert(player.clone());
        }
    }

    /// A player's pity in a group.
    #[must_use]
    pub fn pity(&self, player: &PlayerId, group: &PityGroupId) -> PityRow {
        self.pity.get(&(player.clone(), group.clone())).cloned().unwrap_or_default()
    }

    /// How much a player has used of something in `period`.
    #[must_use]
    pub fn used(&self, key: &UseKey, period: &str) -> u64 {
        self.uses.get(key).filter(|row| row.period == period).map_or(0, |row| row.used)
    }

    /// Notes that a player used `count` of something in `period`.
    pub fn use_up(&mut self, key: UseKey, period: &str, count: u64) {
        let row = self.uses.entry(key.clone()).or_default();
        if row.period != period {
            (row.period, row.used) = (period.to_owned(), 0);
        }
        row.used = row.used.saturating_add(count);
        self.changed_uses.insert(key);
    }

    /// Adds pulls to a player's log, and what they made of the pity.
    pub fn log_pulls(&mut self, player: &PlayerId, group: &PityGroupId, pity: Pity, pulls: Vec<LoggedPull>) {
        let key = (player.clone(), group.clone());
        let row = self.pity.entry(key.clone()).or_default();
        row.pity = pity;
        row.pulls = row.pulls.saturating_add(u64::try_from(pulls.len()).unwrap_or(u64::MAX));
        self.changed_pity.insert(key);
        self.pulls.extend(pulls);
    }

    /// Changes what a player's pity says without a pull.
    pub fn change_pity(&mut self, player: &PlayerId, group: &PityGroupId, pity: Pity) {
        let key = (player.clone(), group.clone());
        self.pity.entry(key.clone()).or_default().pity = pity;
        self.changed_pity.insert(key);
    }

    /// Notes that a player's seeds went out of use.
    pub fn end_seeds(&mut self, player: &PlayerId, ended: EndedSeeds) {
        self.ended.push((player.clone(), ended));
    }

    /// What was answered under a key before.
    #[must_use]
    pub fn record(&self, key: &MutationKey) -> Option<&Record> {
        self.records.get(key)
    }

    /// Keeps an answer.
    pub fn keep(&mut self, record: Record) {
        self.kept.insert(record.key.clone());
        self.records.insert(record.key.clone(), record);
    }

    /// What is to be written.
    #[must_use]
    pub fn into_journal(mut self) -> Journal {
        let players = take(&mut self.players, self.changed_players);
        let pity = take(&mut self.pity, self.changed_pity);
        let uses = take(&mut self.uses, self.changed_uses);
        let mut pulls = self.pulls;
        pulls.sort_by(|one, other| {
            (&one.player, &one.group, one.pull.number).cmp(&(&other.player, &other.group, other.pull.number))
        });
        let records = take(&mut self.records, self.kept).into_iter().map(|(_, record)| record).collect();
        let mut ended = self.ended;
        ended.sort_by(|(one, of_one), (other, of_other)| (one, of_one.epoch).cmp(&(other, of_other.epoch)));
        let (news, lane) = (Vec::new(), 0);
        let mut journal =
            Journal { time: self.now, players, pity, uses, pulls, log: self.log, records, ended, news, lane };
        journal.players.iter_mut().for_each(|(_, row)| row.version = row.version.saturating_add(1));
        journal.pity.iter_mut().for_each(|(_, row)| row.version = row.version.saturating_add(1));
        journal.uses.iter_mut().for_each(|(_, row)| row.version = row.version.saturating_add(1));
        journal.news = News::of(&journal.pulls, &journal.players);
        journal
    }
}

impl Journal {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.log.is_unchanged() && self.players.is_empty()
    }
}

fn take<K: Ord, V>(rows: &mut BTreeMap<K, V>, changed: BTreeSet<K>) -> Vec<(K, V)> {
    changed.into_iter().filter_map(|key| rows.remove_entry(&key)).collect()
}
