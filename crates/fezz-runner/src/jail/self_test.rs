//! Tries what must be impossible by now, and refuses to go on if any of it works: a restriction that is in force only
//! on paper would else be noticed by nobody.

use super::syscalls::{ALWAYS_REFUSED, REFUSED_WITHOUT_NETWORK};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::thread::CapabilitySet;

/// Something forbidden is possible.
#[derive(Debug, thiserror::Error)]
#[error("the jail doesn't hold: {what} isn't refused ({answer}), so that the module is not loaded")]
pub struct BrokenJail {
    what: &'static str,
    answer: String,
}

/// Files and folders that most hosts have, and none of which is to be seen.
const FILES: [(&str, &str); 4] = [
    ("reading /etc/passwd", "/etc/passwd"),
    ("reading /proc/self/environ", "/proc/self/environ"),
    ("listing /proc", "/proc"),
    ("reading /bin/sh", "/bin/sh"),
];

/// Runs every attempt that concerns a function with this or no network, and no capability but `kept`.
///
/// # Errors
///
/// The first one that isn't refused.
pub fn run(has_network: bool, kept: CapabilitySet) -> Result<(), BrokenJail> {
    // A wrapper's own filter may refuse in its own way; all other answers are the call's own: it was made.
    const FILTERED: [Errno; 2] = [Errno::PERM, Errno::NOSYS];
    let without_network = if has_network { [].iter() } else { REFUSED_WITHOUT_NETWORK.iter() };
    for attempt in ALWAYS_REFUSED.iter().chain(without_network) {
        check(attempt.what, attempt.make(), &FILTERED)?;
    }
    let nobody = !rustix::process::geteuid().is_root();
    let none = rustix::thread::capabilities(None)
        .is_ok_and(|sets| kept.contains(sets.effective | sets.permitted) && sets.inheritable.is_empty());
    for (what, holds) in [("being root", nobody), ("having a capability", none)] {
        if !holds {
            return Err(BrokenJail { what, answer: "it is so".to_owned() });
        }
    }
    const HIDDEN: [Errno; 2] = [Errno::ACCESS, Errno::NOENT];
    for (what, path) in FILES {
        check(what, open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map(drop), &HIDDEN)?;
    }
    const NOWHERE: [Errno; 3] = [Errno::ACCESS, Errno::NOENT, Errno::ROFS];
    let write = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
    check("making a file in /", open("/fezz-self-test", write, Mode::RUSR).map(drop), &NOWHERE)
}

fn check(what: &'static str, answer: Result<(), Errno>, refusals: &[Errno]) -> Result<(), BrokenJail> {
    match answer {
        Err(error) if refusals.contains(&error) => Ok(()),
        Err(error) => Err(BrokenJail { what, answer: error.to_string() }),
        Ok(()) => Err(BrokenJail { what, answer: "it works".to_owned() }),
    }
}
