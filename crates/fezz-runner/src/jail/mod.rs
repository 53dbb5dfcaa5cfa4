//! The jail: what this process gives up before it loads a module, which is assumed to be hostile.
//!
//! A [`Jail`] says what a function is granted. In the order of the steps: [`identity`] (user and groups),
//! [`namespaces`], [`root`] (which files there are; [`view`] lists them), [`processes`] (the processes of the jail),
//! [`capabilities`], [`scratch`] (whether a wrapper's scratch is the request's own), [`landlock`](mod@landlock) (which
//! files may be opened for what), [`seccomp`] (which system calls may be made; [`policy`] lists them); then
//! [`self_test`] checks that the jail holds. [`separation`] isolates the children of a zygote from each other. The
//! limits of memory and the like are in [`crate::limits`].
//!
//! [`syscalls`] has the unsafe system calls.

mod plan;

mod identity;
pub(crate) mod namespaces;
pub(crate) mod root;
mod view;

mod processes;

mod capabilities;
mod scratch;

mod landlock;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the build script compiles these lists, and the tests interpret them")
)]
pub(crate) mod policy;
mod seccomp;
#[cfg(test)]
mod table;

mod self_test;

pub(crate) mod separation;

pub(crate) mod syscalls;

pub(crate) use plan::{Jail, Mode};
pub(crate) use seccomp::install_with_listener;

use crate::exec::Call;
use crate::program::{self, ProgramError};
use crate::syscalls::{die_with_parent, exit_now};
pub(crate) use processes::Mark;
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, getppid, set_dumpable_behavior};
use rustix::thread::CapabilitySet;
use seccomp::Filter;
use separation::Forks;
use std::path::{Path, PathBuf};

