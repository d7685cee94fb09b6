//! Answers one request that changes something: the key is tested before any state, then the rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use auric_ids::{JobId, TargetId};
use auric_time::Timestamp;
use serde::{Deserialize, Serialize};

use super::timetable::whole_ms;
use super::{
    Action, Ask, BadField, Book, Ended, Enqueue, Ensured, Firing, FiringKey, Incarnation, Job, JobSpec, Life, Misfire,
    NewFiring, Overlap, Record, Refusal, Rejection, Schedule, SkipReason, Timetable, ensure,
};

/// What a request is told when it had its effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A job as it is now, or as it was when it was deleted.
    Job(Box<Job>),
    /// A firing as it is now.
    Firing(Box<Firing>),
    /// What became of each job of a desired set, in the order of the request.
    Ensured(Vec<Ensured>),
}

/// What a request came to; kept under its key.
pub type Outcome = Result<Answer, Rejection>;

/// What a request is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was decided, now or before.
    Answered {
        /// What it came to.
        outcome: Outcome,
        /// Whether it was decided before.
        replayed: bool,
    },
    /// It was not decided.
    Refused(Refusal),
}

/// Why a change was not made.
enum Stop {
    Rejected(Rejection),
    Refused(Refusal),
}

/// Decides `ask` on `book` and keeps the answer there. `targets` are those that the settings know.
pub fn decide(book: &mut Book, targets: &BTreeSet<TargetId>, ahead_micros: i64, ask: &Ask) -> Verdict {
    let fingerprint = ask.action.fingerprint();
    let key = ask.mutation();
    if let Some(first) = key.as_ref().and_then(|key| book.record(key)) {
        if first.fingerprint.digest == fingerprint.digest {
            return Verdict::Answered { outcome: first.outcome.clone(), replayed: true };
        }
        let fields = fingerprint.differing_fields(&first.fingerprint);
        return Verdict::Refused(Refusal::KeyReused { fields, first_method: first.method.clone() });
    }
    let mut desk = Desk { book, targets, drawn: ask.drawn, ahead_micros };
    let outcome = match desk.act(&ask.action) {
        Ok(answer) => Ok(answer),
        Err(Stop::Rejected(rejection)) => Err(rejection),
        Err(Stop::Refused(refusal)) => return Verdict::Refused(refusal),
    };
    if let Some(key) = key {
        let (method, time) = (ask.action.method().to_owned(), book.now());
        book.keep(Record { key, method, fingerprint, outcome: outcome.clone(), time });
    }
    Verdict::Answered { outcome, replayed: false }
}

/// What a change is made on.
pub(super) struct Desk<'a> {
    pub book: &'a mut Book,
    pub targets: &'a BTreeSet<TargetId>,
    pub drawn: u64,
    pub ahead_micros: i64,
}

