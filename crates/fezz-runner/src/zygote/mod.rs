//! The zygote: a process that confines itself, loads the module, runs its `fezz_on_load_v2`, and then forks a process
//! for each request. A forked process has all that from the start, and its changes reach no other process (copy on
//! write).
//!
//! ```text
//! host            sends over stdin a socket and a log pipe for each child, before there is a request ([`control`])
//! `- zygote       forks, kills and reaps; runs no module code from here on
//!    |- child     gives up the zygote's rights, then waits for its request, serves it, exits ([`child`])
//!    |- child
//!    `- child     with `--rewind`: serves request after request, put back to a snapshot after each ([`rewind`])
//! ```
//!
//! It ends when the host is gone; its children end with it.

mod busy;
mod child;
mod children;
mod control;
#[cfg(target_arch = "x86_64")]
mod park;
#[cfg(not(target_arch = "x86_64"))]
#[path = "unparkable.rs"]
mod park;
mod rewind;
mod rewinding;
mod syscalls;
mod threads;

pub(crate) use control::Control;
pub(crate) use control::ControlError;
pub(crate) use rewinding::BeforeLoad;
pub(crate) use threads::Threads;
pub(crate) use threads::Uncountable;

use crate::jail::separation::Forks;
use crate::limits::ChildLimits;
use crate::module::Module;
use crate::syscalls::{block_child_signal, flush_stdout, on_signal, open_files};
use busy::BusyTime;
use children::Children;
use control::Received;
use fezz_wire::control::{Report, Separation};
use fezz_wire::rewind::Obstacle;
use nix::sys::signal::{SaFlags, Signal};
use park::Park;
use rustix::fd::{AsFd, BorrowedFd, RawFd};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// The state of a zygote; each child gets a copy of it.
#[derive(Debug)]
pub(crate) struct Zygote {
    module: Module,
    control: Control,
    forks: Forks,
    limits: ChildLimits,
    /// The buffer for a child's request, so that a child needn't allocate it.
    request: Vec<u8>,
    /// With `--rewind`: how children wait for the host that are put back to a snapshot, or why they can't be.
    rewinding: Option<Result<Park, Obstacle>>,
}

/// Why a zygote can't go on.
#[derive(Debug, thiserror::Error)]
pub enum ZygoteError {
    /// A forked process has no thread but the one that forked it.
    #[error(
        "the module's constructors or fezz_on_load_v2 left threads running, which forked processes wouldn't have: \
         end them there, or set `execution` to `spawn`"
    )]
    Threads,
    /// There is no way to count threads.
    #[error(transparent)]
    Uncountable(#[from] Uncountable),
    #[error("failed to count the threads that the module's fezz_on_load_v2 left")]
    NotCounted(#[source] Errno),
    /// Forked processes share the files that are open when they are forked.
    #[error(
        "the module's constructors or fezz_on_load_v2 left {count} descriptors open, which forked processes would \
         share, with their offsets, flags, timers and watches: close them there and open them in each request, or set `execution` to `spawn`"
    )]
    Descriptors { count: usize },
    #[error("failed to set up SIGCHLD, the signal at the end of a forked process")]
    Signals(#[source] Errno),
    #[error("failed to forbid other processes to trace this one")]
    Dumpable(#[source] Errno),
    #[error(transparent)]
    Control(#[from] ControlError),
}

impl Zygote {
    /// A zygote of a module that is loaded and ready; `before_load` is there with `--rewind`.
    ///
    /// # Errors
    ///
    /// The module has left threads or open files, or SIGCHLD can't be set up.
    pub(crate) fn new(
        module: Module,
        control: Control,
        forks: Forks,
        limits: ChildLimits,
        threads: Threads,
        before_load: Option<BeforeLoad>,
    ) -> Result<Self, ZygoteError> {
        /// Most requests fit: nearly all have a few hundred bytes.
        const REQUEST_BYTES: usize = 16 * 1024;
        if !threads.only_one().map_err(ZygoteError::NotCounted)? {
            return Err(ZygoteError::Threads);
        }
        let own = |descriptor: &RawFd| control.is(*descriptor) || forks.is_scope(*descriptor);
        let count = open_files().iter().filter(|descriptor| !own(descriptor)).count();
        if count > 0 {
            return Err(ZygoteError::Descriptors { count });
        }
        let rewinding = before_load.map(|before| before.check(forks.separation()));
        if rewinding.is_some() && forks.separation() == Separation::PidNamespace {
            // The filter lets its children, and so the module's `on_load`, change this.
            set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(ZygoteError::Dumpable)?;
        }
        // In case the module has changed its handling: SIGCHLD must interrupt the wait below, and nothing else.
        on_signal(Signal::SIGCHLD, ignore, SaFlags::empty()).map_err(ZygoteError::Signals)?;
        block_child_signal(libc::SIG_BLOCK).map_err(ZygoteError::Signals)?;
        Module::make_thread_locals();
        // Otherwise each child would print it again.
        flush_stdout();
        let request = Vec::with_capacity(REQUEST_BYTES);
        Ok(Self { module, control, forks, limits, request, rewinding })
    }

    /// The descriptor that shows the host's exit.
    pub(crate) fn host_channel(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    /// Executes the host's orders until the host is gone. In a child it doesn't return.
    ///
    /// # Errors
    ///
    /// Communication with the host failed.
    pub(crate) fn run(self) -> Result<(), ZygoteError> {
        let mut children = Children::new(self.forks.separation());
        let mut reports = vec![Report::Ready(self.forks.separation())];
        let (zygote, mut busy) = (self, BusyTime::new());
        loop {
            if !reports.is_empty() {
                zygote.control.report(&reports)?;
                reports.clear();
            }
            busy.pause();
            zygote.control.wait()?;
            busy.resume();
            loop {
                match zygote.control.receive()? {
                    Received::Nothing => break,
                    Received::HostGone => return Ok(()),
                    Received::Kill(child) => children.kill(child),
                    Received::Probe => reports.push(Report::Alive { busy_us: busy.total_us() }),
                    Received::Fork(child, descriptors) => match zygote.forks.fork() {
                        Ok(None) => child::run(zygote, descriptors),
                        forked => children.add_or_report(child, forked, &mut reports),
                    },
                    Received::ForkRewindable(..) if zygote.rewinding.is_none() => {
                        return Err(ControlError::NotRewinding.into());
                    }
                    Received::ForkRewindable(child, descriptors) => match zygote.forks.fork() {
                        Ok(None) => rewind::run(zygote, descriptors),
                        forked => children.add_or_report(child, forked, &mut reports),
                    },
                }
            }
            children.reap(&mut reports);
        }
    }
}

extern "C" fn ignore(_signal: libc::c_int) {}
