//! Cargo, started from inside a program that cargo started.

use std::ffi::OsStr;
use std::process::Command;

/// What `cargo run` and `cargo test` tell the program about its own crate.
const ABOUT_THE_CRATE: [&str; 17] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_AUTHORS",
    "CARGO_PKG_DESCRIPTION",
    "CARGO_PKG_HOMEPAGE",
    "CARGO_PKG_LICENSE",
    "CARGO_PKG_LICENSE_FILE",
    "CARGO_PKG_NAME",
    "CARGO_PKG_README",
    "CARGO_PKG_REPOSITORY",
    "CARGO_PKG_RUST_VERSION",
    "CARGO_PKG_VERSION",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

/// Gives a command that runs `cargo` as a shell would.
///
/// Build scripts that watch the variables of the outer crate would run again, and half the workspace would be built anew
/// each time.
pub fn cargo(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for variable in ABOUT_THE_CRATE {
        command.env_remove(variable);
    }
    command
}
