//! Turns times into firings, a little ahead of them.

use std::sync::Arc;
use std::time::Duration;

use auric_db::StoreError;
use auric_ids::JobId;
use auric_time::Timestamp;
use tokio::time::Instant;

use super::{Handlers, figures, line};
use crate::domain::{Ended, FiringKey, JobRow, NewFiring, Plan, Timetable, plan};
use crate::store::{DueAsk, DueJobs, PlannedJob, bounded};

/// Jobs that one round plans.
const JOBS_MAX: u32 = 500;

/// Firings and runs of skips that one transaction writes, about.
const ROWS_MAX: usize = 4_000;

/// How long a round may wait for its next.
const REST_MAX: Duration = Duration::from_secs(1);

/// When a job is looked at again that cannot be planned.
const BROKEN_REST: Duration = Duration::from_mins(1);

/// How often everything is looked at from the beginning of time: what stands before the last look was written by hand, or by a restore.
const WHOLE_LOOK_EVERY: Duration = Duration::from_secs(10);

/// How far back a look goes that is not whole: longer than any transaction lives.
const LOOK_BACK_MICROS: i64 = 20_000_000;

/// From where on to look for what is ready: nothing is ever written before now, so that what was seen once need not be seen again.
#[derive(Debug, Default)]
pub struct Lookout {
    since: Option<Timestamp>,
    whole_at: Option<Instant>,
}

impl Lookout {
    /// From where on to look now.
    pub fn since(&mut self) -> Option<Timestamp> {
        if self.whole_at.is_none_or(|at| at.elapsed() >= WHOLE_LOOK_EVERY) {
            self.whole_at = Some(Instant::now());
            self.since = None;
        }
        self.since
    }

    /// Nothing is left that was ready at `now`.
    pub fn seen_all(&mut self, now: Timestamp) {
        self.since = Some(now.plus_micros(-LOOK_BACK_MICROS));
    }
}

impl Handlers {
    /// Plans jobs until the scheduler closes.
    pub(super) async fn plan_jobs(self: Arc<Self>) {
        let mut lookout = Lookout::default();
        while !self.closing.is_cancelled() {
            let rest = match self.plan_round(&mut lookout).await {
                Ok(rest) => rest,
                Err(error) => {
                    figures::count_fault("plan");
                    tracing::warn!(%error, "jobs cannot be planned now, the next round tries again: {error}");
                    self.pace.poll
                }
            };
            if !rest.is_zero() {
                tokio::select! {
                    () = self.closing.cancelled() => {}
                    () = self.wakes.planner.notified() => {}
                    () = tokio::time::sleep(rest) => {}
                }
            }
        }
    }

    /// Plans what comes next, and tells how long there is nothing to do.
    async fn plan_round(&self, lookout: &mut Lookout) -> Result<Duration, StoreError> {
        let within = self.pace.ahead / 2;
        let ask = DueAsk { since: lookout.since(), within, limit: JOBS_MAX };
        let DueJobs { now, jobs, next_at } = bounded(self.store.due_jobs(&ask)).await?;
        let is_whole = jobs.len() < usize::try_from(JOBS_MAX).unwrap_or(usize::MAX);
        let horizon = now.plus_micros(micros(within));
        let (mut part, mut rows, mut is_behind, mut is_written) = (Vec::new(), 0_usize, false, true);
        for row in &jobs {
            let Some(planned) = self.plan_job(row, now).await else { continue };
            is_behind |= planned.next_at.is_some_and(|next_at| next_at <= horizon);
            rows = rows.saturating_add(planned.firings.len()).saturating_add(planned.skipped.len());
            part.push(planned);
            if rows >= ROWS_MAX {
                is_written &= self.write_plan(&part, now).await;
                part.clear();
                rows = 0;
            }
        }
        is_written &= self.write_plan(&part, now).await;
        if !jobs.is_empty() {
            self.wakes.runner.notify_one();
        }
        if !is_written {
            // What could not be written comes again, and not at once: the database has said why.
            return Ok(self.pace.poll);
        }
        if !is_whole || is_behind {
            return Ok(Duration::ZERO);
        }
        lookout.seen_all(now);
        let until_next = next_at.map_or(REST_MAX, |next_at| Duration::from_micros(next_at.micros_since(horizon)));
        Ok(until_next.clamp(Duration::from_millis(5), REST_MAX))
    }

