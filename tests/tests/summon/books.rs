//! What three databases must say of one player, whatever happened in between.

use std::collections::BTreeMap;

use auric_api::collection::v1 as collection;
use auric_api::participant::v1 as participant;
use auric_api::wallet::v1 as wallet;
use auric_summon::Summoned;
use auric_summon::domain::{LoggedPull, Outcome, Plan};
use auric_summon::store::PullsWanted;
use auric_twophase::store::Listing;
use auric_twophase::{Decision, Operation, State};
use tonic::Code;

use super::town::{Town, word};

/// The pity groups of the catalog.
const GROUPS: [&str; 2] = ["standard", "premium"];

impl Town {
    /// Everything that was ever begun.
    pub async fn operations(&self) -> Vec<Operation> {
        let mut all: Vec<Operation> = Vec::new();
        loop {
            let after = all.last().map(|last| (last.player.clone(), last.id.clone()));
            let page = self.copies[0].list_operations(&Listing::All(after), 500).await.expect("the log");
            all.extend(page.items);
            if !page.more {
                return all;
            }
        }
    }

    /// What a player has of an asset: available, held, and to come.
    pub async fn balance(&self, player: &str, asset: &str) -> (i64, i64, i64) {
        let request =
            wallet::GetBalancesRequest { player_ids: vec![player.to_owned()], asset_ids: vec![asset.to_owned()] };
        let balances = self.wallet.clone().get_balances(request).await.expect("balances").into_inner();
        let balance = balances.balances.first().expect("a balance");
        (balance.available, balance.held, balance.room)
    }

    /// A player's esprits, by id.
    pub async fn esprits(&self, player: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut page_token = String::new();
        loop {
            let request = collection::ListEspritsRequest {
                player_id: player.to_owned(),
                page_size: 500,
                page_token,
                ..collection::ListEspritsRequest::default()
            };
            let page = self.collection.clone().list_esprits(request).await.expect("esprits").into_inner();
            found.extend(page.esprits.into_iter().map(|esprit| (esprit.esprit_id, esprit.species_id)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return found;
            }
        }
    }

    /// A player's pulls of a group, oldest first.
    pub async fn pulls(&self, player: &str, group: &str) -> Vec<LoggedPull> {
        let (player, group) = (player.parse().expect("an id"), group.parse().expect("an id"));
        let wanted = PullsWanted { oldest_first: true, ..PullsWanted::all(player, group) };
        self.copies[0].pulls(&wanted, 100_000).await.expect("pulls").items
    }

    /// Finds that a player paid for exactly what was delivered, and got exactly what was drawn.
    ///
    /// `answers` are what the player's keys were told; `granted` is what the player began with, by asset.
    pub async fn check_player(&self, player: &str, granted: &[(&str, i64)], answers: &[Summoned]) {
        let mut spent: BTreeMap<String, i64> = BTreeMap::new();
        let mut drawn: BTreeMap<String, String> = BTreeMap::new();
        for Summoned { operation, .. } in answers {
            assert!(operation.state.is_done(), "{player}: {operation:?}");
            let Some(Decision::Commit(outcome)) = &operation.decision else { continue };
            let plan: Plan = serde_json::from_str(&operation.plan).expect("a plan");
            let outcome: Outcome = serde_json::from_str(outcome).expect("an outcome");
            assert_eq!(outcome.pulls.len(), usize::try_from(plan.count).expect("it fits"), "{player}");
            if let Some(price) = plan.price {
                *spent.entry(price.asset.to_string()).or_default() +=
                    i64::try_from(price.amount.units()).expect("fits");
            }
            drawn.extend(outcome.pulls.iter().map(|pull| (pull.esprit.to_string(), pull.species.to_string())));
        }
        for (asset, granted) in granted {
            let spent = spent.get(*asset).copied().unwrap_or_default();
            assert_eq!(self.balance(player, asset).await, (granted - spent, 0, 0), "{player}: {asset}");
        }
        assert_eq!(self.esprits(player).await, drawn, "{player}: what is in the collection is not what was drawn");

        let mut logged: BTreeMap<String, String> = BTreeMap::new();
        for group in GROUPS {
            let pulls = self.pulls(player, group).await;
            for (index, row) in pulls.iter().enumerate() {
                assert_eq!(row.pull.number, u64::try_from(index).expect("fits") + 1, "{player}: a gap in {group}");
                let before = index.checked_sub(1).map_or("{}", |before| pulls[before].pull.after.as_str());
                assert_eq!(row.pull.before, before, "{player}: pity jumped in {group}");
            }
            logged.extend(pulls.iter().map(|row| (row.pull.esprit.to_string(), row.pull.species.to_string())));
        }
        assert_eq!(logged, drawn, "{player}: the log is not what was drawn");
    }

    /// Finds that every operation's ends agree in all three databases, and that nothing is held for nobody. Returns how many there are.
    pub async fn check_ends(&self) -> usize {
        let operations = self.operations().await;
        for operation in &operations {
            self.check_operation(operation).await;
        }
        let request = wallet::ListHoldsRequest { caller: "summon".to_owned(), ..wallet::ListHoldsRequest::default() };
        let holds = self.wallet.clone().list_holds(request).await.expect("holds").into_inner().holds;
        assert!(holds.is_empty(), "{} holds are left, the first: {:#?}", holds.len(), holds[0]);
        let request = participant::ListParticipationsRequest {
            state: participant::ParticipationState::Prepared.into(),
            ..participant::ListParticipationsRequest::default()
        };
        let promised = self.participant.clone().list_participations(request).await.expect("participations");
        let promised = promised.into_inner().participations;
        assert!(promised.is_empty(), "{} promises are left, the first: {:#?}", promised.len(), promised[0]);
        operations.len()
    }

    async fn check_operation(&self, operation: &Operation) {
        let id = &operation.id;
        assert!(operation.state.is_done(), "{id} is not done: {operation:?}");
        let is_commit = operation.state == State::Committed;
        let plan: Option<Plan> = serde_json::from_str(&operation.plan).ok();
        let is_paid = plan.is_some_and(|plan| plan.price.is_some());

        let request = wallet::GetHoldRequest { hold_id: format!("summon:{id}") };
        let hold = match self.wallet.clone().get_hold(request).await {
            Ok(found) => found.into_inner().hold.expect("a hold").state().as_str_name().to_owned(),
            Err(status) if status.code() == Code::NotFound => "ABSENT".to_owned(),
            Err(status) => panic!("{status}"),
        };
        let held_as_told = match (is_commit, is_paid) {
            (true, true) => hold.ends_with("_COMMITTED"),
            (true, false) => hold == "ABSENT",
            (false, _) => hold == "ABSENT" || hold.ends_with("_RELEASED") || hold.ends_with("_VOIDED"),
        };
        assert!(held_as_told, "{id} is {:?} and its hold {hold}", operation.state);

        let request = participant::GetParticipationRequest { operation_id: id.to_string() };
        let part = match self.participant.clone().get_participation(request).await {
            Ok(found) => word(found.into_inner().participation.expect("a participation").state),
            Err(status) if status.code() == Code::NotFound => "ABSENT",
            Err(status) => panic!("{status}"),
        };
        let part_as_told = if is_commit {
            part.ends_with("_COMMITTED")
        } else {
            part == "ABSENT" || part.ends_with("_CANCELLED") || part.ends_with("_VOIDED")
        };
        assert!(part_as_told, "{id} is {:?} and its participation {part}", operation.state);
    }
}
