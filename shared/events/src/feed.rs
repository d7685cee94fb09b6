//! Reading the outbox: pages behind a cursor, and what comes after them.

use std::sync::Arc;
use std::time::Duration;

use auric_db::StoreError;
use auric_time::Timestamp;
use futures::{Stream, stream};
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::store::{Found, Outbox, OutboxRow};
use crate::{Cursor, EventId, EventsConfig, Happened, Noted, Place, Pruned, figures};

/// Rows of one read at most: each has the events of a batch.
const ROWS_MAX: u32 = 32;

/// Reads of one page at most: what a filter leaves out is read all the same.
const READS_MAX: usize = 16;

/// The shortest time between two looks of a watch that has seen everything.
const LOOK_EVERY_MIN: Duration = Duration::from_millis(10);

/// The longest time between two such looks: other copies do not tell.
const LOOK_EVERY_MAX: Duration = Duration::from_millis(200);

/// How long a watch says nothing at most.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);

/// What a service tells of itself.
#[derive(Clone, Debug)]
pub struct Feed {
    source: &'static str,
    outbox: Outbox,
    committed: Arc<watch::Sender<()>>,
    closing: CancellationToken,
    keep: Duration,
}

/// From where to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// Behind what was read before.
    After(Cursor),
    /// From the oldest event that is kept.
    Oldest,
    /// From now on.
    Now,
}

/// Which events a reader wants.
pub type Filter<T> = Arc<dyn Fn(&Noted<T>) -> bool + Send + Sync>;

/// Some events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<E> {
    /// In an order that keeps each player's.
    pub events: Vec<E>,
    /// Where to go on.
    pub cursor: Cursor,
    /// Whether there may be more already.
    pub more: bool,
}

/// Why nothing can be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// Events behind the cursor are not kept any more: the reader was away for too long. Begin anew.
    #[error("events of lane {lane} after {seq} are not kept any more")]
    Pruned {
        /// The lane.
        lane: i16,
        /// How far the cursor is in it.
        seq: u64,
    },
    /// The cursor knows of events that are not there: the database is an older copy of itself. Begin anew.
    #[error("the cursor is at {seq} of lane {lane}, which is not what is there")]
    Ahead {
        /// The lane.
        lane: i16,
        /// How far the cursor is in it.
        seq: u64,
    },
    /// The machinery failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Feed {
    /// The feed of `source`, such as `wallet`; its watches end when `closing` is cancelled.
    #[must_use]
    pub fn new(source: &'static str, outbox: Outbox, closing: CancellationToken) -> Self {
        let keep = EventsConfig::default().keep();
        Self { source, outbox, committed: Arc::new(watch::Sender::new(())), closing, keep }
    }

    /// The same, keeping events for `keep` at least.
    #[must_use]
    pub fn keeping(self, keep: Duration) -> Self {
        Self { keep, ..self }
    }

    /// Whose it is.
    #[must_use]
    pub const fn source(&self) -> &'static str {
        self.source
    }

    /// Its outbox.
    #[must_use]
    pub const fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Tells those who wait that so many events were committed.
    pub fn committed(&self, events: usize) {
        if events > 0 {
            figures::written(self.source, events);
            self.committed.send_replace(());
        }
    }

    /// Deletes up to `rows_max` batches of events that are older than they are kept; see [`Outbox::prune`].
    ///
    /// # Errors
    ///
    /// [`StoreError`]; what was deleted before stays so.
    pub async fn prune(&self, rows_max: u32) -> Result<Pruned, StoreError> {
        let pruned = self.outbox.prune(self.keep, rows_max).await?;
        figures::pruned(self.source, pruned.rows);
        Ok(pruned)
    }

    /// Finds the cursor that `start` stands for.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn begin(&self, start: Start) -> Result<Cursor, StoreError> {
        match start {
            Start::After(cursor) if !cursor.is_oldest() => Ok(cursor),
            Start::After(_) | Start::Oldest => self.outbox.start().await,
            Start::Now => self.outbox.end().await,
        }
    }

    /// Reads up to `events_max` events behind `cursor` for `reader`.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub async fn page<T: DeserializeOwned>(
        &self,
        reader: &str,
        cursor: Cursor,
        events_max: usize,
        filter: &Filter<T>,
    ) -> Result<Page<Happened<T>>, ReadError> {
        let mut page = Page { events: Vec::new(), cursor, more: true };
        let mut lag_micros = 0;
        for _ in 0..READS_MAX {
            let found = self.outbox.read(&page.cursor, ROWS_MAX).await?;
            check(&page.cursor, &found)?;
            page.more = !found.rows.is_empty();
            lag_micros = 0;
            for row in &found.rows {
                lag_micros = found.now.micros_since(row.time);
                take(&mut page, row, events_max, filter)?;
                if page.events.len() >= events_max {
                    break;
                }
            }
            if !page.more || page.events.len() >= events_max {
                break;
            }
        }
        figures::read(self.source, reader, page.events.len(), Duration::from_micros(lag_micros).as_secs_f64());
        Ok(page)
    }

    /// Reads what is behind `cursor` by `read`, and goes on as it comes; says where it stands now and then.
    ///
    /// # Shape
    ///
    /// The first page comes at once, empty or not. The stream ends when the service is about to stop, and after an error.
    ///
    /// # Cancellation
    ///
    /// Nothing is read ahead of whoever takes the pages.
    pub fn watch<E, X, R, P>(self, cursor: Cursor, read: R) -> impl Stream<Item = Result<Page<E>, X>> + Send
    where
        R: Fn(Cursor) -> P + Send,
        P: Future<Output = Result<Page<E>, X>> + Send,
        E: Send,
        X: Send,
    {
        let committed = self.committed.subscribe();
        let watch = Watch { closing: self.closing, cursor, read, committed, said: None };
        stream::try_unfold(watch, Watch::next)
    }
}

