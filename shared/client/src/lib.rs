//! What a service needs to call another one well.
//!
//! A [`Channel`] stands below any generated client and does for each call what its author would otherwise forget: it sends who asks and until when,
//! goes on with the trace, chooses a copy of the service by the player that the call is about, and asks again where that may help.
//!
//! ```no_run
//! # async fn example(request: auric_api::wallet::v1::PostRequest) -> Result<(), Box<dyn std::error::Error>> {
//! use auric_client::{ClientConfig, about};
//!
//! let mut wallet = auric_client::wallet(ClientConfig::new("http://127.0.0.1:7401")).await?;
//! let posted = wallet.post(about("discord:1", request)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! **One effect and one answer.** A call that is asked again is the same bytes, so a mutation has the same idempotency key; whichever attempt arrived,
//! it is done once. An error that the last attempt could not clear up says that the outcome is unknown, and never that nothing was done.
//!
//! **Copies come and go.** Names are resolved again every few seconds. A copy that breaks a call is left alone until it answers a health check, over a
//! connection of its own. Calls about one player go to one copy while it is there, where they share its batches; any copy gives the same answer.
//!
//! **Bounds.** A call ends by its deadline and after [`Policy::attempts_max`] attempts. A stream is opened with the same care; what breaks later is the
//! caller's to take up again. What a caller sends as a stream is sent once.

mod backoff;
mod call;
mod channel;
mod config;
mod copy;
mod deadline;
mod figures;
mod fleet;
mod method;
mod rank;
mod resolve;
mod verdict;

use auric_api::wallet::v1::wallet_service_client::WalletServiceClient;
use tonic::Request;

pub use channel::{Channel, connect, connect_with};
pub use config::{ClientConfig, ConfigError, Credential, Identity, Policy, Tls};
pub use deadline::Deadline;
pub use rank::Player;
pub use resolve::{Dns, Resolver};

/// The longest answer that is taken, the limit of tonic's stubs.
pub const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Connects to the wallet; nobody needs to listen there yet.
///
/// # Errors
///
/// As [`connect`].
pub async fn wallet(config: ClientConfig) -> Result<WalletServiceClient<Channel>, ConfigError> {
    Ok(WalletServiceClient::new(connect(config).await?))
}

/// Says which player a call is about, so that it goes where that player's other calls go.
pub fn about<T>(player_id: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Player::new(player_id));
    request
}
