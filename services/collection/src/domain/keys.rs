//! What a batch may touch, from its requests.

use std::collections::BTreeSet;

use auric_catalog::CatalogHash;
use auric_ids::{EspritId, OperationId, PlayerId};
use auric_keys::MutationKey;
use auric_twophase::store::Wanted;

use super::operation::{Deed, Request};
use super::{Action, Ask, Outcome, Work};

/// What a batch may touch: the store locks the players and loads the rest, each in ascending order.
#[derive(Clone, Debug)]
pub struct BatchKeys {
    /// Players to lock.
    pub players: BTreeSet<PlayerId>,
    /// Operations whose parts are to be loaded.
    pub operations: BTreeSet<OperationId>,
    /// Esprits to load.
    pub esprits: BTreeSet<(PlayerId, EspritId)>,
    /// Keys to look up.
    pub mutations: BTreeSet<MutationKey>,
    /// Players whose equipment is to be loaded, all of it.
    pub armories: BTreeSet<PlayerId>,
    /// Catalogs to look for, besides the one in force.
    pub catalogs: BTreeSet<CatalogHash>,
    /// Keys and operations that the collection coordinates.
    pub log: Wanted,
    in_force: CatalogHash,
}

impl BatchKeys {
    /// The keys of an empty batch. The catalog that is `in_force` was kept before it came into force: nobody looks for it.
    #[must_use]
    pub fn new(in_force: CatalogHash) -> Self {
        Self {
            players: BTreeSet::new(),
            operations: BTreeSet::new(),
            esprits: BTreeSet::new(),
            mutations: BTreeSet::new(),
            armories: BTreeSet::new(),
            catalogs: BTreeSet::new(),
            log: Wanted::default(),
            in_force,
        }
    }

    /// Adds what `work` may touch.
    pub fn add_work(&mut self, work: &Work) {
        let player = work.player();
        self.players.insert(player.clone());
        match work {
            Work::Ask(ask) => self.add(ask),
            Work::Begin(begin) => {
                let Request { key, deed, .. } = &begin.request;
                self.mutations.insert(key.clone());
                self.log.keys.insert(key.clone());
                self.esprits.extend(deed.esprits().map(|esprit| (player.clone(), esprit.clone())));
                if matches!(deed, Deed::Dissolve(_)) {
                    self.armories.insert(player.clone());
                }
            }
            Work::Decide(decide) => {
                self.log.operations.insert((player.clone(), decide.operation.id.clone()));
                self.esprits.extend(decide.plan.esprits.iter().map(|seen| (player.clone(), seen.esprit.clone())));
            }
            Work::Adopt { id, .. } => {
                self.log.operations.insert((player.clone(), id.clone()));
            }
        }
    }

    /// Adds what `ask` may touch.
    pub fn add(&mut self, ask: &Ask) {
        let player = ask.action.player();
        self.players.insert(player.clone());
        self.operations.extend(ask.action.operation().cloned());
        match &ask.action {
            Action::Prepare(prepare) => {
                if prepare.catalog != self.in_force {
                    self.catalogs.insert(prepare.catalog);
                }
            }
            Action::Commit(commit) => {
                let Outcome::Grant(grant) = &commit.outcome;
                self.esprits.extend(grant.esprits.iter().map(|granted| (player.clone(), granted.esprit.clone())));
            }
            Action::Cancel(_) => {}
            Action::Keyed(keyed) => {
                self.mutations.insert(MutationKey { caller: ask.caller.clone(), key: keyed.key.clone() });
                self.esprits.extend(keyed.change.esprit().map(|esprit| (player.clone(), esprit.clone())));
                if keyed.change.is_of_equipment() {
                    self.armories.insert(player.clone());
                }
            }
        }
    }
}
