//! Whether this process has one thread alone, as a zygote must: a forked process has none but the one that forked it.

use crate::jail::syscalls::unshare;
use nix::sched::CloneFlags;
use rustix::fd::OwnedFd;
use rustix::fs::{Dir, Mode, OFlags, open};
use rustix::io::Errno;

/// How threads are counted.
#[derive(Debug)]
pub(crate) enum Threads {
    /// unshare(2) of what threads share does nothing where there is one thread, and else fails by `EINVAL`.
    Unshare,
    /// The kernel's list of them (proc(5)), opened while files could be.
    Listed(OwnedFd),
}

/// The list of this process's threads.
const LIST: &str = "/proc/self/task";

/// There is no way to count them.
#[derive(Debug, thiserror::Error)]
#[error(
    "failed to count threads, which `fork` must: the filter of system calls around the runner refuses unshare      ({refusal}), and `{LIST}` can't be opened: let the filter allow unshare(CLONE_THREAD), mount /proc, or set `execution`      to `spawn`"
)]
pub struct Uncountable {
    refusal: Errno,
    source: Errno,
}

impl Threads {
    /// Finds a way to count them. Before there is a module, when an error can't come of threads, for there is one; and
    /// before Landlock lets nobody open the list.
    ///
    /// # Errors
    ///
    /// Neither way is open: a filter refuses the first, as Docker's does by default, and /proc isn't there.
    pub(crate) fn prepare() -> Result<Self, Uncountable> {
        let Err(refusal) = unshare(CloneFlags::CLONE_THREAD) else { return Ok(Self::Unshare) };
        let list = open(LIST, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        list.map(Self::Listed).map_err(|source| Uncountable { refusal, source })
    }

    /// Whether there is one.
    ///
    /// # Errors
    ///
    /// The module has had the list closed, or has the call refused by a filter of its own.
    pub(crate) fn only_one(self) -> Result<bool, Errno> {
        match self {
            Self::Unshare => match unshare(CloneFlags::CLONE_THREAD) {
                Ok(()) => Ok(true),
                Err(Errno::INVAL) => Ok(false),
                Err(error) => Err(error),
            },
            Self::Listed(list) => {
                let names: Result<Vec<_>, Errno> = Dir::new(list)?.collect();
                let is_thread = |name: &&rustix::fs::DirEntry| !name.file_name().to_bytes().starts_with(b".");
                Ok(names?.iter().filter(is_thread).count() == 1)
            }
        }
    }
}
