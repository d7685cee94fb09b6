//! Slow, silent and malicious peers, made with raw sockets: whatever they do, the next caller is answered.

use auric_auth::{Credential, Door};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::Code;

use crate::house::{Authority, Files, House, caller, wait, who};

/// What every HTTP/2 client begins with, and an empty SETTINGS frame.
const OPENING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Peers of each kind.
const PEERS: usize = 200;

/// A frame of HTTP/2 on stream 1.
fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
    frame.extend_from_slice(payload);
    frame
}

/// The headers of a call, without Huffman codes or indices: literal fields, RFC 7541 §6.2.2.
fn headers() -> Vec<u8> {
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/auric.bench.v1.EchoService/Echo"),
        (":authority", "auric"),
        ("content-type", "application/grpc"),
    ];
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

async fn open_house() -> House {
    House::new(std::sync::Arc::new(Door::open())).await
}

#[tokio::test]
async fn half_a_tls_handshake_disturbs_nobody() {
    let (authority, ours) = (Authority::new(), Credential::generate(&mut rand::rng()));
    let held = format!("credentials = [{{ sha256 = '{}' }}]", ours.hash());
    let files = Files::new(&caller("bench", "bench.echo", &held), &authority);
    let house = House::new(files.door()).await;
    let mut peers = Vec::new();
    for _ in 0..PEERS {
        let mut peer = TcpStream::connect(house.address).await.unwrap();
        // The head of a ClientHello that never comes.
        peer.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await.unwrap();
        peers.push(peer);
    }
    let channel = house.tls(&authority, None).connect().await.unwrap();
    assert_eq!(who(&channel, Some(&ours)).await.unwrap(), "bench");
}

#[tokio::test]
async fn silent_and_slow_peers_disturb_nobody() {
    let house = open_house().await;
    let mut peers = Vec::new();
    for number in 0..PEERS {
        let mut peer = TcpStream::connect(house.address).await.unwrap();
        let said: Vec<u8> = match number % 4 {
            0 => Vec::new(),
            1 => OPENING[..20].to_vec(),
            // Headers that never end.
            2 => [OPENING, &frame(0x1, 0, &headers())].concat(),
            // A message of 1,000 bytes of which three come.
            _ => [OPENING, &frame(0x1, 0x4, &headers()), &frame(0x0, 0, b"\0\0\0\x03\xe8abc")].concat(),
        };
        peer.write_all(&said).await.unwrap();
        peers.push(peer);
    }
    let channel = house.plain().connect().await.unwrap();
    who(&channel, None).await.unwrap();
}

#[tokio::test]
async fn a_thousand_calls_that_are_never_answered_disturb_nobody() {
    let house = open_house().await;
    let theirs = house.plain().connect().await.unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..1_000 {
        calls.spawn(wait(theirs.clone()));
    }
    let ours = house.plain().connect().await.unwrap();
    for _ in 0..100 {
        who(&ours, None).await.unwrap();
    }
    assert_eq!(calls.len(), 1_000);
}

#[tokio::test]
async fn what_is_no_http2_is_cut_and_disturbs_nobody() {
    let house = open_house().await;
    let channel = house.plain().connect().await.unwrap();
    let oversized = frame(0x0, 0, &vec![0; 20_000]);
    let said: [Vec<u8>; 5] = [
        b"GET / HTTP/1.1\r\nHost: auric\r\n\r\n".to_vec(),
        vec![0xff; 4_096],
        // DATA on a stream that was never opened.
        [OPENING, &frame(0x0, 0, b"data")].concat(),
        // A header block that is none.
        [OPENING, &frame(0x1, 0x4, &[0xff; 64])].concat(),
        // A frame longer than was agreed.
        [OPENING, &oversized[..]].concat(),
    ];
    for said in said {
        let mut peer = TcpStream::connect(house.address).await.unwrap();
        // The server may have hung up before all of it was sent.
        peer.write_all(&said).await.ok();
        let mut heard = Vec::new();
        peer.read_to_end(&mut heard).await.ok();
        assert!(heard.len() < 1_024, "{} bytes for {said:?}", heard.len());
        who(&channel, None).await.unwrap();
    }
}

#[tokio::test]
async fn metadata_that_is_too_long_is_refused_and_the_connection_lives() {
    let house = open_house().await;
    let channel = house.plain().connect().await.unwrap();
    let mut client = auric_api::bench::v1::echo_service_client::EchoServiceClient::new(channel.clone());
    let mut request = tonic::Request::new(auric_api::bench::v1::EchoRequest {});
    request.metadata_mut().insert("long", "x".repeat(64 << 10).parse().unwrap());
    let refused = client.echo(request).await.unwrap_err();
    assert_ne!(refused.code(), Code::Ok);
    who(&channel, None).await.unwrap();
}
