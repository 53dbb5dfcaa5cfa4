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
#[expect(dead_code, reason = "the build script compiles these lists, and the tests interpret them")]
pub(crate) mod policy;
mod seccomp;

mod self_test;

pub(crate) mod separation;

pub(crate) mod syscalls;

pub(crate) use plan::{Jail, Mode};

use crate::syscalls::{die_with_parent, exit_now};
use processes::Mark;
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

/// The environment in which a module is loaded, once its namespaces and root are made.
#[derive(Debug)]
pub(crate) struct Entered {
    pub module: PathBuf,
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
pub(crate) fn enter(jail: &Jail, module: &Path, host: BorrowedFd<'_>) -> Result<Entered, JailError> {
    if jail.mode == Mode::Off {
        return Ok(Entered { module: module.to_owned(), others: None, mark: None });
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
        return Ok(Entered { module: module.to_owned(), others: Some(others), mark: None });
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
    let file_name = module.file_name().unwrap_or(module.as_os_str());
    let module = root::change(&taken, file_name, jail.has_network(), jail.scratch_bytes)?;
    // This holds for the processes that this one forks, too: the jail's supervisor holds what a module mustn't get.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|source| JailError::Privileges { what: "being traced", source })?;
    // The last of these: only a child is in the new PID namespace, and its parent should have done as little as
    // possible.
    let mark = Some(processes::split(host)?);
    Ok(Entered { module, others: Some(STRICT_OTHERS), mark })
}

/// How many processes a wrapper has in its PID namespace. One, if this process is the second, as under bubblewrap.
/// None, if it is the first, as under nsjail. Any other process id means that there is no such namespace, as without a
/// wrapper: then the user's other processes don't raise the function's limit of threads.
fn others_of_wrapper() -> u64 {
    const SECOND: i32 = 2;
    u64::from(rustix::process::getpid().as_raw_nonzero().get() == SECOND)
}

/// Gives up the rights that a process still has after [`enter`], except those that a zygote `forks` by. The last step
/// before the module is loaded.
///
/// # Errors
///
/// The right that can't be given up, with the fix; or the attempt of the self-test that wasn't refused.
pub(crate) fn confine(jail: &Jail, module: &Path, forks: Option<&Forks>) -> Result<(), JailError> {
    if jail.mode == Mode::Off {
        return Ok(());
    }
    let failed = |what| move |source| JailError::Privileges { what, source };
    let kept = forks.map_or(CapabilitySet::empty(), Forks::kept_capability);
    capabilities::drop_all_but(kept).map_err(failed("capabilities"))?;
    // Before Landlock and the filter, which require it.
    capabilities::no_new_privileges().map_err(failed("set-user-ID programs"))?;
    // No process of the same uid may trace it. After the change of ids, which resets this flag.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed("being traced"))?;
    if jail.mode == Mode::Inner && jail.scratch_bytes > 0 {
        scratch::check(jail.scratch_bytes, jail.scratch_since_ns)?;
    }
    landlock::restrict(module, jail.scratch_bytes > 0, &jail.connect)?;
    // The last, since the filter forbids the steps above.
    let (has_network, has_scratch) = (jail.has_network(), jail.scratch_bytes > 0);
    let filter = forks.map_or(Filter::Function { has_network, has_scratch }, Forks::zygote_filter);
    seccomp::install(filter).map_err(JailError::Seccomp)?;
    self_test::run(has_network, kept)?;
    Ok(())
}
