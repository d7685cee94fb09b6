//! What a stranger can send to the public door: refused with the right status, nothing kept, nothing told.

use auric_gateway::Refusal;
use auric_gateway::domain::Forged;

use crate::harness::{Door, FakeWallet, Place, SECRETS, Stopped, everything, now_seconds, on_every_store};
use crate::signer;
use crate::stripe::{SESSION, event};

on_every_store!(what_a_stranger_sends_is_refused_and_leaves_nothing, a_signed_event_is_taken_over_http);

struct Ask<'a> {
    method: &'a str,
    path: &'a str,
    content_type: &'a str,
    signature: Option<String>,
    body: &'a [u8],
}

impl Ask<'_> {
    fn bytes(&self) -> Vec<u8> {
        let Self { method, path, content_type, signature, body } = self;
        let signature = signature.as_ref().map(|text| format!("stripe-signature: {text}\r\n")).unwrap_or_default();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\ncontent-type: {content_type}\r\n{signature}content-length: {length}\r\n\r\n"
        );
        [head.as_bytes(), body].concat()
    }
}

fn good(body: &[u8]) -> Ask<'_> {
    let signature = Some(signer::stripe(SECRETS[0], now_seconds(), body));
    Ask { method: "POST", path: "/webhooks/stripe", content_type: "application/json", signature, body }
}

async fn what_a_stranger_sends_is_refused_and_leaves_nothing(place: Place) {
    let wallet = std::sync::Arc::<FakeWallet>::default();
    let copy = place.copy(&wallet).await;
    let door = Door::open(&copy).await;
    let text = event(SESSION, "1", "1", "discord:1", "bulk_50");
    let body = text.as_bytes();
    let signed = |signature: String| Ask { signature: Some(signature), ..good(body) };
    let now = now_seconds();
    let one_off = signer::stripe(SECRETS[0], now, body).replace("v1=", "v1=0");
    let large = vec![b' '; 300_000];
    let huge = vec![b'{'; 10 << 20];
    let no_id = br#"{"object": "event"}"#.as_slice();
    let bad_id = br#"{"id": "two words"}"#.as_slice();
    let cases: Vec<(&str, u16, Ask<'_>)> = vec![
        ("no signature", 401, Ask { signature: None, ..good(body) }),
        ("an empty one", 401, signed(String::new())),
        ("words", 401, signed("let me in".to_owned())),
        ("another's secret", 401, signed(signer::stripe("whsec_theirs", now, body))),
        ("another body", 401, Ask { body: no_id, ..good(body) }),
        ("a digit too many", 401, signed(one_off)),
        ("an old version", 401, signed(signer::stripe(SECRETS[0], now, body).replace("v1=", "v0="))),
        ("too old", 401, signed(signer::stripe(SECRETS[0], now - 400, body))),
        ("from the future", 401, signed(signer::stripe(SECRETS[0], now + 400, body))),
        ("another time than was signed", 401, {
            let text = signer::stripe(SECRETS[0], now - 10, body);
            signed(text.replace(&(now - 10).to_string(), &now.to_string()))
        }),
        ("truncated", 401, Ask { body: &body[..body.len() / 2], ..good(body) }),
        ("no JSON", 400, good(b"{\"id\": ")),
        ("no object", 400, good(b"[1, 2]")),
        ("no id", 400, good(no_id)),
        ("no name for an id", 400, good(bad_id)),
        ("a form", 415, Ask { content_type: "application/x-www-form-urlencoded", ..good(body) }),
        ("text that says it is JSON", 415, Ask { content_type: "text/plain; application/json", ..good(body) }),
        ("a question", 405, Ask { method: "GET", ..good(body) }),
        ("a removal", 405, Ask { method: "DELETE", ..good(body) }),
        ("somebody else's provider", 404, Ask { path: "/webhooks/paypal", ..good(body) }),
        ("another path", 404, Ask { path: "/", ..good(body) }),
        ("too much", 413, good(&large)),
        ("10 MB", 413, good(&huge)),
    ];
    for (what, status, ask) in cases {
        let (answered, said) = door.send(&ask.bytes()).await;
        assert_eq!(answered, status, "{what}: {said}");
        for secret in ["whsec", "SQL", "sqlx", "postgres", "sqlite", "evt_1"] {
            assert!(!said.contains(secret), "{what}: {said}");
        }
    }
    let chunked =
        "POST /webhooks/stripe HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n";
    let signature = signer::stripe(SECRETS[0], now, &large);
    let head = format!("{chunked}stripe-signature: {signature}\r\ntransfer-encoding: chunked\r\n\r\n");
    let endless = [head.as_bytes(), format!("{:x}\r\n", large.len()).as_bytes(), &large].concat();
    assert_eq!(door.send(&endless).await.0, 413, "a length that is not told");
    assert_eq!(everything(&copy).await, []);
    assert_eq!(wallet.told(), []);
    copy.close().await;
}

