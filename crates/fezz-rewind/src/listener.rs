//! The listener of a process's filter: the system calls at which it stopped (seccomp_unotify(2)).

use crate::ioctl::ioctl;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Pid;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP` of linux/seccomp.h.
const SYNC_WAKE_UP: libc::c_ulong = 1;

/// The listener of a filter with `SECCOMP_RET_USER_NOTIF`. It is readable when [`receive`](Self::receive) has something.
#[derive(Debug)]
pub struct Listener(OwnedFd);

/// A system call that waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// What names it in the answer.
    pub id: u64,
    /// The thread that made it; `None` if it has no number in the caller's PID namespace.
    pub pid: Option<Pid>,
    /// The number of the system call.
    pub number: i32,
    /// Whose numbers these are: an `AUDIT_ARCH_*` of linux/audit.h.
    pub arch: u32,
    /// The address of the instruction after the system call.
    pub instruction_pointer: u64,
    /// The arguments.
    pub args: [u64; 6],
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl From<OwnedFd> for Listener {
    fn from(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }
}

impl Listener {
    /// The next call. `None` if there is none: because none was made, or because its process was killed meanwhile.
    ///
    /// # Errors
    ///
    /// The kernel's; and [`io::ErrorKind::UnexpectedEof`] if every process with this filter has ended.
    pub fn receive(&self) -> io::Result<Option<Call>> {
        if !self.is_readable()? {
            return Ok(None);
        }
        // The kernel refuses one that isn't zero, with EINVAL.
        let mut notification = libc::seccomp_notif {
            id: 0,
            pid: 0,
            flags: 0,
            data: libc::seccomp_data { nr: 0, arch: 0, instruction_pointer: 0, args: [0; 6] },
        };
        // SAFETY: the kernel writes one `seccomp_notif`, in which every value of each field is valid.
        let received = unsafe { ioctl(self.as_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &mut notification) };
        match received {
            Ok(_) => Ok(Some(Call::from(notification))),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EAGAIN)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Ends a call: it returns `value` in its process.
    ///
    /// # Errors
    ///
    /// `ENOENT` if the process was killed meanwhile.
    pub fn resume(&self, id: u64, value: i64) -> io::Result<()> {
        self.send(libc::seccomp_notif_resp { id, val: value, error: 0, flags: 0 })
    }

    /// Has the kernel carry out a call, as if there were no filter.
    ///
    /// # Errors
    ///
    /// `ENOENT` if the process was killed meanwhile.
    pub fn let_through(&self, id: u64) -> io::Result<()> {
        #[expect(clippy::cast_possible_truncation, reason = "the flag is 1")]
        let flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;
        self.send(libc::seccomp_notif_resp { id, val: 0, error: 0, flags })
    }

    /// Whether a call still waits, so that its process number still means that process. Ask after opening something by
    /// that number, and before trusting what was opened.
    ///
    /// # Errors
    ///
    /// The kernel's, but for `ENOENT`.
    pub fn is_waiting(&self, id: u64) -> io::Result<bool> {
        let mut id = id;
        // SAFETY: the kernel reads one u64.
        match unsafe { ioctl(self.as_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &mut id) } {
            Ok(_) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Tells the scheduler that each side waits for the other, so it may run both on one core without a wake-up between
    /// cores. Since Linux 6.6.
    ///
    /// # Errors
    ///
    /// `EINVAL` from an older kernel.
    pub fn wake_synchronously(&self) -> io::Result<()> {
        // SAFETY: this request takes its flags by value, so the kernel uses no memory.
        match unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Receiving blocks if there is nothing, also with O_NONBLOCK, so the caller must not take it to be readable just
    /// because it once was.
    fn is_readable(&self) -> io::Result<bool> {
        let mut files = [PollFd::new(&self.0, PollFlags::IN)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut files, Some(&at_once)))?;
        let events = files[0].revents();
        if !events.contains(PollFlags::IN) && events.contains(PollFlags::HUP) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(events.contains(PollFlags::IN))
    }

    fn send(&self, mut response: libc::seccomp_notif_resp) -> io::Result<()> {
        // SAFETY: the kernel reads one `seccomp_notif_resp`.
        unsafe { ioctl(self.as_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &mut response) }.map(drop)
    }
}

impl From<libc::seccomp_notif> for Call {
    fn from(notification: libc::seccomp_notif) -> Self {
        Self {
            id: notification.id,
            pid: i32::try_from(notification.pid).ok().and_then(Pid::from_raw),
            number: notification.data.nr,
            arch: notification.data.arch,
            instruction_pointer: notification.data.instruction_pointer,
            args: notification.data.args,
        }
    }
}
