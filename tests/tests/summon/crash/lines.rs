//! One structured line for every summon, whatever became of it, and one trace over all services (R-O1, R-O2).

use auric_api::summon::v1 as api;
use serde_json::Value;

use super::processes::World;

/// Finds one line of a key that says so.
fn line_of<'a>(lines: &'a [Value], key: &str, replayed: bool) -> &'a Value {
    let found: Vec<&Value> =
        lines.iter().filter(|line| line["idempotency_key"] == key && line["replayed"] == replayed).collect();
    assert_eq!(found.len(), 1, "{key}: {found:#?}");
    found[0]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_summon_leaves_one_line() {
    let world = World::start().await;
    world.grant("p", "azurites", 200).await;
    let summon = |player: &str, key: &str| api::SummonRequest {
        idempotency_key: key.to_owned(),
        player_id: player.to_owned(),
        banner_id: "standard".to_owned(),
        ..api::SummonRequest::default()
    };
    let mut client = world.summon_client(0);
    client.summon(summon("p", "paid")).await.expect("delivered");
    client.summon(summon("p", "paid")).await.expect("delivered");
    client.summon(summon("p", "poor")).await.expect_err("no money is left");
    client.summon(summon("a b", "odd")).await.expect_err("no player has that name");

    let said = world.stop().await;
    let lines: Vec<Value> = said.iter().filter(|line| line["method"] == "Summon").cloned().collect();
    assert_eq!(lines.len(), 4, "{lines:#?}");
    let paid = line_of(&lines, "paid", false);
    let told = [&paid["player_id"], &paid["amount"], &paid["reason"], &paid["caller"]];
    assert_eq!(told, ["p", "-160 azurites", "1 of standard", "local"], "{paid}");
    assert_eq!(paid["success"], true, "{paid}");
    assert!(paid["operation_id"].as_str().is_some_and(|id| id.len() == 32), "{paid}");
    assert!(paid["drawn"].as_str().is_some_and(|drawn| !drawn.is_empty()), "{paid}");
    // Whoever looks for the trace of the click finds what it set off, to the last service (R-O2).
    let set_off: Vec<&str> = said
        .iter()
        .filter(|line| line["trace_id"] == paid["trace_id"])
        .filter_map(|line| line["method"].as_str())
        .collect();
    for method in ["Summon", "Reserve", "Prepare", "Commit"] {
        assert!(set_off.contains(&method), "{method} is not in the trace: {set_off:?}");
    }
    assert_eq!(set_off.iter().filter(|method| **method == "Commit").count(), 2, "{set_off:?}");
    assert_eq!(line_of(&lines, "paid", true)["success"], true);
    let poor = line_of(&lines, "poor", false);
    assert_eq!((&poor["success"], &poor["error"]), (&Value::Bool(false), &Value::from("INSUFFICIENT_FUNDS")), "{poor}");
    assert_eq!(line_of(&lines, "odd", false)["error"], "INVALID_ARGUMENT");
    assert!(lines.iter().all(|line| line["trace_id"].is_string()), "{lines:#?}");
}
