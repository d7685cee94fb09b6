//! What no file may be: long, unfinished, or the parent of a task without an owner.

use auric_tests::tree::Tree;

use super::{allows, catches, code_of, code_with_tests_of, holds};

const LINES_MAX: usize = 400;

fn files_are_short(tree: &Tree) -> Vec<String> {
    // An API is left out: no message may move to another file once it was released.
    let written = tree.files().iter().filter(|file| [".rs", ".sql", ".sh"].iter().any(|end| file.path.ends_with(end)));
    let lengths = written.map(|file| (file, file.text.lines().count()));
    lengths
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(file, lines)| format!("{} has {lines} lines", file.path))
        .collect()
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    holds(files_are_short);
    catches(files_are_short, "shared/later/src/lib.rs", &"\n".repeat(LINES_MAX + 1));
    allows(files_are_short, "shared/later/src/lib.rs", &"\n".repeat(LINES_MAX));
}

fn nothing_is_unfinished(tree: &Tree) -> Vec<String> {
    let marks: [&[&str]; 5] = [
        &["todo", "!"],
        &["unimplemented", "!"],
        &["dbg", "!"],
        &["#", "[", "ignore", "]"],
        &["#", "[", "ignore", "="],
    ];
    let mut broken = Vec::new();
    for file in tree.rust() {
        let code = code_with_tests_of(file);
        for mark in marks {
            broken.extend(code.lines_of(mark).iter().map(|line| format!("{}:{line} has {}", file.path, mark.concat())));
        }
    }
    broken
}

#[test]
fn nothing_is_unfinished_or_switched_off() {
    holds(nothing_is_unfinished);
    let path = "services/later/src/lib.rs";
    for text in
        ["fn f() { todo!() }", "fn f() { unimplemented!(\"later\") }", "#[cfg(test)] mod t { fn f() { dbg!(1); } }"]
    {
        catches(nothing_is_unfinished, path, text);
    }
    catches(nothing_is_unfinished, "services/later/tests/laws.rs", "#[test]\n#[ignore]\nfn a_law() {}");
    catches(nothing_is_unfinished, "services/later/tests/laws.rs", "#[test]\n#[ignore = \"slow\"]\nfn a_law() {}");
    allows(nothing_is_unfinished, path, "// todo!()\nconst A: &str = \"dbg!(\"; fn ignore() {}");
}

/// A task that nobody owns outlives the shutdown that should have waited for it.
fn tasks_have_an_owner(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    // The runtime of a test ends with the test, and so do its tasks.
    for file in tree.product() {
        let spawns = code_of(file).paths().into_iter();
        let bare = spawns.filter(|path| ["tokio::spawn", "task::spawn"].iter().any(|end| path.ends_with(end)));
        broken.extend(bare.map(|path| format!("{}:{} names {}", file.path, path.line, path.segments.join("::"))));
    }
    broken
}

#[test]
fn no_task_is_without_an_owner() {
    holds(tasks_have_an_owner);
    let path = "services/later/src/lib.rs";
    for text in
        ["fn f() { tokio::spawn(g()); }", "use tokio::{spawn, time};", "use tokio::task; fn f() { task::spawn(g()); }"]
    {
        catches(tasks_have_an_owner, path, text);
    }
    allows(
        tasks_have_an_owner,
        path,
        "fn f(tasks: &mut tokio::task::JoinSet<()>) { tasks.spawn(g()); tokio::task::spawn_blocking(h); }",
    );
}
