//! A cgroup (version 2, cgroups(7)) for each request, if the host was given one to divide: the kernel then counts all
//! memory that a request uses, of any kind, and all of its processes.

use crate::catalogue::Limits;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The cgroup that the host divides.
#[derive(Debug)]
pub(crate) struct Cgroups {
    folder: PathBuf,
    next: AtomicU64,
    /// Cgroups of ended requests that couldn't be removed yet.
    left: Mutex<Vec<PathBuf>>,
}

/// One request's cgroup. Dropping it kills the processes in it and removes it.
#[derive(Debug)]
pub struct Cgroup {
    folder: PathBuf,
    all: Arc<Cgroups>,
}

/// Why the cgroup can't be divided.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// The host's own cgroup can't be found.
    #[error(
        "failed to find this process's own cgroup: is cgroup v2 mounted? name one by --cgroup FOLDER, or leave it out"
    )]
    NotFound,
    /// It lacks a controller that the host needs.
    #[error(
        "the cgroup `{}` lacks the controller `{controller}`: delegate it (Delegate=yes in systemd), and make \
         sure that cgroup v1 doesn't hold the controller",
        folder.display()
    )]
    NoController {
        folder: PathBuf,
        /// `memory` or `pids`.
        controller: &'static str,
    },
    /// It can't be divided.
    #[error(
        "failed to divide the cgroup `{}`: start the host in it (Delegate=yes in systemd), give its user write access to the \
         folder, cgroup.procs and cgroup.subtree_control, and move all other processes out of it",
        folder.display()
    )]
    Divide { folder: PathBuf, source: io::Error },
}

/// The controllers that limit a request; a cgroup without either is useless.
const NEEDED: [&str; 2] = ["memory", "pids"];

/// Optional: shares processor time fairly between requests.
const OPTIONAL: &str = "cpu";

/// The host moves itself here, since a cgroup that is divided may hold no process (cgroups(7), "no internal
/// processes").
const HOST: &str = "hhrf";

/// The prefix of the names of requests' cgroups.
const PREFIX: &str = "request-";

/// Added to the manifest's limit: the supervisor, page tables, kernel memory behind pipes and threads' stacks, and the
/// pages of libraries that this request is the first to read.
const MEMORY_BESIDE_BYTES: u64 = 32 << 20;

/// The supervisor and the jail's first process.
const PROCESSES_BESIDE: u64 = 2;

impl Cgroups {
    /// Divides a cgroup: `own` stands for the one that this process is in.
    ///
    /// # Errors
    ///
    /// See [`CgroupError`].
    pub(crate) fn divide(setting: &Path) -> Result<Arc<Self>, CgroupError> {
        let folder = match setting.to_str() {
            Some("own") => own().ok_or(CgroupError::NotFound)?,
            _ => setting.to_owned(),
        };
        let failed = |source| CgroupError::Divide { folder: folder.clone(), source };
        let available = fs::read_to_string(folder.join("cgroup.controllers")).map_err(failed)?;
        let is_available = |controller: &str| available.split_whitespace().any(|word| word == controller);
        for controller in NEEDED {
            if !is_available(controller) {
                return Err(CgroupError::NoController { folder, controller });
            }
        }
        let host = folder.join(HOST);
        make(&host).map_err(failed)?;
        fs::write(host.join("cgroup.procs"), "0").map_err(failed)?;
        for controller in NEEDED.into_iter().chain(is_available(OPTIONAL).then_some(OPTIONAL)) {
            fs::write(folder.join("cgroup.subtree_control"), format!("+{controller}")).map_err(failed)?;
        }
        let left = fs::read_dir(&folder).map_err(failed)?.flatten();
        let left = left.filter(|entry| is_left(&entry.file_name()));
        let left = left.map(|entry| entry.path()).collect();
        Ok(Arc::new(Self { folder, next: AtomicU64::default(), left: Mutex::new(left) }))
    }

    /// Makes a cgroup for `requests` at a time, one or those that are forked from one zygote, and for `waiting` idle
    /// processes.
    ///
    /// # Errors
    ///
    /// An error of the file system: the requests can't be limited and must not begin.
    pub(crate) fn make(self: &Arc<Self>, limits: &Limits, requests: u64, waiting: u64) -> io::Result<Cgroup> {
        self.remove_left();
        let folder = loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let folder = self.folder.join(format!("{PREFIX}{}-{number}", std::process::id()));
            match fs::create_dir(&folder) {
                // Left by an earlier host with the same process id, and not yet empty.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => break made.map(|()| folder)?,
            }
        };
        let cgroup = Cgroup { folder, all: Arc::clone(self) };
        let of_request = limits.memory_bytes.saturating_add(limits.scratch_bytes);
        let memory_bytes = of_request.saturating_mul(requests).saturating_add(MEMORY_BESIDE_BYTES);
        let threads = limits.threads.saturating_mul(requests);
        let processes = threads.saturating_add(waiting).saturating_add(PROCESSES_BESIDE);
        cgroup.set("memory.max", &memory_bytes.to_string())?;
        cgroup.set("pids.max", &processes.to_string())?;
        // A request's processes are killed together. Of a zygote's, where further ones wait, killing one is enough.
        cgroup.set("memory.oom.group", if waiting == 0 { "1" } else { "0" })?;
        match cgroup.set("memory.swap.max", "0") {
            // A kernel without swap.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            set => set?,
        }
        Ok(cgroup)
    }

    /// Removes cgroups that couldn't be removed before.
    fn remove_left(&self) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.retain(|folder| !remove(folder));
    }
}

