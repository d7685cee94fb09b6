//! Every mutation leaves one line that says who, how much, why and what became of it (R-O1).

use serde_json::{Value, json};

use super::harness::{Ask, Caller, Cluster, Line, credit, debit, hold_leg, on_every_store};

on_every_store!(each_request_leaves_one_line_with_its_trace);

/// A request, and what its line must say.
struct Told {
    ask: Ask,
    player_id: &'static str,
    amount: &'static str,
    reason: &'static str,
    error: Value,
}

fn told(ask: Ask, player_id: &'static str, amount: &'static str, reason: &'static str, error: Value) -> Told {
    Told { ask, player_id, amount, reason, error }
}

fn requests() -> Vec<Told> {
    let pay = |n: i64| vec![credit("a", "lumees", n)];
    let wrong = |key: &str| Ask::post(key, vec![credit("a", "lumees", -1)]);
    vec![
        told(Ask::post("fund", pay(100)), "a", "+100 lumees", "test", Value::Null),
        told(Ask::post("spend", vec![debit("a", "aether", 1)]), "a", "-1 aether", "test", json!("INSUFFICIENT_FUNDS")),
        told(Ask::post("fund", pay(5)), "a", "+5 lumees", "test", json!("IDEMPOTENCY_KEY_REUSED")),
        told(
            Ask::post("unknown", vec![credit("a", "no_such", 1)]),
            "a",
            "+1 no_such",
            "test",
            json!("INVALID_ARGUMENT"),
        ),
        // Refused before it is a mutation: what it says cannot be trusted, but that it was refused is told.
        told(wrong("malformed"), "", "", "", json!("INVALID_ARGUMENT")),
        told(Ask::claim("claim", "a", "1", pay(5)), "a", "+5 lumees", "daily", Value::Null),
        told(Ask::claim("again", "a", "1", pay(5)), "a", "+5 lumees", "daily", json!("CLAIM_MADE")),
        told(Ask::transfer("give", "b", "a", 3), "a", "-3 lumees, +3 lumees", "gift", json!("INSUFFICIENT_FUNDS")),
        told(Ask::transfer("give-2", "a", "b", 3), "a", "-3 lumees, +3 lumees", "gift", Value::Null),
        told(Ask::reserve("set", "h", vec![hold_leg("a", "", "lumees", 9)]), "a", "-9 lumees", "test", Value::Null),
        told(Ask::commit("take", "h", vec![4]), "", "[4] of h", "", Value::Null),
        told(Ask::release("late", "h"), "", "0 of h", "", json!("HOLD_ENDED")),
        told(Ask::renew("renew", "a", 20), "a", "=20 generation_credit subscription", "renewal", Value::Null),
        told(Ask::spend("points", "a", 1), "a", "1 on energy", "training", json!("INSUFFICIENT_FUNDS")),
        told(Ask::commit("none", "nowhere", vec![]), "", "all of nowhere", "", json!("HOLD_NOT_FOUND")),
    ]
}

fn trace(index: usize) -> String {
    format!("{:032x}", 0xA0_0000 + index)
}

async fn each_request_leaves_one_line_with_its_trace(cluster: &Cluster) {
    let requests = requests();
    for (index, told) in requests.iter().enumerate() {
        let caller = Caller::at(cluster, index);
        let traceparent = format!("00-{}-b7ad6b7169203331-01", trace(index));
        let answer = caller.send_traced(&told.ask, &traceparent).await;
        assert_eq!(
            answer.outcome.err().map_or(Value::Null, |problem| json!(problem.reason)),
            told.error,
            "{:?}",
            told.ask
        );
    }
    // Sent again it is a request of its own, under another trace.
    let replay = format!("00-{}-b7ad6b7169203331-01", trace(99));
    assert!(Caller::new(cluster).send_traced(&requests[0].ask, &replay).await.replayed);

    let lines = cluster.stop_without_errors();
    let of = |index: usize| -> Vec<&Line> { lines.iter().filter(|line| line["trace_id"] == trace(index)).collect() };
    for (index, told) in requests.iter().enumerate() {
        let [line] = of(index)[..] else { panic!("{:?} has {} lines: {:#?}", told.ask, of(index).len(), of(index)) };
        let found = ["player_id", "amount", "reason", "success", "error", "idempotency_key", "method", "replayed"]
            .map(|field| line[field].clone());
        let (key, method) = (told.ask.key(), told.ask.method());
        let success = told.error.is_null();
        let wanted = [
            json!(told.player_id),
            json!(told.amount),
            json!(told.reason),
            json!(success),
            told.error.clone(),
            json!(key),
            json!(method),
            json!(false),
        ];
        assert_eq!(found, wanted, "{:?}", told.ask);
        let end = if success { "applied" } else { "refused" };
        assert_eq!((&line["level"], &line["message"]), (&json!("INFO"), &json!(format!("{method} {end}"))));
    }
    let [line] = of(99)[..] else { panic!("{:#?}", of(99)) };
    assert_eq!((&line["success"], &line["replayed"]), (&json!(true), &json!(true)));
}
