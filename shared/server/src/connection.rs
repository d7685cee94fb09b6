//! Connections: taken, shaken hands with, and held to a pace, each apart from the others.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use auric_auth::{Door, names_of_certificate};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::either::Either;
use tonic::transport::server::Connected;

/// Connections of one service; one more is closed at once.
pub const CONNECTIONS_MAX: usize = 4_096;

/// How long a peer may take for its handshake, and then for the first bytes of HTTP/2.
pub const HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(10);

/// The first bytes of HTTP/2: the preface and a SETTINGS frame's head.
///
/// # Source
///
/// RFC 9113 §3.4 and §4.1.
const OPENING_BYTES: usize = 24 + 9;

/// The pause after a connection that could not be accepted, so that running out of files does not burn a processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections that wait for the server to take them.
const WAITING_MAX: usize = 64;

/// Who is at the other end.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// The names that its client certificate bears.
    pub certificates: Arc<[String]>,
}

/// Everything that a connection needs to be taken.
#[derive(Clone, Debug)]
pub(crate) struct Reception {
    /// Whose TLS is spoken.
    pub door: Arc<Door>,
    /// Room for connections.
    pub connections: Arc<Semaphore>,
    /// How long a peer may take for its handshake, and then for the first bytes of HTTP/2.
    pub handshake_wait_max: Duration,
}

impl Reception {
    pub fn new(door: Arc<Door>) -> Self {
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Self { door, connections, handshake_wait_max: HANDSHAKE_WAIT_MAX }
    }

    /// Takes connections for as long as the stream is kept; a handshake that hangs keeps nobody else waiting.
    pub fn incoming(self, listener: TcpListener) -> impl Stream<Item = io::Result<Connection>> {
        let (taken, stream) = mpsc::channel(WAITING_MAX);
        let mut tasks = JoinSet::new();
        tasks.spawn(self.take_all(listener, taken));
        Incoming { stream: ReceiverStream::new(stream), _tasks: tasks }
    }

    async fn take_all(self, listener: TcpListener, taken: mpsc::Sender<io::Result<Connection>>) {
        let mut handshakes = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = handshakes.join_next() => continue,
            };
            match accepted {
                Ok((stream, address)) => {
                    let (reception, taken) = (self.clone(), taken.clone());
                    handshakes.spawn(async move {
                        if let Some(connection) = reception.receive(stream, address).await {
                            // Nobody takes it any more once the server has stopped.
                            taken.send(Ok(connection)).await.ok();
                        }
                    });
                }
                Err(fault) => {
                    tracing::warn!(%fault, "cannot accept a connection: {fault}");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Shakes hands; [`None`] when the peer does not do its part.
    async fn receive(&self, stream: TcpStream, address: SocketAddr) -> Option<Connection> {
        let Ok(permit) = Arc::clone(&self.connections).try_acquire_owned() else {
            tracing::warn!(peer = %address, "closing a connection of {address}: there are too many");
            return None;
        };
        if let Err(fault) = stream.set_nodelay(true) {
            tracing::debug!(peer = %address, %fault, "{address} was gone at once: {fault}");
            return None;
        }
        let Some(config) = self.door.tls() else {
            let peer = Peer { address, certificates: Arc::default() };
            return Some(self.connection(Either::Left(stream), peer, permit));
        };
        let fault = match timeout(self.handshake_wait_max, TlsAcceptor::from(config).accept(stream)).await {
            Ok(Ok(stream)) => {
                let peer = Peer { address, certificates: names(&stream) };
                return Some(self.connection(Either::Right(stream), peer, permit));
            }
            Ok(Err(fault)) => fault.to_string(),
            Err(_) => format!("took more than {} ms", self.handshake_wait_max.as_millis()),
        };
        tracing::info!(peer = %address, fault, "the TLS handshake of {address} failed: {fault}");
        None
    }

    fn connection(
        &self,
        stream: Either<TcpStream, TlsStream<TcpStream>>,
        peer: Peer,
        permit: OwnedSemaphorePermit,
    ) -> Connection {
        let opening = Opening { bytes_left: OPENING_BYTES, late: Box::pin(sleep(self.handshake_wait_max)) };
        Connection { stream, peer, opening: Some(opening), _permit: permit }
    }
}

fn names(stream: &TlsStream<TcpStream>) -> Arc<[String]> {
    let (_, session) = stream.get_ref();
    let own = session.peer_certificates().and_then(<[_]>::first);
    own.map(|certificate| names_of_certificate(certificate).into()).unwrap_or_default()
}

/// The connections, and the task that takes them: dropping it closes the port.
struct Incoming {
    stream: ReceiverStream<io::Result<Connection>>,
    _tasks: JoinSet<()>,
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.stream).poll_next(context)
    }
}

/// One connection. Reading from it fails when the peer does not begin in time.
pub(crate) struct Connection {
    stream: Either<TcpStream, TlsStream<TcpStream>>,
    peer: Peer,
    opening: Option<Opening>,
    _permit: OwnedSemaphorePermit,
}

struct Opening {
    bytes_left: usize,
    late: Pin<Box<Sleep>>,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let Some(opening) = &mut self.opening else { return polled };
        let read = buffer.filled().len().saturating_sub(before);
        opening.bytes_left = opening.bytes_left.saturating_sub(read);
        if opening.bytes_left == 0 {
            self.opening = None;
            return polled;
        }
        if opening.late.as_mut().poll(context).is_ready() {
            tracing::info!(peer = %self.peer.address, "closing a connection of {} that does not begin", self.peer.address);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_stream::StreamExt as _;

    use super::*;

    async fn reception(
        handshake_wait_max: Duration,
        connections_max: usize,
    ) -> (SocketAddr, impl Stream<Item = io::Result<Connection>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let reception = Reception {
            door: Arc::new(Door::open()),
            connections: Arc::new(Semaphore::new(connections_max)),
            handshake_wait_max,
        };
        (address, reception.incoming(listener))
    }

    #[tokio::test]
    async fn a_peer_that_does_not_begin_is_let_go() {
        let (address, mut incoming) = reception(Duration::from_millis(50), 8).await;
        let mut slow = TcpStream::connect(address).await.unwrap();
        let mut taken = incoming.next().await.unwrap().unwrap();
        slow.write_all(&[b'P'; OPENING_BYTES - 1]).await.unwrap();
        let fault = taken.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_peer_that_has_begun_may_be_silent() {
        let (address, mut incoming) = reception(Duration::from_millis(50), 8).await;
        let mut peer = TcpStream::connect(address).await.unwrap();
        let mut taken = incoming.next().await.unwrap().unwrap();
        peer.write_all(&[b'P'; OPENING_BYTES]).await.unwrap();
        taken.read_exact(&mut [0; OPENING_BYTES]).await.unwrap();
        let silence = timeout(Duration::from_millis(150), taken.read(&mut [0])).await;
        assert!(silence.is_err(), "{silence:?}");
    }

    #[tokio::test]
    async fn one_connection_too_many_is_closed_and_makes_room_when_another_ends() {
        let (address, mut incoming) = reception(HANDSHAKE_WAIT_MAX, 1).await;
        let _first = TcpStream::connect(address).await.unwrap();
        let taken = incoming.next().await.unwrap().unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        assert_eq!(second.read(&mut [0]).await.unwrap(), 0, "closed");
        drop(taken);
        let _third = TcpStream::connect(address).await.unwrap();
        incoming.next().await.unwrap().unwrap();
    }
}
