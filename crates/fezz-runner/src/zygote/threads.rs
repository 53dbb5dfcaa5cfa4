//! Checks that this process has only one thread, as a zygote must: fork(2) copies only the thread that calls it.

use crate::jail::syscalls::unshare;
use nix::sched::CloneFlags;
use rustix::fd::OwnedFd;
use rustix::fs::{Dir, Mode, OFlags, open};
use rustix::io::Errno;

#[derive(Debug)]
pub(crate) enum Threads {
    /// unshare(2) of what threads share does nothing where there is one thread, and else fails by `EINVAL`.
    Unshare,
    /// The kernel's list of them (proc(5)), opened before Landlock forbids it.
    Listed(OwnedFd),
}

/// The list of this process's threads.
const LIST: &str = "/proc/self/task";

/// There is no way to count threads.
#[derive(Debug, thiserror::Error)]
#[error(
    "failed to count threads, which `fork` needs: the runner's seccomp filter refuses unshare ({refusal}), and `{LIST}` \
     can't be opened: let the filter allow unshare(CLONE_THREAD), mount /proc, or set `execution` to `spawn`"
)]
pub struct Uncountable {
    refusal: Errno,
    source: Errno,
}

impl Threads {
    /// Chooses a way to count them. Before the module is loaded: there is one thread, so that an error has another
    /// cause. And before Landlock forbids opening the list.
    ///
    /// # Errors
    ///
    /// Neither way works: a filter refuses unshare, as Docker's does by default, and /proc isn't mounted.
    pub(crate) fn prepare() -> Result<Self, Uncountable> {
        let Err(refusal) = unshare(CloneFlags::CLONE_THREAD) else { return Ok(Self::Unshare) };
        let list = open(LIST, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        list.map(Self::Listed).map_err(|source| Uncountable { refusal, source })
    }

    /// Whether there is only one.
    ///
    /// # Errors
    ///
    /// The module has closed the list, or has installed a filter that refuses the call.
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
