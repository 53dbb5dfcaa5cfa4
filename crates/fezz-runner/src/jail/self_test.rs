//! Tries forbidden operations, and refuses to continue if one of them works. Otherwise a restriction that isn't really
//! in force would stay unnoticed.

use super::syscalls::{ALWAYS_REFUSED, REFUSED_WITHOUT_NETWORK};
use rustix::fs::{Mode, OFlags, open, stat};
use rustix::io::Errno;
use rustix::thread::CapabilitySet;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
#[error("the jail doesn't hold: {what} isn't refused ({answer}); the module is not loaded")]
pub struct BrokenJail {
    what: &'static str,
    answer: String,
}

/// Files and folders that most hosts have, and that must not be visible.
const FILES: [(&str, &str); 3] = [
    ("reading /etc/passwd", "/etc/passwd"),
    ("reading /proc/self/environ", "/proc/self/environ"),
    ("listing /proc", "/proc"),
];

/// Programs of the same kind. The first one is tried that isn't itself what a worker's program may have executed, as the
/// interpreter of a script.
const PROGRAMS: [(&str, &str); 2] = [("reading /bin/sh", "/bin/sh"), ("reading /bin/cat", "/bin/cat")];

/// Runs every attempt that concerns a function with this or no network, no capability but `kept`, and these `executables`.
///
/// # Errors
///
/// The first one that isn't refused.
pub(super) fn run(has_network: bool, kept: CapabilitySet, executables: &[PathBuf]) -> Result<(), BrokenJail> {
    // A wrapper's own filter may answer either of these. Any other answer comes from the call itself: it was made.
    const FILTERED: [Errno; 2] = [Errno::PERM, Errno::NOSYS];
    let without_network = if has_network { [].iter() } else { REFUSED_WITHOUT_NETWORK.iter() };
    for attempt in ALWAYS_REFUSED.iter().chain(without_network) {
        check(attempt.what, attempt.make(), &FILTERED)?;
    }
    let is_ordinary_user = !rustix::process::geteuid().is_root();
    let none = rustix::thread::capabilities(None)
        .is_ok_and(|sets| kept.contains(sets.effective | sets.permitted) && sets.inheritable.is_empty());
    for (what, holds) in [("being root", is_ordinary_user), ("having a capability", none)] {
        if !holds {
            return Err(BrokenJail { what, answer: "it is the case".to_owned() });
        }
    }
    const HIDDEN: [Errno; 2] = [Errno::ACCESS, Errno::NOENT];
    let is_shown =
        |path: &str| executables.iter().any(|executable| is_same_file(Path::new(path), executable));
    let program = PROGRAMS.into_iter().find(|(_, path)| !is_shown(path));
    for (what, path) in FILES.into_iter().chain(program) {
        check(what, open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map(drop), &HIDDEN)?;
    }
    const NOWHERE: [Errno; 3] = [Errno::ACCESS, Errno::NOENT, Errno::ROFS];
    let write = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
    check("making a file in /", open("/fezz-self-test", write, Mode::RUSR).map(drop), &NOWHERE)
}

/// Not by their names: `/bin/sh` is often a link, which another one is too.
fn is_same_file(one: &Path, other: &Path) -> bool {
    match (stat(one), stat(other)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}

fn check(what: &'static str, answer: Result<(), Errno>, refusals: &[Errno]) -> Result<(), BrokenJail> {
    match answer {
        Err(error) if refusals.contains(&error) => Ok(()),
        Err(error) => Err(BrokenJail { what, answer: error.to_string() }),
        Ok(()) => Err(BrokenJail { what, answer: "it works".to_owned() }),
    }
}
