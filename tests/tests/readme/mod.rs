//! The README is a program: what it tells a newcomer to type is typed here, and what it shows must come out.

use std::fs;

use auric_tests::program::build_auric;
use auric_tests::readme::{Shell, steps};
use auric_tests::tree::root;

#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    let readme = fs::read_to_string(root().join("README.md")).expect("there is a README");
    let steps = steps(&readme);
    let types = |words: &str| steps.iter().any(|step| step.command.contains(words));
    assert!(types("cargo run --release -- up") && types("cargo xtask test"), "the two commands are not in it");
    let mut shell = Shell::open(&build_auric().expect("auric builds")).expect("a folder");
    for step in &steps {
        if let Err(error) = shell.run(step) {
            panic!("README.md: {error:#}");
        }
    }
    shell.stop().expect("Ctrl-C stops what the README started");
}
