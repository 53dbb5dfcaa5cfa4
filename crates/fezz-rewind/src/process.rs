//! What the host opens of a process while it may: descriptors, and files in /proc.
//!
//! A process that makes itself non-dumpable belongs to root in /proc from then on. The permission is checked when a file
//! is opened (proc(5), ptrace(2)), so what was opened before stays usable, also for a host that isn't root.

use rustix::fs::{Mode, OFlags, RawDir, SeekFrom};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags};
use std::fs::File;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;

/// The open files of one process in /proc.
#[derive(Debug)]
pub struct Files {
    memory: File,
    pagemap: File,
    maps: File,
    status: File,
    limits: File,
    descriptors: OwnedFd,
}

/// Reads a process's memory.
#[derive(Debug)]
pub struct MemoryReader(File);

impl MemoryReader {
    /// Fills `bytes`; see [`Files::read`]. It waits as long as a thread of the process keeps the memory map locked.
    ///
    /// # Errors
    ///
    /// Those of [`Files::read`].
    pub fn read(&self, address: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(bytes, address)
    }
}

/// A file in /proc couldn't be opened.
#[derive(Debug, thiserror::Error)]
#[error("failed to open `{path}`")]
pub struct OpenError {
    /// The file.
    pub path: String,
    /// The kernel's reason.
    pub source: io::Error,
}

/// What a descriptor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Of userfaultfd(2).
    Userfaultfd,
    /// The listener of a filter.
    Listener,
}

impl Kind {
    /// What the kernel calls it (fs/userfaultfd.c, kernel/seccomp.c).
    fn name(self) -> &'static [u8] {
        match self {
            Self::Userfaultfd => b"anon_inode:[userfaultfd]",
            Self::Listener => b"anon_inode:seccomp notify",
        }
    }
}

/// A copy of descriptor `number` of process `pid`, which must be dumpable (pidfd_getfd(2)). The process says what it is:
/// a descriptor of another kind is closed on a thread of its own, since closing may block, as of a socket with
/// `SO_LINGER` (socket(7)).
///
/// # Errors
///
/// The kernel's: `ESRCH` if there is no such process, `EBADF` if it has no such descriptor, `EPERM`.
/// [`io::ErrorKind::InvalidData`] if it is of another kind.
pub fn take_descriptor(pid: Pid, number: RawFd, kind: Kind) -> io::Result<OwnedFd> {
    let process = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    let taken = rustix::process::pidfd_getfd(process, number, PidfdGetfdFlags::empty())?;
    let link = format!("/proc/self/fd/{}", taken.as_raw_fd());
    if rustix::fs::readlink(link, Vec::new()).is_ok_and(|name| name.as_bytes() == kind.name()) {
        return Ok(taken);
    }
    std::thread::spawn(move || drop(taken));
    Err(io::ErrorKind::InvalidData.into())
}

impl Files {
    /// Opens the files of process `pid`, which must be dumpable. The caller sees to it that the number still means the
    /// same process afterwards ([`Listener::is_waiting`](crate::Listener::is_waiting)).
    ///
    /// # Errors
    ///
    /// The first file that can't be opened.
    pub fn open(pid: Pid) -> Result<Self, OpenError> {
        let open = |name: &str, flags: OFlags| {
            let path = format!("/proc/{}/{name}", pid.as_raw_nonzero());
            rustix::fs::open(&path, flags | OFlags::CLOEXEC, Mode::empty())
                .map_err(|error| OpenError { path, source: error.into() })
        };
        Ok(Self {
            memory: open("mem", OFlags::RDWR)?.into(),
            pagemap: open("pagemap", OFlags::RDONLY)?.into(),
            maps: open("maps", OFlags::RDONLY)?.into(),
            status: open("status", OFlags::RDONLY)?.into(),
            limits: open("limits", OFlags::RDONLY)?.into(),
            descriptors: open("fd", OFlags::RDONLY | OFlags::DIRECTORY)?,
        })
    }

    /// A second way to its memory, for another thread.
    ///
    /// # Errors
    ///
    /// No descriptor is left.
    pub fn memory_reader(&self) -> io::Result<MemoryReader> {
        self.memory.try_clone().map(MemoryReader)
    }

    /// Its mappings, as text ([`maps::parse`](crate::maps::parse)).
    ///
    /// # Errors
    ///
    /// The kernel's: `ESRCH` once the process has ended.
    pub fn maps(&self) -> io::Result<String> {
        text(&self.maps)
    }

    /// Its status, as text.
    ///
    /// # Errors
    ///
    /// As for [`maps`](Self::maps).
    pub fn status(&self) -> io::Result<String> {
        text(&self.status)
    }

    /// Its resource limits, as text.
    ///
    /// # Errors
    ///
    /// As for [`maps`](Self::maps).
    pub fn limits(&self) -> io::Result<String> {
        text(&self.limits)
    }

    /// The numbers of its open descriptors, ascending.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn descriptors(&self) -> io::Result<Vec<RawFd>> {
        // Opening "." in it anew would check the permission anew.
        rustix::fs::seek(&self.descriptors, SeekFrom::Start(0))?;
        let mut space = [MaybeUninit::uninit(); 2048];
        let mut entries = RawDir::new(&self.descriptors, &mut space);
        let mut numbers = Vec::new();
        while let Some(entry) = entries.next() {
            // "." and ".." are no numbers.
            numbers.extend(entry?.file_name().to_str().ok().and_then(|name| name.parse::<RawFd>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Fills `bytes` from its memory.
    ///
    /// # Errors
    ///
    /// `EIO` if nothing is mapped at `address`, [`io::ErrorKind::UnexpectedEof`] if less is mapped than asked for.
    pub fn read(&self, address: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.memory.read_exact_at(bytes, address)
    }

    /// Writes `pieces` one after the other into its memory, even where it may only read: the caller checks the address.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read), but [`io::ErrorKind::WriteZero`]. A part may have been written.
    pub(crate) fn write_all(&self, address: u64, pieces: &[IoSlice<'_>]) -> io::Result<()> {
        let bytes: usize = pieces.iter().map(|piece| piece.len()).sum();
        match rustix::io::pwritev(&self.memory, pieces, address)? {
            written if written == bytes => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    /// Its pagemap, for [`tracker`](crate::tracker).
    pub fn pagemap(&self) -> BorrowedFd<'_> {
        self.pagemap.as_fd()
    }
}

/// The whole text of a file in /proc, which the kernel prints anew for whoever reads at its beginning.
fn text(file: &File) -> io::Result<String> {
    let mut bytes = Vec::new();
    loop {
        let length = bytes.len();
        bytes.resize(length + 4096, 0);
        let read = file.read_at(&mut bytes[length..], length as u64);
        bytes.truncate(length + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => break,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
    // The paths of mappings may be any bytes.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
