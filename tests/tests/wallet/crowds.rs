//! What holds when everyone comes at once, at every copy (R-O5).

use auric_api::wallet::v1 as api;
use futures::future::join_all;

use super::harness::{Answer, Ask, Books, Caller, Cluster, Outcome, credit, debit, hold_leg, in_pool, on_every_store};

on_every_store!(
    twenty_parallel_debits_of_one_from_ten_leave_zero,
    twenty_parallel_debits_empty_the_pools_in_order,
    fifty_twins_have_one_effect_and_fifty_equal_answers,
    one_key_for_two_players_is_used_by_one,
    two_claims_at_the_same_instant_pay_once,
    a_thousand_players_at_once_get_what_they_get_one_after_the_other,
);

/// Sends all at the same time, dealt out over the copies.
async fn at_once(cluster: &Cluster, asks: &[Ask]) -> Vec<Answer> {
    join_all(asks.iter().enumerate().map(|(index, ask)| Caller::at(cluster, index).send(ask))).await
}

async fn books_of(cluster: &Cluster, asks: Vec<Ask>) -> Books {
    let answers = at_once(cluster, &asks).await;
    let mut books = Books::default();
    asks.into_iter().zip(answers).for_each(|(ask, answer)| books.add(ask, answer));
    books
}

async fn twenty_parallel_debits_of_one_from_ten_leave_zero(cluster: &Cluster) {
    // R-W4: the earlier system let 20 through on SQLite.
    let mut books = books_of(cluster, vec![Ask::post("fund", vec![credit("p", "lumees", 10)])]).await;
    let debits = (0..20).map(|n| Ask::post(&format!("debit-{n}"), vec![debit("p", "lumees", 1)]));
    let debited = books_of(cluster, debits.collect()).await;
    assert_eq!(debited.applied(), 10);
    assert_eq!(Caller::new(cluster).available("p", "lumees").await, [0]);
    books.merge(debited);
    books.check(cluster).await;
}

async fn twenty_parallel_debits_empty_the_pools_in_order(cluster: &Cluster) {
    // R-W4, R-W8: 5 subscription + 5 bulk.
    let fund = ["subscription", "bulk"].map(|pool| in_pool(credit("p", "generation_credit", 5), pool));
    let mut books = books_of(cluster, vec![Ask::post("fund", fund.to_vec())]).await;
    let debit = |n: usize| Ask::post(&format!("debit-{n}"), vec![debit("p", "generation_credit", 1)]);
    let first = books_of(cluster, (0..4).map(debit).collect()).await;
    assert_eq!(first.applied(), 4);
    assert_eq!(Caller::new(cluster).available("p", "generation_credit").await, [1, 5], "subscription goes first");
    let rest = books_of(cluster, (4..20).map(debit).collect()).await;
    assert_eq!(rest.applied(), 6);
    assert_eq!(Caller::new(cluster).available("p", "generation_credit").await, [0, 0]);
    books.merge(first);
    books.merge(rest);
    books.check(cluster).await;
}

async fn fifty_twins_have_one_effect_and_fifty_equal_answers(cluster: &Cluster) {
    // R-W5: of a success, and of a refusal.
    for (legs, is_applied) in [(vec![credit("p", "lumees", 7)], true), (vec![debit("p", "aether", 7)], false)] {
        let twins = vec![Ask::post(&format!("twin-{is_applied}"), legs); 50];
        let answers = at_once(cluster, &twins).await;
        assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1, "one is the first");
        assert!(answers.iter().all(|answer| answer.outcome == answers[0].outcome), "{answers:?}");
        assert_eq!(answers[0].outcome.is_ok(), is_applied);
    }
    assert_eq!(Caller::new(cluster).available("p", "lumees").await, [7]);
}

async fn one_key_for_two_players_is_used_by_one(cluster: &Cluster) {
    // R-W5: with (player, caller, key) as the primary key both ran, since they lock different players.
    for round in 0..20 {
        let twins = ["a", "b"].map(|name| Ask::post(&format!("shared-{round}"), vec![credit(name, "lumees", 1)]));
        let outcomes: Vec<Outcome> = at_once(cluster, &twins).await.into_iter().map(|answer| answer.outcome).collect();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        let refused = outcomes.into_iter().find_map(Result::err).expect("the other is refused");
        assert_eq!((refused.reason.as_str(), refused.metadata["fields"].as_str()), ("IDEMPOTENCY_KEY_REUSED", "legs"));
    }
    let caller = Caller::new(cluster);
    let sum = caller.available("a", "lumees").await[0] + caller.available("b", "lumees").await[0];
    assert_eq!(sum, 20);
}

