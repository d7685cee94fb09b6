//! The examples do what they say: in Rust, in a shell, and in Python with stubs of its own, which nobody here wrote.

use std::path::{Path, PathBuf};
use std::process::Command;

use auric_testkit::proxy::Proxy;
use auric_tests::program::{build_example, xtask};
use auric_tests::tree::root;

use crate::wallet::harness::Cluster;

/// Runs an example as a reader would, in the root of the repository, and gives what it printed.
fn run(command: &mut Command) -> String {
    let output = command.current_dir(root()).output().expect("it starts");
    let (said, faults) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} ended with {}:\n{said}{faults}", output.status);
    said.into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rust_example_posts_once_under_one_key() {
    let cluster = Cluster::sqlite();
    let example = build_example("post").expect("it builds");
    let target = format!("http://{}", cluster.address(0));
    let post = || run(Command::new(&example).args(["quest-7", &target]));
    assert_eq!(post(), "10 lumees, replayed: false\n10 lumees, replayed: true\nbalance: 10\n");
    assert_eq!(post(), "10 lumees, replayed: true\n10 lumees, replayed: true\nbalance: 10\n");
    cluster.stop_without_errors();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shell_example_posts_once_under_one_key() {
    let cluster = Cluster::sqlite();
    let target = format!("http://{}", cluster.address(0));
    // Installs what is missing.
    run(xtask().expect("it builds").args(["buf", "--version"]));
    let tools = root().join("target/tools/node_modules/.bin");
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", tools.display());
    let said = run(Command::new("sh").args(["examples/post.sh", "quest-7", &target]).env("PATH", path));
    let balance = said.rsplit_once("\"balances\"").expect("the balance is read").1;
    assert!(balance.contains("\"available\": \"10\""), "{said}");
    assert_eq!(said.matches("\"availableAfter\": \"10\"").count(), 2, "{said}");
    cluster.stop_without_errors();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_example_posts_once_though_its_answer_is_lost() {
    let cluster = Cluster::sqlite();
    let proxy = Proxy::start(cluster.address(0)).await.expect("a proxy");
    let folder = tempfile::tempdir().expect("a folder");
    generate_stubs(folder.path());
    // The answer to the first post is thrown away, and its connection reset.
    proxy.lose_next();
    let post = |address: &str| {
        let mut command = python();
        command.args(["examples/python/post.py", "quest-7", address]).env("PYTHONPATH", folder.path());
        run(&mut command)
    };
    let said = post(&proxy.address().to_string());
    assert_eq!(proxy.lost(), 1, "no answer was lost");
    assert_eq!(said, "10 lumees, replayed: true\n10 lumees, replayed: true\nbalance: 10\n");
    assert_eq!(post(&cluster.address(0).to_string()), said);
    cluster.stop_without_errors();
}

fn python() -> Command {
    let mut command = xtask().expect("it builds");
    command.arg("python");
    command
}

/// Makes the stubs as examples/README.md says.
fn generate_stubs(folder: &Path) {
    let (proto, mut protos) = (root().join("proto"), Vec::new());
    find_protos(&proto, &mut protos);
    assert!(!protos.is_empty(), "there is an API");
    let out = folder.display();
    let mut protoc = python();
    protoc.args(["-m", "grpc_tools.protoc", "-I"]).arg(proto);
    protoc.arg(format!("--python_out={out}")).arg(format!("--grpc_python_out={out}"));
    run(protoc.args(protos));
}

fn find_protos(folder: &Path, found: &mut Vec<PathBuf>) {
    for item in std::fs::read_dir(folder).expect("the folder is there") {
        let path = item.expect("it is read").path();
        if path.is_dir() {
            find_protos(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
}
