//! Why a command did not do what it was asked, and the exit code that a script can branch on.

use std::path::PathBuf;
use std::process::ExitCode;

use auric_server::{ListenError, ServeError};
use auric_status::{Problem, reason};
use auric_telemetry::{EndpointError, TelemetryError};
use auric_wallet::StartError;
use thiserror::Error;
use tonic::Code;

/// The reasons of answers that are final although their code is `ABORTED`: their keys keep them.
const STALE_VERSION: &str = "STALE_VERSION";
const PREVIEW_OUTDATED: &str = "PREVIEW_OUTDATED";

/// Everything that can end a command. `docs/operations.md` has the table of exit codes.
#[derive(Debug, Error)]
pub enum Fault {
    /// A service said no, or did not say anything.
    #[error("{}", describe(.problem))]
    Problem {
        /// What it said.
        problem: Box<Problem>,
        /// The key that was sent, where one was.
        key: Option<String>,
        /// Whether this is the first answer to the key, given again.
        replayed: bool,
    },
    /// At least one check failed; the table says which.
    #[error("{failed} of {checks} checks failed")]
    Check {
        /// How many.
        failed: usize,
        /// Of how many.
        checks: usize,
    },
    /// The audit is not what the wallet wrote; the table says where.
    #[error("the audit is not whole; faults: {faults}")]
    Audit {
        /// How many.
        faults: usize,
    },
    /// The ends of operations differ from service to service; the table says which.
    #[error("the services do not agree; faults: {faults}")]
    CrossService {
        /// How many.
        faults: usize,
    },
    /// Two catalogs differ in what players notice; the table says where.
    #[error("the odds differ; differences: {differences}")]
    OddsDiffer {
        /// How many.
        differences: usize,
    },
    /// Receipts do not prove what they say; the table says which.
    #[error("{wrong} of {receipts} receipts prove nothing")]
    Receipts {
        /// How many.
        wrong: usize,
        /// Of how many.
        receipts: usize,
    },
    /// A setting is wrong.
    #[error("config: {0}")]
    Config(String),
    /// The catalog is wrong.
    #[error("catalog {}: {reason}", folder.display())]
    Catalog {
        /// Where it was read.
        folder: PathBuf,
        /// File, key and reason.
        reason: String,
    },
    /// The folder of everything that is kept cannot be used.
    #[error("data folder {}: {reason}", folder.display())]
    Data {
        /// Which.
        folder: PathBuf,
        /// Why.
        reason: String,
    },
    /// The port cannot be had.
    #[error("{}", chain_of(.0))]
    Listen(ListenError),
    /// Metrics and health cannot be shown.
    #[error("{}", chain_of(.0))]
    Metrics(EndpointError),
    /// The database cannot be used.
    #[error("database {database}: {reason}")]
    Database {
        /// Which, without its password.
        database: String,
        /// Why.
        reason: String,
    },
    /// A second signal cut the drain.
    #[error("stopped at once; requests under way were cut, and their callers do not know the outcome")]
    Interrupted,
    /// The reader of the output went away, which is its right.
    #[error("the output was closed")]
    OutputClosed,
    /// Anything else.
    #[error("{}", chain(.0))]
    Other(#[from] anyhow::Error),
}

impl Fault {
    /// Says which number a script sees.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit_number())
    }

    fn exit_number(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Other(_) => 1,
            // The aborts that a rule decides: the key keeps the answer, so that the outcome is known.
            Self::Problem { problem, .. } if [STALE_VERSION, PREVIEW_OUTDATED].contains(&problem.reason.as_str()) => 3,
            Self::Problem { problem, .. } => match problem.code {
                Code::InvalidArgument | Code::OutOfRange => 2,
                Code::FailedPrecondition
                | Code::AlreadyExists
                | Code::NotFound
                | Code::PermissionDenied
                | Code::Unauthenticated => 3,
                Code::Unavailable
                | Code::DeadlineExceeded
                | Code::Cancelled
                | Code::ResourceExhausted
                | Code::Aborted => 4,
                _ => 1,
            },
            Self::Check { .. } | Self::OddsDiffer { .. } => 5,
            Self::Audit { .. } | Self::CrossService { .. } | Self::Receipts { .. } => 6,
            Self::Config(_) | Self::Catalog { .. } => 10,
            Self::Data { .. } => 11,
            Self::Listen(_) | Self::Metrics(_) => 12,
            Self::Database { .. } => 13,
            Self::Interrupted => 130,
        }
    }

    /// Remembers the key that was sent, and whether the answer was given before.
    #[must_use]
    pub fn under_key(self, sent: &str, replayed: bool) -> Self {
        match self {
            Self::Problem { problem, .. } => Self::Problem { problem, key: Some(sent.to_owned()), replayed },
            fault => fault,
        }
    }

    /// Says what to do about it, where there is something to say.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Problem { problem, key, .. } => advise(problem, key.is_some()),
            Self::Listen(ListenError::Taken { .. }) => {
                Some("stop the other process, or choose another port (up --port, serve --listen)".to_owned())
            }
            Self::Check { .. } => Some("mend what the table names and check again".to_owned()),
            Self::Audit { .. } | Self::CrossService { .. } => {
                Some("keep a copy of the database as it is, then look each fault up in docs/operations.md".to_owned())
            }
            _ => None,
        }
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self::Problem { problem: Box::new(problem), key: None, replayed: false }
    }
}

