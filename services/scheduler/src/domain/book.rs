//! What a batch of changes loads, decides on, and writes.

use std::collections::{BTreeMap, BTreeSet};

use auric_ids::JobId;
use auric_keys::{Fingerprint, MutationKey};
use auric_time::Timestamp;

use super::{Action, Ask, DeadLetter, Definition, Ended, Enqueue, FiringKey, Job, JobRow, NewFiring, Outcome};

/// What a batch may touch.
#[derive(Clone, Debug, Default)]
pub struct BatchKeys {
    /// Jobs to lock, in ascending order, and to load.
    pub jobs: BTreeSet<JobId>,
    /// Dead letters to load.
    pub dead: BTreeSet<FiringKey>,
    /// Keys to look up.
    pub mutations: BTreeSet<MutationKey>,
}

/// The answer of a mutation, under its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose key, and which.
    pub key: MutationKey,
    /// The name of its RPC.
    pub method: String,
    /// What it meant.
    pub fingerprint: Fingerprint,
    /// What it came to.
    pub outcome: Outcome,
    /// When.
    pub time: Timestamp,
}

/// All that was loaded after the locks.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// The database's clock.
    pub now: Timestamp,
    /// Jobs that are there.
    pub jobs: Vec<JobRow>,
    /// Their firings that never began, and whether they were triggered by hand.
    pub pending: Vec<(FiringKey, bool)>,
    /// The latest time of each of them for which a firing ever began or ended, triggered ones left out.
    pub seen: BTreeMap<JobId, Timestamp>,
    /// Dead letters that are there.
    pub dead: Vec<DeadLetter>,
    /// Keys that were used.
    pub records: Vec<Record>,
}

/// What a batch decides on.
#[derive(Debug)]
pub struct Book {
    now: Timestamp,
    jobs: BTreeMap<JobId, Place>,
    pending: BTreeMap<FiringKey, Pending>,
    seen: BTreeMap<JobId, Timestamp>,
    dead: BTreeMap<FiringKey, DeadLetter>,
    records: BTreeMap<MutationKey, Record>,
    journal: Journal,
}

#[derive(Debug)]
struct Place {
    /// By which number it may be written; nothing for one that was not there.
    loaded: Option<u64>,
    row: Option<JobRow>,
    is_changed: bool,
}

#[derive(Debug)]
struct Pending {
    triggered: bool,
    /// It is in no table yet.
    new: Option<NewFiring>,
}

/// All that a batch writes.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// When it was decided.
    pub time: Timestamp,
    /// Answers, under keys that nobody has used.
    pub records: Vec<Record>,
    /// Jobs that were not there.
    pub made: Vec<JobRow>,
    /// Jobs that were, each only over the number with which it was loaded.
    pub changed: Vec<(JobRow, u64)>,
    /// Jobs that are no more, the same.
    pub removed: Vec<(JobId, u64)>,
    /// New definitions.
    pub definitions: Vec<Definition>,
    /// Pending firings that are taken back.
    pub taken_back: Vec<FiringKey>,
    /// New firings.
    pub firings: Vec<NewFiring>,
    /// Firings that came to their end.
    pub ended: Vec<Ended>,
    /// Dead letters that are none any more.
    pub revived: Vec<FiringKey>,
}

impl BatchKeys {
    /// Adds what `ask` may touch.
    pub fn add(&mut self, ask: &Ask) {
        self.mutations.extend(ask.mutation());
        match &ask.action {
            Action::Create { job, .. }
            | Action::Update { job, .. }
            | Action::SetPaused { job, .. }
            | Action::Trigger { job, .. }
            | Action::Delete { job, .. }
            | Action::Enqueue(Enqueue { job, .. }) => {
                self.jobs.insert(job.clone());
            }
            Action::Ensure { jobs, .. } => self.jobs.extend(jobs.iter().map(|desired| desired.job.clone())),
            Action::Replay(key) | Action::Discard(key) => {
                self.dead.insert(key.clone());
            }
        }
    }
}

impl Book {
    /// Opens the book on what was loaded.
    #[must_use]
    pub fn new(opened: Opened) -> Self {
        let Opened { now, jobs, pending, seen, dead, records } = opened;
        let place =
            |row: JobRow| (row.job.id.clone(), Place { loaded: Some(row.plan), row: Some(row), is_changed: false });
        Self {
            now,
            jobs: jobs.into_iter().map(place).collect(),
            pending: pending.into_iter().map(|(key, triggered)| (key, Pending { triggered, new: None })).collect(),
            seen,
            dead: dead.into_iter().map(|letter| (letter.firing.key.clone(), letter)).collect(),
            records: records.into_iter().map(|record| (record.key.clone(), record)).collect(),
            journal: Journal { time: now, ..Journal::default() },
        }
    }

