//! The rules of the house: each scans the tree as it is now, folders of tomorrow included, and is shown a file that breaks it.

mod files;
mod formula;
mod ledger;
mod migrations;
mod requirements;
mod rooms;
mod services;

use std::sync::OnceLock;

use auric_tests::code::{Code, NamedPath};
use auric_tests::tree::{File, Tree};

/// The repository, read once.
fn tree() -> &'static Tree {
    static TREE: OnceLock<Tree> = OnceLock::new();
    TREE.get_or_init(|| Tree::read().expect("the repository can be read"))
}

/// A rule: gives a line for each place that breaks it.
type Rule = fn(&Tree) -> Vec<String>;

/// Holds the rule against the repository.
#[track_caller]
fn holds(rule: Rule) {
    let broken = rule(tree());
    assert!(broken.is_empty(), "the rule is broken in {} places:\n  {}", broken.len(), broken.join("\n  "));
}

/// Shows the rule one file that breaks it.
#[track_caller]
fn catches(rule: Rule, path: &str, text: &str) {
    let broken = rule(&Tree::of(vec![File::planted(path, text)]));
    assert!(!broken.is_empty(), "the rule let {path} pass: {text}");
}

/// Shows the rule one file that is as it should be.
#[track_caller]
fn allows(rule: Rule, path: &str, text: &str) {
    let broken = rule(&Tree::of(vec![File::planted(path, text)]));
    assert!(broken.is_empty(), "the rule refused {path}: {broken:?}");
}

/// Gives the paths that the product code of `file` names.
fn paths_of(file: &File) -> Vec<NamedPath> {
    code_of(file).paths()
}

fn code_of(file: &File) -> Code {
    Code::read(&file.text).unwrap_or_else(|error| panic!("{}: {error}", file.path))
}

fn code_with_tests_of(file: &File) -> Code {
    Code::read_with_tests(&file.text).unwrap_or_else(|error| panic!("{}: {error}", file.path))
}
