//! The gateway's laws on both stores, and what strangers can send it.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod inbox;
#[cfg(test)]
mod signer;
#[cfg(test)]
mod stripe;
#[cfg(test)]
mod work;

/// A reason that nobody explains is a riddle.
#[test]
fn every_reason_is_documented() {
    let page =
        |name: &str| std::fs::read_to_string(format!("{}/../../docs/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    for reason in auric_gateway::reasons::ALL {
        assert!(page("errors.md").lines().any(|line| line == format!("## {reason}")), "docs/errors.md has no {reason}");
    }
    for parked in auric_gateway::domain::Parked::ALL {
        let reason = parked.as_str();
        assert!(page("operations.md").contains(&format!("`{reason}`")), "docs/operations.md has no {reason}");
    }
}
