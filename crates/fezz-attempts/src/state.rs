//! State between requests: a first request leaves something, a second looks for it, a third takes it away.

use crate::attempt::{Attempt, Expected, Variant};
use crate::descriptors;
use crate::found::Found;
use crate::ipc::{CREATE, REMOVE};
use crate::params::Params;
use crate::sys;
use std::ffi::CString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("leave-variable", "leave a variable's value", |params| own(params, &VARIABLE))
        .expected(Expected::NothingFound),
    Attempt::new("leave-environment-variable", "leave a variable of its environment", |params| {
        own(params, &ENVIRONMENT)
    })
    .expected(Expected::NothingFound),
    Attempt::new("leave-descriptor", "leave an open descriptor", |params| own(params, &DESCRIPTOR))
        .expected(Expected::NothingFound),
    Attempt::new(
        "leave-flags-of-descriptors",
        "leave flags of its open descriptors (O_NONBLOCK, O_APPEND)",
        |params| own(params, &FLAGS),
    )
    .expected(Expected::NothingFound),
    Attempt::new("leave-umask", "leave another umask", |params| own(params, &UMASK))
        .expected(Expected::NothingFound),
    Attempt::new("leave-working-folder", "leave another working folder", |params| own(params, &FOLDER))
        .expected(Expected::NothingFound),
    Attempt::new("leave-priority", "leave another priority", |params| own(params, &PRIORITY))
        .expected(Expected::NothingFound),
    Attempt::new("leave-signal-mask", "leave a signal blocked", |params| own(params, &SIGNAL_MASK))
        .expected(Expected::NothingFound),
    Attempt::new("leave-signal-handler", "leave a signal ignored", |params| own(params, &SIGNAL_HANDLER))
        .expected(Expected::NothingFound),
    Attempt::new("leave-file-in-tmp", "leave a file in /tmp", |params| step(params, &File("/tmp", params)))
        .expected(Expected::NothingFound),
    Attempt::new("leave-file-in-shared-folder", "leave a file in the folder of shared memory", |params| {
        step(params, &File("/dev/shm", params))
    })
    .expected(Expected::NothingFound),
    Attempt::new("leave-shared-memory", "leave a System V shared memory segment", |params| {
        step(params, &SharedMemory(params))
    })
    .expected(Expected::NothingFound),
    Attempt::new("leave-message-queue", "leave a POSIX message queue", |params| {
        step(params, &MessageQueue(params))
    })
    .expected(Expected::NothingFound),
    Attempt::new("leave-key-of-user", "leave a key in the user's keyring", |params| {
        step(params, &Key(params, -4))
    })
    .expected(Expected::NothingFound),
    Attempt::new("leave-key-of-session", "leave a key in the session's keyring", |params| {
        step(params, &Key(params, -3))
    })
    .expected(Expected::NothingFound),
    Attempt::new(
        "leave-key-of-user-session",
        "leave a key in the user's default session keyring",
        |params| step(params, &Key(params, -5)),
    )
    .expected(Expected::NothingFound),
    Attempt::new("leave-file-in-scratch", "leave a file where it may write", |params| {
        own(params, &File("/tmp", params))
    })
    .under(Variant::Scratch)
    .expected(Expected::NothingFound),
];

/// Something that may outlive the process that wrote to it.
trait Storage {
    fn leave(&self) -> io::Result<()>;
    fn look(&self) -> io::Result<()>;
    fn remove(&self) -> io::Result<()>;
}

fn step(params: &Params<'_>, storage: &impl Storage) -> Found {
    match params.text("step") {
        "leave" => Found::achieved("leave it", storage.leave()),
        "look" => match storage.look() {
            Ok(()) => Found::Worked("the next request found it".to_owned()),
            Err(error) => Found::Refused(format!("the next request looked for it: {}", sys::name(&error))),
        },
        _ => Found::achieved("remove", storage.remove()),
    }
}

/// The same for what a process may keep for itself: all requests of a worker share it.
fn own(params: &Params<'_>, storage: &impl Storage) -> Found {
    match params.text("execution") {
        "worker" => Found::Untried("the requests of a worker share what their process has".to_owned()),
        _ => step(params, storage),
    }
}

