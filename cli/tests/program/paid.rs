//! R-W8, R-W10: payments and retail tokens by the commands.

use serde_json::{Value, json};

use crate::support::{Ended, Up, folder};

fn ok(ended: &Ended) -> Value {
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    ended.json()
}

fn pools(up: &Up, player: &str) -> Value {
    let balances = ok(&up.wallet(&["balance", player, "generation_credit", "--json"]));
    let rows = balances["balances"].as_array().unwrap().iter();
    rows.map(|row| json!([row["pool_id"], row["available"], row["owed"]])).collect()
}

#[test]
fn a_subscription_and_a_purchase_are_told_by_hand() {
    let folder = folder();
    let up = Up::start(folder.path());
    let credit = "generation_credit";
    let tell = |words: &[&str]| ok(&up.wallet(&[&["pay"], words, &["--reason", "shop", "--json"]].concat()));
    tell(&["renewal", "a", "invoice-5", credit, "subscription", "5", "--period", "5"]);
    // The refund comes first.
    tell(&["refund", "a", "order-7", "499", "998"]);
    tell(&["purchase", "a", "order-7", credit, "100", "bulk"]);
    tell(&["renewal", "a", "invoice-6", credit, "subscription", "20", "--period", "6"]);
    assert_eq!(pools(&up, "a"), json!([["subscription", 20, 0], ["bulk", 50, 0]]));
    ok(&up.wallet(&["post", "--debit", "a", credit, "60", "--reason", "use", "--json"]));
    tell(&["dispute", "a", "order-7", "opened", "499", "998"]);
    assert_eq!(pools(&up, "a"), json!([["subscription", 0, 0], ["bulk", 0, 40]]));
    tell(&["dispute", "a", "order-7", "won", "499", "998"]);
    assert_eq!(pools(&up, "a"), json!([["subscription", 0, 0], ["bulk", 10, 0]]));
    let twice =
        ["pay", "purchase", "a", "order-8", credit, "1", "bulk", "--event", "evt-1", "--reason", "shop", "--json"];
    assert_eq!(ok(&up.wallet(&twice))["movements"], ok(&up.wallet(&twice))["movements"]);
    assert_eq!(pools(&up, "a"), json!([["subscription", 0, 0], ["bulk", 11, 0]]));
    assert_eq!(up.ask(&["audit", "verify"]).code, 0);
}

#[test]
fn a_token_is_used_once_and_tells_what_it_made() {
    let folder = folder();
    let up = Up::start(folder.path());
    let issue = ["token", "issue", "a", "--provider", "stripe", "--object", "pi_1", "--reason", "retail", "--json"];
    let token = ok(&up.wallet(&issue))["retail_token"].as_str().unwrap().to_owned();
    assert_eq!(token.len(), 32, "128 bits");
    assert_eq!(ok(&up.wallet(&issue))["retail_token"], *token, "a payment is good for one");
    let hash = "ab".repeat(32);
    ok(&up.wallet(&["token", "redeem", &token, "picture-1", &hash, "--json"]));
    let again = up.wallet(&["token", "redeem", &token, "picture-2", &hash, "--json"]);
    assert_eq!(again.code, 3, "{}", again.stderr);
    let error = &again.json()["error"];
    let made = (&error["reason"], &error["metadata"]["generation_id"]);
    assert_eq!(made, (&"RETAIL_TOKEN_USED".into(), &"picture-1".into()));
    let shown = ok(&up.wallet(&["token", "show", &token, "--json"]));
    assert_eq!((&shown["object_id"], &shown["generation"]["payload_hash"]), (&"pi_1".into(), &hash.into()));
    let listed = ok(&up.wallet(&["token", "list", "--player", "a", "--json"]));
    assert_eq!((&listed["generations"][0]["token"], &listed["more"]), (&token.into(), &false.into()));
    assert_eq!(up.wallet(&["token", "show", "no-such-token"]).code, 3);
}
