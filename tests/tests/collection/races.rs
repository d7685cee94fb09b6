//! Everything at once for some players, over three copies of the collection and of summon on PostgreSQL (R-C1, R-C4, R-O5).
//!
//! Each round asks for everything of every esprit at the same moment: raise it, dissolve it with its neighbour, lock it, field it, arm it; new ones
//! are summoned meanwhile, and readers at every copy look whether what they see fits together. What is right in the end follows from what was
//! answered: every unit and every level has its operation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use auric_api::collection::v1 as api;
use auric_collection::Failed;
use auric_collection::domain::{Action, Catalog, Change, Deed, Effect, Keyed, Kind, Plan, Portrait, Units, Verdict};
use auric_ids::EspritId;
use auric_twophase::{Operation, State};
use futures::future::join_all;
use sqlx::{Connection as _, PgConnection};

use crate::events::told::collection_told;

use super::estate::{Estate, ask, done, player, request, upgrade};
use crate::summon::town;

/// Who plays.
const PLAYERS: [&str; 2] = ["storm", "gale"];

/// What each begins with.
const LUMEES: i64 = 2_000;
const SHARDS: i64 = 30;

/// What a summon of one pull costs.
const AZURITES: i64 = 160;

/// Esprits that each begins with.
const ESPRITS: u32 = 10;

/// Rounds of the storm: each asks for everything of every esprit. There are more, up to a bound, until an esprit was dissolved.
const ROUNDS: usize = 8;
const ROUNDS_MAX: usize = 60;

/// One player in the storm.
struct Storm<'a> {
    estate: &'a Estate,
    player: &'static str,
}

