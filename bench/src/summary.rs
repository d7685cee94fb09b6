//! One measured window in numbers.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::measure::Tally;

/// What one window of one scene came to.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Units a second: calls, mutations or pairs, as the scene's mix says.
    pub per_second: f64,
    /// From due to done.
    pub latency: Latency,
    /// From sent to done; the same in a closed loop.
    pub service: Latency,
    /// Refused for want of room, a second.
    pub refused_per_second: f64,
    /// The part of the refusals that say when to try again: all of none.
    pub refused_with_delay: f64,
    /// From sent to refused.
    pub refusal: Latency,
    /// What a unit takes of the processors.
    pub cpu: Cpu,
    /// The part of the machine that had other things to do: the more, the less the other numbers say.
    pub others: f64,
    /// The most memory that a process of the service had, in bytes.
    pub memory_bytes: u64,
}

/// Quantiles of a latency in milliseconds; all zero when there was nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Half of the calls are faster.
    pub p50_ms: f64,
    /// Nine of ten are faster.
    pub p90_ms: f64,
    /// 99 of 100 are faster.
    pub p99_ms: f64,
    /// 999 of 1,000 are faster.
    pub p999_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// Processor microseconds for each unit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cpu {
    /// Of the load generator.
    pub client_us: f64,
    /// Of the service.
    pub service_us: f64,
    /// Of a private PostgreSQL.
    pub database_us: f64,
    /// Of each of the service's processes, where it is made of several kinds: its name, and its part of `service_us`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processes_us: Vec<(&'static str, f64)>,
}

/// Processor time that was used in a window.
#[derive(Clone, Debug, Default)]
pub struct CpuTimes {
    /// By the load generator.
    pub client: Duration,
    /// By the service.
    pub service: Duration,
    /// By a private PostgreSQL.
    pub database: Duration,
    /// By everything that runs on the machine.
    pub machine: Duration,
    /// By each of the service's processes, where it is made of several kinds.
    pub processes: Vec<(&'static str, Duration)>,
}

impl Cpu {
    /// Returns all of it.
    pub fn total_us(&self) -> f64 {
        self.client_us + self.service_us + self.database_us
    }
}

impl CpuTimes {
    /// What was used since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let processes = self.processes.iter().zip(&before.processes);
        Self {
            processes: processes.map(|((name, after), (_, before))| (*name, after.saturating_sub(*before))).collect(),
            client: self.client.saturating_sub(before.client),
            service: self.service.saturating_sub(before.service),
            database: self.database.saturating_sub(before.database),
            machine: self.machine.saturating_sub(before.machine),
        }
    }

    /// Returns the part of all processors that something else used.
    fn others(&self, length: Duration) -> f64 {
        let ours = self.client + self.service + self.database;
        let processors = std::thread::available_parallelism()
            .map_or(1.0, |count| crate::float(u64::try_from(count.get()).unwrap_or(1)));
        self.machine.saturating_sub(ours).as_secs_f64() / (length.as_secs_f64() * processors)
    }
}

impl Summary {
    /// Draws up what was seen.
    pub fn of(tally: &Tally, length: Duration, cpu: &CpuTimes, memory_bytes: u64) -> Self {
        let units = crate::float(tally.units.max(1));
        let each_us = |time: Duration| time.as_secs_f64() * 1e6 / units;
        Self {
            per_second: crate::float(tally.units) / length.as_secs_f64(),
            latency: Latency::of(&tally.latency_us),
            service: Latency::of(&tally.service_us),
            refused_per_second: crate::float(tally.refused) / length.as_secs_f64(),
            refused_with_delay: match tally.refused {
                0 => 1.0,
                refused => crate::float(tally.refused_with_delay) / crate::float(refused),
            },
            refusal: Latency::of(&tally.refusal_us),
            cpu: Cpu {
                client_us: each_us(cpu.client),
                service_us: each_us(cpu.service),
                database_us: each_us(cpu.database),
                processes_us: cpu.processes.iter().map(|(name, time)| (*name, each_us(*time))).collect(),
            },
            others: cpu.others(length),
            memory_bytes,
        }
    }
}

