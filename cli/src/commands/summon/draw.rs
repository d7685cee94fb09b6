//! `auric summon BANNER`.

use std::collections::HashMap;
use std::fmt::Write as _;

use auric_api::collection::v1::ListEspritsRequest;
use auric_api::summon::v1::SummonRequest;

use super::SummonTarget;
use super::documents::{PriceDocument, PullDocument, SummonDocument};
use super::pity::{self, pity_text};
use crate::client::{Client, Peer};
use crate::commands::wallet::flags::KeyFlag;
use crate::commands::wallet::mutate::Sending;
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output, REPLAYED, grouped};

/// The most esprits that are looked up for their names.
const NAMES_MAX: i32 = 500;

/// What a summon needs; where there is a subcommand, nothing of it is required.
#[derive(Debug, clap::Args)]
pub struct Draw {
    /// From which banner.
    #[arg(required = true)]
    banner: Option<String>,

    /// Whose.
    #[arg(long, required = true)]
    player: Option<String>,

    /// How many pulls: a count that the banner has [default: 1].
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..=100))]
    count: Option<i32>,

    /// How it is paid: a cost option of the banner [default: its first].
    #[arg(long)]
    cost: Option<String>,

    #[command(flatten)]
    key: KeyFlag,

    #[command(flatten)]
    pub target: SummonTarget,
}

impl Draw {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let (banner, player) = (self.banner.unwrap_or_default(), self.player.unwrap_or_default());
        let sending = Sending::begin_at(Peer::Summon, settings, self.key.key()).await?;
        let request = sending.client.request(SummonRequest {
            idempotency_key: sending.key(),
            player_id: player.clone(),
            banner_id: banner.clone(),
            cost_id: self.cost.unwrap_or_default(),
            count: self.count.unwrap_or_default(),
        })?;
        let (answer, replayed) = sending.answer(sending.client.summon().summon(request).await)?;
        let summon = answer.summon.unwrap_or_default();
        let names = names(settings, &player).await;
        let mut document = SummonDocument::new(sending.key(), replayed, summon, &names);
        // The summon is done whether or not this can be read.
        document.pity = pity::read(&sending.client, player, banner).await.ok();
        output.show(&document, |document| summon_text(document, output))
    }
}

/// What players call the species of a player's newest esprits, by the esprit; nothing when the collection does not answer, since a summon is no less
/// done for that.
pub async fn names(settings: &Settings, player: &str) -> HashMap<String, String> {
    let read = async {
        let client = Client::connect_to(Peer::Collection, &settings.client).await?;
        let request = client.request(ListEspritsRequest {
            player_id: player.to_owned(),
            page_size: NAMES_MAX,
            ..ListEspritsRequest::default()
        })?;
        let answer = client.collection().list_esprits(request).await.map_err(|status| client.fault(&status))?;
        Ok::<_, Fault>(answer.into_inner().esprits)
    };
    let esprits = read.await.unwrap_or_default();
    esprits.into_iter().map(|esprit| (esprit.esprit_id, esprit.name)).collect()
}

/// Shows a summon as it stands.
pub fn summon_text(summon: &SummonDocument, output: Output) -> String {
    let mut text = String::new();
    if summon.replayed {
        text.push_str(REPLAYED);
        text.push('\n');
    }
    let SummonDocument { player_id, banner_id, count, idempotency_key: key, decide_time: at, refusal, .. } = summon;
    let price = match summon.spark_species_id.as_str() {
        "" => PriceDocument::text(summon.price.as_ref()),
        species => format!("{species}, for spark points"),
    };
    let pulls = format!("{} of {banner_id} for {player_id}", grouped(i64::from(*count)));
    // Writing to a String cannot fail.
    let _ = match summon.state {
        "delivered" => writeln!(text, "summoned {pulls}: {price}, at {at} under {key}"),
        "delivering" => writeln!(
            text,
            "summoned {pulls}: {price}, at {at} under {key}; it is being paid and delivered: `auric summon show {key}`"
        ),
        "refused" => writeln!(text, "refused at {at} under {key}: {refusal}; {pulls}, nothing was paid"),
        "given_up" => writeln!(text, "came to nothing at {at} under {key}: {pulls}; the same key tries again"),
        _ => writeln!(text, "not decided yet, under {key}: {pulls}"),
    };
    if !summon.pulls.is_empty() {
        text.push_str(&pulls_text(&summon.pulls, output));
    }
    if let Some(pity) = &summon.pity {
        text.push('\n');
        text.push_str(&pity_text(pity, output));
    }
    text
}

/// Shows what was drawn.
pub fn pulls_text(pulls: &[PullDocument], output: Output) -> String {
    let says_featured = pulls.iter().any(|pull| pull.featured.is_some());
    let heads: &[&str] = if says_featured {
        &[">pull", "rarity", "esprit", "featured", "id"]
    } else {
        &[">pull", "rarity", "esprit", "id"]
    };
    let mut table = output.table(heads);
    for pull in pulls {
        let number = grouped(pull.number);
        let mut row = vec![number.as_str(), &pull.rarity, pull.called()];
        row.extend(says_featured.then_some(pull.featured_text()));
        row.push(&pull.esprit_id);
        table.add_row(row);
    }
    output::render(&table)
}

#[cfg(test)]
mod tests {
    use auric_api::summon::v1 as api;

    use super::*;

    fn summon(state: api::SummonState) -> SummonDocument {
        let pull = |number: i64, rarity: &str, featured| api::Pull {
            number,
            esprit_id: format!("0af7.{number}"),
            species_id: "coral_seer".to_owned(),
            rarity: rarity.to_owned(),
            featured,
            ..api::Pull::default()
        };
        let names = HashMap::from([("0af7.1".to_owned(), "Coral Seer".to_owned())]);
        let summon = api::Summon {
            player_id: "discord:1".to_owned(),
            banner_id: "premium".to_owned(),
            count: 2,
            price: Some(api::Price { asset_id: "aether".to_owned(), amount: 3_200 }),
            state: state.into(),
            decide_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
            pulls: vec![pull(1, "rare", None), pull(2, "legendary", Some(true))],
            ..api::Summon::default()
        };
        SummonDocument::new("k-1".to_owned(), true, summon, &names)
    }

    #[test]
    fn a_summon_shows_what_came_and_what_it_cost() {
        insta::assert_snapshot!(summon_text(&summon(api::SummonState::Delivered), Output::new(false, true)), @r"
        replayed: this is the first answer to this key, given again; nothing was done now
        summoned 2 of premium for discord:1: 3,200 aether, at 2023-11-14T22:13:20.000Z under k-1
        pull  rarity     esprit      featured  id
           1  rare       Coral Seer            0af7.1
           2  legendary  coral_seer  featured  0af7.2
        ");
    }

    #[test]
    fn one_that_is_on_its_way_says_where_to_look() {
        let text = summon_text(&summon(api::SummonState::Delivering), Output::new(false, true));
        assert!(text.contains("it is being paid and delivered: `auric summon show k-1`"), "{text}");
    }
}
