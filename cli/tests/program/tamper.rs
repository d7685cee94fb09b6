//! R-W2: the audit is append-only, and whoever gets around the guards is found: `auric audit verify` names the bad row.

use serde_json::Value;

use crate::forge::Forged;
use crate::support::Ended;

/// What a forger does to one player's audit.
#[derive(Clone, Copy, Debug)]
enum Forgery {
    ChangedAmount,
    DeletedMiddle,
    DeletedNewest,
    Swapped,
    InsertedMiddle,
    InsertedBehind,
    RechainedWithoutKey,
    UnexplainedHold,
}

impl Forgery {
    const ALL: [Self; 8] = [
        Self::ChangedAmount,
        Self::DeletedMiddle,
        Self::DeletedNewest,
        Self::Swapped,
        Self::InsertedMiddle,
        Self::InsertedBehind,
        Self::RechainedWithoutKey,
        Self::UnexplainedHold,
    ];

    fn player(self) -> String {
        format!("{self:?}")
    }

    /// The entry that is to be named, and as what.
    const fn found_as(self) -> (i64, &'static str) {
        match self {
            Self::ChangedAmount | Self::InsertedMiddle | Self::RechainedWithoutKey => (3, "CHAIN_BROKEN"),
            Self::DeletedMiddle => (3, "NUMBER_GAP"),
            Self::DeletedNewest => (5, "HEAD_MISMATCH"),
            Self::Swapped => (2, "CHAIN_BROKEN"),
            Self::InsertedBehind => (6, "HEAD_MISMATCH"),
            Self::UnexplainedHold => (0, "HOLD_MISMATCH"),
        }
    }

    async fn commit(self, forged: &Forged) {
        let whose = format!("player_id = '{}'", self.player());
        let run = async |sql: &str| forged.run(&sql.replace("WHOSE", &whose)).await;
        match self {
            Self::ChangedAmount => {
                run("UPDATE entries SET available_change = available_change + 1 WHERE WHOSE AND number = 3").await;
            }
            Self::DeletedMiddle => run("DELETE FROM entries WHERE WHOSE AND number = 3").await,
            Self::DeletedNewest => run("DELETE FROM entries WHERE WHOSE AND number = 5").await,
            Self::Swapped => {
                for (from, to) in [(2, 1_000), (3, 2), (1_000, 3)] {
                    run(&format!("UPDATE entries SET number = {to} WHERE WHOSE AND number = {from}")).await;
                }
            }
            Self::InsertedMiddle => {
                run("UPDATE entries SET number = number + 1000 WHERE WHOSE AND number >= 3").await;
                run("UPDATE entries SET number = number - 999 WHERE WHOSE AND number >= 1003").await;
                run(&copy_of(2, 3)).await;
            }
            Self::InsertedBehind => run(&copy_of(5, 6)).await,
            Self::RechainedWithoutKey => enrich(forged, &self.player()).await,
            Self::UnexplainedHold => {
                run("UPDATE balances SET held = held + 5, available = available - 5 WHERE WHOSE").await;
            }
        }
    }
}

/// Makes entry `to` of entry `from`.
fn copy_of(from: i64, to: i64) -> String {
    let columns = "asset_id, pool_id, kind, available_change, held_change, room_change, owed_change, available_after, \
        held_after, room_after, owed_after, clamped, reason, context, caller, idempotency_key, trace_id, catalog_hash, \
        created_at, hash";
    format!(
        "INSERT INTO entries (player_id, number, {columns})
         SELECT player_id, {to}, {columns} FROM entries WHERE WHOSE AND number = {from}"
    )
}

/// Gives a player 1,000 more from entry 3 on and covers it up: every sum is right, every hash is new.
async fn enrich(forged: &Forged, player: &str) {
    let whose = format!("player_id = '{player}'");
    forged
        .run(&format!("UPDATE entries SET available_change = available_change + 1000 WHERE {whose} AND number = 3"))
        .await;
    forged
        .run(&format!("UPDATE entries SET available_after = available_after + 1000 WHERE {whose} AND number >= 3"))
        .await;
    forged.run(&format!("UPDATE balances SET available = available + 1000 WHERE {whose}")).await;
    forged.rechain(player, 3).await;
}

