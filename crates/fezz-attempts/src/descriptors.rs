//! Inherited descriptors.

use crate::attempt::Attempt;
use crate::files;
use crate::found::Found;
use crate::params::Params;
use crate::sys;
use std::os::fd::RawFd;

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new(
        "inherited-descriptors",
        "find an open descriptor beside its streams and its response",
        inherited,
    ),
    Attempt::new(
        "standard-descriptors",
        "find a folder, a file or a socket at its standard streams",
        standard,
    ),
    Attempt::new("read-own-stderr", "open the host's end of its log", |_| {
        Found::achieved(
            "open /proc/self/fd/2",
            files::open(c"/proc/self/fd/2", libc::O_RDONLY | libc::O_NONBLOCK),
        )
    }),
];

/// Beyond the standard three there is the response's pipe, and nothing else; to a forked process and a worker the
/// request came by it, too, which makes it a socket. A worker may have it twice.
fn inherited(params: &Params<'_>) -> Found {
    let by_socket = ["fork", "rewind", "worker"].contains(&params.text("execution"));
    let open: Vec<(i32, u32)> = (3..1024).filter_map(|at| Some((at, kind(at)?))).collect();
    let is_socket = |(at, kind): &(i32, u32)| *kind == libc::S_IFSOCK && identity(*at) == identity(open[0].0);
    match open[..] {
        [] => Found::Refused("none is open".to_owned()),
        [(at, libc::S_IFIFO)] => Found::Refused(format!("only {at}, a pipe for the response")),
        [(at, _), ..] if by_socket && open.iter().all(is_socket) => {
            Found::Refused(format!("only {at}, a socket for request and response"))
        }
        _ => Found::Worked(format!("open are {}", listed(&open))),
    }
}

/// Request and log are pipes; a folder or a file here would bypass the root, a socket the network namespace. A worker's
/// stdin may be the host's socket.
fn standard(params: &Params<'_>) -> Found {
    let open: Vec<(i32, u32)> = (0..3).filter_map(|at| Some((at, kind(at)?))).collect();
    let is_worker = params.text("execution") == "worker";
    let is_allowed = |(at, kind): &(i32, u32)| {
        [libc::S_IFIFO, libc::S_IFCHR].contains(kind) || (is_worker && (*at, *kind) == (0, libc::S_IFSOCK))
    };
    let others: Vec<(i32, u32)> = open.into_iter().filter(|found| !is_allowed(found)).collect();
    match others[..] {
        [] => Found::Refused("pipes, or /dev/null".to_owned()),
        _ => Found::Worked(format!("there are {}", listed(&others))),
    }
}

fn listed(open: &[(i32, u32)]) -> String {
    let name = |kind: u32| match kind {
        libc::S_IFIFO => "pipe",
        libc::S_IFSOCK => "socket",
        libc::S_IFREG => "file",
        libc::S_IFDIR => "folder",
        libc::S_IFCHR | libc::S_IFBLK => "device",
        _ => "anonymous file",
    };
    let words: Vec<String> = open.iter().map(|(at, kind)| format!("{at} ({})", name(*kind))).collect();
    words.join(", ")
}

/// The kind of file at a descriptor; `None` if it isn't open.
pub(crate) fn kind(descriptor: RawFd) -> Option<u32> {
    status(descriptor).map(|status| status.st_mode & libc::S_IFMT)
}

/// The identity of the file at a descriptor: device and inode; `None` if it isn't open.
pub(crate) fn identity(descriptor: RawFd) -> Option<(u64, u64)> {
    status(descriptor).map(|status| (status.st_dev, status.st_ino))
}

fn status(descriptor: RawFd) -> Option<libc::stat> {
    sys::call(libc::SYS_fcntl, &[descriptor as usize, libc::F_GETFD as usize]).ok()?;
    let mut status = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the structure is this function's own.
    let answer = unsafe { libc::fstat(descriptor, status.as_mut_ptr()) };
    // SAFETY: all zeroes are a stat, and fstat may have filled it.
    let status = unsafe { status.assume_init() };
    (answer == 0).then_some(status)
}