/// A restriction can't be put in force. The module isn't loaded.
#[derive(Debug, thiserror::Error)]
pub enum JailError {
    #[error(transparent)]
    Identity(#[from] identity::IdentityError),
    #[error(transparent)]
    Namespaces(#[from] namespaces::NamespaceError),
    /// The system refuses to signal the parent's exit.
    #[error("failed to ask for a signal at the parent's exit")]
    Parent(#[source] Errno),
    #[error(transparent)]
    Root(#[from] root::RootError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Processes(#[from] processes::ProcessError),
    #[error("failed to give up {what}")]
    Privileges { what: &'static str, source: Errno },
    #[error(transparent)]
    Landlock(#[from] landlock::LandlockError),
    #[error("failed to filter system calls: use a kernel with CONFIG_SECCOMP_FILTER")]
    Seccomp(#[source] Errno),
    #[error(transparent)]
    Scratch(#[from] scratch::ScratchError),
    #[error(transparent)]
    Separation(#[from] separation::SeparationError),
    #[error(transparent)]
    Broken(#[from] self_test::BrokenJail),
}

/// The file with the function's code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Code<'a> {
    pub file: &'a Path,
    /// Whether it is a program, to be executed, instead of a module, to be loaded.
    pub is_program: bool,
}

/// The environment in which a module is loaded, once its namespaces and root are made.
#[derive(Debug)]
pub(crate) struct Entered {
    pub module: PathBuf,
    /// What may be executed: the program, and the interpreter of a script. Nothing, for a module.
    pub executables: Vec<PathBuf>,
    /// How many processes of the same user are in this user namespace, beside this one; `None`: any number.
    pub others: Option<u64>,
    /// For the supervisor, where there is one.
    pub mark: Option<Mark>,
}

/// The supervisor and the first process.
const STRICT_OTHERS: u64 = 2;

/// Leaves the host's user, namespaces, files and processes. In strict mode it returns in another process: the calling
/// one waits for that one's end, and ends in the same way, or when the other end of `host` is gone.
///
/// # Errors
///
/// The step that failed; the error says how to fix it.
pub(crate) fn enter(jail: &Jail, code: Code<'_>, host: BorrowedFd<'_>) -> Result<Entered, JailError> {
    let module = code.file;
    if jail.mode == Mode::Off {
        return Ok(Entered { module: module.to_owned(), executables: Vec::new(), others: None, mark: None });
    }
    let is_root = identity::is_root();
    let makes_root = jail.mode == Mode::Strict;
    // While this process is still root, which may traverse the folders above the module.
    let taken = if is_root && makes_root { Some(root::Detached::module(module)?) } else { None };
    // Before the user namespace is made, which belongs to its creator: in one that belongs to root, root's files could
    // be opened.
    if is_root {
        let parent = getppid();
        identity::give_up_root(jail.uid)?;
        // Again: the change of ids has reset it (prctl(2), PR_SET_PDEATHSIG). If the host is gone by now, this process
        // has another parent.
        die_with_parent().map_err(JailError::Parent)?;
        if getppid() != parent {
            exit_now(1);
        }
    }
    if !makes_root {
        let others = if namespaces::leave_users()? { 0 } else { others_of_wrapper() };
        let executables = code.executables(module, code.interpreter(module)?);
        return Ok(Entered { module: module.to_owned(), executables, others: Some(others), mark: None });
    }
    let outside = identity::outside();
    namespaces::leave(jail.has_network() || !jail.join.is_empty())?;
    // While /proc is still there. The ids first: without them, no file can be made in the new root.
    identity::map_to_nobody(outside)?;
    identity::forbid_user_namespaces()?;
    let taken = match taken {
        Some(taken) => taken,
        None => root::Detached::module(module)?,
    };
    let interpreter = code.interpreter(&taken.path())?;
    let file_name = module.file_name().unwrap_or(module.as_os_str());
    let (has_network, scratch_bytes) = (jail.has_network(), jail.scratch_bytes);
    let module = root::change(&taken, file_name, interpreter.as_deref(), has_network, scratch_bytes)?;
    let executables = code.executables(&module, interpreter);
    // This holds for the processes that this one forks, too: the jail's supervisor holds what a module mustn't get.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|source| JailError::Privileges { what: "being traced", source })?;
    // The last of these: only a child is in the new PID namespace, and its parent should have done as little as
    // possible.
    let mark = Some(processes::split(host)?);
    Ok(Entered { module, executables, others: Some(STRICT_OTHERS), mark })
}

impl Code<'_> {
    /// The interpreter that the program names. Call it as the user of the jail: what that one can't read isn't read.
    fn interpreter(self, reached_by: &Path) -> Result<Option<PathBuf>, ProgramError> {
        if self.is_program { program::interpreter(reached_by) } else { Ok(None) }
    }

    fn executables(self, inside: &Path, interpreter: Option<PathBuf>) -> Vec<PathBuf> {
        if self.is_program {
            [inside.to_owned()].into_iter().chain(interpreter).collect()
        } else {
            Vec::new()
        }
    }
}

/// How many processes a wrapper has in its PID namespace. One, if this process is the second, as under bubblewrap.
/// None, if it is the first, as under nsjail. Any other process id means that there is no such namespace, as without a
/// wrapper: then the user's other processes don't raise the function's limit of threads.
fn others_of_wrapper() -> u64 {
    const SECOND: i32 = 2;
    u64::from(rustix::process::getpid().as_raw_nonzero().get() == SECOND)
}

/// What a confined process does next.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Next<'a> {
    /// Load the module.
    Load,
    /// Load the module, and fork.
    Fork(&'a Forks),
    /// Become a program.
    Execute(&'a Call),
}

/// Gives up the rights that a process still has after [`enter`], except those that it needs for what it does `next`. The
/// last step before the function's code.
///
/// # Errors
///
/// The right that can't be given up, with the fix; or the attempt of the self-test that wasn't refused.
pub(crate) fn confine(jail: &Jail, entered: &Entered, next: Next<'_>) -> Result<(), JailError> {
    if jail.mode == Mode::Off {
        return Ok(());
    }
    let failed = |what| move |source| JailError::Privileges { what, source };
    let kept = match next {
        Next::Fork(forks) => forks.kept_capability(),
        Next::Load | Next::Execute(_) => CapabilitySet::empty(),
    };
    capabilities::drop_all_but(kept).map_err(failed("capabilities"))?;
    // Before Landlock and the filter, which require it.
    capabilities::no_new_privileges().map_err(failed("set-user-ID programs"))?;
    // No process of the same uid may trace it. After the change of ids, which resets this flag.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed("being traced"))?;
    if jail.mode == Mode::Inner && jail.scratch_bytes > 0 {
        scratch::check(jail.scratch_bytes, jail.scratch_since_ns)?;
    }
    let (has_network, has_scratch) = (jail.has_network(), jail.scratch_bytes > 0);
    landlock::restrict(&entered.module, &entered.executables, has_scratch, &jail.connect)?;
    // The last, since the filter forbids the steps above.
    let filter = match next {
        Next::Load => Filter::Function { has_network, has_scratch },
        Next::Fork(forks) => forks.zygote_filter(),
        Next::Execute(call) => Filter::Program { call: call.pointers(), has_network, has_scratch },
    };
    seccomp::install(filter).map_err(JailError::Seccomp)?;
    self_test::run(has_network, kept, &entered.executables)?;
    Ok(())
}