async fn a_signed_event_is_taken_over_http(place: Place) {
    let wallet = std::sync::Arc::<FakeWallet>::default();
    let copy = place.copy(&wallet).await;
    let door = Door::open(&copy).await;
    let text = event(SESSION, "1", "1", "discord:1", "bulk_50");
    for secret in SECRETS {
        let signature = Some(signer::stripe(secret, now_seconds(), text.as_bytes()));
        let ask = Ask { signature, content_type: "application/json; charset=utf-8", ..good(text.as_bytes()) };
        assert_eq!(door.send(&ask.bytes()).await, (200, "taken\n".to_owned()), "{secret}");
    }
    let shop = r#"{"id": "1", "type": "paid", "object": "order-1", "player_id": "discord:1", "price": "bulk_100"}"#;
    let signature = signer::hmac(SECRETS[1], shop.as_bytes());
    let length = shop.len();
    let ask = format!(
        "POST /webhooks/shop HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\nx-auric-signature: sha256={signature}\r\ncontent-length: {length}\r\n\r\n{shop}"
    );
    assert_eq!(door.send(ask.as_bytes()).await.0, 200);
    assert_eq!(door.send(ask.replace("sha256=", "sha256=00").as_bytes()).await.0, 401);
    assert_eq!(crate::harness::settled(&copy).await.len(), 2);
    assert_eq!(wallet.told().len(), 2);
    copy.close().await;
}

/// A flood of forged ones costs little: what cannot be right is refused before its body is asked for, and so before any HMAC.
#[tokio::test]
async fn a_signature_that_cannot_be_right_costs_no_hmac() {
    let wallet = std::sync::Arc::<FakeWallet>::default();
    let place = Place::sqlite().await;
    let copy = std::sync::Arc::try_unwrap(place.idle_copy(&wallet).await).unwrap();
    let copy = copy.with_clock(std::sync::Arc::new(Stopped(1_000_000)));
    let claim = |header: String| copy.claim("stripe", Some(header.as_bytes())).map(|_| ());
    let hex = "ab".repeat(32);
    for (header, forged) in [
        (format!("t=999699,v1={hex}"), Forged::Stale),
        (format!("t=1000301,v1={hex}"), Forged::Stale),
        (format!("t=9223372036854775807,v1={hex}"), Forged::Stale),
        (format!("t=99999999999999999999,v1={hex}"), Forged::Malformed),
        (format!("t=-5,v1={hex}"), Forged::Malformed),
        (format!("t=,v1={hex}"), Forged::Malformed),
        (format!("v1={hex}"), Forged::Malformed),
        (format!("t=1000000,t=1000000,v1={hex}"), Forged::Malformed),
        ("t=1000000".to_owned(), Forged::Malformed),
        ("t=1000000,v1=ab".to_owned(), Forged::Malformed),
        (format!("t=1000000,v1={hex}{}", " ".repeat(2_000)), Forged::Malformed),
    ] {
        assert!(matches!(claim(header.clone()), Err(Refusal::Forged(found)) if found == forged), "{header}");
    }
    for header in [format!("t=999700,v1={hex}"), format!("t=1000300, v1={hex},v1={hex}")] {
        claim(header).unwrap();
    }
}