/// A watch between two of its pages.
struct Watch<R> {
    closing: CancellationToken,
    cursor: Cursor,
    read: R,
    committed: watch::Receiver<()>,
    /// When it said something last.
    said: Option<Instant>,
}

impl<R> Watch<R> {
    async fn next<E, X, P>(mut self) -> Result<Option<(Page<E>, Self)>, X>
    where
        R: Fn(Cursor) -> P,
        P: Future<Output = Result<Page<E>, X>>,
    {
        loop {
            if self.closing.is_cancelled() {
                return Ok(None);
            }
            self.committed.mark_unchanged();
            let page = (self.read)(self.cursor.clone()).await?;
            self.cursor.clone_from(&page.cursor);
            let is_due = self.said.is_none_or(|said| said.elapsed() >= HEARTBEAT_EVERY);
            if is_due || !page.events.is_empty() {
                self.said = Some(Instant::now());
                return Ok(Some((page, self)));
            }
            if !page.more {
                self.wait().await;
            }
        }
    }

    /// Waits until there may be more, or the service is about to stop.
    async fn wait(&mut self) {
        let looking = async {
            sleep(LOOK_EVERY_MIN).await;
            tokio::select! {
                _ = self.committed.changed() => {}
                () = sleep(LOOK_EVERY_MAX) => {}
            }
        };
        self.closing.run_until_cancelled(looking).await;
    }
}

/// Tests that the lanes are those that the cursor comes from.
fn check(cursor: &Cursor, found: &Found) -> Result<(), ReadError> {
    for state in &found.lanes {
        let (lane, place) = (state.lane, cursor.place(state.lane));
        let is_other = |time: Timestamp| place.time != Timestamp::EPOCH && place.time != time;
        if state.last_seq < place.seq || state.read_time.is_some_and(is_other) {
            return Err(ReadError::Ahead { lane, seq: place.seq });
        }
        if !state.has_more && state.last_seq > place.seq {
            return Err(ReadError::Pruned { lane, seq: place.seq });
        }
    }
    Ok(())
}

/// Adds the events of `row` to the page, as far as they fit.
fn take<T: DeserializeOwned>(
    page: &mut Page<Happened<T>>,
    row: &OutboxRow,
    events_max: usize,
    filter: &Filter<T>,
) -> Result<(), ReadError> {
    let place = page.cursor.place(row.lane);
    if row.seq != place.seq.saturating_add(1) {
        return Err(ReadError::Pruned { lane: row.lane, seq: place.seq });
    }
    let noted: Vec<Noted<T>> = serde_json::from_str(&row.body)
        .map_err(|error| StoreError::Corrupt(format!("row {} of lane {} of the outbox: {error}", row.seq, row.lane)))?;
    let skipped = usize::try_from(place.part).unwrap_or(usize::MAX);
    for (index, noted) in (0_u32..).zip(noted).skip(skipped) {
        if page.events.len() >= events_max {
            page.cursor.set(row.lane, Place { part: index, ..place });
            return Ok(());
        }
        if filter(&noted) {
            let Noted(player, version, what) = noted;
            let id = EventId { lane: row.lane, seq: row.seq, index };
            page.events.push(Happened { id, player, version, time: row.time, what });
        }
    }
    page.cursor.set(row.lane, Place { seq: row.seq, time: row.time, part: 0 });
    Ok(())
}