async fn two_claims_at_the_same_instant_pay_once(cluster: &Cluster) {
    // R-W7, R-W13: a double click has two keys and one guard.
    for day in 0..20 {
        let click = |n: usize| Ask::claim(&format!("{day}-{n}"), "p", &day.to_string(), vec![credit("p", "lumees", 5)]);
        let answers = at_once(cluster, &[click(0), click(1)]).await;
        let (paid, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.outcome.is_ok());
        assert_eq!((paid.len(), refused.len()), (1, 1));
        let problem = refused[0].outcome.clone().expect_err("refused");
        assert_eq!((problem.reason.as_str(), problem.metadata["amounts"].as_str()), ("CLAIM_MADE", "+5 lumees"));
    }
    assert_eq!(Caller::new(cluster).available("p", "lumees").await, [100]);
}

/// Kinds of players: what one kind gets must not bleed into another.
const KINDS: usize = 7;

/// All that one player does, in order; the next waits for the answer.
fn career(player: usize, prefix: &str) -> Vec<Ask> {
    let kind = 1 + i64::try_from(player % KINDS).expect("a small number");
    let name = format!("{prefix}:{player}");
    let key = |step: &str| format!("{name}-{step}");
    let legs = vec![credit(&name, "lumees", 100 + kind), credit(&name, "xp", 90 * kind), credit(&name, "aether", kind)];
    vec![
        Ask::post(&key("fund"), legs),
        Ask::claim(&key("claim"), &name, "day", vec![credit(&name, "lumees", 10)]),
        Ask::claim(&key("again"), &name, "day", vec![credit(&name, "lumees", 10)]),
        Ask::reserve(&key("reserve"), &key("hold"), vec![hold_leg(&name, "", "lumees", 50 + kind)]),
        Ask::commit(&key("commit"), &key("hold"), vec![40 + kind]),
        Ask::post(&key("spend"), vec![debit(&name, "lumees", 65), debit(&name, "aether", 3)]),
    ]
}

/// What a player was told, without what differs between two players of a kind: names and times.
fn told(outcome: &Outcome) -> String {
    match outcome {
        Ok(posted) => {
            let what = |movement: &api::Movement| {
                format!("{:?}", api::Movement { player_id: String::new(), ..movement.clone() })
            };
            posted.movements.iter().map(what).collect()
        }
        Err(problem) => format!("{} {:?} {:?}", problem.reason, problem.code, problem.metadata.get("available")),
    }
}

async fn live(cluster: &Cluster, player: usize, prefix: &str) -> (Vec<String>, Books) {
    let mut books = Books::default();
    let mut heard = Vec::new();
    for (step, ask) in career(player, prefix).into_iter().enumerate() {
        let answer = Caller::at(cluster, player + step).send(&ask).await;
        heard.push(told(&answer.outcome));
        books.add(ask, answer);
    }
    (heard, books)
}

async fn a_thousand_players_at_once_get_what_they_get_one_after_the_other(cluster: &Cluster) {
    // R-O5: nobody's mutations bleed into another's, and nobody's are lost.
    let mut alone = Vec::new();
    let mut books = Books::default();
    for kind in 0..KINDS {
        let (heard, told) = live(cluster, kind, "alone").await;
        alone.push(heard);
        books.merge(told);
    }
    assert!(alone.iter().flatten().any(|heard| heard.contains("INSUFFICIENT_FUNDS")), "no kind is ever refused");
    let lives = (0..1_000).map(|player| live(cluster, player, "crowd"));
    for (player, (heard, told)) in join_all(lives).await.into_iter().enumerate() {
        assert_eq!(heard, alone[player % KINDS], "player {player}");
        books.merge(told);
    }
    println!("1,000 players at once: {}", books.describe());
    books.check(cluster).await;
    cluster.stop_without_errors();
}
