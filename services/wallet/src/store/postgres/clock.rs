//! The database's clock between two readings of it.
//!
//! A batch wants the time before it is decided, and whatever is written tells the time as well: what passed since then is counted on this machine. So a
//! batch of which all else is remembered asks the database nothing before it writes. What it writes fails where the database's clock is elsewhere by then.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auric_db::{DbTime, StoreError, Writes};
use auric_time::{Clock, Timestamp};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

/// How long a reading is gone by.
const AGE_MAX_MICROS: u64 = 1_000_000;

/// How long a statement may take that tells the time: at any moment of it the clock may have been read.
const TAKEN_MAX_MICROS: u64 = 50_000;

/// How far from the database's clock a batch may be that is written: the locks that it waits for count too.
const TOLERANCE: &str = "interval '1 second'";

/// The database's clock, as it was read lately.
#[derive(Debug)]
pub struct ReckonedClock {
    machine: Arc<dyn Clock>,
    reading: Mutex<Option<Reading>>,
}

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
struct Reading {
    database: Timestamp,
    machine: Timestamp,
}

/// A time that was reckoned, which nobody has compared with the database's clock yet.
#[derive(Clone, Debug)]
pub struct Reckoned {
    clock: Arc<ReckonedClock>,
    time: Timestamp,
}

impl ReckonedClock {
    /// A clock that was never read, beside the `machine`'s.
    pub fn new(machine: Arc<dyn Clock>) -> Self {
        Self { machine, reading: Mutex::default() }
    }

    /// What the machine's clock shows when a statement begins that [tells](Self::told) the time.
    pub fn begin(&self) -> Timestamp {
        self.machine.now()
    }

    /// Takes what a statement told, once it is over.
    pub fn told(&self, begun: Timestamp, database: Timestamp) {
        let machine = self.machine.now();
        // A machine's clock may have been set back meanwhile.
        if machine >= begun && machine.micros_since(begun) <= TAKEN_MAX_MICROS {
            *self.reading() = Some(Reading { database, machine });
        }
    }

    /// What the database's clock shows, as far as is known without asking; nothing where the last reading is old.
    pub fn now(self: &Arc<Self>) -> Option<Reckoned> {
        let reading = (*self.reading())?;
        let machine = self.machine.now();
        let passed = machine.micros_since(reading.machine);
        let is_fresh = machine >= reading.machine && passed <= AGE_MAX_MICROS;
        let time = reading.database.plus_micros(i64::try_from(passed).ok()?);
        is_fresh.then(|| Reckoned { clock: Arc::clone(self), time })
    }

    fn reading(&self) -> MutexGuard<'_, Option<Reading>> {
        // Replaced whole.
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reckoned {
    /// The time.
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    /// Has `writes` fail where the database's clock shows something else, and tell what it shows. Returns when it began.
    pub fn expect(&self, writes: &mut Writes) -> Timestamp {
        let time = writes.bind(DbTime(self.time));
        writes.expect(&format!("expect_time({time}, {TOLERANCE}) AS now"));
        self.clock.begin()
    }

    /// Takes what came of those writes. After a failure, whatever its reason, the clock is read before it is gone by again.
    ///
    /// # Errors
    ///
    /// Those of the writes.
    pub fn compared(&self, begun: Timestamp, written: Result<Option<PgRow>, StoreError>) -> Result<(), StoreError> {
        match written {
            Ok(row) => {
                if let Some(row) = row {
                    self.clock.told(begun, row.try_get::<DbTime, _>("now")?.0);
                }
                Ok(())
            }
            Err(error) => {
                *self.clock.reading() = None;
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

    use super::*;

    #[derive(Debug, Default)]
    struct Machine(AtomicI64);

    impl Clock for Machine {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.0.load(Relaxed))
        }
    }

    fn clocks() -> (Arc<Machine>, Arc<ReckonedClock>) {
        let machine = Arc::new(Machine::default());
        (Arc::clone(&machine), Arc::new(ReckonedClock::new(machine)))
    }

    fn now(clock: &Arc<ReckonedClock>) -> Option<i64> {
        clock.now().map(|reckoned| reckoned.time().micros())
    }

    #[test]
    fn what_passed_since_the_reading_is_added_until_it_is_old() {
        let (machine, clock) = clocks();
        assert_eq!(now(&clock), None);
        let begun = clock.begin();
        machine.0.store(30, Relaxed);
        clock.told(begun, Timestamp::from_micros(5_000));
        machine.0.store(40, Relaxed);
        assert_eq!(now(&clock), Some(5_010));
        machine.0.store(1_000_030, Relaxed);
        assert_eq!(now(&clock), Some(1_005_000));
        machine.0.store(1_000_031, Relaxed);
        assert_eq!(now(&clock), None);
    }

    #[test]
    fn a_slow_statement_tells_nothing() {
        let (machine, clock) = clocks();
        let begun = clock.begin();
        machine.0.store(50_001, Relaxed);
        clock.told(begun, Timestamp::from_micros(5_000));
        assert_eq!(now(&clock), None);
    }

    #[test]
    fn a_machine_that_was_set_back_tells_nothing() {
        let (machine, clock) = clocks();
        machine.0.store(100, Relaxed);
        clock.told(clock.begin(), Timestamp::from_micros(5_000));
        machine.0.store(99, Relaxed);
        assert_eq!(now(&clock), None);
        let begun = Timestamp::from_micros(100);
        clock.told(begun, Timestamp::from_micros(9_000));
        machine.0.store(100, Relaxed);
        assert_eq!(now(&clock), Some(5_000));
    }
}
