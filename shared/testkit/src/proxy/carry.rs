//! One connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::frames::Frames;
use super::{Counts, Direction, Fault, Orders, reset};

/// How much is carried at once.
const PIECE_BYTES: usize = 16 * 1024;

/// Why a direction carries nothing any more.
enum End {
    /// One side said goodbye.
    Closed,
    /// An answer was thrown away, or the other side is gone.
    Broken,
}

/// Carries both directions until one of them ends, or the connection is told to.
pub(super) async fn carry(
    mut client: TcpStream,
    upstream: SocketAddr,
    number: u64,
    orders: watch::Receiver<Orders>,
    counts: Arc<Counts>,
) {
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        reset(&client);
        return;
    };
    // Nagle would add a latency that nobody asked for; without these it is merely slow.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let mut told = orders.clone();
    let is_told = told.wait_for(|orders| orders.fault == Fault::Gone || number < orders.reset_below);
    let end = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let way = |direction| Way { direction, number, orders: orders.clone(), counts: &counts };
        tokio::select! {
            end = way(Direction::ToServer).pass(from_client, to_server) => end.unwrap_or(End::Broken),
            end = way(Direction::ToClient).pass(from_server, to_client) => end.unwrap_or(End::Broken),
            _ = is_told => End::Broken,
        }
    };
    if matches!(end, End::Broken) {
        reset(&client);
        reset(&server);
    }
}

/// One direction.
struct Way<'a> {
    direction: Direction,
    number: u64,
    orders: watch::Receiver<Orders>,
    counts: &'a Counts,
}

impl Way<'_> {
    async fn pass(mut self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<End> {
        let mut piece = vec![0; PIECE_BYTES];
        let mut frames = Frames::default();
        loop {
            let read = from.read(&mut piece).await;
            let is_over = !matches!(read, Ok(1..));
            if is_over && self.direction == Direction::ToServer {
                self.counts.left.send_modify(|count| *count = count.saturating_add(1));
            }
            if self.number < self.orders.borrow().stranded_below && !is_over {
                // Read all the same, so that the client is seen to leave.
                continue;
            }
            self.wait().await;
            if is_over {
                return read.map(|_| End::Closed);
            }
            let piece = &piece[..read?];
            if self.direction == Direction::ToClient && self.loses(frames.answers_in(piece)) {
                return Ok(End::Broken);
            }
            to.write_all(piece).await?;
        }
    }

    /// Holds a piece for as long as the fault lasts.
    async fn wait(&mut self) {
        let (direction, number) = (self.direction, self.number);
        let passes = |orders: &Orders| {
            let is_stopped = match orders.fault {
                Fault::Stops(stopped) => stopped == Direction::Both || stopped == direction,
                _ => false,
            };
            !is_stopped && number >= orders.stranded_below
        };
        let Ok(orders) = self.orders.wait_for(passes).await.map(|orders| *orders) else { return };
        if let Fault::Latency(latency) = orders.fault {
            tokio::time::sleep(latency).await;
        }
    }

    /// Tells whether one of so many more answers is to be lost.
    fn loses(&self, answers: u64) -> bool {
        let before = self.counts.answers.fetch_add(answers, Ordering::Relaxed);
        let is_turn = match self.orders.borrow().fault {
            Fault::LosesAnswers { one_in } => {
                let turn = |count: u64| count.checked_div(one_in).unwrap_or_default();
                turn(before.saturating_add(answers)) > turn(before)
            }
            _ => false,
        };
        let is_lost = is_turn || (answers > 0 && self.counts.loses_next.swap(false, Ordering::Relaxed));
        self.counts.lost.fetch_add(u64::from(is_lost), Ordering::Relaxed);
        is_lost
    }
}
