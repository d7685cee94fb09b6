//! Showing what happened, and going on behind a cursor.

use serde_json::Value;

use crate::support::{Ended, Up, folder};

/// The documents of an answer, a line each: the events, and the cursor behind them.
fn lines(ended: &Ended) -> (Vec<Value>, String) {
    let mut lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let cursor = lines.pop().unwrap()["cursor"].as_str().unwrap().to_owned();
    (lines, cursor)
}

#[test]
fn a_cursor_goes_on_where_an_answer_ended() {
    let folder = folder();
    let up = Up::start(folder.path());
    for (key, units) in [("k-1", "5"), ("k-2", "7"), ("k-3", "9")] {
        let post = up.wallet(&["post", "--credit", "discord:1", "lumees", units, "--reason", "gift", "--key", key]);
        assert_eq!(post.code, 0, "{}", post.stderr);
    }
    let (first, cursor) = lines(&up.wallet(&["events", "--limit", "1", "--json"]));
    let (rest, _) = lines(&up.wallet(&["events", "--from", &cursor, "--json"]));
    let (followed, _) = lines(&up.wallet(&["events", "--from", &cursor, "--follow", "--limit", "2", "--json"]));
    assert_eq!(followed, rest, "followed or read, they are the same");
    let changes: Vec<&Value> = first.iter().chain(&rest).map(|event| &event["payload"]["available_change"]).collect();
    assert_eq!(changes, [5, 7, 9]);

    let shown = up.wallet(&["events", "--player", "discord:1"]);
    assert!(shown.stdout.contains("entry_added") && shown.stdout.contains("+7 lumees (gift)"), "{}", shown.stdout);
    let bad = up.wallet(&["events", "--from", "nonsense", "--json"]);
    assert_eq!((bad.code, &bad.json()["error"]["reason"]), (2, &"INVALID_ARGUMENT".into()));
}
