//! Who asks, and to whom that is told.

use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use auric_api::wallet::v1::wallet_service_client::WalletServiceClient;
use auric_client::{ClientConfig, ConfigError, Credential, Resolver, connect_with};
use auric_ids::CallerId;

use super::service::{Copy, Reply, Seen, away, hurried, in_time, post};

struct Elsewhere(SocketAddr);

#[async_trait]
impl Resolver for Elsewhere {
    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![self.0])
    }
}

#[tokio::test]
async fn a_credential_takes_the_place_of_a_name() {
    let copy = Copy::start().await;
    let caller = Some(CallerId::parse("discord-gateway").unwrap());
    let named = ClientConfig { caller: caller.clone(), ..hurried(&copy.url()) };
    auric_client::wallet(named.clone()).await.unwrap().post(post("named")).await.unwrap();
    let credential = Some(Credential::text("s3cret"));
    let proved = ClientConfig { credential, ..named };
    auric_client::wallet(proved).await.unwrap().post(post("proved")).await.unwrap();

    let seen = copy.service.seen();
    assert_eq!(seen[0].headers["auric-caller"], "discord-gateway");
    assert!(!seen[0].headers.contains_key("authorization"));
    assert_eq!(seen[1].headers["authorization"], "Bearer s3cret");
    assert!(!seen[1].headers.contains_key("auric-caller"));
}

#[tokio::test]
async fn a_credential_is_not_sent_in_clear_text_to_another_machine() {
    let elsewhere = Elsewhere("192.0.2.1:7401".parse().unwrap());
    let credential = Some(Credential::text("s3cret"));
    let config = ClientConfig { credential, ..ClientConfig::new("http://wallet:7401") };
    let refused = connect_with(config, elsewhere).await.unwrap_err();
    assert!(matches!(refused, ConfigError::ClearText { .. }), "{refused}");
    assert!(!format!("{refused:?} {refused}").contains("s3cret"));
}

#[tokio::test]
async fn a_credential_in_a_file_is_followed() {
    let copy = Copy::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credential");
    std::fs::write(&path, "first\n").unwrap();
    let credential = Some(Credential::file(&path));
    let mut wallet = auric_client::wallet(ClientConfig { credential, ..hurried(&copy.url()) }).await.unwrap();
    wallet.post(post("k")).await.unwrap();
    std::fs::write(&path, "second\n").unwrap();
    in_time(async {
        while copy.service.seen().last().unwrap().headers["authorization"] != "Bearer second" {
            wallet.post(post("k")).await.unwrap();
        }
    })
    .await;
    assert_eq!(copy.service.seen()[0].headers["authorization"], "Bearer first");
}

#[tokio::test]
async fn what_can_never_work_is_refused_at_once() {
    for (targets, says) in [
        ("", "no target: give at least one, such as http://127.0.0.1:7401"),
        ("wallet:7401", "target \"wallet:7401\" is not http://HOST:PORT or https://HOST:PORT"),
        ("https://wallet:7401", "target https://wallet:7401/ is https, and tls.ca names no file of authorities"),
    ] {
        let refused = auric_client::connect(ClientConfig::new(targets)).await.unwrap_err();
        assert_eq!(refused.to_string(), says);
    }
    let mut config = ClientConfig::new("https://wallet:7401");
    config.tls.ca = Some("/nowhere/ca.pem".into());
    let refused = auric_client::connect(config).await.unwrap_err();
    assert_eq!(refused.to_string(), "cannot read /nowhere/ca.pem");
}

#[tokio::test]
async fn any_generated_client_takes_the_channel() {
    let copy = Copy::start().await;
    let channel = auric_client::connect(hurried(&copy.url())).await.unwrap();
    let mut wallet = WalletServiceClient::new(channel.clone());
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
    wallet.post(post("k")).await.unwrap();
    health.check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap();
}

#[tokio::test]
async fn the_trace_of_the_caller_goes_on() {
    let copy = Copy::start().await;
    let mut wallet = copy.client().await;
    let mut headers = http::HeaderMap::new();
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    headers.insert("traceparent", traceparent.parse().unwrap());
    let attached = auric_telemetry::context::extract(&headers).attach();
    copy.service.then([Reply::Refuse(away())]);
    wallet.post(post("traced")).await.unwrap();
    drop(attached);
    wallet.post(post("alone")).await.unwrap();
    let sent: Vec<Option<String>> = copy.service.seen().iter().map(trace_of).collect();
    assert_eq!(sent, [Some(traceparent.to_owned()), Some(traceparent.to_owned()), None]);
}

fn trace_of(seen: &Seen) -> Option<String> {
    Some(seen.headers.get("traceparent")?.to_str().expect("it is text").to_owned())
}
