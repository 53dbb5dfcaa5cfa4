//! The host's child processes: the runners that it starts, and orphans that functions leave behind.
//!
//! A runner's own process group is killed with it. A process that has left the group (setsid(2)) is found by its
//! parent: when that dies, the kernel gives the process to the nearest ancestor that is a subreaper (prctl(2),
//! `PR_SET_CHILD_SUBREAPER`), which is this host. A process that a runner makes with `CLONE_PARENT` (clone(2)) is the
//! host's child from the start. So every child of the host that is no runner is an orphan. A PID namespace does this
//! better; this file is for modules that run without one.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// The processes of one host.
#[derive(Debug, Default)]
pub struct Children {
    /// How many runners each process id stands for. The kernel may reuse an id as soon as its process is reaped, a
    /// moment before it is removed here.
    runners: Mutex<HashMap<Pid, usize>>,
    /// Read-locked while a runner is started and not yet listed. A writer sees all runners listed.
    starting: RwLock<()>,
    orphans: Option<Orphans>,
}

/// Finds orphans: children of this process that are no runners.
#[derive(Debug)]
struct Orphans {
    /// The kernel keeps a list of children for each thread: those that it started, and for the first thread, the
    /// adopted.
    lists: Mutex<HashMap<Pid, File>>,
    /// When all lists were last read.
    last_read: Mutex<Instant>,
    /// Only one task at a time reaps, so that no process id of a list is reused meanwhile.
    reaping: tokio::sync::Mutex<()>,
}

/// Why orphans can't be adopted.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// prctl(2) refused.
    #[error("failed to become the parent of orphaned processes")]
    Subreaper(#[source] Errno),
    /// The kernel lists no children (`CONFIG_PROC_CHILDREN`), or /proc isn't there.
    #[error("failed to open the list of child processes in /proc: is it mounted?")]
    List(#[source] io::Error),
}

impl Children {
    /// Makes this process the subreaper of its descendants; orphans are then killed. Only for a program that does
    /// nothing but run this host: other children would be taken for orphans.
    ///
    /// # Errors
    ///
    /// See [`AdoptError`].
    pub fn adopt() -> Result<Self, AdoptError> {
        let own = rustix::process::getpid();
        rustix::process::set_child_subreaper(Some(own)).map_err(AdoptError::Subreaper)?;
        let list = open_list(own).map_err(AdoptError::List)?;
        let orphans = Orphans {
            lists: Mutex::new([(own, list)].into()),
            last_read: Mutex::new(Instant::now()),
            reaping: tokio::sync::Mutex::default(),
        };
        Ok(Self { orphans: Some(orphans), ..Self::default() })
    }

    /// Starts a runner. Call [`Self::forget`] once it has been reaped.
    ///
    /// # Errors
    ///
    /// Those of spawning a process.
    pub(crate) fn start(&self, command: &mut Command) -> io::Result<Child> {
        if let Some(orphans) = &self.orphans {
            orphans.open_lists()?;
        }
        let _starting = self.starting.read().unwrap_or_else(PoisonError::into_inner);
        let child = command.spawn()?;
        *lock(&self.runners).entry(Pid::from_child(&child)).or_default() += 1;
        Ok(child)
    }

    /// A runner has been reaped.
    pub(crate) fn forget(&self, runner: Pid) {
        let mut runners = lock(&self.runners);
        match runners.get_mut(&runner) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(runners.remove(&runner)),
        }
    }

    /// Reaps the present orphans, and kills those that don't end by themselves within a moment, as a wrapper's helpers
    /// do. Returns how many were killed. Orphans that appear meanwhile are left to the next call, so that a process
    /// that makes new ones all the time can't delay this one.
    pub(crate) async fn end_orphans(&self) -> usize {
        const ROUNDS_MAX: u32 = 100;
        const PAUSE: Duration = Duration::from_millis(1);
        let Some(orphans) = &self.orphans else { return 0 };
        let mut killed = HashSet::new();
        let mut seen =
            if self.is_time_for_all(orphans) { self.unknown_children(orphans) } else { orphans.adopted() };
        for _ in 0..ROUNDS_MAX {
            if seen.is_empty() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            let _reaping = orphans.reaping.lock().await;
            // A runner that is just being started isn't listed yet: try again in the next round.
            let Ok(_no_start) = self.starting.try_write() else { continue };
            let alive: Vec<Pid> =
                self.unknown_children(orphans).into_iter().filter(|pid| !reap(*pid)).collect();
            for pid in alive.iter().filter(|pid| seen.contains(pid)) {
                if kill_process(*pid, Signal::KILL).is_ok() {
                    killed.insert(*pid);
                }
            }
            seen.retain(|pid| alive.contains(pid));
        }
        killed.len()
    }

    /// Ends orphans periodically, for ever: also while no request ends, or none can begin because orphans have used up
    /// the processes that the system allows. Calls `report` with the number killed each time.
    pub(crate) async fn keep_ending_orphans(&self, report: impl Fn(usize)) -> std::convert::Infallible {
        const EVERY: Duration = Duration::from_millis(100);
        loop {
            tokio::time::sleep(EVERY).await;
            report(self.end_orphans().await);
        }
    }

    /// Kills every runner with its group, and the orphans. The tasks that wait for the runners reap them.
    pub async fn kill_all(&self) {
        let runners: Vec<Pid> = lock(&self.runners).keys().copied().collect();
        for runner in runners {
            // Fails only where it is gone.
            kill_process_group(runner, Signal::KILL).ok();
        }
        self.end_orphans().await;
    }

    /// Adopted orphans are all in the first thread's list, which is cheap to read. The lists of all threads hold every
    /// runner, too, and the kernel blocks forks while it prints them. So they are read only when no runner is left, and
    /// otherwise at most every 100 ms.
    fn is_time_for_all(&self, orphans: &Orphans) -> bool {
        const EVERY: Duration = Duration::from_millis(100);
        let mut last_read = lock(&orphans.last_read);
        let is_time = last_read.elapsed() > EVERY || lock(&self.runners).is_empty();
        if is_time {
            *last_read = Instant::now();
        }
        is_time
    }

    fn unknown_children(&self, orphans: &Orphans) -> Vec<Pid> {
        let children = orphans.children();
        let runners = lock(&self.runners);
        children.into_iter().filter(|pid| !runners.contains_key(pid)).collect()
    }
}