impl Cgroup {
    /// Its folder: a process joins by writing to `cgroup.procs` there.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the kernel killed one of its processes for exceeding the memory limit.
    pub fn ran_out_of_memory(&self) -> bool {
        self.killed_for_memory() > 0
    }

    /// How many of its processes the kernel killed for exceeding the memory limit.
    pub fn killed_for_memory(&self) -> u64 {
        let events = fs::read_to_string(self.folder.join("memory.events")).unwrap_or_default();
        let killed = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        killed.and_then(|count| count.trim().parse().ok()).unwrap_or_default()
    }

    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        // Without creating the file: if it is missing, the limit isn't supported.
        use std::io::Write;
        fs::OpenOptions::new().write(true).open(self.folder.join(file))?.write_all(value.as_bytes())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if !remove(&self.folder) {
            self.all.left.lock().unwrap_or_else(PoisonError::into_inner).push(self.folder.clone());
        }
    }
}

/// Whether it is a request's cgroup of a host that is gone. Another host may divide the same cgroup, for example `hhrf
/// check-jail`.
fn is_left(name: &OsStr) -> bool {
    let id = || name.to_str()?.strip_prefix(PREFIX)?.split('-').next()?.parse().ok();
    let is_gone = |pid| test_kill_process(pid) == Err(Errno::SRCH) || pid == rustix::process::getpid();
    id().and_then(Pid::from_raw).is_some_and(is_gone)
}

/// Kills the processes in a cgroup and removes it. Returns false while killed processes haven't ended yet.
fn remove(folder: &Path) -> bool {
    // Linux before 5.14 has no such file; there, the executor's own kills must suffice.
    fs::OpenOptions::new()
        .write(true)
        .open(folder.join("cgroup.kill"))
        .and_then(|mut file| io::Write::write_all(&mut file, b"1"))
        .ok();
    match fs::remove_dir(folder) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn make(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// The folder of this process's cgroup: where version 2 is mounted, and the path below that (cgroups(7),
/// /proc/PID/cgroup).
fn own() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    own_of(&mounts, &groups)
}

fn own_of(mounts: &str, groups: &str) -> Option<PathBuf> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        // The file system's type follows a lone dash; root and mount point precede it (proc(5)).
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(3);
        let (root, mount_point) = (fields.next()?, fields.next()?);
        let below = Path::new(path).strip_prefix(root).ok()?;
        after.starts_with("cgroup2 ").then(|| Path::new(mount_point).join(below))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with the files of a delegated cgroup.
    fn delegated(controllers: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cgroup.controllers"), controllers).unwrap();
        folder
    }

    #[test]
    fn the_hosts_own_cgroup_is_found_below_the_mount_of_version_2() {
        let v1 = "30 25 0:26 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n";
        let v2 = "31 25 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:5 - cgroup2 cgroup2 rw,nsdelegate\n";
        let groups = "4:memory:/\n0::/system.slice/hhrf.service\n";
        let expected = Path::new("/sys/fs/cgroup/unified/system.slice/hhrf.service");
        assert_eq!(own_of(&format!("{v1}{v2}"), groups).as_deref(), Some(expected));
        assert_eq!(own_of(v1, groups), None);
        let in_a_container = "31 25 0:27 /pod /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";
        assert_eq!(own_of(in_a_container, "0::/pod/a\n").as_deref(), Some(Path::new("/sys/fs/cgroup/a")));
    }

    #[test]
    fn a_cgroup_that_cannot_limit_is_refused_with_the_fix() {
        let folder = delegated("cpu memory\n");
        let error = Cgroups::divide(folder.path()).unwrap_err().to_string();
        assert!(error.contains("lacks the controller `pids`") && error.contains("Delegate=yes"), "{error}");
        assert!(!folder.path().join(HOST).exists());
    }

    #[test]
    fn the_host_moves_below_before_controllers_are_handed_on() {
        let folder = delegated("cpu io memory pids\n");
        make(&folder.path().join(HOST)).unwrap();
        Cgroups::divide(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join(HOST).join("cgroup.procs")).unwrap(), "0");
        // One at a time; a plain file keeps the last.
        assert_eq!(fs::read_to_string(folder.path().join("cgroup.subtree_control")).unwrap(), "+cpu");
    }

    #[test]
    fn without_its_files_no_limit_is_in_force_and_none_is_made() {
        let folder = delegated("memory pids");
        let all = Cgroups::divide(folder.path()).unwrap();
        assert_eq!(all.make(&Limits::default(), 1, 0).unwrap_err().kind(), io::ErrorKind::NotFound);
        let entries = fs::read_dir(folder.path()).unwrap().flatten();
        assert_eq!(
            entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)).count(),
            0
        );
    }
}