/// State of the process itself: it is gone at the process's end, unless the next request runs in the same process or in
/// one that shares it.
pub(crate) struct Own {
    /// Leaves something.
    pub(crate) leave: fn() -> io::Result<()>,
    /// Looks for it.
    pub(crate) is_there: fn() -> io::Result<bool>,
}

impl Storage for Own {
    fn leave(&self) -> io::Result<()> {
        (self.leave)()
    }

    fn look(&self) -> io::Result<()> {
        if (self.is_there)()? { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ENOENT)) }
    }

    fn remove(&self) -> io::Result<()> {
        Ok(())
    }
}

static LEFT: AtomicBool = AtomicBool::new(false);

const VARIABLE: Own = Own {
    leave: || {
        LEFT.store(true, Ordering::SeqCst);
        Ok(())
    },
    is_there: || Ok(LEFT.load(Ordering::SeqCst)),
};

pub(crate) const ENVIRONMENT: Own = Own {
    leave: || {
        // SAFETY: no other thread may read the environment: there is only one.
        unsafe { std::env::set_var("FEZZ_LEFT", "1") };
        Ok(())
    },
    is_there: || Ok(std::env::var_os("FEZZ_LEFT").is_some()),
};

/// A number that nothing else gets, since the lowest free one is given.
pub(crate) const HIGH: usize = 40;

pub(crate) const DESCRIPTOR: Own = Own {
    leave: || sys::call(libc::SYS_dup3, &[2, HIGH, 0]).map(drop),
    is_there: || Ok(descriptors::kind(HIGH as i32).is_some()),
};

/// Of what is open here and in the next process, if that is one and the same file description (open(2)).
pub(crate) const FLAGS: Own = Own {
    leave: || {
        let flags = (libc::O_APPEND | libc::O_NONBLOCK) as usize;
        let set =
            open_descriptors().map(|at| sys::call(libc::SYS_fcntl, &[at, libc::F_SETFL as usize, flags]));
        set.collect::<io::Result<Vec<_>>>().map(drop)
    },
    is_there: || {
        let has = |at| {
            let flags = sys::call(libc::SYS_fcntl, &[at, libc::F_GETFL as usize]);
            flags.is_ok_and(|flags| flags & libc::O_APPEND as usize != 0)
        };
        Ok(open_descriptors().any(has))
    },
};

fn open_descriptors() -> impl Iterator<Item = usize> {
    (0..1024).filter(|at| descriptors::kind(*at).is_some()).map(|at| at as usize)
}

const MASK: usize = 0o123;

pub(crate) const UMASK: Own = Own {
    leave: || sys::call(libc::SYS_umask, &[MASK]).map(drop),
    is_there: || sys::call(libc::SYS_umask, &[MASK]).map(|mask| mask == MASK),
};

pub(crate) const FOLDER: Own = Own {
    leave: || std::env::set_current_dir("/usr"),
    is_there: || std::env::current_dir().map(|folder| folder == Path::new("/usr")),
};

pub(crate) const PRIORITY: Own = Own {
    leave: || {
        const LOWEST: usize = 19;
        sys::call(libc::SYS_setpriority, &[libc::PRIO_PROCESS as usize, 0, LOWEST]).map(drop)
    },
    // What the kernel returns is 20 less the value (getpriority(2)).
    is_there: || Ok(sys::call(libc::SYS_getpriority, &[libc::PRIO_PROCESS as usize, 0])? == 1),
};

/// The mask that holds `SIGUSR2` alone.
pub(crate) const USER_SIGNAL: u64 = 1 << (libc::SIGUSR2 - 1);

pub(crate) const SIGNAL_MASK: Own = Own {
    leave: || signal_mask(&USER_SIGNAL).map(drop),
    is_there: || signal_mask(&0).map(|mask| mask & USER_SIGNAL != 0),
};