    /// Plans one job. One that cannot be planned is named, and holds up no other.
    async fn plan_job(&self, row: &JobRow, now: Timestamp) -> Option<PlannedJob> {
        let job = &row.job;
        let planned = match (&job.spec, job.next_at) {
            (None, _) => Err("its definition cannot be read".to_owned()),
            (Some(spec), Some(next_at)) => match Timetable::of(&spec.schedule) {
                Ok(timetable) => Ok(plan(spec, &timetable, next_at, now, micros(self.pace.ahead))),
                Err(fault) => Err(format!("{}: {}", fault.path, fault.fault)),
            },
            (Some(_), None) => return None,
        };
        match planned {
            Ok(planned) => Some(outcome(row, &planned, now)),
            Err(fault) => {
                self.put_off(&job.id, row.plan, &fault).await;
                None
            }
        }
    }

    /// Writes plans together; where the database refuses them, each alone, so that one bad row holds up no other. Tells whether all were written.
    async fn write_plan(&self, planned: &[PlannedJob], now: Timestamp) -> bool {
        if planned.is_empty() {
            return true;
        }
        match bounded(self.store.plan(planned, now)).await {
            Ok(moved) => {
                line::skipped(planned.iter().filter(|job| moved.contains(&job.job)).flat_map(|job| &job.skipped));
                true
            }
            Err(StoreError::Fault(_) | StoreError::Corrupt(_)) if planned.len() > 1 => {
                let mut is_written = true;
                for one in planned {
                    is_written &= Box::pin(self.write_plan(std::slice::from_ref(one), now)).await;
                }
                is_written
            }
            Err(error) => {
                self.not_planned(planned, &error).await;
                false
            }
        }
    }

    /// Says that jobs could not be planned. One that the database refuses by itself is put off; what failed for a passing reason comes again.
    async fn not_planned(&self, planned: &[PlannedJob], error: &StoreError) {
        let (StoreError::Fault(_) | StoreError::Corrupt(_), [one]) = (error, planned) else {
            figures::count_fault("plan");
            let jobs = planned.len();
            tracing::warn!(%error, jobs, "{jobs} jobs could not be planned, the next round tries again: {error}");
            return;
        };
        let source = std::error::Error::source(error).map(ToString::to_string);
        self.put_off(&one.job, one.plan, &source.unwrap_or_else(|| error.to_string())).await;
    }

    /// Names a job that cannot be planned, and looks at it again in a minute.
    async fn put_off(&self, job: &JobId, plan: u64, fault: &str) {
        figures::count_broken();
        tracing::warn!(job_id = %job, fault, "job {job} cannot be planned, it is looked at again in a minute: {fault}");
        if let Err(error) = bounded(self.store.put_off(&[(job.clone(), plan)], BROKEN_REST)).await {
            tracing::warn!(%error, job_id = %job, "a job that cannot be planned could not be put off: {error}");
        }
    }
}

/// What a plan writes.
fn outcome(row: &JobRow, plan: &Plan, now: Timestamp) -> PlannedJob {
    let job = &row.job;
    let spec = job.spec.as_ref();
    let firings = plan.fire.iter().filter_map(|time| {
        let key = FiringKey { job: job.id.clone(), scheduled_for: *time, incarnation: job.incarnation };
        Some(NewFiring::at(key, job.revision, spec?))
    });
    let skipped = plan.skipped.iter().map(|run| Ended::skipped(&job.id, job.incarnation, *run, now));
    PlannedJob {
        job: job.id.clone(),
        plan: row.plan,
        next_at: plan.next_at,
        firings: firings.collect(),
        skipped: skipped.collect(),
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
