//! The resident memory of a worker's processes, as /proc tells it.

use rustix::param::page_size;
use rustix::process::Pid;
use std::fs;

/// A worker is a handful of processes: a wrapper, the jail's supervisor, its first process, and itself. The jail lets a
/// function start no more.
const PROCESSES_MAX: usize = 64;

/// The resident memory of a process and of all that it started, in bytes: the largest of them, since the jail's own
/// processes share their pages with it. `None` where /proc doesn't show it.
pub(super) fn resident_bytes(root: Pid) -> Option<u64> {
    let mut left = vec![root.to_string()];
    let mut largest = None;
    for _ in 0..PROCESSES_MAX {
        let Some(process) = left.pop() else { break };
        largest = largest.max(of_process(&process));
        left.extend(children(&process));
    }
    largest
}

/// The second field of /proc/PID/statm, in pages (proc(5)).
fn of_process(process: &str) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * page_size() as u64)
}

fn children(process: &str) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_a_large_child_is_large() {
        let own = rustix::process::getpid();
        let before = resident_bytes(own).unwrap();
        assert!(before > 1 << 20, "{before}");
        let text = "x".repeat(64 << 20);
        assert!(text.len() == 64 << 20 && resident_bytes(own).unwrap() >= before + (48 << 20));
    }
}
