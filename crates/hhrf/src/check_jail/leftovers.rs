//! Finds processes that an attempt has left running, by the name that it gave them.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The time that the host itself takes to kill them, with a margin for a slow machine.
const TIME_MAX: Duration = Duration::from_secs(2);

/// Waits until no process has the name `marker`; after 2 seconds it kills and counts those that are left.
pub(super) async fn scan(marker: &str) -> usize {
    const INTERVAL: Duration = Duration::from_millis(20);
    // A new process needs some time until it has set its name.
    const START_DELAY: Duration = Duration::from_millis(100);
    sleep(START_DELAY).await;
    let start = Instant::now();
    while start.elapsed() < TIME_MAX {
        if named(marker).is_empty() {
            return 0;
        }
        sleep(INTERVAL).await;
    }
    let left = named(marker);
    for pid in &left {
        // The name is random and belongs to this check: no other process has it.
        kill_process(*pid, Signal::KILL).ok();
    }
    left.len()
}

fn named(marker: &str) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let has_name = |pid: &Pid| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm"));
        name.is_ok_and(|name| name.trim_end() == marker)
    };
    entries
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .filter(has_name)
        .collect()
}
