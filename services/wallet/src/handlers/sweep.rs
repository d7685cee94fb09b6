//! Gives back what lapsed holds set aside, player by player, without a request.
//!
//! Nothing waits for it: a lapsed hold is spendable at once, and whoever acts for its player next writes its end. The sweep writes it for the players
//! who never come again, so that what is open is what is meant to be.

use auric_db::StoreError;
use auric_lanes::Refused;
use futures::future::join_all;

use super::Handlers;
use crate::store::Lapsed;

/// Lapsed holds of one page; their players go through the lanes together.
const PAGE: u32 = 200;

/// Holds that one sweep ends at most: the next one goes on.
const HOLDS_MAX: usize = 20_000;

/// What one sweep came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Holds whose end was written.
    pub holds: usize,
    /// Whether there may be more.
    pub more: bool,
}

/// Why a sweep ended early; what it wrote stays written.
#[derive(Debug, thiserror::Error)]
pub enum Unswept {
    /// The database did not say what has lapsed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A lane had no room, or no database.
    #[error("the lanes do not take it: {0:?}")]
    Refused(Refused),
}

impl Handlers {
    /// Writes the end of holds whose time is up, in bounded batches.
    ///
    /// # Errors
    ///
    /// The database or a lane did not take it: try again; what is written is not written again.
    pub async fn sweep_holds(&self) -> Result<Swept, Unswept> {
        let mut swept = Swept::default();
        let mut after: Option<Lapsed> = None;
        loop {
            let page = self.store.lapsed(after.as_ref(), PAGE).await?;
            let is_last = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            let mut players: Vec<_> = page.iter().map(|lapsed| lapsed.player.clone()).collect();
            players.dedup();
            for settled in join_all(players.into_iter().map(|player| self.settle(player))).await {
                swept.holds = swept.holds.saturating_add(settled.map_err(Unswept::Refused)?);
            }
            after = page.into_iter().next_back();
            if is_last || self.is_closing() {
                return Ok(swept);
            }
            if swept.holds >= HOLDS_MAX {
                return Ok(Swept { more: true, ..swept });
            }
        }
    }
}