impl Storm<'_> {
    /// An own change of the collection; whoever is sent away comes again. Nothing where its esprit is not there.
    async fn change(&self, copy: usize, key: String, change: Change) {
        let key = format!("{}:{key}", self.player).parse().expect("a key");
        let keyed = Keyed { key, player: player(self.player), change, expected_version: None };
        loop {
            match self.estate.copies[copy % 3].mutate(ask(Action::Keyed(keyed.clone())), None).await {
                Ok(Verdict::Answered { .. }) => return,
                Ok(Verdict::Refused(refusal)) => assert_eq!(refusal.reason(), "ESPRIT_BUSY", "{refusal:?}"),
                Ok(other) => panic!("{other:?}"),
                Err(_) => {}
            }
            tokio::task::yield_now().await;
        }
    }

    /// Sends a deed to two copies at once: a twin gets the one answer.
    async fn operate(&self, copy: usize, key: String, deed: Deed) -> Operation {
        let request = request(self.player, &format!("{}:{key}", self.player), deed);
        let (one, other) = tokio::join!(self.estate.operate(copy, &request), self.estate.operate(copy + 1, &request));
        assert_eq!((&one.0.id, &one.0.decision), (&other.0.id, &other.0.decision), "{key}: a twin got another answer");
        one.0
    }

    /// Previews a pair and dissolves it; nothing when something is in the way already.
    async fn dissolve(&self, copy: usize, key: String, pair: &[EspritId]) -> Option<Operation> {
        match self.estate.copies[copy % 3].preview(&player(self.player), pair).await {
            Ok((_, preview)) => Some(self.operate(copy, key, Deed::Dissolve(preview)).await),
            Err(Failed::Rejected(_)) => None,
            Err(failed) => panic!("{failed:?}"),
        }
    }

    /// Summons one at two copies at once.
    async fn summon(&self, copy: usize, key: String) -> bool {
        let asked = town::ask(self.player, &format!("{}:{key}", self.player), "standard", None, 1);
        let (one, other) = tokio::join!(self.estate.summon(copy, &asked), self.estate.summon(copy + 1, &asked));
        assert_eq!((&one.id, &one.decision), (&other.id, &other.decision), "{key}: a twin got another answer");
        one.state == State::Committed
    }

    /// What is asked of one esprit in one round, besides raising and dissolving it.
    async fn touch(&self, round: usize, index: usize, esprit: EspritId) {
        // Four rounds put everything to use, the next four put everything away: else nothing could be dissolved any more.
        let (key, is_used) = (format!("{round}:{index}"), (round / 4).is_multiple_of(2));
        let piece = format!("piece-{}", index % 4).parse().expect("an id");
        let asked = match (round + index) % 4 {
            0 => Change::SetLock { esprit, locked: is_used },
            1 => {
                let slot = u32::try_from(index % 3).expect("it fits") + 1;
                Change::SetTeamSlot { slot, esprit: is_used.then_some(esprit) }
            }
            2 if is_used => Change::Equip { esprit, piece },
            2 => Change::Unequip { piece },
            _ => return,
        };
        self.change(index, key, asked).await;
    }

    /// Everything of every esprit at once, round by round, until some were dissolved.
    ///
    /// # Shape
    ///
    /// The operations of the collection, and how many summons were delivered.
    async fn rage(&self) -> (Vec<Operation>, i64) {
        let (mut operations, mut summoned): (Vec<Operation>, i64) = (Vec::new(), 0);
        for round in 0..ROUNDS_MAX {
            let is_dissolved = operations.iter().filter_map(done).any(|(plan, _)| plan.kind == Kind::Dissolve);
            if round >= ROUNDS && is_dissolved {
                break;
            }
            // Those that were dissolved in the round before are asked for once more.
            let portrait = self.estate.copies[round % 3].portrait(&player(self.player)).await.expect("a portrait");
            let named = operations.iter().rev().filter_map(done).take(1).flat_map(|(plan, _)| plan.esprits);
            let mut ids: Vec<EspritId> = portrait.esprits.iter().map(|esprit| esprit.id.clone()).collect();
            ids.extend(named.map(|seen| seen.esprit));
            ids.sort();
            ids.dedup();
            let each = || ids.iter().cloned().enumerate();
            let changes = each().map(|(index, id)| self.touch(round, index, id));
            let upgrades = each().map(|(index, id)| self.operate(index, format!("up:{round}:{index}"), upgrade(&id)));
            let pairs = ids.windows(2).enumerate();
            let dissolves = pairs.map(|(index, pair)| self.dissolve(index, format!("gone:{round}:{index}"), pair));
            let summons = (0..2).map(|index| self.summon(index, format!("new:{round}:{index}")));
            let (_, raised, dissolved, new) =
                tokio::join!(join_all(changes), join_all(upgrades), join_all(dissolves), join_all(summons));
            operations.extend(raised);
            operations.extend(dissolved.into_iter().flatten());
            summoned += i64::try_from(new.into_iter().filter(|is_new| *is_new).count()).expect("it fits");
        }
        (operations, summoned)
    }

    /// Looks at every copy until `over`: what is seen fits together, and no copy goes back behind what another has shown.
    async fn look(&self, over: &AtomicBool) -> u32 {
        let (mut looks, mut newest) = (0, 0);
        while !over.load(Ordering::Relaxed) {
            for copy in &self.estate.copies {
                let portrait = copy.portrait(&player(self.player)).await.expect("a portrait");
                assert!(portrait.version >= newest, "version {} after {newest}", portrait.version);
                newest = portrait.version;
                fits_together(&portrait);
                looks += 1;
            }
        }
        looks
    }

    /// Finds that the wallet has moved what was planned, for what was done, and nothing else.
    async fn check_balances(&self, done: &[(Plan, Effect)], summoned: i64) {
        let sum = |of: fn(&Plan) -> &[Units], asset: &str| -> i64 {
            let units = done.iter().flat_map(|(plan, _)| of(plan)).filter(|units| units.asset.as_str() == asset);
            units.map(|units| i64::try_from(units.amount).expect("it fits")).sum()
        };
        for (asset, begun) in [("lumees", LUMEES), ("shards", SHARDS)] {
            let (paid, given) = (sum(|plan| &plan.cost, asset), sum(|plan| &plan.refund, asset));
            assert_eq!(self.estate.balance(self.player, asset).await, (begun - paid + given, 0, 0), "{asset}");
        }
        let left = AZURITES * 10 - AZURITES * summoned;
        assert_eq!(self.estate.balance(self.player, "azurites").await, (left, 0, 0));
    }

    /// Finds that every esprit is what its operations made of it, for what the rules say; gives how many were dissolved.
    async fn check_esprits(&self, done: &[(Plan, Effect)], portrait: &Portrait) -> usize {
        let rules = self.estate.copies[0].rules();
        let mut destroyed: BTreeSet<EspritId> = BTreeSet::new();
        let mut paid: BTreeMap<EspritId, Vec<Vec<Units>>> = BTreeMap::new();
        for (plan, effect) in done {
            let ids: Vec<EspritId> = plan.esprits.iter().map(|seen| seen.esprit.clone()).collect();
            if effect.level.is_some() {
                paid.entry(ids[0].clone()).or_default().push(plan.cost.clone());
                continue;
            }
            let mut by_rule = Vec::new();
            for id in ids {
                by_rule.push(self.estate.esprit(self.player, &id).await.species);
                assert!(destroyed.insert(id.clone()), "{id} was dissolved twice");
            }
            let by_rule = by_rule.iter().flat_map(|species| rules.catalog.dissolve_rewards(species).expect("a reward"));
            assert_eq!(sums(&plan.refund), sums(by_rule), "{plan:?}");
        }
        let named: BTreeSet<EspritId> = portrait.esprits.iter().map(|esprit| esprit.id.clone()).collect();
        for id in named.iter().chain(&destroyed) {
            let esprit = self.estate.esprit(self.player, id).await;
            let (is_gone, costs) = (destroyed.contains(id), paid.remove(id).unwrap_or_default());
            assert_eq!((esprit.dissolved_at.is_some(), &esprit.busy), (is_gone, &None), "{id}");
            assert!(!(is_gone && esprit.locked), "{id} was dissolved although its owner had locked it");
            assert_eq!(named.contains(id), !is_gone, "{id}");
            if !costs.is_empty() {
                check_costs(&rules.catalog, &esprit, costs);
            }
        }
        assert!(paid.is_empty(), "paid for nobody: {paid:?}");
        destroyed.len()
    }

    /// Finds that list, profile and team say the same at every copy, and that the database counts as they do.
    async fn check_answers(&self, portrait: &Portrait) {
        for copy in 0..3 {
            let mut client = self.estate.client(copy).await;
            let player_id = self.player.to_owned();
            let list = api::ListEspritsRequest { player_id: player_id.clone(), page_size: 500, ..Default::default() };
            let list = client.list_esprits(list).await.expect("a list").into_inner();
            let profile = api::GetProfileRequest { player_id: player_id.clone() };
            let profile = client.get_profile(profile).await.expect("a profile").into_inner();
            let team = client.get_team(api::GetTeamRequest { player_id }).await.expect("a team").into_inner();
            let team = team.team.expect("a team");
            let there = i64::try_from(portrait.esprits.len()).expect("it fits");
            assert_eq!((list.total_size, profile.esprits), (there, there), "copy {copy}");
            assert_eq!(profile.rarities.values().sum::<i64>(), there);
            assert_eq!(profile.team_power, team.power);
            let fielded: BTreeSet<&str> =
                list.esprits.iter().filter(|esprit| esprit.in_team).map(|esprit| esprit.esprit_id.as_str()).collect();
            let slots = team.slots.iter().filter(|slot| !slot.esprit_id.is_empty());
            assert_eq!(fielded, slots.map(|slot| slot.esprit_id.as_str()).collect());
            assert_eq!(profile.best_power, list.esprits.iter().map(|esprit| esprit.power).max().unwrap_or_default());
        }
        let mut database = PgConnection::connect(&self.estate.urls[1]).await.expect("a connection");
        let counted: (i64, i64, i64) = sqlx::query_as(
            "SELECT esprits, promised, (SELECT count(*) FROM esprits AS e WHERE e.player_id = p.player_id AND e.dissolved_at IS NULL)
             FROM players AS p WHERE p.player_id = $1",
        )
        .bind(self.player)
        .fetch_one(&mut database)
        .await
        .expect("a player");
        assert_eq!((counted.0, counted.1), (counted.2, 0), "the count of esprits is another than theirs");
    }

    /// Finds that what was told of it, by three copies, comes to the same.
    async fn check_told(&self, portrait: &Portrait) {
        let told = collection_told(self.estate.addresses[0], self.player).await;
        for (id, last) in &told.esprits {
            let esprit = self.estate.esprit(self.player, &id.parse().expect("an id")).await;
            let last = (u32::try_from(last.level).unwrap_or_default(), last.locked, last.dissolve_time.is_some());
            assert_eq!(last, (esprit.level, esprit.locked, esprit.dissolved_at.is_some()), "{id}");
        }
        assert!(
            portrait.esprits.iter().all(|esprit| told.esprits.contains_key(esprit.id.as_str())),
            "one was not told"
        );
        let team = told.team.into_iter().flat_map(|team| team.slots);
        let team: BTreeMap<u32, String> = team.map(|slot| (slot.slot.unsigned_abs(), slot.esprit_id)).collect();
        assert_eq!(team, portrait.team.iter().map(|(slot, id)| (*slot, id.to_string())).collect());
    }
}

