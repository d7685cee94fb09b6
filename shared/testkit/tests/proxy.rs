//! The proxy does to a connection what it is told, while it is in use.

#![expect(clippy::expect_used, reason = "a helper of a test panics as the test itself would")]

use std::time::Duration;

use auric_testkit::proxy::{Direction, Fault, Proxy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// Long enough for what would arrive to arrive.
const A_WHILE: Duration = Duration::from_millis(100);

/// Far more than a busy machine needs.
const AT_LAST: Duration = Duration::from_secs(20);

/// A server that says everything again, behind a proxy.
async fn echo() -> (Proxy, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let proxy = Proxy::start(listener.local_addr().expect("an address")).await.expect("a proxy");
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            connections.spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    (proxy, serving)
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.expect("it listens")
}

async fn say(stream: &mut TcpStream, word: &[u8]) {
    stream.write_all(word).await.expect("it is sent");
}

async fn hear(stream: &mut TcpStream, count: usize) -> std::io::Result<Vec<u8>> {
    let mut heard = vec![0; count];
    timeout(AT_LAST, stream.read_exact(&mut heard)).await.expect("it arrives at last")?;
    Ok(heard)
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(A_WHILE, stream.read_u8()).await.is_err()
}

#[tokio::test]
async fn without_a_fault_all_arrives() {
    let (proxy, _serving) = echo().await;
    let mut stream = connect(&proxy).await;
    say(&mut stream, b"hello").await;
    assert_eq!(hear(&mut stream, 5).await.unwrap(), b"hello");
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0, "a goodbye is passed on");
    assert_eq!(proxy.accepted(), 1);
}

#[tokio::test]
async fn what_is_stopped_arrives_when_the_fault_is_over() {
    for direction in [Direction::Both, Direction::ToClient, Direction::ToServer] {
        let (proxy, _serving) = echo().await;
        let mut stream = connect(&proxy).await;
        proxy.set(Fault::Stops(direction));
        say(&mut stream, b"held").await;
        assert!(is_silent(&mut stream).await, "{direction:?}");
        proxy.set(Fault::None);
        assert_eq!(hear(&mut stream, 4).await.unwrap(), b"held", "{direction:?}");
    }
}

#[tokio::test]
async fn latency_is_paid_both_ways() {
    let (proxy, _serving) = echo().await;
    let mut stream = connect(&proxy).await;
    proxy.set(Fault::Latency(A_WHILE));
    let since = Instant::now();
    say(&mut stream, b"slow").await;
    hear(&mut stream, 4).await.unwrap();
    assert!(since.elapsed() >= 2 * A_WHILE);
}

#[tokio::test]
async fn a_reset_breaks_what_is_open_and_not_what_comes() {
    let (proxy, _serving) = echo().await;
    let mut open = connect(&proxy).await;
    say(&mut open, b"a").await;
    hear(&mut open, 1).await.unwrap();
    proxy.reset();
    assert_eq!(hear(&mut open, 1).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    let mut next = connect(&proxy).await;
    say(&mut next, b"b").await;
    assert_eq!(hear(&mut next, 1).await.unwrap(), b"b");
}

#[tokio::test]
async fn a_stranded_connection_never_speaks_again() {
    let (proxy, _serving) = echo().await;
    let mut open = connect(&proxy).await;
    say(&mut open, b"a").await;
    hear(&mut open, 1).await.unwrap();
    proxy.strand();
    say(&mut open, b"b").await;
    let mut next = connect(&proxy).await;
    say(&mut next, b"c").await;
    assert_eq!(hear(&mut next, 1).await.unwrap(), b"c");
    assert!(is_silent(&mut open).await);
}

#[tokio::test]
async fn who_is_gone_resets_old_and_new() {
    let (proxy, _serving) = echo().await;
    let mut open = connect(&proxy).await;
    say(&mut open, b"a").await;
    hear(&mut open, 1).await.unwrap();
    proxy.set(Fault::Gone);
    assert!(hear(&mut open, 1).await.is_err());
    let refused = match TcpStream::connect(proxy.address()).await {
        Ok(mut stream) => hear(&mut stream, 1).await.is_err(),
        Err(_) => true,
    };
    assert!(refused);
    proxy.set(Fault::None);
    let mut back = connect(&proxy).await;
    say(&mut back, b"d").await;
    assert_eq!(hear(&mut back, 1).await.unwrap(), b"d");
}
