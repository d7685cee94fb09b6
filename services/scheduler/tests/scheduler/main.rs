//! The scheduler's laws, on both stores.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod asks;
mod faulty;
mod hand;
mod harness;
mod laws;

#[test]
fn every_reason_is_documented() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md")).unwrap();
    for reason in auric_scheduler::reasons::ALL {
        assert!(page.lines().any(|line| line == format!("## {reason}")), "docs/errors.md has no section {reason}");
    }
}