/// Finds that a portrait does not contradict itself.
fn fits_together(portrait: &Portrait) {
    let there: BTreeSet<&EspritId> = portrait.esprits.iter().map(|esprit| &esprit.id).collect();
    assert_eq!(there.len(), portrait.esprits.len(), "an esprit is there twice");
    let mut fielded = BTreeSet::new();
    for member in portrait.team.values() {
        assert!(there.contains(member), "{member} is in the team and not there");
        assert!(fielded.insert(member), "{member} is in the team twice");
    }
    for piece in &portrait.pieces {
        assert!(piece.esprit.as_ref().is_none_or(|esprit| there.contains(esprit)), "{piece:?} is worn by nobody there");
    }
}

/// Finds that every level of an esprit was paid once, for what its rule says of that level.
fn check_costs(catalog: &Catalog, esprit: &auric_collection::domain::Esprit, mut costs: Vec<Vec<Units>>) {
    let levels = 1..esprit.level;
    let by_rule = levels.map(|level| catalog.upgrade_cost(&esprit.species, level).expect("a cost"));
    let mut by_rule: Vec<BTreeMap<String, u64>> = by_rule.map(|cost| sums(&cost)).collect();
    let mut paid: Vec<BTreeMap<String, u64>> = costs.drain(..).map(|cost| sums(&cost)).collect();
    by_rule.sort();
    paid.sort();
    assert_eq!(paid, by_rule, "{} at level {}", esprit.id, esprit.level);
}

