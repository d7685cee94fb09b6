//! Who may call what, for every caller and every RPC that there is; and that no secret is said anywhere.

use std::path::PathBuf;

use auric_api::SCOPES;
use auric_api::wallet::v1 as api;
use auric_api::wallet::v1::wallet_service_client::WalletServiceClient;
use auric_status::Problem;
use serde_json::Value;
use tempfile::TempDir;
use tonic::{Code, Request};

use super::harness::{Cluster, auric, credit, hold_leg};
use super::raw;

/// A registry that the program itself makes, and what it gave to each caller.
struct Registry {
    folder: TempDir,
    credentials: Vec<(String, String)>,
}

impl Registry {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), credentials: Vec::new() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("callers.toml")
    }

    fn command(&self, arguments: &[&str]) -> Value {
        let ran = auric(["caller"])
            .args(arguments)
            .arg("--json")
            .arg("--file")
            .arg(self.path())
            .output()
            .expect("auric starts");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
        serde_json::from_slice(&ran.stdout).expect("a document")
    }

    fn create(&mut self, name: &str, scopes: &[&str]) -> String {
        let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
        let created = self.command(&["create", name].into_iter().chain(scopes).collect::<Vec<_>>());
        let credential = created["credential"].as_str().expect("it is shown once").to_owned();
        self.credentials.push((name.to_owned(), credential.clone()));
        credential
    }

    fn cluster(&self) -> Cluster {
        Cluster::sqlite_with(vec![("AURIC_CALLERS", self.path().display().to_string())])
    }
}

fn with<T>(credential: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {credential}").parse().expect("visible"));
    request
}

fn post(key: &str, amount: i64) -> api::PostRequest {
    let legs = vec![credit("a", "lumees", amount)];
    api::PostRequest { idempotency_key: key.to_owned(), legs, reason: "test".to_owned(), ..Default::default() }
}

#[tokio::test]
async fn every_caller_may_call_what_it_was_granted_and_nothing_else() {
    let mut registry = Registry::new();
    let mut scopes: Vec<&str> = SCOPES.iter().map(|(_, scope)| *scope).collect();
    scopes.sort_unstable();
    scopes.dedup();
    for scope in &scopes {
        registry.create(scope, &[scope]);
    }
    let cluster = registry.cluster();
    let channel = cluster.channel(0).expect("it is up");
    for (path, needed) in SCOPES {
        let anonymous = raw::send(channel.clone(), path, Request::new(Vec::new())).await.unwrap_err();
        assert_eq!(anonymous.code(), Code::Unauthenticated, "{path}");
        for (name, credential) in &registry.credentials {
            let answer = raw::send(channel.clone(), path, with(credential, Vec::new())).await;
            let code = answer.as_ref().map_or_else(tonic::Status::code, |_| Code::Ok);
            if name == needed {
                assert!(
                    ![Code::PermissionDenied, Code::Unauthenticated].contains(&code),
                    "{name} at {path}: {answer:?}"
                );
            } else {
                let problem = Problem::from_status(&answer.expect_err("it was not granted"));
                assert_eq!(problem.code, Code::PermissionDenied, "{name} at {path}: {problem:?}");
                assert_eq!(
                    (problem.metadata["caller"].as_str(), problem.metadata["scope"].as_str()),
                    (name.as_str(), *needed)
                );
            }
        }
    }
    assert!(!scopes.is_empty() && !SCOPES.is_empty());
    cluster.stop_without_errors();
}

#[tokio::test]
async fn a_stolen_read_credential_can_only_read_and_no_secret_is_ever_said() {
    let mut registry = Registry::new();
    let (writer, reader) = (registry.create("shop", &["wallet.post"]), registry.create("site", &["wallet.read"]));
    let cluster = registry.cluster();
    let mut wallet = WalletServiceClient::new(cluster.channel(0).expect("it is up"));
    let post = |key: &str| post(key, 7);
    wallet.post(with(&writer, post("paid"))).await.expect("the shop may post");

    let refused = wallet.post(with(&reader, post("stolen"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let forged = wallet.post(with("auric_guess", post("guessed"))).await.unwrap_err();
    assert_eq!(forged.code(), Code::Unauthenticated);
    let read = api::GetBalancesRequest { player_ids: vec!["a".to_owned()], asset_ids: vec!["lumees".to_owned()] };
    let balances = wallet.get_balances(with(&reader, read)).await.expect("the site may read").into_inner();
    assert_eq!(balances.balances[0].available, 7);

    registry.command(&["revoke", "site"]);
    let read = || api::GetSupplyRequest { asset_ids: Vec::new() };
    while wallet.get_supply(with(&reader, read())).await.is_ok() {}
    wallet.post(with(&writer, post("paid"))).await.expect("the shop's is what it was");

    let said = format!("{:?} {refused:?} {forged:?}", cluster.stop_without_errors());
    for (name, credential) in &registry.credentials {
        assert!(!said.contains(credential.as_str()), "the credential of {name} is in the log");
    }
    assert!(said.contains("site may not call auric.wallet.v1.WalletService/Post"), "a refusal leaves a line");
}

#[tokio::test]
async fn only_an_administrator_ends_a_hold_that_another_made() {
    let mut registry = Registry::new();
    let (maker, other) =
        (registry.create("maker", &["wallet.hold", "wallet.post"]), registry.create("other", &["wallet.hold"]));
    let admin = registry.create("admin", &["wallet.hold", "admin.holds"]);
    let cluster = registry.cluster();
    let mut wallet = WalletServiceClient::new(cluster.channel(0).expect("it is up"));
    wallet.post(with(&maker, post("fund", 9))).await.expect("funds");
    let legs = vec![hold_leg("a", "", "lumees", 9)];
    let named = |text: &str| text.to_owned();
    let reserve = api::ReserveRequest {
        idempotency_key: named("set"),
        hold_id: named("h"),
        legs,
        reason: named("test"),
        ..Default::default()
    };
    wallet.reserve(with(&maker, reserve)).await.expect("a hold");
    let release =
        |key: &str| api::ReleaseRequest { idempotency_key: named(key), hold_id: named("h"), ..Default::default() };
    let refused = Problem::from_status(&wallet.release(with(&other, release("theirs"))).await.unwrap_err());
    assert_eq!(refused.reason, "NOT_YOUR_HOLD");
    wallet.release(with(&admin, release("by-force"))).await.expect("an administrator may");
    cluster.stop_without_errors();
}
