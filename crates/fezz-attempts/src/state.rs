//! State between requests: a first request leaves something, a second looks for it, a third takes it away.

use crate::Attempt;
use crate::found::Found;
use crate::ipc::{CREATE, REMOVE};
use crate::params::Params;
use crate::sys;
use std::ffi::CString;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    ("leave-variable", |params| step(params, &Variable)),
    ("leave-file-in-tmp", |params| step(params, &File("/tmp", params))),
    ("leave-file-in-shared-folder", |params| step(params, &File("/dev/shm", params))),
    ("leave-shared-memory", |params| step(params, &SharedMemory(params))),
    ("leave-message-queue", |params| step(params, &MessageQueue(params))),
    ("leave-key-of-user", |params| step(params, &Key(params, -4))),
    ("leave-key-of-session", |params| step(params, &Key(params, -3))),
    ("leave-key-of-user-session", |params| step(params, &Key(params, -5))),
];

/// A place where something may outlive its process.
trait Place {
    fn leave(&self) -> io::Result<()>;
    fn look(&self) -> io::Result<()>;
    fn remove(&self) -> io::Result<()>;
}

fn step(params: &Params<'_>, place: &impl Place) -> Found {
    match params.text("step") {
        "leave" => Found::achieved("leave it", place.leave()),
        "look" => match place.look() {
            Ok(()) => Found::Worked("the next request found it".to_owned()),
            Err(error) => Found::Refused(format!("the next request looked for it: {}", sys::name(&error))),
        },
        _ => Found::achieved("remove", place.remove()),
    }
}

struct Variable;

static VARIABLE: AtomicBool = AtomicBool::new(false);

impl Place for Variable {
    fn leave(&self) -> io::Result<()> {
        VARIABLE.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn look(&self) -> io::Result<()> {
        if VARIABLE.load(Ordering::SeqCst) { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ENOENT)) }
    }

    fn remove(&self) -> io::Result<()> {
        Ok(())
    }
}

struct File<'a>(&'a str, &'a Params<'a>);

impl File<'_> {
    fn path(&self) -> PathBuf {
        PathBuf::from(self.0).join(self.1.text("marker"))
    }
}

impl Place for File<'_> {
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

impl Place for SharedMemory<'_> {
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

impl Place for MessageQueue<'_> {
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

impl Place for Key<'_> {
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
