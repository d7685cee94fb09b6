//! A payment issues its retail token, once, and the token is used once (R-W10).

use auric_api::wallet::v1 as api;
use auric_status::Problem;
use tonic::Code;

use super::on_every_store;
use super::town::{Town, credits, events};

on_every_store!(a_payment_is_issued_one_token_however_often_it_is_told);

/// The caller that the gateway is.
const GATEWAY: &str = "gateway";

fn redeem(key: &str, token: &str, generation: &str) -> api::RedeemRetailTokenRequest {
    api::RedeemRetailTokenRequest {
        idempotency_key: key.to_owned(),
        token: token.to_owned(),
        generation_id: generation.to_owned(),
        payload_hash: "ab".repeat(32),
    }
}

async fn a_payment_is_issued_one_token_however_often_it_is_told(town: Town) {
    let player = "discord:7";
    let told = events::bought(player, "t1", "retail_generation");
    // The same event again, and another event of the same payment.
    let told_otherwise = told.replace("t1_bought", "t1_bought_again");
    for body in [&told, &told, &told_otherwise, &told] {
        town.send(body).await;
    }
    assert_eq!(town.settle().await, [] as [serde_json::Value; 0]);
    assert_eq!(town.credits(player).await, credits(0, 1), "it was paid once");

    let mut wallet = town.wallet_client();
    let asked =
        api::GetMutationRequest { idempotency_key: "token:stripe:pi_t1".to_owned(), caller: GATEWAY.to_owned() };
    let found = wallet.get_mutation(asked).await.expect("the token was issued").into_inner().mutation;
    let Some(api::mutation::Answer::Posted(issued)) = found.and_then(|mutation| mutation.answer) else {
        panic!("it was refused")
    };
    let token = issued.retail_token;
    let kept = wallet.get_retail_token(api::GetRetailTokenRequest { token: token.clone() }).await.expect("it is kept");
    let kept = format!("{:?}", kept.into_inner());
    assert!(kept.contains("pi_t1") && kept.contains(player), "{kept}");

    let first = wallet.redeem_retail_token(redeem("use", &token, "picture-1")).await.expect("it is unused");
    let again = wallet.redeem_retail_token(redeem("use", &token, "picture-1")).await.expect("the same answer");
    assert_eq!(first.into_inner(), again.into_inner());
    let second = wallet.redeem_retail_token(redeem("use-2", &token, "picture-2")).await.expect_err("it is used");
    assert_eq!(second.code(), Code::AlreadyExists);
    let problem = Problem::from_status(&second);
    assert!(problem.reason == "RETAIL_TOKEN_USED" && format!("{problem:?}").contains("picture-1"), "{problem:?}");
    let listed =
        wallet.list_generations(api::ListGenerationsRequest { player_id: player.to_owned(), ..Default::default() });
    assert_eq!(listed.await.expect("generations are listed").into_inner().generations.len(), 1);
    town.verify();
}