impl From<ListenError> for Fault {
    fn from(error: ListenError) -> Self {
        Self::Listen(error)
    }
}

impl From<StartError> for Fault {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config { .. } => Self::Config(error.to_string()),
            error => Self::Other(error.into()),
        }
    }
}

impl From<TelemetryError> for Fault {
    fn from(error: TelemetryError) -> Self {
        match error {
            TelemetryError::Filter { .. } | TelemetryError::Otlp { .. } => Self::Config(chain_of(&error)),
            TelemetryError::Lines(_) | TelemetryError::Metrics(_) | TelemetryError::Twice(_) => {
                Self::Other(error.into())
            }
        }
    }
}

impl From<ServeError> for Fault {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Listen(error) => error.into(),
            error => Self::Other(error.into()),
        }
    }
}

fn describe(problem: &Problem) -> String {
    let code = format!("{:?}", problem.code);
    let word = if problem.reason.is_empty() { &code } else { &problem.reason };
    format!("{word}: {}", problem.message)
}

/// Writes an error and what caused it on one line; a cause that the line tells already is not told again.
pub fn chain(error: &anyhow::Error) -> String {
    chain_of(error.as_ref())
}

fn chain_of(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let join = |line: String, cause: &(dyn std::error::Error + 'static)| match cause.to_string() {
        text if line.contains(&text) => line,
        text if line.is_empty() => text,
        text => format!("{line}: {text}"),
    };
    causes.fold(String::new(), join).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn advise(problem: &Problem, has_key: bool) -> Option<String> {
    // Only what changes something has a key, and only that must not be sent under another.
    let again = if has_key { "send it again under the same key" } else { "try again" };
    let again = match problem.retry_after {
        Some(delay) => format!("wait {} ms, then {again}", delay.as_millis()),
        None => again.to_owned(),
    };
    let text = match problem.reason.as_str() {
        "INSUFFICIENT_FUNDS" => "ask for less, under a new key: this key keeps its answer".to_owned(),
        "ABOVE_MAXIMUM" => "ask for less, or add --at-maximum clamp or overfill, under a new key".to_owned(),
        "IDEMPOTENCY_KEY_REUSED" => {
            "use a new key; `auric wallet mutation KEY` or `auric summon show KEY` shows what this one did".to_owned()
        }
        "MUTATION_NOT_SEEN" => {
            "it may still arrive: to be sure, send the mutation again under this key, or `auric wallet void KEY`"
                .to_owned()
        }
        "CLAIM_MADE" => "the reward was paid: nothing is left to do".to_owned(),
        STALE_VERSION => "read it again, decide again, and send under a new key: this key keeps its answer".to_owned(),
        PREVIEW_OUTDATED => "preview again, and dissolve under a new key: this key keeps its answer".to_owned(),
        "ESPRIT_LOCKED" => "`auric collection lock PLAYER ESPRIT --off` lets it be dissolved".to_owned(),
        "ESPRIT_IN_TEAM" => "`auric collection team clear PLAYER PLACE` takes it out of the team".to_owned(),
        "ESPRIT_EQUIPPED" => "`auric collection unequip PLAYER PIECE` puts away what it wears".to_owned(),
        "ESPRIT_NOT_FOUND" => "`auric collection list PLAYER` shows what there is".to_owned(),
        "EQUIPMENT_NOT_FOUND" => "`auric collection equipment PLAYER` shows what there is".to_owned(),
        "HOLD_ID_REUSED" => "use a new name for the hold, under a new key".to_owned(),
        "HOLD_ENDED" => "`auric wallet hold HOLD` shows how it ended".to_owned(),
        "ABOVE_HELD" => "ask for at most what is held, under a new key: this key keeps its answer".to_owned(),
        "HOLD_IS_WHOLE" => "commit it without amounts, under a new key".to_owned(),
        "HOLD_NOT_FOUND" => "it may still be made: to be sure that it is not, release it".to_owned(),
        "NOT_YOUR_HOLD" => "end it as the caller that made it (--caller)".to_owned(),
        "BANNER_NOT_FOUND" => "`auric summon banners` lists what there is".to_owned(),
        "BANNER_CLOSED" => {
            "`auric summon banners` shows what is open; use a new key: this key keeps its answer".to_owned()
        }
        "FREE_SUMMON_USED" => "pay with another --cost, or wait, under a new key: this key keeps its answer".to_owned(),
        "LIMIT_REACHED" => "ask for at most what is left, under a new key: this key keeps its answer".to_owned(),
        "SUMMON_NOT_FOUND" => "it may still arrive: to be sure, send the summon again under this key".to_owned(),
        "OPERATION_NOT_FOUND" => {
            "`auric summon operations --all` or `auric collection operations --all` shows how it ended".to_owned()
        }
        "JOB_NOT_FOUND" => "`auric jobs list` shows what there is".to_owned(),
        "JOB_EXISTS" => "`auric jobs show` shows it; use another name, or `auric jobs update`".to_owned(),
        "DEAD_LETTER_NOT_FOUND" => "`auric jobs dead` shows what there is; it was replayed or discarded".to_owned(),
        "COLLECTION_FULL" => "let the player make room, then ask under a new key: this key keeps its answer".to_owned(),
        "MUTATION_VOIDED" => "use a new key: what this one was for never happens".to_owned(),
        reason::INVALID_ARGUMENT => "correct the request; nothing was stored, and the key is still unused".to_owned(),
        _ => match problem.code {
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::ResourceExhausted | Code::Aborted => {
                again
            }
            Code::Internal => "look into the service's log under the trace id".to_owned(),
            _ => return None,
        },
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn number(code: Code, reason: &str) -> u8 {
        Fault::from(Problem::new(code, reason, "why")).exit_number()
    }

    #[test]
    fn a_refusal_and_an_unknown_outcome_have_different_exit_codes() {
        assert_eq!(number(Code::InvalidArgument, "INVALID_ARGUMENT"), 2);
        assert_eq!(number(Code::FailedPrecondition, "INSUFFICIENT_FUNDS"), 3);
        assert_eq!(number(Code::AlreadyExists, "IDEMPOTENCY_KEY_REUSED"), 3);
        assert_eq!(number(Code::NotFound, "MUTATION_NOT_SEEN"), 3);
        assert_eq!(number(Code::Aborted, "STALE_VERSION"), 3);
        assert_eq!(number(Code::Aborted, "PREVIEW_OUTDATED"), 3);
        assert_eq!(number(Code::Aborted, "ESPRIT_BUSY"), 4);
        assert_eq!(number(Code::Aborted, "CONTENDED"), 4);
        assert_eq!(number(Code::Unavailable, "UNAVAILABLE"), 4);
        assert_eq!(number(Code::DeadlineExceeded, ""), 4);
        assert_eq!(number(Code::Internal, "INTERNAL"), 1);
    }

    #[test]
    fn advice_never_tells_to_use_a_new_key_when_the_outcome_is_unknown() {
        for code in [Code::Unavailable, Code::DeadlineExceeded, Code::Cancelled, Code::ResourceExhausted, Code::Aborted]
        {
            let problem = Problem::new(code, "ANY", "why").retry_after(Duration::from_millis(250));
            let advice = Fault::from(problem.clone()).under_key("k-1", false).advice().unwrap();
            assert_eq!(advice, "wait 250 ms, then send it again under the same key");
            assert_eq!(Fault::from(problem).advice().unwrap(), "wait 250 ms, then try again");
        }
    }

    #[test]
    fn every_reason_of_a_service_is_documented() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors.md");
        let page = std::fs::read_to_string(path).unwrap();
        let reasons = [
            &auric_wallet::reasons::ALL[..],
            &auric_collection::reasons::ALL,
            &auric_summon::reasons::ALL,
            &auric_gateway::reasons::ALL,
            &auric_events::grpc::reasons::ALL,
            &auric_jobs::reasons::ALL,
            &auric_scheduler::reasons::ALL,
        ];
        for reason in reasons.concat() {
            assert!(page.lines().any(|line| line == format!("## {reason}")), "docs/errors.md has no section {reason}");
        }
    }

    #[test]
    fn a_cause_is_told_on_the_same_line() {
        let error = anyhow::anyhow!("permission denied").context("cannot write the lock");
        assert_eq!(Fault::from(error).to_string(), "cannot write the lock: permission denied");
        let twice = anyhow::anyhow!("refused").context("connect: refused").context("transport");
        assert_eq!(Fault::from(twice).to_string(), "transport: connect: refused");
    }
}