fn sums<'a>(units: impl IntoIterator<Item = &'a Units>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for Units { asset, amount } in units {
        *sums.entry(asset.to_string()).or_default() += *amount;
    }
    sums
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_all_that_is_asked_at_once_one_destroys_and_everything_adds_up() {
    let estate = Estate::postgres_with_summon(3).await;
    let storms = PLAYERS.map(|player| Storm { estate: &estate, player });
    for storm in &storms {
        for (asset, amount) in [("lumees", LUMEES), ("shards", SHARDS), ("azurites", AZURITES * 10)] {
            estate.grant(storm.player, asset, amount).await;
        }
        estate.endow(storm.player, ESPRITS).await;
        let pieces = (0..4).map(|piece| (format!("piece-{piece}"), "iron_fang"));
        let pieces = pieces.map(|(id, kind)| (id.parse().expect("an id"), kind.parse().expect("an id"))).collect();
        storm.change(0, "pieces".to_owned(), Change::GrantEquipment { pieces }).await;
    }
    let over = AtomicBool::new(false);
    let raging = async {
        let raged = join_all(storms.iter().map(Storm::rage)).await;
        over.store(true, Ordering::Relaxed);
        raged
    };
    let (raged, looks) = tokio::join!(raging, join_all(storms.iter().map(|storm| storm.look(&over))));
    assert!(looks.iter().all(|looks| *looks > 10), "nobody looked: {looks:?}");
    estate.settled().await;
    for (storm, (operations, summoned)) in storms.iter().zip(&raged) {
        let done: Vec<(Plan, Effect)> = operations.iter().filter_map(done).collect();
        storm.check_balances(&done, *summoned).await;
        let owner = player(storm.player);
        let portraits = join_all(estate.copies.iter().map(|copy| copy.portrait(&owner))).await;
        let portrait = portraits[0].as_ref().expect("a portrait");
        assert!(portraits.iter().all(|other| other.as_ref().expect("a portrait") == portrait), "copies disagree");
        fits_together(portrait);
        let gone = storm.check_esprits(&done, portrait).await;
        let begun = usize::try_from(i64::from(ESPRITS) + summoned).expect("it fits");
        assert_eq!(portrait.esprits.len() + gone, begun, "an esprit came or went by itself");
        assert!(gone > 0 && done.iter().any(|(_, effect)| effect.level.is_some()), "nobody got through");
        storm.check_answers(portrait).await;
        storm.check_told(portrait).await;
    }
    estate.check_ends().await;
    estate.stop().await;
}
