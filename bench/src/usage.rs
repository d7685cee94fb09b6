//! What processes take of the machine, read from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Ticks of `/proc/PID/stat` in a second; the kernel's `USER_HZ` is 100 on every architecture that Auric is built for.
const TICKS_PER_SECOND: u64 = 100;

/// How often memory is looked at during a run.
const MEMORY_POLL: Duration = Duration::from_millis(200);

/// Returns the resident memory of a process in bytes; zero when it is gone.
pub fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    resident_in(&status)
}

fn resident_in(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")).and_then(|digits| digits.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}

/// Returns the processor time that a process has used.
pub fn cpu_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat_of(&stat).map(|stat| stat.cpu).unwrap_or_default()
}

/// Returns the processor time of a process and all its children that live now.
pub fn cpu_time_of_tree(pid: u32) -> Duration {
    let mut stats = HashMap::new();
    for folder in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let text = fs::read_to_string(folder.path().join("stat")).unwrap_or_default();
        if let Some(stat) = stat_of(&text) {
            stats.insert(stat.pid, stat);
        }
    }
    stats.values().filter(|stat| stat.pid == pid || stat.parent == pid).map(|stat| stat.cpu).sum()
}

/// Returns the time that all processors together were busy since the machine started.
pub fn busy_time() -> Duration {
    busy_in(&fs::read_to_string("/proc/stat").unwrap_or_default())
}

/// # Source
///
/// proc(5): user, nice, system, idle, iowait, irq, softirq, steal; the guest times after these are counted in them already.
fn busy_in(stat: &str) -> Duration {
    let all = stat.lines().next().and_then(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    let ticks: Vec<u64> = all.split_whitespace().take(8).map_while(|field| field.parse().ok()).collect();
    let busy: u64 = ticks.iter().enumerate().filter(|(index, _)| ![3, 4].contains(index)).map(|(_, ticks)| ticks).sum();
    Duration::from_millis(busy * 1_000 / TICKS_PER_SECOND)
}

struct Stat {
    pid: u32,
    parent: u32,
    cpu: Duration,
}

/// # Source
///
/// proc(5): the name in brackets may hold anything; after it the second field is the parent, the twelfth and thirteenth are user and system time.
fn stat_of(text: &str) -> Option<Stat> {
    let (front, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Stat {
        pid: front.split_whitespace().next()?.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        cpu: Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND),
    })
}

/// Follows the memory of processes until it is asked for the most that each had.
#[derive(Debug)]
pub struct MemoryWatch {
    peaks: Arc<Mutex<HashMap<u32, u64>>>,
    stop: CancellationToken,
    task: JoinSet<()>,
}

impl MemoryWatch {
    /// Begins to look.
    pub fn start(pids: Vec<u32>) -> Self {
        let peaks = Arc::new(Mutex::new(HashMap::new()));
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(look(pids, Arc::clone(&peaks), stop.clone()));
        Self { peaks, stop, task }
    }

    /// Returns the most bytes that each process had.
    pub async fn peaks(mut self) -> HashMap<u32, u64> {
        self.stop.cancel();
        while self.task.join_next().await.is_some() {}
        self.peaks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn look(pids: Vec<u32>, peaks: Arc<Mutex<HashMap<u32, u64>>>, stop: CancellationToken) {
    loop {
        for pid in &pids {
            let bytes = resident_bytes(*pid);
            let mut peaks = peaks.lock().unwrap_or_else(PoisonError::into_inner);
            let peak = peaks.entry(*pid).or_default();
            *peak = bytes.max(*peak);
        }
        if stop.run_until_cancelled(tokio::time::sleep(MEMORY_POLL)).await.is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(resident_in("Name:\tauric\nVmHWM:\t   50000 kB\nVmRSS:\t   41984 kB\n"), 41_984 * 1_024);
        assert_eq!(resident_in(""), 0);
    }

    #[test]
    fn processor_time_is_user_and_system_time_whatever_the_name() {
        let text = "17 (a) b) c) S 4 17 17 0 -1 4194560 100 0 0 0 250 50 7 7 20 0 4 0 100 1 1";
        let stat = stat_of(text).unwrap();
        assert_eq!((stat.pid, stat.parent, stat.cpu), (17, 4, Duration::from_secs(3)));
    }

    #[test]
    fn a_processor_is_busy_with_everything_but_waiting() {
        let text = "cpu  100 10 50 9000 900 5 5 30 7 7\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(busy_in(text), Duration::from_secs(2));
        assert_eq!(busy_in(""), Duration::ZERO);
    }

    #[tokio::test]
    async fn this_process_has_memory() {
        let pid = std::process::id();
        let peaks = MemoryWatch::start(vec![pid]).peaks().await;
        assert!(peaks[&pid] > 0);
    }
}
