//! How the host has its runners confine themselves: the [mode](JailMode), and what the host provides for it: a uid for
//! each function (from a range that no other host has), an empty network and a cgroup. A trial at
//! the start checks that it works.

mod network;
mod trial;
mod uid_range;

pub use crate::settings::JailMode;
pub use trial::TrialError;

use crate::catalogue::{Execution, Function, Limits};
use crate::cgroups::{Cgroup, CgroupError, Cgroups};
use crate::children::Children;
use crate::log;
use crate::settings::{Settings, SettingsError};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use trial::Trial;
use uid_range::{UidRange, UidRangeError};

/// What confines the runners of one host.
#[derive(Debug)]
pub struct Jail {
    mode: JailMode,
    /// For the functions' uids, if the host is root; locked against other hosts while it is held.
    uid_range: Option<UidRange>,
    /// Namespaces that every runner without a network joins: an empty network namespace, and before it, if the host
    /// isn't root, the user namespace that owns it.
    empty_network: Vec<OwnedFd>,
    cgroups: Option<Arc<Cgroups>>,
}

/// Why modules can't be confined.
#[derive(Debug, thiserror::Error)]
pub enum JailError {
    /// There is no runner.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The cgroup that the settings name.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// No range of uids for functions, if the host is root.
    #[error(transparent)]
    UidRange(#[from] UidRangeError),
    /// It can be divided, but a request's cgroup can't be made.
    #[error("failed to make the cgroup of a request (--cgroup)")]
    RequestCgroup(#[source] io::Error),
    /// The trial failed.
    #[error(transparent)]
    Trial(#[from] TrialError),
}

impl Jail {
    /// Makes what the runners share.
    ///
    /// # Errors
    ///
    /// See [`JailError`].
    pub(crate) fn prepare(settings: &Settings, children: &Children) -> Result<Self, JailError> {
        let is_root = rustix::process::geteuid().is_root();
        let has_uids = is_root && settings.jail != JailMode::Off;
        let uid_range = has_uids.then(|| UidRange::take(settings.uid_base)).transpose()?;
        let empty_network = match settings.jail {
            JailMode::Strict => {
                let trial = Trial { runner: settings.runner()?, jail: settings.jail, children };
                network::make_empty(&trial, is_root)?
            }
            JailMode::Inner | JailMode::Off => Vec::new(),
        };
        let cgroups = settings.cgroup.as_deref().map(Cgroups::divide).transpose()?;
        Ok(Self { mode: settings.jail, uid_range, empty_network, cgroups })
    }

    /// Makes what the runners share, and tries the jail: the runner confines itself as for a request. If only `fork`
    /// fails, that is logged, and the host serves functions that are spawned.
    ///
    /// # Errors
    ///
    /// See [`JailError`]. A failure of `fork` is an error only if the settings make it the default.
    pub fn prove(settings: &Settings, children: &Children) -> Result<Self, JailError> {
        let jail = Self::prepare(settings, children)?;
        let runner = settings.runner()?;
        jail.try_out(runner, Execution::Spawn, children)?;
        match jail.try_out(runner, Execution::Fork, children) {
            Err(error) if matches!(settings.execution, Execution::Fork | Execution::Rewind) => {
                return Err(error);
            }
            Err(error) => tracing::warn!(
                reason = log::chain(&error),
                "functions whose `execution` is `fork` or `rewind` can't be served here, and answer 503: set it to `spawn`"
            ),
            Ok(()) => {}
        }
        Ok(jail)
    }

    /// Tries whether the runner can confine itself as for a request of that executor.
    ///
    /// # Errors
    ///
    /// The runner reports why it can't, or can't be started; or the program is no runner.
    pub(crate) fn try_out(
        &self,
        runner: &Path,
        execution: Execution,
        children: &Children,
    ) -> Result<(), JailError> {
        if self.mode == JailMode::Off {
            return Ok(());
        }
        let mut command = Command::new(runner);
        if execution == Execution::Fork {
            command.args(["--zygote", "1"]);
        }
        let (uid, limits) = (self.uid_base(), Limits::default());
        // Removed when it is dropped, after the trial.
        let cgroup = self.cgroup(&limits, 1, 0).map_err(JailError::RequestCgroup)?;
        if let Some(cgroup) = &cgroup {
            command.arg("--cgroup").arg(cgroup.folder());
        }
        self.confine_to(&mut command, &limits, &[], uid);
        Ok(Trial { runner, jail: self.mode, children }.run(command)?)
    }

    pub(crate) fn mode(&self) -> JailMode {
        self.mode
    }

    /// The first of the functions' uids, which the trial uses, too; `None` if they have none.
    pub(crate) fn uid_base(&self) -> Option<u32> {
        self.uid_range.as_ref().map(UidRange::base)
    }

    /// A cgroup for `requests` at a time and `waiting` idle processes, if there are cgroups.
    ///
    /// # Errors
    ///
    /// It can't be made; the requests must not begin.
    pub(crate) fn cgroup(&self, limits: &Limits, requests: u64, waiting: u64) -> io::Result<Option<Cgroup>> {
        self.cgroups.as_ref().map(|all| all.make(limits, requests, waiting)).transpose()
    }

    /// Adds the runner's arguments that confine a function.
    pub(crate) fn confine(&self, command: &mut Command, function: &Function) {
        let release = &function.release;
        self.confine_to(command, &release.limits, &release.connect, function.home.uid());
    }

    fn confine_to(&self, command: &mut Command, limits: &Limits, connect: &[u16], uid: Option<u32>) {
        command.args(["--jail", self.mode.as_str()]);
        if self.mode == JailMode::Off {
            return;
        }
        command.args(["--threads", &limits.threads.to_string()]);
        if limits.scratch_bytes > 0 {
            command.args(["--scratch-bytes", &limits.scratch_bytes.to_string()]);
            command.args(["--scratch-since", &clock_of_files_ns().to_string()]);
        }
        if let Some(uid) = uid {
            command.args(["--uid", &uid.to_string()]);
        }
        for port in connect {
            command.args(["--connect", &port.to_string()]);
        }
        if connect.is_empty() {
            for namespace in &self.empty_network {
                command.args(["--join", &namespace.as_raw_fd().to_string()]);
            }
        }
    }
}

/// Now, by the clock that the kernel stamps files with, which lags some milliseconds (clock_gettime(2),
/// `CLOCK_REALTIME_COARSE`): files made from now on never seem older.
fn clock_of_files_ns() -> u64 {
    const NANOSECONDS: u64 = 1_000_000_000;
    let now = clock_gettime(ClockId::RealtimeCoarse);
    let [seconds, nanoseconds] =
        [now.tv_sec, now.tv_nsec].map(|part| u64::try_from(part).unwrap_or_default());
    seconds.saturating_mul(NANOSECONDS).saturating_add(nanoseconds)
}
