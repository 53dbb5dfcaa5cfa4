//! Starts runners, for every purpose.

use super::command::{Purpose, command};
use crate::catalogue::Function;
use crate::cgroups::Cgroup;
use crate::children::Children;
use crate::jail::{Jail, JailMode};
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

/// Starts runners: what all runners of a host share.
#[derive(Debug)]
pub struct Starter {
    /// The runner, or its wrapper.
    pub runner: PathBuf,
    /// The most stderr of one request that is logged.
    pub stderr_bytes_max: usize,
    /// Lists the processes that are started.
    pub children: Arc<Children>,
    /// Confines them.
    pub jail: Jail,
}

impl Starter {
    /// A runner's command, and its cgroup, if the host has cgroups.
    ///
    /// # Errors
    ///
    /// The cgroup can't be made: the runner must not be started.
    pub fn command(&self, function: &Function, purpose: Purpose) -> io::Result<(Command, Option<Cgroup>)> {
        let limits = &function.release.limits;
        let (requests, waiting) = match purpose {
            Purpose::Request { .. } | Purpose::Prewarm { .. } | Purpose::Worker { .. } => (1, 0),
            Purpose::Zygote { children, .. } => (limits.concurrency.into(), children),
        };
        let cgroup = self.jail.cgroup(limits, requests, waiting).map_err(|error| {
            io::Error::new(error.kind(), format!("failed to make its cgroup (--cgroup): {error}"))
        })?;
        let command = command(&self.runner, &self.jail, cgroup.as_ref(), function, purpose);
        Ok((command, cgroup))
    }

    /// Logs orphans that were killed, of one request or of an unknown one. Not in a strict jail: it leaves no orphans,
    /// only its own processes, which take a moment to end after its supervisor.
    pub fn log_orphans(&self, processes: usize, function: Option<&Function>, request_id: Option<&str>) {
        if processes > 0 && self.jail.mode() != JailMode::Strict {
            tracing::warn!(
                function = function.map(Function::name),
                request_id,
                processes,
                "orphan processes of functions were killed"
            );
        }
    }
}
