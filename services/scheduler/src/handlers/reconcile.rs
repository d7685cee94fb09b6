//! Desired sets: at start and every minute, what is missing is made, what is absurd is found again, and what cannot be is named.

use std::sync::Arc;

use auric_ids::{CallerId, JobGroupId, TraceId};

use super::{Handlers, figures};
use crate::domain::{Action, Answer, Ask, Change, DesiredJob, Ensured, JOBS_MAX, Verdict};

/// Whom the scheduler asks as.
const CALLER: &str = "scheduler";

/// The jobs that a group should have.
#[derive(Clone, Debug)]
pub struct DesiredSet {
    /// Which group.
    pub group: JobGroupId,
    /// Its jobs, each name once; a spec that cannot be is named, and keeps no other one from being seen to.
    pub jobs: Vec<DesiredJob>,
}

impl Handlers {
    /// Makes these the desired sets from now on, and sees to them at once.
    pub fn desire(&self, sets: Vec<DesiredSet>) {
        self.desired.store(Arc::new(sets));
        self.wakes.reconciler.notify_one();
    }

    /// Sees to the desired sets until the scheduler closes.
    pub(super) async fn reconcile(self: Arc<Self>) {
        while !self.closing.is_cancelled() {
            for set in self.desired.load_full().iter() {
                for part in set.jobs.chunks(JOBS_MAX) {
                    self.ensure(&set.group, part, set.jobs.len()).await;
                }
            }
            tokio::select! {
                () = self.closing.cancelled() => {}
                () = self.wakes.reconciler.notified() => {}
                () = tokio::time::sleep(self.pace.reconcile_every) => {}
            }
        }
    }

    async fn ensure(&self, group: &JobGroupId, jobs: &[DesiredJob], all: usize) {
        let (Ok(caller), Ok(trace_id)) = (CallerId::parse(CALLER), TraceId::parse("")) else { return };
        let action = Action::Ensure { group: group.clone(), jobs: jobs.to_vec() };
        let ask = Ask { caller, key: None, trace_id, drawn: rand::random(), action };
        let submitted = self.lanes.submit(group.as_str().as_bytes(), ask, None).await;
        match submitted {
            Ok(Verdict::Answered { outcome: Ok(Answer::Ensured(ensured)), .. }) => tell(group, &ensured, all),
            Ok(verdict) => tracing::error!(%group, ?verdict, "a desired set got another kind of answer"),
            Err(error) => {
                figures::count_fault("reconcile");
                tracing::warn!(%error, %group, "the jobs of {group} could not be seen to, the next round tries again: {error}");
            }
        }
    }
}

/// A line and a counter for each repair. A group that had none of its jobs is new: that is one line.
fn tell(group: &JobGroupId, ensured: &[Ensured], all: usize) {
    let created = ensured.iter().filter(|one| one.change == Change::Created).count();
    let is_new = created == ensured.len() && created == all;
    if is_new {
        tracing::info!(%group, jobs = created, "the {created} jobs of {group} were made");
    }
    for Ensured { job, change, detail } in ensured {
        match change {
            Change::None => {}
            Change::Created if is_new => {}
            Change::Updated => tracing::info!(%group, job_id = %job, detail, "job {job} was defined again: {detail}"),
            Change::Created | Change::Repaired => {
                let change = if *change == Change::Created { "created" } else { "repaired" };
                figures::count_repair(change);
                tracing::warn!(%group, job_id = %job, change, detail, "job {job} was repaired: {detail}");
            }
            Change::Refused => {
                figures::count_repair("refused");
                tracing::warn!(%group, job_id = %job, change = "refused", detail, "job {job} cannot be as it is desired: {detail}");
            }
        }
    }
}
