//! What draws come from: shown, changed, and proved with.

use std::sync::Arc;

use auric_db::StoreError;
use auric_ids::{PityGroupId, PlayerId, TraceId};
use auric_lanes::Refused;
use auric_twophase::Decision;
use rand::Rng as _;
use tokio::time::Instant;

use super::{Failed, Handlers, line};
use crate::domain::{
    Change, EndedSeeds, Evidence, Keyed, LoggedPull, Outcome, Plan, Player, Proved, Seeds, ShownEnd, ShownSeeds, Told,
    Verdict, Work,
};
use crate::store::PullsWanted;

/// A player's seeds, as the player may see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FairnessView {
    /// In use.
    pub now: ShownSeeds,
    /// Out of use, newest first.
    pub ended: Vec<ShownEnd>,
    /// Whether there are more behind them.
    pub more: bool,
}

/// A pull and its proof.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// The receipt, one line; empty when there is none.
    pub receipt: String,
    /// Whether the server seed is in it.
    pub is_revealed: bool,
    /// Whether it was taken for spark points: nothing was drawn, so that there is no receipt.
    pub is_exchange: bool,
    /// Why it proves nothing, or not yet.
    pub fault: Option<String>,
}

impl Handlers {
    /// Shows a player's seeds; a player who has none gets some first.
    ///
    /// # Errors
    ///
    /// [`Failed`].
    pub async fn fairness(
        &self,
        player: &PlayerId,
        before: Option<u64>,
        limit: u32,
        deadline: Option<Instant>,
    ) -> Result<FairnessView, Failed> {
        let mut view = self.store.seeds(player, before, limit.saturating_add(1)).await?;
        if view.player.as_ref().and_then(Player::shown).is_none() {
            let work = Work::Seed { player: player.clone(), fresh_seed: fresh_seed() };
            self.lanes.submit(player.as_str().as_bytes(), work, deadline).await?;
            view = self.store.seeds(player, before, limit.saturating_add(1)).await?;
        }
        let found = view.player.as_ref().and_then(|player| Some((player, player.shown()?)));
        let (player, now) = found.ok_or(Failed::Lane(Refused::Fault))?;
        let mut ended: Vec<ShownEnd> = view.ended.iter().map(|ended| player.shown_end(ended)).collect();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = ended.len() > limit;
        ended.truncate(limit);
        Ok(FairnessView { now, ended, more })
    }

    /// Changes a player's seeds or path.
    ///
    /// # Errors
    ///
    /// [`Failed`].
    pub async fn change(
        &self,
        key: auric_keys::MutationKey,
        player: PlayerId,
        change: Change,
        trace_id: &TraceId,
        deadline: Option<Instant>,
    ) -> Result<Told, Failed> {
        let (lane, method) = (player.clone(), change.method());
        let keyed = Keyed { key: key.clone(), player, change, fresh_seed: fresh_seed() };
        let work = Work::Change(Box::new(keyed));
        let told = match self.lanes.submit(lane.as_str().as_bytes(), work, deadline).await {
            Ok(Verdict::Changed(told)) => Ok(*told),
            Ok(_) => Err(Failed::Lane(Refused::Fault)),
            Err(refused) => Err(Failed::Lane(refused)),
        };
        line::log_change(method, &key, &lane, trace_id, &told);
        told
    }

    /// Proves a pull; nothing when there is none of that number.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn verify(
        &self,
        player: &PlayerId,
        group: &PityGroupId,
        number: u64,
    ) -> Result<Option<Proof>, StoreError> {
        let behind = number.checked_add(1);
        let wanted = PullsWanted { behind, ..PullsWanted::all(player.clone(), group.clone()) };
        let found = self.store.pulls(&wanted, 1).await?.pop().filter(|found| found.pull.number == number);
        let Some(logged) = found else { return Ok(None) };
        match self.prove(&logged).await? {
            Ok(proof) => Ok(Some(proof)),
            Err(fault) => {
                tracing::error!(
                    player_id = %player, pity_group_id = %group, number, fault,
                    "pull {number} of {player} cannot be proved: {fault}",
                );
                Ok(Some(Proof { fault: Some(fault), ..Proof::default() }))
            }
        }
    }

    async fn prove(&self, logged: &LoggedPull) -> Result<Result<Proof, String>, StoreError> {
        let Some((seeds, is_revealed)) = self.seeds_of(&logged.player, logged.epoch).await? else {
            return Ok(Err(format!("its seeds, the pair {}, are not kept", logged.epoch)));
        };
        let operation = self.operations().get(&logged.player, &logged.operation).await?;
        let read = operation.and_then(|operation| {
            let Some(Decision::Commit(outcome)) = operation.decision else { return None };
            let plan: Plan = serde_json::from_str(&operation.plan).ok()?;
            Some((plan, serde_json::from_str::<Outcome>(&outcome).ok()?))
        });
        let Some((plan, outcome)) = read else {
            return Ok(Err(format!("its summon {} cannot be read", logged.operation)));
        };
        let Some(banners) = self.catalogs.find(self.store.as_ref(), plan.catalog).await? else {
            return Ok(Err(format!("its catalog {} is not kept", plan.catalog)));
        };
        let evidence = Evidence { banners: &banners, plan: &plan, outcome: &outcome, seeds: &seeds, is_revealed };
        Ok(evidence.prove(logged).map_err(|unproved| unproved.to_string()).map(|proved| match proved {
            Proved::Drawn(receipt) => Proof {
                fault: receipt.verify_with(&banners).err().map(|fault| fault.to_string()),
                receipt: receipt.text(),
                is_revealed,
                is_exchange: false,
            },
            Proved::Taken => Proof { is_exchange: true, ..Proof::default() },
        }))
    }

    /// The pair of seeds of that number, and whether its server seed may be shown.
    async fn seeds_of(&self, player: &PlayerId, epoch: u64) -> Result<Option<(Seeds, bool)>, StoreError> {
        let view = self.store.seeds(player, epoch.checked_add(1), 1).await?;
        let Some(player) = view.player else { return Ok(None) };
        if player.epoch == epoch {
            return Ok(player.seeds.map(|seeds| (seeds, false)));
        }
        let ended = view.ended.into_iter().find(|ended| ended.epoch == epoch);
        Ok(ended.map(|EndedSeeds { seeds, .. }| {
            let is_revealed = player.has_replaced(&seeds.server);
            (seeds, is_revealed)
        }))
    }
}

/// Draws a server seed.
pub fn fresh_seed() -> [u8; 32] {
    let mut fresh_seed = [0; 32];
    rand::rng().fill_bytes(&mut fresh_seed);
    fresh_seed
}

impl super::catalogs::Shelf {
    /// A catalog that was ever in force.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database does not answer.
    pub async fn find(
        &self,
        store: &dyn crate::store::SummonStore,
        hash: auric_catalog::CatalogHash,
    ) -> Result<Option<Arc<crate::domain::Banners>>, StoreError> {
        if self.known(hash).is_none() {
            self.fetch(store, hash).await?;
        }
        Ok(self.known(hash))
    }
}
