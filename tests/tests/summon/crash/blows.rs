//! What can happen to processes and messages, and where: generated from the protocol's table.

use auric_twophase::{STEPS, Step};

/// Who takes part, in the words of the participants.
pub const PARTICIPANTS: [&str; 2] = ["wallet", "collection"];

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The coordinator is killed.
    KillCoordinator,
    /// The participant is killed.
    KillParticipant,
    /// The coordinator is stopped for longer than its lease, and goes on where it was.
    StopCoordinator,
    /// The request never arrives.
    LoseRequest,
    /// It is done, and nobody hears of it.
    LoseAnswer,
    /// It arrives twice.
    Twice,
    /// It arrives when everybody has given it up.
    Late,
    /// It arrives right after its cancel.
    AfterCancel,
}

/// On which side of the effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before it.
    Before,
    /// After it.
    After,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blow {
    pub step: Step,
    /// At whom, for a call.
    pub participant: Option<&'static str>,
    pub what: What,
    pub when: When,
}

/// Everything that can happen once.
pub fn all() -> Vec<Blow> {
    let mut blows = Vec::new();
    for step in STEPS {
        let blow = |participant, what, when| Blow { step, participant, what, when };
        if !step.is_call() {
            for when in [When::Before, When::After] {
                blows.push(blow(None, What::KillCoordinator, when));
            }
            continue;
        }
        for participant in PARTICIPANTS.map(Some) {
            for when in [When::Before, When::After] {
                let whom = [What::KillCoordinator, What::KillParticipant, What::StopCoordinator];
                blows.extend(whom.map(|what| blow(participant, what, when)));
            }
            blows.push(blow(participant, What::LoseRequest, When::Before));
            blows.push(blow(participant, What::LoseAnswer, When::After));
            blows.push(blow(participant, What::Twice, When::Before));
            blows.push(blow(participant, What::Late, When::Before));
            if step == Step::Prepare {
                blows.push(blow(participant, What::AfterCancel, When::Before));
            }
        }
    }
    blows
}