    /// The database's clock.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// What became of that key.
    #[must_use]
    pub fn record(&self, key: &MutationKey) -> Option<&Record> {
        self.records.get(key)
    }

    /// Keeps an answer.
    pub fn keep(&mut self, record: Record) {
        self.journal.records.push(record.clone());
        self.records.insert(record.key.clone(), record);
    }

    /// The job of that name.
    #[must_use]
    pub fn job(&self, id: &JobId) -> Option<&JobRow> {
        self.jobs.get(id)?.row.as_ref()
    }

    /// The job as it is told: with the first of its firings that is planned.
    #[must_use]
    pub fn told(&self, id: &JobId) -> Option<Job> {
        let job = self.job(id)?.job.clone();
        let planned_at = self.pending_of(id).find(|(_, triggered)| !triggered).map(|(key, _)| key.scheduled_for);
        Some(Job { planned_at, ..job })
    }

    /// The latest time of a job that there ever was a firing for, triggered ones left out.
    #[must_use]
    pub fn seen(&self, id: &JobId) -> Option<Timestamp> {
        let planned = self.pending_of(id).filter(|(_, triggered)| !triggered).map(|(key, _)| key.scheduled_for);
        planned.chain(self.seen.get(id).copied()).max()
    }

    /// Puts a job as it is from now on.
    pub fn put(&mut self, job: Job) {
        let place = self.jobs.entry(job.id.clone()).or_insert(Place { loaded: None, row: None, is_changed: false });
        let plan = place.row.as_ref().map(|row| row.plan).or(place.loaded).unwrap_or(0).saturating_add(1);
        place.row = Some(JobRow { job, plan });
        place.is_changed = true;
    }

    /// Puts a job that has a new definition.
    pub fn define(&mut self, job: Job) {
        self.journal.definitions.extend(job.definition());
        self.put(job);
    }

    /// Removes a job.
    pub fn remove(&mut self, id: &JobId) {
        if let Some(place) = self.jobs.get_mut(id) {
            place.row = None;
            place.is_changed = true;
        }
        self.seen.remove(id);
    }

    /// Its firings that never began, the earliest first, and whether they were triggered by hand.
    pub fn pending_of<'a>(&'a self, id: &'a JobId) -> impl Iterator<Item = (&'a FiringKey, bool)> {
        let pending = self.pending.iter().filter(move |(key, _)| key.job == *id);
        pending.map(|(key, pending)| (key, pending.triggered))
    }

    /// Takes back a firing that never began.
    pub fn take_back(&mut self, key: &FiringKey) {
        if self.pending.remove(key).is_some_and(|pending| pending.new.is_none()) {
            self.journal.taken_back.push(key.clone());
        }
    }

    /// Adds a firing.
    pub fn fire(&mut self, firing: NewFiring) {
        let pending = Pending { triggered: firing.triggered, new: Some(firing.clone()) };
        self.pending.insert(firing.key, pending);
    }

    /// Puts a firing on record that came to its end.
    pub fn end(&mut self, ended: Ended) {
        self.journal.ended.push(ended);
    }

    /// Takes a dead letter out.
    pub fn revive(&mut self, key: &FiringKey) -> Option<DeadLetter> {
        let letter = self.dead.remove(key)?;
        self.journal.revived.push(key.clone());
        Some(letter)
    }

    /// All that is to be written, each in ascending order.
    #[must_use]
    pub fn into_journal(self) -> Journal {
        let mut journal = self.journal;
        for (id, place) in self.jobs.into_iter().filter(|(_, place)| place.is_changed) {
            match (place.loaded, place.row) {
                (Some(loaded), Some(row)) => journal.changed.push((row, loaded)),
                (None, Some(row)) => journal.made.push(row),
                (Some(loaded), None) => journal.removed.push((id, loaded)),
                (None, None) => {}
            }
        }
        journal.firings.extend(self.pending.into_values().filter_map(|pending| pending.new));
        journal.records.sort_by(|one, other| one.key.cmp(&other.key));
        journal
    }
}

impl Journal {
    /// Whether nothing is to be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { time: _, records, made, changed, removed, definitions, taken_back, firings, ended, revived } = self;
        records.is_empty()
            && made.is_empty()
            && changed.is_empty()
            && removed.is_empty()
            && definitions.is_empty()
            && taken_back.is_empty()
            && firings.is_empty()
            && ended.is_empty()
            && revived.is_empty()
    }
}
