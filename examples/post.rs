//! Gives a player ten lumees, says it again as a caller does that lost the answer, and reads the balance.
//!
//! `cargo run -p auric-examples --example post -- KEY [http://127.0.0.1:7401]`

use anyhow::{Context as _, Result};
use auric_api::wallet::v1::{Direction, GetBalancesRequest, Leg, PostRequest};
use auric_client::{ClientConfig, about};

const PLAYER: &str = "discord:1";

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let key = arguments.next().context("give a key: one for each intent, such as quest-7")?;
    let target = arguments.next().unwrap_or_else(|| "http://127.0.0.1:7401".to_owned());
    let mut wallet = auric_client::wallet(ClientConfig::new(&target)).await?;

    let ten_lumees = Leg {
        player_id: PLAYER.to_owned(),
        asset_id: "lumees".to_owned(),
        direction: Direction::Credit.into(),
        amount: 10,
        ..Leg::default()
    };
    let request = PostRequest {
        idempotency_key: key,
        legs: vec![ten_lumees],
        reason: "quest.reward".to_owned(),
        ..PostRequest::default()
    };
    // The second time is the same answer again: nothing moves.
    for _ in 0..2 {
        let answer = wallet.post(about(PLAYER, request.clone())).await?;
        let is_replayed = answer.metadata().contains_key("auric-replayed");
        let posted = answer.into_inner().posted.context("an answer has what was posted")?;
        let movement = posted.movements.first().context("one leg is one movement")?;
        println!("{} lumees, replayed: {is_replayed}", movement.available_after);
    }

    let balances = GetBalancesRequest { player_ids: vec![PLAYER.to_owned()], asset_ids: vec!["lumees".to_owned()] };
    let read = wallet.get_balances(about(PLAYER, balances)).await?.into_inner();
    println!("balance: {}", read.balances.first().context("one asset has one balance")?.available);
    Ok(())
}
