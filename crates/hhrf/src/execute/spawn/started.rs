//! A runner of one request, with all that belongs to it.

use crate::catalogue::Function;
use crate::cgroups::Cgroup;
use crate::execute::command::Purpose;
use crate::execute::process::{Process, Streams};
use crate::execute::start::Starter;
use std::io;

/// A runner that has been started.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) process: Process,
    pub(super) streams: Streams,
    pub(super) cgroup: Option<Cgroup>,
}

impl Started {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// What pipe(2) or the exec says; or its cgroup can't be made.
    pub(super) fn start(starter: &Starter, function: &Function, purpose: Purpose) -> io::Result<Self> {
        let (mut command, cgroup) = starter.command(function, purpose)?;
        let streams = Streams::of(&mut command)?;
        let process = Process::start(&starter.children, command)?;
        Ok(Self { process, streams, cgroup })
    }
}
