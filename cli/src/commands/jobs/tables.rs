//! What the scheduler says, for a person.

use super::documents::{DeadLetterDocument, FiringDocument, JobDocument};
use crate::output::{self, Output, grouped};

/// Characters of a handler's message that a table shows.
const MESSAGE_CHARACTERS_MAX: usize = 60;

/// A job a line.
pub fn jobs(jobs: &[JobDocument], output: Output) -> String {
    let mut table = output.table(&["job", "group", "fires", "next", "last", "ended"]);
    for job in jobs {
        let next = if job.paused { "paused" } else { &job.next_fire_time };
        let next = if job.ended { "never again" } else { next };
        let last = job.last_firing.as_ref();
        let state = last.map_or("", |firing| firing.state);
        let ended = last.map_or("", |firing| firing.end_time.as_str());
        table.add_row([&job.job_id, &job.group, &job.schedule.text(), next, state, ended]);
    }
    output::render(&table)
}

/// Everything of one job.
pub fn job(job: &JobDocument, output: Output) -> String {
    let mut table = output.table(&["", ""]);
    let state = match (job.ended, job.paused) {
        (true, _) => "ended",
        (false, true) => "paused",
        (false, false) => "active",
    };
    let misfire = &job.misfire;
    let missed = format!(
        "{} (missed when later than {}, at most {} back, {} at once)",
        misfire.policy, misfire.threshold, misfire.window, misfire.firings_max
    );
    let retry = &job.retry;
    let tried = format!("{} times, pauses from {} to {}", retry.attempts_max, retry.backoff_base, retry.backoff_max);
    let does = format!("{} of {}", job.handler, job.target);
    for (name, value) in [
        ("job", job.job_id.as_str()),
        ("group", &job.group),
        ("state", state),
        ("fires", &job.schedule.text()),
        ("next", &job.next_fire_time),
        ("does", &does),
        ("is told", &job.payload),
        ("missed", &missed),
        ("overlap", job.overlap),
        ("jitter", &job.jitter),
        ("tried", &tried),
        ("deadline", &job.deadline),
        ("version", &job.version.to_string()),
        ("incarnation", &job.incarnation),
        ("made", &job.create_time),
        ("changed", &job.update_time),
    ] {
        if !value.is_empty() {
            table.add_row([name, value]);
        }
    }
    output::render(&table).trim_start_matches('\n').to_owned()
}

/// A firing a line.
pub fn firings(firings: &[FiringDocument], output: Output) -> String {
    let mut table = output.table(&["scheduled for", "state", ">attempts", "began", "ended", "why", "what was said"]);
    for firing in firings {
        let state = if firing.triggered { format!("{}, by hand", firing.state) } else { firing.state.to_owned() };
        let why = if firing.count > 1 {
            format!("{} × {} until {}", firing.reason, grouped(firing.count), firing.skipped_until)
        } else {
            firing.reason.clone()
        };
        table.add_row([
            &firing.scheduled_for,
            &state,
            &firing.attempts.to_string(),
            &firing.start_time,
            &firing.end_time,
            &why,
            &short(&firing.message),
        ]);
    }
    output::render(&table)
}

/// A dead letter a line; its key is what `replay` and `discard` take.
pub fn dead(letters: &[DeadLetterDocument], output: Output) -> String {
    let mut table = output.table(&["key", "does", ">attempts", "died", "why", "what was said"]);
    for letter in letters {
        let firing = &letter.firing;
        table.add_row([
            &firing.key,
            &format!("{} of {}", letter.handler, letter.target),
            &firing.attempts.to_string(),
            &firing.end_time,
            &firing.reason,
            &short(&firing.message),
        ]);
    }
    output::render(&table)
}

/// On one line, and no longer than a table bears.
fn short(message: &str) -> String {
    let mut line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = line.char_indices().nth(MESSAGE_CHARACTERS_MAX) {
        line.truncate(cut);
        line.push('…');
    }
    line
}