/// Blocks the signals in `more`, and returns those that were blocked before.
pub(crate) fn signal_mask(more: &u64) -> io::Result<u64> {
    let mut before = 0_u64;
    let arguments = [libc::SIG_BLOCK as usize, sys::at(more), sys::at_mut(&mut before), size_of_val(more)];
    sys::call(libc::SYS_rt_sigprocmask, &arguments).map(|_| before)
}

pub(crate) const SIGNAL_HANDLER: Own = Own {
    leave: || {
        ignore_user_signal();
        Ok(())
    },
    is_there: || Ok(ignore_user_signal() == libc::SIG_IGN),
};

/// Returns what was done with it before.
fn ignore_user_signal() -> libc::sighandler_t {
    // SAFETY: SIG_IGN is a disposition, not a function that could run.
    unsafe { libc::signal(libc::SIGUSR2, libc::SIG_IGN) }
}

struct File<'a>(&'a str, &'a Params<'a>);

impl File<'_> {
    fn path(&self) -> PathBuf {
        PathBuf::from(self.0).join(self.1.text("marker"))
    }
}

impl Storage for File<'_> {
    fn leave(&self) -> io::Result<()> {
        fs::File::create_new(self.path()).map(drop)
    }

    fn look(&self) -> io::Result<()> {
        fs::metadata(self.path()).map(drop)
    }

    fn remove(&self) -> io::Result<()> {
        fs::remove_file(self.path())
    }
}

/// A System V segment, by a number that the check chose.
struct SharedMemory<'a>(&'a Params<'a>);

impl SharedMemory<'_> {
    fn get(&self, bytes: usize, flags: usize) -> io::Result<usize> {
        sys::call(libc::SYS_shmget, &[self.0.number("key"), bytes, flags])
    }
}

impl Storage for SharedMemory<'_> {
    fn leave(&self) -> io::Result<()> {
        self.get(4096, CREATE | libc::IPC_EXCL as usize).map(drop)
    }

    fn look(&self) -> io::Result<()> {
        self.get(0, 0).map(drop)
    }

    fn remove(&self) -> io::Result<()> {
        sys::call(libc::SYS_shmctl, &[self.get(0, 0)?, REMOVE, 0]).map(drop)
    }
}

struct MessageQueue<'a>(&'a Params<'a>);

impl MessageQueue<'_> {
    fn open(&self, flags: i32) -> io::Result<()> {
        let name = CString::new(self.0.text("marker"))?;
        sys::open(libc::SYS_mq_open, &[sys::at(name.as_c_str()), flags as usize, 0o600, 0]).map(drop)
    }
}

impl Storage for MessageQueue<'_> {
    fn leave(&self) -> io::Result<()> {
        self.open(libc::O_CREAT | libc::O_EXCL | libc::O_RDWR)
    }

    fn look(&self) -> io::Result<()> {
        self.open(libc::O_RDWR)
    }

    fn remove(&self) -> io::Result<()> {
        let name = CString::new(self.0.text("marker"))?;
        sys::call(libc::SYS_mq_unlink, &[sys::at(name.as_c_str())]).map(drop)
    }
}

/// A key in one of the kernel's keyrings (keyrings(7)), which its processes share.
struct Key<'a>(&'a Params<'a>, isize);

impl Key<'_> {
    fn find(&self) -> io::Result<usize> {
        const SEARCH: usize = 10;
        let name = CString::new(self.0.text("marker"))?;
        sys::call(libc::SYS_keyctl, &[SEARCH, self.1 as usize, sys::at(c"user"), sys::at(name.as_c_str()), 0])
    }
}

impl Storage for Key<'_> {
    fn leave(&self) -> io::Result<()> {
        let name = CString::new(self.0.text("marker"))?;
        let key = [sys::at(c"user"), sys::at(name.as_c_str()), sys::at(c"x"), 1, self.1 as usize];
        sys::call(libc::SYS_add_key, &key).map(drop)
    }

    fn look(&self) -> io::Result<()> {
        self.find().map(drop)
    }

    fn remove(&self) -> io::Result<()> {
        const UNLINK: usize = 9;
        sys::call(libc::SYS_keyctl, &[UNLINK, self.find()?, self.1 as usize]).map(drop)
    }
}
