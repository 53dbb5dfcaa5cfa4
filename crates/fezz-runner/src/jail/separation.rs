//! Isolates the children of a zygote from each other: each serves one request, and mustn't reach another.
//!
//! They can't read each other's memory: like their zygote they are non-dumpable from the start (prctl(2),
//! PR_SET_DUMPABLE), and the filter refuses the calls for it. Against signals, and leftover processes, each child is
//! the first process of its own PID namespace. That takes CAP_SYS_ADMIN in the zygote's own user namespace, the only
//! capability that the zygote keeps, and which a child gives up first of all. Without it, as in some wrappers, a child
//! restricts itself further instead, which takes three times as long.

use super::plan::{Jail, Mode};
use super::seccomp::{self, Filter};
use super::syscalls;
use crate::options::ZygoteKind;
use crate::syscalls::{die_with_parent, exit_now};
use fezz_wire::control::Separation;
use landlock::{CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetError, Scope};
use rustix::fd::{AsRawFd, OwnedFd, RawFd};
use rustix::io::Errno;
use rustix::process::{Pid, getpid, getppid};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

/// Why a zygote's children can't be isolated.
#[derive(Debug, thiserror::Error)]
pub enum SeparationError {
    /// Neither PID namespaces nor Landlock's scopes can be used.
    #[error(
        "failed to isolate forked processes: this process can't make PID namespaces (does a wrapper forbid user \
         namespaces?), and Landlock's scopes need Linux 6.12; set `execution` to `spawn`"
    )]
    NoWay(#[source] RulesetError),
    #[error(
        "failed to fork a process in a PID namespace of its own: raise /proc/sys/user/max_pid_namespaces?"
    )]
    Fork(#[source] Errno),
    /// The kernel doesn't report where glibc keeps a thread's id.
    #[error("failed to read the address of the thread's id: use a kernel with CONFIG_CHECKPOINT_RESTORE")]
    ThreadId(#[source] Errno),
    /// A child can't give up what it must.
    #[error("failed to {step} in a forked process")]
    Child { step: &'static str, source: Errno },
}

#[derive(Debug)]
pub(crate) struct Forks {
    separation: Separation,
    zygote: Pid,
    thread_id: syscalls::ThreadId,
    scope: Option<OwnedFd>,
    has_network: bool,
    kind: ZygoteKind,
}

impl Forks {
    /// Chooses the way of separation, and tries it, before this process is confined and before the module is loaded.
    ///
    /// # Errors
    ///
    /// See [`SeparationError`].
    pub(crate) fn prepare(jail: &Jail, kind: ZygoteKind) -> Result<Self, SeparationError> {
        let may_make_namespaces =
            capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN));
        let (separation, scope) = match jail.mode {
            Mode::Off => (Separation::None, None),
            Mode::Strict | Mode::Inner if may_make_namespaces => (Separation::PidNamespace, None),
            Mode::Strict | Mode::Inner => {
                (Separation::LandlockScope, Some(scope().map_err(SeparationError::NoWay)?))
            }
        };
        let forks = Self {
            separation,
            zygote: getpid(),
            thread_id: syscalls::thread_id().map_err(SeparationError::ThreadId)?,
            scope,
            has_network: jail.has_network(),
            kind,
        };
        forks.try_out()?;
        Ok(forks)
    }

    fn try_out(&self) -> Result<(), SeparationError> {
        match self.fork().map_err(SeparationError::Fork)? {
            None => exit_now(0),
            Some(child) => {
                let ended = rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty());
                ended.map(drop).map_err(SeparationError::Fork)
            }
        }
    }

    /// Whether a descriptor is the Landlock ruleset by which children restrict themselves.
    pub(crate) fn is_scope(&self, descriptor: RawFd) -> bool {
        self.scope.as_ref().is_some_and(|scope| scope.as_raw_fd() == descriptor)
    }

    pub(crate) fn separation(&self) -> Separation {
        self.separation
    }

    /// The filter of the zygote itself.
    pub(super) fn zygote_filter(&self) -> Filter {
        let (has_network, kind) = (self.has_network, self.kind);
        match self.separation {
            Separation::PidNamespace => Filter::Zygote { has_network, kind },
            // Its children can't be rewound: they have processes around them.
            Separation::LandlockScope | Separation::None => Filter::ScopedZygote { has_network },
        }
    }

    /// The capability that the zygote keeps.
    pub(super) fn kept_capability(&self) -> CapabilitySet {
        match self.separation {
            Separation::PidNamespace => CapabilitySet::SYS_ADMIN,
            Separation::LandlockScope | Separation::None => CapabilitySet::empty(),
        }
    }

    /// Makes a copy of this process: its id here, `None` in the copy, which is to [`separate`](Self::separate) itself
    /// at once.
    ///
    /// # Errors
    ///
    /// Those of clone(2).
    pub(crate) fn fork(&self) -> Result<Option<Pid>, Errno> {
        syscalls::fork_in(self.separation == Separation::PidNamespace, &self.thread_id)
    }

    /// In a child: gives up the rights of its zygote that a function mustn't have.
    ///
    /// # Errors
    ///
    /// The step that failed: the child must not serve a request.
    pub(crate) fn separate(self) -> Result<(), SeparationError> {
        let adds_filter = self.kind == ZygoteKind::Rewinding && self.separation == Separation::PidNamespace;
        self.separate_rewindable()?;
        if !adds_filter {
            return Ok(());
        }
        let failed = |source| SeparationError::Child { step: "filter system calls", source };
        seccomp::install(Filter::NotRewound).map_err(failed)
    }

    /// The same in a child that keeps the right to prepare for being rewound, until it gives that up, too
    /// ([`install_with_listener`](super::install_with_listener)).
    ///
    /// # Errors
    ///
    /// As [`separate`](Self::separate).
    pub(crate) fn separate_rewindable(self) -> Result<(), SeparationError> {
        let failed = |step| move |source| SeparationError::Child { step, source };
        if self.separation == Separation::PidNamespace {
            let none = CapabilitySet::empty();
            let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
            set_capabilities(None, none).map_err(failed("give up capabilities"))?;
            // If no wrapper has made a PID namespace around the zygote, this process would outlive it.
            return die_with_parent().map_err(failed("ask for a signal at the zygote's exit"));
        }
        die_with_parent().map_err(failed("ask for a signal at the zygote's exit"))?;
        if getppid() != Some(self.zygote) {
            exit_now(1);
        }
        let Some(scope) = self.scope else {
            // No jail: the zygote kills this process and its children by their process group.
            return rustix::process::setpgid(None, None).map_err(failed("make a process group"));
        };
        syscalls::restrict_by_landlock(&scope).map_err(failed("put a Landlock scope in force"))?;
        let filter = Filter::Function { has_network: self.has_network, has_scratch: false };
        seccomp::install(filter).map_err(failed("filter system calls"))
    }
}

/// A Landlock domain whose processes can't signal others, nor connect to their abstract sockets (landlock(7)).
fn scope() -> Result<OwnedFd, RulesetError> {
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .scope(Scope::Signal | Scope::AbstractUnixSocket)?
        .create()?;
    let descriptor: Option<OwnedFd> = rules.into();
    Ok(descriptor.expect("a hard requirement that is met has a descriptor"))
}
