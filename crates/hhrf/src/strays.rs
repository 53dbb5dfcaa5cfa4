//! Processes that a function left behind: found, killed and reaped.
//!
//! A process's own group is killed with it. What has left the group (setsid(2)) is found by its parent: when the
//! parent dies, the kernel hands it to the nearest ancestor that is a subreaper (prctl(2), `PR_SET_CHILD_SUBREAPER`),
//! which is this host, and there to the first thread of the thread group. That is the main thread, which itself never
//! starts a process: whatever is a child of the main thread is a stray. A PID namespace does all of this better;
//! this is for modules that run without one.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// The right to kill whatever is a child of this process's main thread.
#[derive(Debug)]
pub struct Strays {
    children: File,
}

/// Why strays would stay.
#[derive(Debug, thiserror::Error)]
pub enum StraysError {
    /// prctl(2) refused.
    #[error("failed to become the parent of orphaned processes")]
    Subreaper(#[source] Errno),
    /// The kernel lists no children (`CONFIG_PROC_CHILDREN`), or /proc isn't there.
    #[error("failed to open the list of children `{path}`: is /proc mounted?")]
    List {
        /// In /proc.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
}

impl Strays {
    /// Makes this process the parent of what its processes leave behind. For a program of which this host is all: the
    /// main thread must start no processes, for they would be taken for strays.
    ///
    /// # Errors
    ///
    /// See [`StraysError`].
    pub fn adopt() -> Result<Self, StraysError> {
        let own = rustix::process::getpid();
        rustix::process::set_child_subreaper(Some(own)).map_err(StraysError::Subreaper)?;
        let path = format!("/proc/{own}/task/{own}/children");
        let children = File::open(&path).map_err(|source| StraysError::List { path, source })?;
        Ok(Self { children })
    }

    /// Reaps all strays there are, and kills those that don't end by themselves within a moment, as a wrapper's
    /// helpers do. Returns how many were killed. A process that forks faster than it is killed is met again by the
    /// next sweep, which comes with the next request's end.
    pub async fn sweep(&self) -> usize {
        const ROUNDS_MAX: u32 = 100;
        const PAUSE: Duration = Duration::from_millis(1);
        let (mut seen, mut killed) = (Vec::new(), HashSet::new());
        for _ in 0..ROUNDS_MAX {
            let alive: Vec<Pid> = self.list().into_iter().filter(|pid| !reap(*pid)).collect();
            if alive.is_empty() {
                break;
            }
            for pid in &alive {
                if seen.contains(pid) && rustix::process::kill_process(*pid, Signal::KILL).is_ok() {
                    killed.insert(*pid);
                }
            }
            seen = alive;
            tokio::time::sleep(PAUSE).await;
        }
        killed.len()
    }

    fn list(&self) -> Vec<Pid> {
        // A thousand ids; more are met in the next round.
        let mut text = [0; 8 * 1024];
        let read = self.children.read_at(&mut text, 0).unwrap_or(0);
        let text = String::from_utf8_lossy(&text[..read]);
        let whole = text.rsplit_once(' ').map_or("", |(whole, _)| whole);
        whole.split(' ').filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
    }
}

/// Reaps a process that has ended; false while it lives. One that another request's sweep has reaped has ended, too.
fn reap(pid: Pid) -> bool {
    let status = rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    !matches!(status, Ok(None))
}
