//! Processes that an attempt left behind, by the name that it gave them.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The host's own time to end what is left, and some more for a slow machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits until no process is called `marker`; kills and counts those that stay.
pub async fn left_behind(marker: &str) -> usize {
    const PAUSE: Duration = Duration::from_millis(20);
    // A process that was just started takes a moment to take its name.
    const A_MOMENT: Duration = Duration::from_millis(100);
    sleep(A_MOMENT).await;
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if called(marker).is_empty() {
            return 0;
        }
        sleep(PAUSE).await;
    }
    let left = called(marker);
    for pid in &left {
        // The name is a random one of this check's: nobody else's process has it.
        kill_process(*pid, Signal::KILL).ok();
    }
    left.len()
}

fn called(marker: &str) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_it = |pid: &Pid| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm"));
        name.is_ok_and(|name| name.trim_end() == marker)
    };
    entries
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .filter(is_it)
        .collect()
}
