//! Follows a player's entries over streams that may break: each is taken up after the last number that was shown.

use std::time::{Duration, Instant};

use auric_api::wallet::v1::WatchEntriesRequest;
use auric_status::{Problem, reason};
use tonic::Code;

use crate::client::Client;
use crate::commands::wallet::documents::EntryDocument;
use crate::commands::wallet::tables::entry_line;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output};

/// The pause before a stream is taken up again.
const PAUSE: Duration = Duration::from_millis(250);

/// Whose entries, and from where to where.
#[derive(Debug, clap::Args)]
pub struct Follow {
    /// Whose.
    player: String,

    /// Only entries with a larger number.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    after: i64,

    /// Ends after so many entries [default: never].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

/// How one stream ended.
enum Ended {
    /// As many entries were shown as were asked for.
    Enough,
    /// It broke, or the service closed it.
    Broken(Fault),
}

impl Follow {
    /// Shows entries until the limit is reached.
    ///
    /// # Errors
    ///
    /// What the service refuses; that nothing has answered for as long as an answer is waited for.
    pub async fn run(mut self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let patience = Duration::from_secs(settings.client.timeout_seconds);
        let mut heard = Instant::now();
        let mut told = false;
        loop {
            let Ended::Broken(fault) = self.one_stream(settings, output, &mut heard, &mut told).await? else {
                return Ok(());
            };
            if !is_passing(&fault) || heard.elapsed() > patience {
                return Err(fault);
            }
            if !told {
                output::tell(&format!("the stream broke; taking it up again after entry {}", self.after));
                told = true;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Shows what one stream brings.
    async fn one_stream(
        &mut self,
        settings: &Settings,
        output: Output,
        heard: &mut Instant,
        told: &mut bool,
    ) -> Result<Ended, Fault> {
        let client = match Client::connect(&settings.client).await {
            Ok(client) => client,
            Err(fault) => return Ok(Ended::Broken(fault)),
        };
        let request =
            client.request(WatchEntriesRequest { player_id: self.player.clone(), after_number: self.after })?;
        let mut stream = match client.wallet().watch_entries(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return Ok(Ended::Broken(client.fault(&status))),
        };
        *told = false;
        loop {
            *heard = Instant::now();
            let entries = match stream.message().await {
                Ok(Some(response)) => response.entries,
                Ok(None) => {
                    let message = "the service closed the stream; is it shutting down?";
                    let closed = Problem::new(Code::Unavailable, reason::UNAVAILABLE, message);
                    *heard = Instant::now();
                    return Ok(Ended::Broken(closed.into()));
                }
                Err(status) => {
                    *heard = Instant::now();
                    return Ok(Ended::Broken(client.fault(&status)));
                }
            };
            for entry in entries {
                let document = EntryDocument::from(entry);
                output.show_line(&document, entry_line)?;
                self.after = document.movement.number;
                if let Some(limit) = &mut self.limit {
                    *limit = limit.saturating_sub(1);
                    if *limit == 0 {
                        return Ok(Ended::Enough);
                    }
                }
            }
        }
    }
}

/// Whether a stream that ended so is worth taking up again.
fn is_passing(fault: &Fault) -> bool {
    let Fault::Problem { problem, .. } = fault else { return false };
    [Code::Unavailable, Code::Cancelled, Code::DeadlineExceeded, Code::ResourceExhausted].contains(&problem.code)
}
