//! What breaks between the steps of an operation, and where: each fault waits for its player and its step, and happens once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auric_ids::{OperationId, PlayerId};
use auric_twophase::{Operation, Participant, Step, Unfinished, Vote};
use tokio_util::task::TaskTracker;

/// How a step breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// The coordinator dies before the effect.
    DiesBefore,
    /// The coordinator dies after the effect.
    DiesAfter,
    /// The request never arrives.
    RequestLost,
    /// It is done, and nobody hears of it.
    AnswerLost,
    /// It arrives twice.
    Twice,
    /// It arrives long after everybody gave it up.
    Late,
    /// The coordinator's database refuses it.
    WriteFails,
    /// The coordinator's database does it, and the connection breaks before it says so.
    WriteUnknown,
}

/// Where: a step, and of a call at whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    pub step: Step,
    pub participant: Option<&'static str>,
    pub how: How,
}

/// Every fault there is, from the protocol's own table: a new step, or a new participant, is broken without anyone remembering it.
pub fn all(participants: &[&'static str]) -> Vec<Fault> {
    let calls = [How::DiesBefore, How::DiesAfter, How::RequestLost, How::AnswerLost, How::Twice, How::Late];
    let writes = [How::WriteFails, How::WriteUnknown];
    let mut faults = Vec::new();
    for step in auric_twophase::STEPS {
        match step {
            step if step.is_call() => {
                for participant in participants {
                    faults.extend(calls.map(|how| Fault { step, participant: Some(participant), how }));
                }
            }
            // Nobody waits for it, and its loss is the death of the coordinator after the last call.
            Step::Done => {}
            step => faults.extend(writes.map(|how| Fault { step, participant: None, how })),
        }
    }
    faults
}

/// The faults that wait for their players, in the order in which they are to happen.
#[derive(Debug, Default)]
pub struct Faults {
    waiting: Mutex<HashMap<PlayerId, Vec<Fault>>>,
    happened: Mutex<HashMap<PlayerId, Vec<Fault>>>,
    /// Messages that are still under way.
    late: TaskTracker,
}

impl Faults {
    pub fn plan(&self, player: &str, faults: &[Fault]) {
        let player = player.parse().expect("an id");
        self.waiting.lock().expect("no holder panicked").insert(player, faults.to_vec());
    }

    /// What happened to a player.
    pub fn happened_to(&self, player: &str) -> Vec<Fault> {
        let player: PlayerId = player.parse().expect("an id");
        self.happened.lock().expect("no holder panicked").get(&player).cloned().unwrap_or_default()
    }

    /// Waits until everything that comes late has come.
    pub async fn nothing_is_under_way(&self) {
        self.late.close();
        self.late.wait().await;
        self.late.reopen();
    }

    fn late(&self, call: impl Future<Output = ()> + Send + 'static) {
        self.late.spawn(async move {
            tokio::time::sleep(LATE).await;
            call.await;
        });
    }

    /// The fault that happens now, when one waits for this.
    pub fn take(&self, player: &PlayerId, step: Step, participant: Option<&str>) -> Option<How> {
        let mut waiting = self.waiting.lock().expect("no holder panicked");
        let planned = waiting.get_mut(player)?;
        let index = planned.iter().position(|fault| fault.step == step && fault.participant == participant)?;
        let fault = planned.remove(index);
        self.happened.lock().expect("no holder panicked").entry(player.clone()).or_default().push(fault);
        Some(fault.how)
    }
}

/// Ends the task that drives the operation, as a kill would, without the noise of a panic.
fn die() -> ! {
    std::panic::resume_unwind(Box::new("killed by the test"))
}

/// How long what comes late is under way: longer than a lease and what follows it.
const LATE: Duration = Duration::from_millis(1_200);

/// A participant whose calls break.
pub struct FaultyParticipant {
    inner: Arc<dyn Participant>,
    faults: Arc<Faults>,
}

impl FaultyParticipant {
    pub fn new(inner: Arc<dyn Participant>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
impl Participant for FaultyParticipant {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn prepare(&self, operation: &Operation) -> Vote {
        let lost = || Vote::Unknown("lost by the test".to_owned());
        match self.faults.take(&operation.player, Step::Prepare, Some(self.name())) {
            None => self.inner.prepare(operation).await,
            Some(How::DiesBefore) => die(),
            Some(How::DiesAfter) => {
                self.inner.prepare(operation).await;
                die()
            }
            Some(How::RequestLost) => lost(),
            Some(How::AnswerLost) => {
                self.inner.prepare(operation).await;
                lost()
            }
            Some(How::Late) => {
                let (inner, operation) = (Arc::clone(&self.inner), operation.clone());
                self.faults.late(async move { drop(inner.prepare(&operation).await) });
                lost()
            }
            Some(_) => {
                let first = self.inner.prepare(operation).await;
                let second = self.inner.prepare(operation).await;
                assert_eq!(first, second, "the same request got another answer");
                second
            }
        }
    }

    async fn finish(&self, operation: &Operation) -> Result<(), Unfinished> {
        let lost = || Err(Unfinished("lost by the test".to_owned()));
        match self.faults.take(&operation.player, Step::Finish, Some(self.name())) {
            None => self.inner.finish(operation).await,
            Some(How::DiesBefore) => die(),
            Some(How::DiesAfter) => {
                let _ = self.inner.finish(operation).await;
                die()
            }
            Some(How::RequestLost) => lost(),
            Some(How::AnswerLost) => {
                let _ = self.inner.finish(operation).await;
                lost()
            }
            Some(How::Late) => {
                let (inner, operation) = (Arc::clone(&self.inner), operation.clone());
                self.faults.late(async move { drop(inner.finish(&operation).await) });
                lost()
            }
            Some(_) => {
                let first = self.inner.finish(operation).await;
                let second = self.inner.finish(operation).await;
                assert_eq!(first, second, "the same request got another answer");
                second
            }
        }
    }

    async fn orphans(&self, age_min: Duration) -> Result<Vec<(PlayerId, OperationId)>, Unfinished> {
        self.inner.orphans(age_min).await
    }
}

/// What a database says that breaks by the test.
pub fn broken() -> sqlx::Error {
    sqlx::Error::Protocol("broken by the test".to_owned())
}
