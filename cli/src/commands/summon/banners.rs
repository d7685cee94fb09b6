//! `auric summon banners`: what one can summon from.

use auric_api::summon::v1::{Banner, CostOption, ListBannersRequest, SparkOffer};
use serde::Serialize;

use super::SummonTarget;
use super::documents::PriceDocument;
use crate::client::{Client, Peer};
use crate::config::Settings;
use crate::fault::Fault;
use crate::output::{self, Output};

/// Shows the banners, what they cost, and whether they are open.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  auric summon banners
  auric summon banners --json | jq '.banners[] | select(.open).banner_id'")]
pub struct Banners {
    #[command(flatten)]
    pub target: SummonTarget,
}

#[derive(Debug, Serialize)]
struct Listed {
    banners: Vec<BannerDocument>,
    catalog_hash: String,
}

#[derive(Debug, Serialize)]
struct BannerDocument {
    banner_id: String,
    title: String,
    open: bool,
    open_time: String,
    close_time: String,
    counts: Vec<i32>,
    costs: Vec<CostDocument>,
    limit_pulls: i32,
    limit_period: String,
    pity_group_id: String,
    /// What spark points buy; nothing where they buy nothing.
    spark: Option<SparkDocument>,
}

#[derive(Debug, Serialize)]
struct SparkDocument {
    price_points: i64,
    species_ids: Vec<String>,
}

#[derive(Debug, Serialize)]
struct CostDocument {
    cost_id: String,
    price: Option<PriceDocument>,
    free_period: String,
    advances_pity: bool,
    resets_pity: bool,
}

impl Banners {
    pub async fn run(self, settings: &Settings, output: Output) -> Result<(), Fault> {
        let client = Client::connect_to(Peer::Summon, &settings.client).await?;
        let request = client.request(ListBannersRequest {})?;
        let answer = client.summon().list_banners(request).await.map_err(|status| client.fault(&status))?.into_inner();
        let banners = answer.banners.into_iter().map(BannerDocument::from).collect();
        let listed = Listed { banners, catalog_hash: answer.catalog_hash };
        output.show(&listed, |listed| text(listed, output))
    }
}

impl From<Banner> for BannerDocument {
    fn from(banner: Banner) -> Self {
        Self {
            open: banner.open,
            open_time: output::time(banner.open_time.as_ref()),
            close_time: output::time(banner.close_time.as_ref()),
            banner_id: banner.banner_id,
            title: banner.title,
            counts: banner.counts,
            costs: banner.costs.into_iter().map(CostDocument::from).collect(),
            limit_pulls: banner.limit_pulls,
            limit_period: banner.limit_period,
            pity_group_id: banner.pity_group_id,
            spark: banner
                .spark
                .map(|SparkOffer { price_points, species_ids }| SparkDocument { price_points, species_ids }),
        }
    }
}

impl From<CostOption> for CostDocument {
    fn from(cost: CostOption) -> Self {
        let CostOption { cost_id, price, free_period, advances_pity, resets_pity } = cost;
        Self { cost_id, price: price.map(PriceDocument::from), free_period, advances_pity, resets_pity }
    }
}

impl CostDocument {
    fn text(&self) -> String {
        match &self.price {
            Some(price) => format!("{}: {}", self.cost_id, PriceDocument::text(Some(price))),
            None => format!("{}: free once a {}", self.cost_id, self.free_period),
        }
    }
}

fn text(listed: &Listed, output: Output) -> String {
    let mut table = output.table(&["banner", "title", "open", "pulls", "cost of one", "limit", "pity group"]);
    for banner in &listed.banners {
        let open = match (banner.open, banner.close_time.as_str(), banner.open_time.as_str()) {
            (true, "", _) => "yes".to_owned(),
            (true, until, _) => format!("until {until}"),
            (false, _, "") => "no".to_owned(),
            (false, _, from) => format!("no; from {from}"),
        };
        let counts = banner.counts.iter().map(i32::to_string).collect::<Vec<_>>().join(", ");
        let costs = banner.costs.iter().map(CostDocument::text).collect::<Vec<_>>().join(", ");
        let limit = match banner.limit_pulls {
            0 => String::new(),
            pulls => format!("{pulls} a {}", banner.limit_period),
        };
        table.add_row([&banner.banner_id, &banner.title, &open, &counts, &costs, &limit, &banner.pity_group_id]);
    }
    output::render(&table)
}