impl Latency {
    fn of(histogram_us: &Histogram<u64>) -> Self {
        let quantile = |quantile| crate::float(histogram_us.value_at_quantile(quantile)) / 1e3;
        Self {
            p50_ms: quantile(0.5),
            p90_ms: quantile(0.9),
            p99_ms: quantile(0.99),
            p999_ms: quantile(0.999),
            max_ms: crate::float(histogram_us.max()) / 1e3,
        }
    }
}

/// Returns the value in the middle, the lower one of two; not a number for none.
///
/// # Shape
///
/// The windows of one scene come one after another on a machine that has other things to do: the middle one is worth more than the mean.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// Returns the window whose throughput is in the middle.
pub fn median_window(windows: &[Summary]) -> Option<&Summary> {
    let mut sorted: Vec<&Summary> = windows.iter().collect();
    sorted.sort_by(|one, other| one.per_second.total_cmp(&other.per_second));
    sorted.get(sorted.len().saturating_sub(1) / 2).copied()
}

/// Returns the median of the ratios, window by window.
///
/// # Shape
///
/// Windows of one round lie side by side in time: what disturbs the machine for a while disturbs both, and the ratio less.
pub fn ratio(subject: &[Summary], base: &[Summary], of: impl Fn(&Summary) -> f64) -> f64 {
    median(subject.iter().zip(base).map(|(subject, base)| of(subject) / of(base)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(units: u64, latencies_us: &[u64]) -> Tally {
        let mut tally = Tally { units, ..Tally::default() };
        for latency_us in latencies_us {
            tally.latency_us.saturating_record(*latency_us);
        }
        tally
    }

    fn window(per_second: u64) -> Summary {
        Summary::of(&tally(per_second, &[1_000]), Duration::from_secs(1), &CpuTimes::default(), 0)
    }

    #[test]
    fn a_window_is_drawn_up_per_second_and_per_unit() {
        let cpu = CpuTimes {
            client: Duration::from_secs(1),
            service: Duration::from_secs(2),
            database: Duration::ZERO,
            machine: Duration::from_secs(3),
            processes: vec![("front", Duration::from_millis(500)), ("behind", Duration::from_millis(1_500))],
        };
        let latencies_us: Vec<u64> = (1..=100).map(|ms| ms * 1_000).collect();
        let summary = Summary::of(&tally(10_000, &latencies_us), Duration::from_secs(4), &cpu, 77);
        assert!((summary.per_second - 2_500.0).abs() < 1e-9);
        assert!((summary.cpu.service_us - 200.0).abs() < 1e-9);
        assert_eq!(summary.cpu.processes_us, [("front", 50.0), ("behind", 150.0)]);
        assert!((summary.latency.p50_ms - 50.0).abs() < 0.1, "{}", summary.latency.p50_ms);
        assert!((summary.latency.p99_ms - 99.0).abs() < 0.1, "{}", summary.latency.p99_ms);
        assert_eq!(summary.memory_bytes, 77);
        assert!(summary.others.abs() < 1e-9, "nothing else was busy");
    }

    #[test]
    fn an_empty_window_divides_by_nothing() {
        let summary = Summary::of(&Tally::default(), Duration::from_secs(1), &CpuTimes::default(), 0);
        assert!(summary.per_second.abs() < 1e-9);
        assert_eq!(summary.latency, Latency::default());
        assert!((summary.refused_with_delay - 1.0).abs() < 1e-9);
    }

    #[test]
    fn one_disturbed_round_does_not_move_a_ratio() {
        let subject = [window(1_000), window(50), window(1_200)];
        let base = [window(100), window(100), window(100)];
        assert!((ratio(&subject, &base, |window| window.per_second) - 10.0).abs() < 1e-9);
        assert!((median_window(&subject).unwrap().per_second - 1_000.0).abs() < 1e-9);
        assert!(median([]).is_nan());
    }
}
