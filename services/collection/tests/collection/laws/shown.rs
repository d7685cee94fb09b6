//! What a copy keeps for its readers is what it would make anew: the same bytes' worth of answer, after every change and every catalog (R-C5, R-C2).

use std::path::Path;
use std::sync::Arc;

use auric_api::collection::v1 as api;
use auric_api::collection::v1::collection_service_client::CollectionServiceClient;
use auric_collection::{Collection, Handlers};
use tonic::service::Routes;

use crate::asks::{commit, equip, esprit_id, grant, lock, prepare, team, unequip};
use crate::harness::{Shelf, answered, done, on_every_store};

on_every_store!(what_is_kept_is_what_would_be_made_anew);

const GAME: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../game");

/// All that one copy shows of the player.
#[derive(Debug, PartialEq)]
struct Shown {
    lists: Vec<Vec<api::ListEspritsResponse>>,
    team: api::GetTeamResponse,
    profile: api::GetProfileResponse,
    best: api::OptimizeTeamResponse,
}

/// A copy, as its callers reach it.
struct Reader(CollectionServiceClient<Routes>);

impl Reader {
    fn of(handlers: &Arc<Handlers>) -> Self {
        Self(CollectionServiceClient::new(Collection::of(Arc::clone(handlers)).routes()))
    }

    /// Every list that is told apart by what it asks for, by pages of different sizes.
    async fn lists(&mut self) -> Vec<Vec<api::ListEspritsResponse>> {
        let asks = [
            api::ListEspritsRequest::default(),
            api::ListEspritsRequest { locked: Some(true), ..Default::default() },
            api::ListEspritsRequest { in_team: Some(false), ..Default::default() },
            api::ListEspritsRequest { species_id: "fox".to_owned(), duplicates: true, ..Default::default() },
        ];
        let mut lists = Vec::new();
        for ask in asks {
            // The first two mean the same, and must go on with each other's page tokens.
            for order in [
                api::EspritOrder::Newest,
                api::EspritOrder::Unspecified,
                api::EspritOrder::Power,
                api::EspritOrder::Name,
            ] {
                let ask = api::ListEspritsRequest {
                    player_id: "p".to_owned(),
                    order: order.into(),
                    page_size: 2,
                    ..ask.clone()
                };
                lists.push(self.pages(ask).await);
            }
        }
        lists
    }

    async fn pages(&mut self, ask: api::ListEspritsRequest) -> Vec<api::ListEspritsResponse> {
        let mut pages: Vec<api::ListEspritsResponse> = Vec::new();
        loop {
            let page_token = pages.last().map(|page| page.next_page_token.clone()).unwrap_or_default();
            if !pages.is_empty() && page_token.is_empty() {
                return pages;
            }
            let request = api::ListEspritsRequest { page_token, ..ask.clone() };
            pages.push(self.0.list_esprits(request).await.unwrap().into_inner());
        }
    }

    async fn shown(&mut self) -> Shown {
        let player_id = "p".to_owned();
        Shown {
            lists: self.lists().await,
            team: self.0.get_team(api::GetTeamRequest { player_id: player_id.clone() }).await.unwrap().into_inner(),
            profile: {
                let request = api::GetProfileRequest { player_id: player_id.clone() };
                self.0.get_profile(request).await.unwrap().into_inner()
            },
            best: self.0.optimize_team(api::OptimizeTeamRequest { player_id }).await.unwrap().into_inner(),
        }
    }
}

/// Writes the shipped catalog with a species "fox" of that name and strength.
fn write(folder: &Path, name: &str, attack: u64) {
    let fox = format!(
        "[fox]\nname = \"{name}\"\nrarity = \"common\"\nelement = \"fire\"\nclass = \"striker\"\n\
         base_stats = {{ hp = 70, attack = {attack}, defense = 8, speed = 11 }}\n"
    );
    for file in ["rarities.toml", "collection.toml", "equipment.toml", "synergies.toml", "esprits.toml"] {
        let Ok(shipped) = std::fs::read_to_string(Path::new(GAME).join(file)) else { continue };
        let text = if file == "esprits.toml" { format!("{shipped}\n{fox}") } else { shipped };
        std::fs::write(folder.join(file), text).unwrap();
    }
}

async fn what_is_kept_is_what_would_be_made_anew(shelf: Shelf) {
    let (keeps, writes) = (shelf.copy().await, shelf.copy().await);
    let makes_anew = Arc::new(shelf.copy_on(shelf.store().await).keeping(0));
    let [mut kept, mut anew] = [&keeps, &makes_anew].map(Reader::of);
    let (ids, mut before) = ([0, 1, 2, 3, 4].map(|nth| esprit_id(1, nth)), None);
    done(&writes, prepare(1, "p", 5)).await;
    for step in 0..12 {
        match step {
            0 => drop(done(&writes, commit(1, "p", 5)).await),
            1 => drop(answered(&keeps, lock("l", "p", &ids[1], true)).await.unwrap()),
            2 => drop(answered(&writes, grant("g", "p", &["fang", "mail"])).await.unwrap()),
            3 => drop(answered(&writes, equip("e", "p", &ids[3], "fang")).await.unwrap()),
            4 => drop(answered(&keeps, team("t", "p", 1, Some(&ids[2]))).await.unwrap()),
            5 => drop(answered(&writes, lock("m", "p", &ids[1], false)).await.unwrap()),
            6 => drop(answered(&writes, lock("n", "p", &ids[4], true)).await.unwrap()),
            7 => drop(answered(&keeps, unequip("u", "p", "fang")).await.unwrap()),
            8 => drop(answered(&writes, team("v", "p", 1, Some(&ids[4]))).await.unwrap()),
            9 => reload(&[&keeps, &makes_anew], "Fox", 20).await,
            10 => reload(&[&keeps, &makes_anew], "Red Fox", 20).await,
            _ => reload(&[&keeps, &makes_anew], "Red Fox", 90).await,
        }
        let shown = kept.shown().await;
        assert_eq!(shown, anew.shown().await, "after step {step}");
        assert_eq!(shown, kept.shown().await, "again, after step {step}");
        assert_ne!(before.as_ref(), Some(&shown), "step {step} changes what is seen");
        before = Some(shown);
    }
    shelf.assert_whole().await;
}

async fn reload(copies: &[&Arc<Handlers>], name: &str, attack: u64) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), name, attack);
    for copy in copies {
        copy.reload(folder.path()).await.unwrap();
    }
}
