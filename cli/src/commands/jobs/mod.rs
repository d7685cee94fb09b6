//! `auric jobs`: what is to be done when, what became of it, and what waits for a person.

mod change;
mod create;
mod dead;
mod documents;
mod firings;
mod list;
mod next;
mod spec;
mod status;
mod tables;

use clap::Subcommand;

use super::Asking;
use crate::config::{Flags, Settings};
use crate::fault::Fault;
use crate::output::Output;

/// Shows, makes, pauses and fires jobs, and sees to what failed for good.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric jobs list --group nightstorm-group                when each zone's nightstorm comes next
  auric jobs show nightstorm_fernhollow                   one job, and its latest firings
  auric jobs next \"30 2 * * *\" --tz America/New_York      when that is, and what becomes of it when clocks change; needs no server
  auric jobs pause nightstorm_fernhollow
  auric jobs trigger nightstorm_fernhollow                fires it now
  auric jobs dead                                         what failed for good; replay or discard it
  auric jobs status                                       how the scheduler stands")]
pub struct Jobs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(list::List),
    Show(list::Show),
    Next(next::Next),
    Create(create::Create),
    Update(create::Update),
    Pause(change::Pause),
    Resume(change::Resume),
    Trigger(change::Trigger),
    Delete(change::Delete),
    Firings(firings::Firings),
    Dead(dead::Dead),
    Replay(dead::Replay),
    Discard(dead::Discard),
    Status(status::Status),
}

/// Which scheduler to talk to, and how.
#[derive(Debug, clap::Args)]
pub struct JobsTarget {
    /// The scheduler's URL [default: `http://127.0.0.1:7404`; variable: `AURIC_SCHEDULER`].
    #[arg(long, value_name = "URL")]
    scheduler: Option<String>,

    #[command(flatten)]
    asking: Asking,
}

impl Jobs {
    /// How the scheduler is asked; nothing where nobody is.
    const fn target(&self) -> Option<&JobsTarget> {
        match &self.action {
            Action::List(list) => Some(&list.target),
            Action::Show(show) => Some(&show.target),
            Action::Next(_) => None,
            Action::Create(create) => Some(&create.target),
            Action::Update(update) => Some(&update.target),
            Action::Pause(pause) => Some(&pause.which.target),
            Action::Resume(resume) => Some(&resume.which.target),
            Action::Trigger(trigger) => Some(&trigger.which.target),
            Action::Delete(delete) => Some(&delete.which.target),
            Action::Firings(firings) => Some(&firings.target),
            Action::Dead(dead) => Some(&dead.target),
            Action::Replay(replay) => Some(&replay.which.target),
            Action::Discard(discard) => Some(&discard.which.target),
            Action::Status(status) => Some(&status.target),
        }
    }

    pub const fn wants_json(&self) -> bool {
        match (&self.action, self.target()) {
            (Action::Next(next), _) => next.json,
            (_, Some(target)) => target.asking.json,
            (_, None) => false,
        }
    }

    pub fn flags(&self) -> Flags {
        let Some(JobsTarget { scheduler, asking }) = self.target() else { return Flags::new() };
        [asking.flags(), vec![("client.scheduler", scheduler.clone())]].concat()
    }

    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        match self.action {
            Action::List(list) => list.run(settings, output).await,
            Action::Show(show) => show.run(settings, output).await,
            Action::Next(next) => next.run(output),
            Action::Create(create) => create.run(settings, output).await,
            Action::Update(update) => update.run(settings, output).await,
            Action::Pause(pause) => pause.run(settings, output).await,
            Action::Resume(resume) => resume.run(settings, output).await,
            Action::Trigger(trigger) => trigger.run(settings, output).await,
            Action::Delete(delete) => delete.run(settings, output).await,
            Action::Firings(firings) => firings.run(settings, output).await,
            Action::Dead(dead) => dead.run(settings, output).await,
            Action::Replay(replay) => replay.run(settings, output).await,
            Action::Discard(discard) => discard.run(settings, output).await,
            Action::Status(status) => status.run(settings, output).await,
        }
    }
}
