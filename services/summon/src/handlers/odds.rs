//! Odds and simulations: computed apart from requests that players wait for, few at a time.

use std::sync::Arc;

use auric_db::StoreError;
use auric_ids::{CostId, PlayerId};
use futures::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::Handlers;
use crate::domain::{BadField, Banner, CostOption, Pity, Report, Simulation, Tally, Unstored};

/// How many are computed at once.
pub const AT_ONCE_MAX: usize = 2;

/// Pulls that a simulation draws before it tells how far it is.
const TOLD_EVERY: u64 = 250_000;

/// What a simulation has told that nobody has taken yet.
const UNTAKEN_MAX: usize = 2;

/// How a banner is drawn from: what a request may leave out is filled in.
#[derive(Clone, Debug)]
pub struct Manner {
    /// From which.
    pub banner: Arc<Banner>,
    /// Paid how.
    pub cost: CostOption,
    /// So many at once.
    pub count: u32,
}

/// How far a simulation has come.
#[derive(Clone, Debug)]
pub struct Progress {
    /// What was drawn so far.
    pub tally: Tally,
    /// Whether that is all.
    pub done: bool,
}

impl Manner {
    /// Finds the cost option, the banner's first where none is named, and tests the count.
    ///
    /// # Errors
    ///
    /// [`Unstored::Invalid`] names what the banner does not have.
    pub fn of(banner: &Arc<Banner>, cost: Option<&CostId>, count: u32) -> Result<Self, Unstored> {
        let invalid = |path, fault| Unstored::Invalid(BadField { path, fault });
        let found = cost.map_or_else(|| banner.costs.first(), |cost| banner.cost(cost));
        let Some(found) = found else {
            let known: Vec<&str> = banner.costs.iter().map(|cost| cost.id.as_str()).collect();
            let fault = format!("is no cost option of {}; it has {}", banner.id, known.join(", "));
            return Err(invalid("cost_id", fault));
        };
        if !banner.allows(found, count) {
            return Err(invalid("count", format!("{count} is no count of {} by {}", banner.id, found.id)));
        }
        Ok(Self { banner: Arc::clone(banner), cost: found.clone(), count })
    }
}

impl Handlers {
    /// Tells the odds of a banner: of `player`, or of one who never pulled.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn odds(&self, manner: Manner, player: Option<&PlayerId>) -> Result<Report, StoreError> {
        let pity: Option<Pity> = match player {
            None => None,
            Some(player) => {
                let view = self.store.view(player, &manner.banner.group.id, &manner.banner.id).await?;
                Some(view.pity.pity)
            }
        };
        let permit = Arc::clone(&self.heavy).acquire_owned().await;
        let computed = self.tasks.spawn_blocking(move || {
            let _permit = permit;
            Report::of(&manner.banner, &manner.cost, manner.count, pity.as_ref())
        });
        computed.await.map_err(|error| StoreError::Corrupt(format!("the odds were not computed: {error}")))
    }

    /// Draws `pulls` from `seed` and counts them.
    ///
    /// # Cancellation
    ///
    /// Dropping the stream ends the simulation.
    pub async fn simulate(&self, manner: Manner, pulls: u64, seed: u64) -> impl Stream<Item = Progress> + Send + use<> {
        let (progress, taken) = mpsc::channel(UNTAKEN_MAX);
        let permit = Arc::clone(&self.heavy).acquire_owned().await;
        let closing = self.closing.clone();
        self.tasks.spawn_blocking(move || {
            let _permit = permit;
            let Manner { banner, cost, count } = manner;
            let mut tally = Tally::new(&banner);
            let mut drawn = Simulation::new(&banner, &cost, count, &Pity::default(), seed);
            while tally.pulls < pulls && !closing.is_cancelled() {
                let round = TOLD_EVERY.min(pulls.saturating_sub(tally.pulls));
                for _ in 0..round {
                    drawn.next().iter().for_each(|drawn| tally.note(drawn));
                }
                let done = tally.pulls >= pulls;
                if progress.blocking_send(Progress { tally: tally.clone(), done }).is_err() {
                    return;
                }
            }
        });
        ReceiverStream::new(taken)
    }
}