fn earn(forged: &Forged, player: &str) {
    for amount in ["10", "20", "30", "40", "50"] {
        let posted = forged.up.wallet(&["post", "--credit", player, "lumees", amount, "--reason", "gift"]);
        assert_eq!(posted.code, 0, "{}", posted.stderr);
    }
}

fn verify(forged: &Forged, player: Option<&str>) -> Ended {
    let mut command = vec!["audit", "verify", "--json"];
    command.extend(player.into_iter().flat_map(|player| ["--player", player]));
    forged.up.ask(&command)
}

fn faults(ended: &Ended) -> Vec<(String, i64, String)> {
    let fault = |fault: &Value| {
        let text = |name: &str| fault[name].as_str().unwrap().to_owned();
        (text("player_id"), fault["number"].as_i64().unwrap(), text("kind"))
    };
    ended.json()["faults"].as_array().unwrap().iter().map(fault).collect()
}

fn assert_whole(ended: &Ended) {
    assert_eq!((ended.code, &ended.json()["whole"]), (0, &true.into()), "{}{}", ended.stdout, ended.stderr);
}

async fn every_forgery_is_named(forged: Forged) {
    earn(&forged, "honest");
    for forgery in Forgery::ALL {
        let player = forgery.player();
        earn(&forged, &player);
        assert_whole(&verify(&forged, Some(&player)));
        forgery.commit(&forged).await;
        let found = verify(&forged, Some(&player));
        assert_eq!(found.code, 6, "{forgery:?}: {}{}", found.stdout, found.stderr);
        let (number, kind) = forgery.found_as();
        let named = (player.clone(), number, kind.to_owned());
        assert!(faults(&found).contains(&named), "{forgery:?} is not named as {named:?}: {}", found.stdout);
    }
    let all = verify(&forged, None);
    assert_eq!(all.code, 6, "{}", all.stderr);
    let named = faults(&all);
    assert!(named.iter().all(|(player, ..)| player != "honest"), "{}", all.stdout);
    for forgery in Forgery::ALL {
        let (number, kind) = forgery.found_as();
        assert!(named.contains(&(forgery.player(), number, kind.to_owned())), "{forgery:?}: {}", all.stdout);
    }
    assert_whole(&verify(&forged, Some("honest")));
}

#[tokio::test]
async fn every_forgery_is_named_on_sqlite() {
    every_forgery_is_named(Forged::sqlite().await).await;
}

#[tokio::test]
async fn every_forgery_is_named_on_postgres() {
    every_forgery_is_named(Forged::postgres().await).await;
}

/// Why there is a key: the forger's chain is as good as the wallet's own where both are plain. The answers still tell.
#[tokio::test]
async fn without_a_key_only_the_answers_tell_of_a_new_chain() {
    let forged = Forged::sqlite_without_key().await;
    earn(&forged, "a");
    enrich(&forged, "a").await;
    assert_whole(&verify(&forged, Some("a")));
    let found = verify(&forged, None);
    assert_eq!(found.code, 6, "{}{}", found.stdout, found.stderr);
    let answers: Vec<(String, i64, String)> =
        (3..=5).map(|number| ("a".to_owned(), number, "ANSWER_MISMATCH".to_owned())).collect();
    let mut named = faults(&found);
    named.sort();
    assert_eq!(named, answers);
}

#[tokio::test]
async fn a_fault_is_a_row_for_a_person_and_one_line_says_that_there_are_some() {
    let forged = Forged::sqlite().await;
    earn(&forged, "ChangedAmount");
    Forgery::ChangedAmount.commit(&forged).await;
    let found = forged.up.ask(&["audit", "verify", "--player", "ChangedAmount"]);
    assert_eq!(found.code, 6);
    assert!(
        found.stdout.starts_with("the audit is NOT WHOLE; verified: players 1, entries 5, answers 0\n"),
        "{}",
        found.stdout
    );
    let row = found.stdout.lines().find(|line| line.contains("CHAIN_BROKEN")).unwrap();
    assert_eq!(row.split_whitespace().take(3).collect::<Vec<_>>(), ["ChangedAmount", "3", "CHAIN_BROKEN"]);
    assert_eq!(found.errors().len(), 1, "{}", found.stderr);
}
