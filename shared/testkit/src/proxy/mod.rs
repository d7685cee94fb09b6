//! A TCP proxy that does to connections what networks do, and can be told so while they are in use.
//!
//! Between a client and a server on loopback everything arrives, at once and in order. A [`Proxy`] in between takes that away: it delays, resets,
//! stops one direction or both, and loses an answer after its effect. What it stops is held, as a network holds what it sends again, and arrives once
//! the fault is over; what it resets is gone.

mod carry;
mod frames;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What happens to everything that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: all arrives.
    None,
    /// Every piece arrives later, in each direction.
    Latency(Duration),
    /// One in so many answers of an HTTP/2 server is thrown away, and its connection reset: the request had its effect.
    LosesAnswers {
        /// 1 loses every answer.
        one_in: u64,
    },
    /// Nothing arrives in this direction, and nobody is told.
    Stops(Direction),
    /// Connections are reset, new ones too.
    Gone,
}

/// Where bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Requests.
    ToServer,
    /// Answers.
    ToClient,
    /// All of it.
    Both,
}

/// What all connections obey.
#[derive(Clone, Copy, Debug)]
struct Orders {
    fault: Fault,
    /// Connections with a lower number are reset.
    reset_below: u64,
    /// Connections with a lower number never carry anything again.
    stranded_below: u64,
}

#[derive(Debug, Default)]
struct Counts {
    answers: AtomicU64,
    lost: AtomicU64,
    /// Connections that the client ended.
    left: watch::Sender<u64>,
    /// Whether the next answer is to be lost, whatever the fault is.
    loses_next: AtomicBool,
}

/// Listens on a port of its own and carries what comes to `upstream`; gone when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    orders: watch::Sender<Orders>,
    accepted: watch::Receiver<u64>,
    counts: Arc<Counts>,
    _listening: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free port of loopback.
    ///
    /// # Errors
    ///
    /// There is none.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (orders, obeyed) = watch::channel(Orders { fault: Fault::None, reset_below: 0, stranded_below: 0 });
        let (count, accepted) = watch::channel(0);
        let counts = Arc::new(Counts::default());
        let mut listening = JoinSet::new();
        listening.spawn(listen(listener, upstream, obeyed, count, Arc::clone(&counts)));
        Ok(Self { address, orders, accepted, counts, _listening: listening })
    }

    /// Gives where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what happens from now on, to connections that are open too.
    pub fn set(&self, fault: Fault) {
        self.orders.send_modify(|orders| orders.fault = fault);
    }

    /// Resets every connection that is open.
    pub fn reset(&self) {
        let below = self.accepted();
        self.orders.send_modify(|orders| orders.reset_below = below);
    }

    /// Stops every connection that is open, for ever and without a word; new ones are carried.
    pub fn strand(&self) {
        let below = self.accepted();
        self.orders.send_modify(|orders| orders.stranded_below = below);
    }

    /// Waits until clients ended so many connections, the stranded ones included.
    pub async fn wait_for_left(&self, count: u64) {
        // The sender lives as long as this.
        let _ = self.counts.left.subscribe().wait_for(|&left| left >= count).await;
    }

    /// Throws the next answer of an HTTP/2 server away, and resets its connection.
    pub fn lose_next(&self) {
        self.counts.loses_next.store(true, Ordering::Relaxed);
    }

    /// Counts the connections that were ever accepted.
    pub fn accepted(&self) -> u64 {
        *self.accepted.borrow()
    }

    /// Waits until so many connections were accepted.
    pub async fn wait_for_accepted(&self, count: u64) {
        // The sender lives as long as the listener, which is as long as this.
        let _ = self.accepted.clone().wait_for(|&accepted| accepted >= count).await;
    }

    /// Counts the answers that were lost.
    pub fn lost(&self) -> u64 {
        self.counts.lost.load(Ordering::Relaxed)
    }
}

async fn listen(
    listener: TcpListener,
    upstream: SocketAddr,
    orders: watch::Receiver<Orders>,
    accepted: watch::Sender<u64>,
    counts: Arc<Counts>,
) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let number = *accepted.borrow();
        accepted.send_modify(|count| *count = count.saturating_add(1));
        if orders.borrow().fault == Fault::Gone {
            reset(&client);
            continue;
        }
        let (orders, counts) = (orders.clone(), Arc::clone(&counts));
        connections.spawn(carry::carry(client, upstream, number, orders, counts));
    }
}

/// Makes the end of a connection a reset: the other side must not take it for a goodbye.
fn reset(stream: &TcpStream) {
    // One that is gone already was reset by somebody else.
    let _ = stream.set_zero_linger();
}
