//! Retail tokens: issued once for a payment, used once, and what was made is known for ever (R-W10).

use auric_wallet::domain::{Rejection, RetailToken, Unstored, Verdict};
use auric_wallet::store::GenerationsQuery;
use futures::future::join_all;

use crate::asks::{by, issue, redeem};
use crate::harness::{Ledger, assert_books_agree, on_every_store, outcome, player, send, unstored};

on_every_store!(
    a_payment_is_good_for_one_token,
    a_token_is_used_once_and_says_what_it_made,
    twenty_uses_at_once_make_one_generation,
    twenty_issues_at_once_make_one_token,
    a_token_that_nobody_issued_is_not_found,
    generations_are_listed_in_pages,
);

async fn a_payment_is_good_for_one_token(ledger: Ledger) {
    // R-W10: whatever event, key, copy or caller asks again, and whatever token was drawn for it.
    let (wallet, other) = (ledger.copy().await, ledger.copy().await);
    let first = outcome(&wallet, issue("k1", "p", Some("charge-1"), "t1")).await.unwrap();
    assert_eq!(first.retail_token.as_ref().unwrap().as_str(), "t1");
    let replay = send(&other, issue("k1", "p", Some("charge-1"), "drawn-anew")).await;
    assert_eq!(replay, Verdict::Answered { outcome: Ok(first.clone()), replayed: true });
    let again = outcome(&other, by("shop", issue("k2", "p", Some("charge-1"), "t2"))).await.unwrap();
    assert_eq!(again, first);
    let not_yours = outcome(&other, issue("k3", "q", Some("charge-1"), "t3")).await.unwrap_err();
    assert_eq!(not_yours.reason(), "PAYMENT_OF_ANOTHER_PLAYER");
    // An operator may give as many as it likes.
    for (key, token) in [("k4", "t4"), ("k5", "t5")] {
        let given = outcome(&wallet, issue(key, "p", None, token)).await.unwrap();
        assert_eq!(given.retail_token.unwrap().as_str(), token);
    }
    let none = wallet.retail_token(&"t2".parse().unwrap()).await.unwrap();
    assert_eq!(none, None, "what was drawn in vain is no token");
    assert_books_agree(&wallet).await;
}

async fn a_token_is_used_once_and_says_what_it_made(ledger: Ledger) {
    // R-W10
    let (wallet, other) = (ledger.copy().await, ledger.copy().await);
    outcome(&wallet, issue("issue", "p", Some("charge-1"), "t1")).await.unwrap();
    let used = outcome(&wallet, redeem("use", "t1", "picture-1")).await.unwrap();
    assert_eq!(outcome(&other, redeem("use", "t1", "picture-1")).await.unwrap(), used, "the same key, the same answer");
    for (key, generation) in [("use-2", "picture-2"), ("use-3", "picture-1")] {
        let refused = outcome(&other, redeem(key, "t1", generation)).await.unwrap_err();
        let Rejection::RetailTokenUsed { token, first } = &refused else { panic!("{refused:?}") };
        let made = (token.as_str(), first.id.as_str(), first.idempotency_key.as_str(), first.time);
        assert_eq!(made, ("t1", "picture-1", "use", used.time));
        assert_eq!(first.payload_hash.as_str(), "ab".repeat(32));
    }
    let reused = unstored(&wallet, redeem("use", "t1", "picture-9")).await;
    assert!(matches!(reused, Unstored::KeyReused { .. }), "{reused:?}");
    let RetailToken { player, used, .. } = wallet.retail_token(&"t1".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((player.as_str(), used.unwrap().id.as_str()), ("p", "picture-1"));
    assert_books_agree(&wallet).await;
}

async fn twenty_uses_at_once_make_one_generation(ledger: Ledger) {
    // R-W10: the lane of a token is the token's, and three copies have three lanes.
    let copies = join_all((0..=ledger.copies()).map(|_| ledger.copy())).await;
    for round in 0..5 {
        let token = format!("t{round}");
        outcome(&copies[0], issue(&format!("issue-{round}"), "p", None, &token)).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..20_usize {
            let wallet = std::sync::Arc::clone(&copies[n % copies.len()]);
            let request = redeem(&format!("use-{round}-{n}"), &token, &format!("picture-{round}-{n}"));
            tasks.spawn(async move { outcome(&wallet, request).await });
        }
        let answers = tasks.join_all().await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "round {round}: {answers:?}");
        let made = copies[0].retail_token(&token.parse().unwrap()).await.unwrap().unwrap().used.unwrap();
        for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            let Rejection::RetailTokenUsed { first, .. } = refused else { panic!("{refused:?}") };
            assert_eq!(*first, made);
        }
    }
    assert_books_agree(&copies[0]).await;
}

async fn twenty_issues_at_once_make_one_token(ledger: Ledger) {
    let copies = join_all((0..=ledger.copies()).map(|_| ledger.copy())).await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..20_usize {
        let wallet = std::sync::Arc::clone(&copies[n % copies.len()]);
        let request = issue(&format!("issue-{n}"), "p", Some("charge-1"), &format!("t{n}"));
        tasks.spawn(async move { outcome(&wallet, request).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_books_agree(&copies[0]).await;
}

async fn a_token_that_nobody_issued_is_not_found(ledger: Ledger) {
    // And a refusal that was never stored leaves its key free for the use that comes after the token.
    let wallet = ledger.copy().await;
    let missing = unstored(&wallet, redeem("use", "t1", "picture-1")).await;
    assert!(matches!(missing, Unstored::RetailTokenNotFound(_)), "{missing:?}");
    outcome(&wallet, issue("issue", "p", None, "t1")).await.unwrap();
    outcome(&wallet, redeem("use", "t1", "picture-1")).await.unwrap();
}

async fn generations_are_listed_in_pages(ledger: Ledger) {
    // R-W10: one by one, of one player or of all; what is made while paging is neither skipped nor repeated.
    let wallet = ledger.copy().await;
    for n in 0..7 {
        let name = if n % 3 == 0 { "q" } else { "p" };
        outcome(&wallet, issue(&format!("issue-{n}"), name, None, &format!("t{n}"))).await.unwrap();
        if n != 5 {
            outcome(&wallet, redeem(&format!("use-{n}"), &format!("t{n}"), &format!("picture-{n}"))).await.unwrap();
        }
    }
    let list = async |name: Option<&str>| {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let query = GenerationsQuery { player: name.map(player), after: after.clone(), limit: 1 };
            let page = wallet.generations(query).await.unwrap();
            found.extend(page.items.iter().map(|token| token.id.to_string()));
            after = page.items.last().map(|token| token.id.clone());
            if !page.more {
                return found;
            }
        }
    };
    assert_eq!(list(None).await, ["t0", "t1", "t2", "t3", "t4", "t6"]);
    assert_eq!(list(Some("p")).await, ["t1", "t2", "t4"]);
    assert_eq!(list(Some("nobody")).await, [""; 0]);
}
