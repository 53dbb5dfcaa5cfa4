//! The leftover scan: which processes, descriptors and memory a host's requests leave.

use super::{Host, wait_for};
use rustix::process::Pid;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Counts of what a host holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leftovers {
    /// Processes whose command line has the host's root, without the host: runners, and processes that they forked.
    pub(crate) processes: usize,
    /// Children of the host, zombies among them.
    pub(crate) children: usize,
    /// Open descriptors of the host.
    pub(crate) descriptors: usize,
}

impl Leftovers {
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

    /// What a host holds when it is idle and closing connections are gone.
    pub(crate) fn settled(host: &Host) -> Self {
        const A_MOMENT: Duration = Duration::from_millis(100);
        wait_for("the end of every process and connection", || {
            let leftovers = Some(Self::of(host)).filter(Self::is_quiet)?;
            std::thread::sleep(A_MOMENT);
            Some(Self::of(host)).filter(|again| *again == leftovers)
        })
    }

    /// Waits until the host holds no more than before. What it still holds at the deadline is a leak.
    pub(crate) fn wait_for_no_more_than(before: &Self, host: &Host) {
        wait_for("no more descriptors than before", || {
            let now = Some(Self::of(host)).filter(Self::is_quiet)?;
            (now.descriptors <= before.descriptors).then_some(())
        });
    }

    /// What a host holds when nothing changes any more, including zygotes and idle processes.
    pub(crate) fn at_rest(host: &Host) -> Self {
        const A_WHILE: Duration = Duration::from_millis(300);
        wait_for("stable counts", || {
            let leftovers = Self::of(host);
            std::thread::sleep(A_WHILE);
            (Self::of(host) == leftovers).then_some(leftovers)
        })
    }

    /// Waits until every count is at most what it was before.
    pub(crate) fn wait_for_at_most(before: &Self, host: &Host) {
        wait_for("no more of anything than before", || {
            let now = Self::of(host);
            let is_within = now.processes <= before.processes
                && now.children <= before.children
                && now.descriptors <= before.descriptors;
            is_within.then_some(())
        });
    }

    /// No process runs and none remains to be reaped.
    pub(crate) fn is_quiet(&self) -> bool {
        self.processes == 0 && self.children == 0
    }
}

/// The folders in /proc of all processes except the host whose command line has the host's root.
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

/// The number of a host's open sockets: listeners and connections.
pub(crate) fn sockets_of(host: &Host) -> usize {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", host.pid().as_raw_nonzero())).unwrap().flatten();
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

/// Resident memory of a host, in KiB.
pub(crate) fn resident_kib(host: &Host) -> usize {
    status_kib(host, "VmRSS:")
}

/// The most that it has had so far.
pub(crate) fn peak_kib(host: &Host) -> usize {
    status_kib(host, "VmHWM:")
}

fn status_kib(host: &Host, key: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", host.pid().as_raw_nonzero())).unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

impl Leftovers {
    /// The number of processes that a host left when it ended.
    pub(crate) fn of_dead(host: &Host) -> usize {
        let root = host.site.root().to_str().unwrap().to_owned();
        let of_root = processes().filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&root)
        });
        of_root.count()
    }
}

/// Waits for a module's process in a PID namespace of its own and returns its folder in /proc, seen from outside.
pub(crate) fn inside(host: &Host) -> PathBuf {
    let root = host.site.root().to_str().unwrap();
    let is_inside = |process: &PathBuf| {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        let ids = status.lines().find(|line| line.starts_with("NSpid:")).unwrap_or_default();
        // The process's id in each PID namespace that it is in. PID 1 only reaps.
        String::from_utf8_lossy(&line).contains(root)
            && ids.split_whitespace().count() > 2
            && !ids.ends_with("\t1")
    };
    wait_for("a process inside", || processes().map(|pid| PathBuf::from("/proc").join(pid)).find(is_inside))
}

/// A host's processes that were started as prewarmed runners, including those that serve a request by now.
pub(crate) fn prewarmed_processes(host: &Host) -> Vec<PathBuf> {
    let is_prewarmed = |process: &PathBuf| {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == b"--ahead")
    };
    of_requests(host).into_iter().filter(is_prewarmed).collect()
}

/// A process, read from /proc.
struct Seen {
    pid: Pid,
    parent: String,
    /// Its ids in each PID namespace that it is in, the outermost first.
    ids: Vec<String>,
    state: char,
}

/// The processes of a host's zygotes, found by name, without wrappers and zombies.
fn of_zygotes(host: &Host) -> Vec<Seen> {
    let is_zygotes = |process: &PathBuf| {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == b"--zygote")
    };
    let all = of_requests(host).into_iter().filter(is_zygotes).filter_map(|process| {
        let status = fs::read_to_string(process.join("status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        };
        (field("Name:")? == ["fezz-runner"]).then_some(Seen {
            pid: Pid::from_raw(process.file_name()?.to_str()?.parse().ok()?)?,
            parent: field("PPid:")?.first()?.clone(),
            ids: field("NSpid:")?,
            state: field("State:")?.first()?.chars().next()?,
        })
    });
    all.filter(|seen| seen.state != 'Z').collect()
}

/// The zygotes of a host, and the processes that they forked.
fn zygotes_and_forked(host: &Host) -> (Vec<Pid>, Vec<Pid>) {
    let all = of_zygotes(host);
    // With a PID namespace, a supervisor stays outside, and PID 1 inside only reaps.
    let is_jailed = all.iter().any(|seen| seen.ids.len() > 1);
    let depth = if is_jailed { 2 } else { 1 };
    let is_first = |seen: &Seen| is_jailed && seen.ids.last().is_some_and(|id| id == "1");
    let level: Vec<&Seen> = all.iter().filter(|seen| seen.ids.len() == depth && !is_first(seen)).collect();
    let is_of_level = |seen: &Seen| level.iter().any(|other| other.pid.to_string() == seen.parent);
    let zygotes: Vec<Pid> = level.iter().filter(|seen| !is_of_level(seen)).map(|seen| seen.pid).collect();
    let is_forked = |seen: &&Seen| zygotes.iter().any(|zygote| zygote.to_string() == seen.parent);
    (zygotes.clone(), all.iter().filter(is_forked).map(|seen| seen.pid).collect())
}

/// The zygotes of a host, by the process ids that the host sees.
pub(crate) fn zygotes(host: &Host) -> Vec<Pid> {
    let mut zygotes = zygotes_and_forked(host).0;
    zygotes.sort_unstable_by_key(|pid| pid.as_raw_nonzero());
    zygotes
}

/// The living processes that a host's zygotes have forked.
pub(crate) fn forked(host: &Host) -> Vec<Pid> {
    zygotes_and_forked(host).1
}

/// The number of zombies whose ancestor is the host. A zombie has no command line, so ancestry identifies it.
pub(crate) fn zombies(host: &Host) -> usize {
    let stats: Vec<(String, String, char)> = processes()
        .filter_map(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // After the name, which may contain any character (proc(5)).
            let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
            Some((pid, fields.next()?.chars().next()?, fields.next()?.to_owned()))
        })
        .map(|(pid, state, parent)| (pid, parent, state))
        .collect();
    let own = host.pid().to_string();
    let is_of_host = |pid: &String| {
        let mut pid = pid.clone();
        while let Some((_, parent, _)) = stats.iter().find(|(other, ..)| *other == pid) {
            if *parent == own {
                return true;
            }
            pid.clone_from(parent);
        }
        false
    };
    stats.iter().filter(|(pid, _, state)| *state == 'Z' && is_of_host(pid)).count()
}
