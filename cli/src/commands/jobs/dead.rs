//! `auric jobs dead`, `replay` and `discard`: what failed for good, and what a person does about it.

use auric_api::scheduler::v1::{DeadLetter, DiscardDeadLetterRequest, ListDeadLettersRequest, ReplayDeadLetterRequest};
use serde::Serialize;

use super::JobsTarget;
use super::change::told_again;
use super::documents::{Changed, DeadLetterDocument, FiringDocument};
use super::tables;
use crate::client::{Client, Peer};
use crate::commands::wallet::flags::{Key, KeyFlag};
use crate::commands::wallet::mutate::Sending;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{Output, grouped};

/// The most that one page may have.
const PAGE_MAX: u32 = 500;

/// Lists the firings that failed for good, the oldest first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric jobs dead
  auric jobs dead --job nightstorm_fernhollow
  auric jobs dead --to wallet --json | jq '.dead_letters[].firing.message'")]
pub struct Dead {
    /// Only of this job.
    #[arg(long)]
    job: Option<String>,

    /// Only those that this target was to do.
    #[arg(long, value_name = "TARGET")]
    to: Option<String>,

    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,

    #[command(flatten)]
    pub target: JobsTarget,
}

/// Sends a dead letter on its way again, with all its attempts, under its old key.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric jobs replay nightstorm_fernhollow@0f1e2d3c4b5a6978@1790000000000000
  auric jobs replay --all --job nightstorm_fernhollow
  auric jobs replay --all")]
pub struct Replay {
    #[command(flatten)]
    pub which: Letters,
}

/// Lays a dead letter to rest: it stays in the history, and never runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric jobs discard nightstorm_fernhollow@0f1e2d3c4b5a6978@1790000000000000
  auric jobs discard --all --job reminder-7")]
pub struct Discard {
    #[command(flatten)]
    pub which: Letters,
}

/// Which dead letters.
#[derive(Debug, clap::Args)]
pub struct Letters {
    /// The one of this key, as `auric jobs dead` shows it.
    #[arg(value_name = "LETTER", conflicts_with = "all", required_unless_present = "all")]
    letter: Option<String>,

    /// All that there are.
    #[arg(long, conflicts_with = "key")]
    all: bool,

    /// With --all: only of this job.
    #[arg(long, requires = "all")]
    job: Option<String>,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    pub target: JobsTarget,
}

#[derive(Debug, Serialize)]
struct Listed {
    dead_letters: Vec<DeadLetterDocument>,
    more: bool,
}

#[derive(Debug, Serialize)]
struct Seen {
    firings: Vec<FiringDocument>,
}

/// What is done to a dead letter.
#[derive(Clone, Copy)]
enum Verb {
    Replay,
    Discard,
}

impl Dead {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Scheduler, &settings.client).await?;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let mut ask = ListDeadLettersRequest {
            job_id: self.job.unwrap_or_default(),
            target: self.to.unwrap_or_default(),
            page_size: i32::try_from(self.limit.min(PAGE_MAX)).unwrap_or(i32::MAX),
            page_token: String::new(),
        };
        let mut letters = Vec::new();
        let more = loop {
            let (page, token) = page(&client, ask.clone()).await?;
            letters.extend(page.into_iter().map(DeadLetterDocument::from));
            ask.page_token = token;
            if letters.len() >= limit || ask.page_token.is_empty() {
                break letters.len() > limit || !ask.page_token.is_empty();
            }
        };
        letters.truncate(limit);
        output.show(&Listed { dead_letters: letters, more }, |listed| {
            if listed.dead_letters.is_empty() {
                return "nothing failed for good\n".to_owned();
            }
            let more = if listed.more { "there are more: raise --limit to see them\n" } else { "" };
            format!("{}{more}", tables::dead(&listed.dead_letters, output))
        })
    }
}

impl Replay {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        self.which.run(Verb::Replay, settings, output).await
    }
}

impl Discard {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        self.which.run(Verb::Discard, settings, output).await
    }
}

impl Letters {
    async fn run(self, verb: Verb, settings: &Settings, output: Output) -> Result<(), Fault> {
        let Some(letter) = self.letter else {
            return all(verb, self.job.unwrap_or_default(), settings, output).await;
        };
        let sending = Sending::begin_at(Peer::Scheduler, settings, self.key.key()).await?;
        let (firing, replayed) = verb.send(&sending, letter).await?;
        let changed = Changed { idempotency_key: sending.key(), replayed, thing: Seen { firings: vec![firing] } };
        output.show(&changed, |changed| {
            let keys = changed.thing.firings.iter().map(|firing| firing.key.as_str()).collect::<String>();
            format!("{}{keys} {}\n", told_again(changed.replayed), verb.done())
        })
    }
}

/// Does it to every dead letter that there is now, each under a key of its own: one that comes later stays.
async fn all(verb: Verb, job_id: String, settings: &Settings, output: Output) -> Result<(), Fault> {
    let client = Client::connect_to(Peer::Scheduler, &settings.client).await?;
    let page_size = i32::try_from(PAGE_MAX).unwrap_or(i32::MAX);
    let mut ask = ListDeadLettersRequest { job_id, page_size, ..ListDeadLettersRequest::default() };
    let mut keys = Vec::new();
    loop {
        let (page, token) = page(&client, ask.clone()).await?;
        keys.extend(page.into_iter().filter_map(|letter| Some(letter.firing?.key)));
        ask.page_token = token;
        if ask.page_token.is_empty() {
            break;
        }
    }
    let mut firings = Vec::new();
    for letter in keys {
        let key = Key { text: uuid::Uuid::now_v7().to_string(), is_generated: false };
        let sending = Sending::begin_at(Peer::Scheduler, settings, key).await?;
        firings.push(verb.send(&sending, letter).await?.0);
    }
    output.show(&Seen { firings }, |seen| {
        let count = grouped(i64::try_from(seen.firings.len()).unwrap_or(i64::MAX));
        format!("{count} dead letters {}\n", verb.done_to_many())
    })
}

async fn page(client: &Client, ask: ListDeadLettersRequest) -> Result<(Vec<DeadLetter>, String), Fault> {
    let request = client.request(ask)?;
    let answer = client.scheduler().list_dead_letters(request).await.map_err(|status| client.fault(&status))?;
    let page = answer.into_inner();
    Ok((page.dead_letters, page.next_page_token))
}

impl Verb {
    async fn send(self, sending: &Sending, key: String) -> Result<(FiringDocument, bool), Fault> {
        let (idempotency_key, client) = (sending.key(), &sending.client);
        let (firing, replayed) = match self {
            Self::Replay => {
                let request = client.request(ReplayDeadLetterRequest { idempotency_key, key })?;
                let (answer, again) = sending.answer(client.scheduler().replay_dead_letter(request).await)?;
                (answer.firing, again)
            }
            Self::Discard => {
                let request = client.request(DiscardDeadLetterRequest { idempotency_key, key })?;
                let (answer, again) = sending.answer(client.scheduler().discard_dead_letter(request).await)?;
                (answer.firing, again)
            }
        };
        Ok((firing.unwrap_or_default().into(), replayed))
    }

    const fn done(self) -> &'static str {
        match self {
            Self::Replay => "is on its way again",
            Self::Discard => "is laid to rest",
        }
    }

    const fn done_to_many(self) -> &'static str {
        match self {
            Self::Replay => "are on their way again",
            Self::Discard => "are laid to rest",
        }
    }
}
