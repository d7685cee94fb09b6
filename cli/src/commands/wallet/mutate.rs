//! What every mutation has in common: its key is told before anything is sent, and a first answer that is given again says so.

use auric_api::wallet::v1::Posted;
use tonic::{Response, Status};

use super::documents::PostedDocument;
use super::flags::Key;
use super::tables::posted_text;
use crate::client::{self, Client, Peer};
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output};

/// A mutation that is about to be sent.
pub struct Sending {
    pub client: Client,
    key: String,
}

impl Sending {
    /// Connects, and prints the key where nobody named one: an unknown outcome is settled by sending the same under it again.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub async fn begin(settings: &Settings, key: Key) -> Result<Self, Fault> {
        Self::begin_at(Peer::Wallet, settings, key).await
    }

    /// The same at any service.
    ///
    /// # Errors
    ///
    /// As [`Client::connect_to`].
    pub async fn begin_at(peer: Peer, settings: &Settings, key: Key) -> Result<Self, Fault> {
        let client = Client::connect_to(peer, &settings.client).await?;
        let Key { text, is_generated } = key;
        if is_generated {
            output::tell(&format!("key: {text} (to send the same again: --key {text})"));
        }
        Ok(Self { client, key: text })
    }

    /// The key that it is sent under.
    pub fn key(&self) -> String {
        self.key.clone()
    }

    /// What was answered, and whether that is the first answer to the key, given again.
    ///
    /// # Errors
    ///
    /// What came instead of an answer, with the key.
    pub fn answer<T>(&self, answered: Result<Response<T>, Status>) -> Result<(T, bool), Fault> {
        let answer = answered
            .map_err(|status| self.client.fault(&status).under_key(&self.key, client::is_replayed_refusal(&status)))?;
        let replayed = client::is_replayed(&answer);
        Ok((answer.into_inner(), replayed))
    }

    /// Shows the answer: what was done, in the word of `verb`, and what moved.
    ///
    /// # Errors
    ///
    /// What came instead of an answer, with the key.
    pub fn show<T>(
        self,
        verb: &str,
        answered: Result<Response<T>, Status>,
        posted: impl FnOnce(T) -> Option<Posted>,
        output: Output,
    ) -> Result<(), Fault> {
        let (answer, replayed) = self.answer(answered)?;
        let document = PostedDocument::new(self.key, replayed, posted(answer).unwrap_or_default());
        output.show(&document, |document| posted_text(verb, document, output))
    }
}
