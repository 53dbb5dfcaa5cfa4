//! What is left of a host's requests: processes, descriptors, memory.

use super::{Host, wait_for};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// A count of what a host holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Census {
    /// Processes whose command line names the host's root, but for the host itself: runners, and what they forked.
    pub(crate) processes: usize,
    /// Children of the host, zombies among them.
    pub(crate) children: usize,
    /// Open descriptors of the host.
    pub(crate) descriptors: usize,
}

impl Census {
    pub(crate) fn of(host: &Host) -> Self {
        let own = host.pid().as_raw_nonzero().get().to_string();
        let tasks = fs::read_dir(format!("/proc/{own}/task")).unwrap().flatten();
        let children = |task: PathBuf| {
            fs::read_to_string(task.join("children")).unwrap_or_default().split_whitespace().count()
        };
        Self {
            processes: of_requests(host).len(),
            children: tasks.map(|task| children(task.path())).sum(),
            descriptors: fs::read_dir(format!("/proc/{own}/fd")).unwrap().count(),
        }
    }

    /// What a host holds when it has tidied up, connections that were just closing included.
    pub(crate) fn settled(host: &Host) -> Self {
        const A_MOMENT: Duration = Duration::from_millis(100);
        wait_for("the end of every process and connection", || {
            let census = Some(Self::of(host)).filter(Self::is_quiet)?;
            std::thread::sleep(A_MOMENT);
            Some(Self::of(host)).filter(|again| *again == census)
        })
    }

    /// Waits until the host holds no more than it did; what stays beyond all patience is a leak.
    pub(crate) fn wait_for_no_more_than(before: &Self, host: &Host) {
        wait_for("what was there before, and no more", || {
            let now = Some(Self::of(host)).filter(Self::is_quiet)?;
            (now.descriptors <= before.descriptors).then_some(())
        });
    }

    /// Nothing runs and nothing is to be reaped.
    pub(crate) fn is_quiet(&self) -> bool {
        self.processes == 0 && self.children == 0
    }
}

/// The folders in /proc of all processes but the host's own whose command line names its root.
pub(crate) fn of_requests(host: &Host) -> Vec<PathBuf> {
    let own = host.pid().as_raw_nonzero().get().to_string();
    let root = host.site.root().to_str().unwrap();
    let names_root = |process: &PathBuf| {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(root)
    };
    let others = processes().filter(|pid| *pid != own).map(|pid| PathBuf::from("/proc").join(pid));
    others.filter(names_root).collect()
}

fn processes() -> impl Iterator<Item = String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Sockets that a host holds open: its listeners' and its connections'.
pub(crate) fn sockets_of(host: &Host) -> usize {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", host.pid().as_raw_nonzero())).unwrap().flatten();
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

/// Resident memory of a host, in KiB.
pub(crate) fn resident_kib(host: &Host) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", host.pid().as_raw_nonzero())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

impl Census {
    /// Processes left of a host that has ended.
    pub(crate) fn of_dead(host: &Host) -> usize {
        let root = host.site.root().to_str().unwrap().to_owned();
        let of_root = processes().filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&root)
        });
        of_root.count()
    }
}

/// The folder in /proc of a module's process that runs in a PID namespace of its own, seen from outside. Waits for it.
pub(crate) fn inside(host: &Host) -> PathBuf {
    let root = host.site.root().to_str().unwrap();
    let is_inside = |process: &PathBuf| {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        let ids = status.lines().find(|line| line.starts_with("NSpid:")).unwrap_or_default();
        // The ids of the process in each PID namespace that it is in; the first process is 1.
        String::from_utf8_lossy(&line).contains(root)
            && ids.split_whitespace().count() > 2
            && !ids.ends_with("\t1")
    };
    wait_for("a process inside", || processes().map(|pid| PathBuf::from("/proc").join(pid)).find(is_inside))
}