impl Desk<'_> {
    fn act(&mut self, action: &Action) -> Result<Answer, Stop> {
        match action {
            Action::Create { job, group, spec, paused } => {
                let timetable = self.check(spec).map_err(|bad| Stop::Refused(Refusal::Invalid(bad)))?;
                if self.book.job(job).is_some() {
                    return Err(Stop::Rejected(Rejection::JobExists { job: job.clone() }));
                }
                let made = Job { paused: *paused, group: group.clone(), ..self.new_job(job, spec, &timetable) };
                self.book.define(made);
                self.tell(job)
            }
            Action::Update { job, spec, expected } => {
                let timetable = self.check(spec).map_err(|bad| Stop::Refused(Refusal::Invalid(bad)))?;
                let found = self.expect(job, *expected)?;
                self.redefine(found, spec, &timetable);
                self.tell(job)
            }
            Action::SetPaused { job, paused, expected } => {
                let found = self.expect(job, *expected)?;
                self.set_paused(found, *paused);
                self.tell(job)
            }
            Action::Trigger { job, expected } => {
                let found = self.expect(job, *expected)?;
                self.trigger(&found)
            }
            Action::Delete { job, expected } => {
                self.expect(job, *expected)?;
                let told = self.tell(job);
                self.delete(job);
                told
            }
            Action::Ensure { group, jobs } => {
                Ok(Answer::Ensured(jobs.iter().map(|desired| ensure::ensure(self, group, desired)).collect()))
            }
            Action::Enqueue(enqueue) => self.enqueue(enqueue),
            Action::Replay(key) => self.replay(key),
            Action::Discard(key) => self.discard(key),
        }
    }

    /// Tests a spec; its faults are those of the field `spec`.
    pub fn check(&self, spec: &JobSpec) -> Result<Timetable, Vec<BadField>> {
        let mut bad = Vec::new();
        if !self.targets.contains(&spec.target) {
            bad.push(BadField::new("target", format!("{} is no target of the scheduler's settings", spec.target)));
        }
        match spec.check(self.book.now()) {
            Ok(timetable) if bad.is_empty() => return Ok(timetable),
            Ok(_) => {}
            Err(faults) => bad.extend(faults),
        }
        for field in &mut bad {
            field.path.insert_str(0, "spec.");
        }
        Err(bad)
    }

    /// A job that is made now.
    pub fn new_job(&self, id: &JobId, spec: &Arc<JobSpec>, timetable: &Timetable) -> Job {
        let now = self.book.now();
        Job {
            id: id.clone(),
            group: Job::no_group(),
            incarnation: Incarnation::draw(self.drawn, id),
            revision: 1,
            spec: Some(Arc::clone(spec)),
            paused: false,
            version: 1,
            next_at: timetable.first(now),
            planned_at: None,
            last: None,
            created_at: now,
            updated_at: now,
        }
    }

    fn expect(&self, id: &JobId, expected: Option<u64>) -> Result<Job, Stop> {
        let Some(row) = self.book.job(id) else {
            return Err(Stop::Rejected(Rejection::JobNotFound { job: id.clone() }));
        };
        match expected {
            Some(expected) if expected != row.job.version => {
                let found = row.job.version;
                Err(Stop::Rejected(Rejection::StaleVersion { job: id.clone(), expected, found }))
            }
            _ => Ok(row.job.clone()),
        }
    }

    fn tell(&self, id: &JobId) -> Result<Answer, Stop> {
        let missing = || Stop::Rejected(Rejection::JobNotFound { job: id.clone() });
        self.book.told(id).map(|job| Answer::Job(Box::new(job))).ok_or_else(missing)
    }

    /// Takes back the planned firings that `which` names; the job stands at the first of them, where it stood behind it.
    fn stand_back(&mut self, job: &mut Job, which: impl Fn(&FiringKey) -> bool) {
        let planned = self.book.pending_of(&job.id).filter(|(key, triggered)| !triggered && which(key));
        let planned: Vec<FiringKey> = planned.map(|(key, _)| key.clone()).collect();
        for key in &planned {
            self.book.take_back(key);
        }
        job.next_at = planned.first().map(|key| key.scheduled_for).into_iter().chain(job.next_at).min();
    }

    fn set_paused(&mut self, mut job: Job, paused: bool) {
        if job.paused == paused {
            return;
        }
        if paused {
            self.stand_back(&mut job, |_| true);
        }
        let version = job.version.saturating_add(1);
        self.book.put(Job { paused, version, updated_at: self.book.now(), ..job });
    }

    /// Gives a job another spec: what is due or has begun goes on as it was.
    pub fn redefine(&mut self, mut job: Job, spec: &Arc<JobSpec>, timetable: &Timetable) {
        let now = self.book.now();
        self.stand_back(&mut job, |key| key.scheduled_for > now);
        // A job that is behind goes on from where it stands, by its new times.
        let from = job.next_at.filter(|next_at| *next_at <= now).map_or(now, |next_at| next_at.plus_micros(-1));
        let from = self.book.seen(&job.id).map_or(from, |seen| seen.max(from));
        let next_at = match timetable {
            Timetable::Once(at) => Some(whole_ms((*at).max(from.plus_micros(1_000)).max(now))),
            Timetable::Wall { .. } | Timetable::Every { .. } => timetable.after(from),
        };
        let (revision, version) = (job.revision.saturating_add(1), job.version.saturating_add(1));
        self.book.define(Job { spec: Some(Arc::clone(spec)), revision, version, next_at, updated_at: now, ..job });
    }

    fn trigger(&mut self, job: &Job) -> Result<Answer, Stop> {
        let broken = || Stop::Refused(Refusal::Invalid(vec![BadField::new("job_id", "its spec cannot be read")]));
        let spec = job.spec.as_ref().ok_or_else(broken)?;
        let scheduled_for = self.moment(&job.id, job.incarnation);
        let key = FiringKey { job: job.id.clone(), scheduled_for, incarnation: job.incarnation };
        let firing = NewFiring { triggered: true, due_at: scheduled_for, ..NewFiring::at(key, job.revision, spec) };
        Ok(self.fire(firing))
    }

    /// A time for a firing by hand: it is no whole millisecond, so that it is no time of any schedule.
    fn moment(&self, id: &JobId, incarnation: Incarnation) -> Timestamp {
        let mut time = self.book.now();
        let is_taken = |time: Timestamp| {
            let key = FiringKey { job: id.clone(), scheduled_for: time, incarnation };
            whole_ms(time) == time || self.book.pending_of(id).any(|(pending, _)| *pending == key)
        };
        while is_taken(time) {
            time = time.plus_micros(1);
        }
        time
    }

    fn fire(&mut self, firing: NewFiring) -> Answer {
        let told = Firing::pending(&firing);
        self.book.fire(firing);
        Answer::Firing(Box::new(told))
    }

    fn delete(&mut self, id: &JobId) {
        let now = self.book.now();
        let pending: Vec<(FiringKey, bool)> =
            self.book.pending_of(id).map(|(key, triggered)| (key.clone(), triggered)).collect();
        for (key, triggered) in pending {
            self.book.take_back(&key);
            self.book.end(Ended::skipped_one(&key, triggered, SkipReason::JobDeleted, now));
        }
        self.book.remove(id);
    }

    fn enqueue(&mut self, enqueue: &Enqueue) -> Result<Answer, Stop> {
        let Enqueue { job, group, target, handler, payload, delay_ms, retry, deadline_ms } = enqueue;
        let delay = i64::try_from(delay_ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
        // Rounded up: not before the delay is over.
        let at = whole_ms(self.book.now().plus_micros(delay).plus_micros(999));
        let spec = Arc::new(JobSpec {
            misfire: Misfire::default(),
            overlap: Overlap::Allow,
            retry: *retry,
            deadline_ms: *deadline_ms,
            payload: payload.clone(),
            ..JobSpec::new(Schedule::OneShot { at }, target.clone(), handler.clone())
        });
        let timetable = self.check(&spec).map_err(|mut bad| {
            for field in &mut bad {
                field.path = field.path.trim_start_matches("spec.").to_owned();
            }
            Stop::Refused(Refusal::Invalid(bad))
        })?;
        if self.book.job(job).is_some() {
            return Err(Stop::Rejected(Rejection::JobExists { job: job.clone() }));
        }
        let made = Job { group: group.clone(), ..self.new_job(job, &spec, &timetable) };
        self.book.define(made);
        self.tell(job)
    }

    fn replay(&mut self, key: &FiringKey) -> Result<Answer, Stop> {
        let letter = self.book.revive(key).ok_or_else(|| missing(key))?;
        let due_at = self.book.now();
        let firing = NewFiring {
            key: key.clone(),
            revision: letter.revision,
            target: letter.target,
            overlap: letter.overlap,
            triggered: letter.firing.triggered,
            due_at,
            fence: letter.fence,
        };
        Ok(self.fire(firing))
    }

    fn discard(&mut self, key: &FiringKey) -> Result<Answer, Stop> {
        let letter = self.book.revive(key).ok_or_else(|| missing(key))?;
        let now = self.book.now();
        let firing = Firing { life: Life::Discarded, ended_at: Some(now), ..letter.firing };
        self.book.end(Ended {
            key: key.clone(),
            life: Life::Discarded,
            reason: firing.reason.clone(),
            message: firing.message.clone(),
            attempts: firing.attempts,
            triggered: firing.triggered,
            due_at: firing.due_at,
            started_at: firing.started_at,
            ended_at: now,
            until: firing.until,
            count: 1,
            fence: letter.fence,
        });
        Ok(Answer::Firing(Box::new(firing)))
    }
}

fn missing(key: &FiringKey) -> Stop {
    Stop::Rejected(Rejection::DeadLetterNotFound { key: key.to_string() })
}