impl Orphans {
    /// Opens the lists of all threads, unless the calling thread's list is open already.
    fn open_lists(&self) -> io::Result<()> {
        let mut lists = lock(&self.lists);
        if lists.contains_key(&rustix::thread::gettid()) {
            return Ok(());
        }
        for entry in std::fs::read_dir("/proc/self/task")? {
            let name = entry?.file_name();
            let thread = name.to_str().and_then(|name| Pid::from_raw(name.parse().ok()?));
            // One that can't be opened belongs to a thread that has just ended.
            if let Some((thread, list)) = thread.and_then(|thread| Some((thread, open_list(thread).ok()?))) {
                lists.insert(thread, list);
            }
        }
        Ok(())
    }

    /// Orphans that the kernel gave to the first thread.
    fn adopted(&self) -> Vec<Pid> {
        let lists = lock(&self.lists);
        let first = lists.get(&rustix::process::getpid());
        first.and_then(|list| children_in(list).ok()).unwrap_or_default()
    }

    /// Children that any thread started or was given.
    fn children(&self) -> Vec<Pid> {
        let mut children = Vec::new();
        // An error means that the thread has ended; its children then belong to the first thread.
        lock(&self.lists).retain(|_, list| children_in(list).map(|some| children.extend(some)).is_ok());
        children
    }
}

fn open_list(thread: Pid) -> io::Result<File> {
    File::open(format!("/proc/self/task/{thread}/children"))
}

/// All ids of a list. The kernel gives it a page at a time.
fn children_in(list: &File) -> io::Result<Vec<Pid>> {
    let mut text = Vec::new();
    let mut page = [0; 4096];
    loop {
        let read = list.read_at(&mut page, text.len() as u64)?;
        if read == 0 {
            break;
        }
        text.extend_from_slice(&page[..read]);
    }
    let text = String::from_utf8_lossy(&text);
    Ok(text.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect())
}

/// Reaps a process that has ended; false while it lives.
fn reap(pid: Pid) -> bool {
    !matches!(waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG), Ok(None))
}

/// Nothing that is done under these locks can panic halfway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
