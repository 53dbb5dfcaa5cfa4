//! System calls of the jail for which rustix has no safe function, one a function: by nix where it has one, else
//! unsafe.

use crate::syscalls::{close_from, die_with_parent, exit_now, last_error, of_nix, reset_signal};
use libc::{c_int, c_long, c_void, sock_filter};
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, raise};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;
use rustix::process::{Pid, WaitOptions};
use std::mem::MaybeUninit;

/// Moves this process into new namespaces, or stops sharing other resources (unshare(2)).
///
/// # Errors
///
/// Those of unshare(2).
pub(crate) fn unshare(what: CloneFlags) -> Result<(), Errno> {
    nix::sched::unshare(what).map_err(of_nix)
}

/// Enters the namespace that a descriptor stands for (setns(2)).
///
/// # Errors
///
/// Those of setns(2): `EBADF` if it isn't open, `EINVAL` if it isn't a namespace.
pub(crate) fn enter_namespace(descriptor: u32) -> Result<(), Errno> {
    let descriptor = RawFd::try_from(descriptor).map_err(|_| Errno::BADF)?;
    // SAFETY: setns(2) takes two integers and no pointer. The number comes from the command line and may not be open:
    // so its type isn't one that promises that, and the kernel checks it.
    match unsafe { libc::setns(descriptor, 0) } {
        0 => Ok(()),
        _ => Err(last_error()),
    }
}

/// Restricts a detached mount and all below it (mount_setattr(2)).
///
/// # Errors
///
/// `ENOSYS` before Linux 5.12.
pub(crate) fn restrict_mounts(tree: BorrowedFd<'_>, attributes: MountAttrFlags) -> Result<(), Errno> {
    mount_setattr(tree, attributes, libc::AT_RECURSIVE)
}

/// Restricts one mount, but none below it.
///
/// # Errors
///
/// As [`restrict_mounts`].
pub(crate) fn restrict_mount(mount: BorrowedFd<'_>, attributes: MountAttrFlags) -> Result<(), Errno> {
    mount_setattr(mount, attributes, 0)
}

fn mount_setattr(mount: BorrowedFd<'_>, attributes: MountAttrFlags, how: c_int) -> Result<(), Errno> {
    let change =
        libc::mount_attr { attr_set: attributes.bits().into(), attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: the path is a C string, and the change outlives the call, which gets its size.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | how,
            &raw const change,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// Makes a copy of this process (fork(2)): its id here, `None` in the copy.
///
/// # Errors
///
/// Those of fork(2).
pub(crate) fn fork() -> Result<Option<Pid>, Errno> {
    // SAFETY: this process has one thread, and what shares its memory (`start_first_process`) takes no lock and writes
    // no memory but its own stack, so that the copy may go on with anything.
    match unsafe { libc::fork() } {
        -1 => Err(last_error()),
        id => Ok(Pid::from_raw(id)),
    }
}

/// The address where glibc keeps the id of the calling thread, which a forked process has to update.
#[derive(Debug)]
pub(crate) struct ThreadId(*mut c_int);

/// Asks the kernel, where glibc has registered it (prctl(2), `PR_GET_TID_ADDRESS`).
///
/// # Errors
///
/// `EINVAL`: the kernel is built without CONFIG_CHECKPOINT_RESTORE.
pub(crate) fn thread_id() -> Result<ThreadId, Errno> {
    let mut address: *mut c_int = std::ptr::null_mut();
    // SAFETY: the kernel writes a pointer to where this one lies.
    let result = unsafe { libc::prctl(libc::PR_GET_TID_ADDRESS, &raw mut address) };
    if result == 0 && !address.is_null() { Ok(ThreadId(address)) } else { Err(last_error()) }
}

/// Makes a copy of this process, in a PID namespace of its own if `is_separate`: its id here, `None` in the copy.
/// Unlike fork(3), which can make no namespace, it runs no handler of pthread_atfork(3).
///
/// # Errors
///
/// Those of clone(2): `EPERM` without CAP_SYS_ADMIN, for a namespace.
pub(crate) fn fork_in(is_separate: bool, thread_id: &ThreadId) -> Result<Option<Pid>, Errno> {
    let namespace = if is_separate { libc::CLONE_NEWPID } else { 0 };
    let flags = namespace | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD;
    let (none, thread_id) = (0_usize, thread_id.0);
    #[cfg(target_arch = "x86_64")]
    // SAFETY: no stack of its own means a copy of this one; the copy may go on with anything, for this process has one
    // thread. The kernel writes its id where glibc expects it.
    let id = unsafe { libc::syscall(libc::SYS_clone, c_long::from(flags), none, none, thread_id, none) };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above; the last two arguments are swapped on this architecture (clone(2)).
    let id = unsafe { libc::syscall(libc::SYS_clone, c_long::from(flags), none, none, none, thread_id) };
    match id {
        -1 => Err(last_error()),
        // A process id has 31 bits.
        id => Ok(Pid::from_raw(id as i32)),
    }
}

/// Puts this thread into a Landlock domain of `rules` (landlock_restrict_self(2)).
///
/// # Errors
///
/// `E2BIG`: it is in sixteen already.
pub(crate) fn restrict_by_landlock(rules: &OwnedFd) -> Result<(), Errno> {
    // SAFETY: the kernel checks the descriptor, and there are no pointers.
    let result = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// Starts the process that is PID 1 in the namespace of this process's children. It reaps, does nothing else, and ends
/// with this process, whose descriptor is `supervisor` (pidfd_open(2)). It shares this process's memory, which is five
/// times as cheap as a copy.
///
/// # Errors
///
/// Those of clone(2).
pub(crate) fn start_first_process(supervisor: BorrowedFd<'_>) -> Result<Pid, Errno> {
    const STACK_BYTES: usize = 16 * 1024;
    static mut STACK: [MaybeUninit<u8>; STACK_BYTES] = [MaybeUninit::uninit(); STACK_BYTES];
    let stack: *mut c_void = (&raw mut STACK).cast();
    let argument = supervisor.as_raw_fd() as usize as *mut c_void;
    // SAFETY: one past the end of the stack, which grows downwards.
    let top = unsafe { stack.add(STACK_BYTES) };
    // SAFETY: the stack is static, and no other code uses it: this is called once, by a process with one thread. The
    // function never returns. Its thread-local variables are this thread's, at the same time: it uses none, since
    // rustix makes its calls without libc, and libc's errno is written by calls that fail, which neither of its two
    // can.
    let id = unsafe { libc::clone(reap_for_ever, top, libc::CLONE_VM | libc::SIGCHLD, argument) };
    if id == -1 { Err(last_error()) } else { Pid::from_raw(id).ok_or(Errno::AGAIN) }
}

/// It mustn't write a thread-local variable such as errno, which it shares with the other process. So it calls only
/// rustix, and functions of libc that can't fail.
extern "C" fn reap_for_ever(supervisor: *mut c_void) -> c_int {
    let descriptor = supervisor as usize as RawFd;
    // SAFETY: it must be open as long as it is borrowed. This process has a copy of all descriptors, and closes this
    // one below, after its last use.
    let supervisor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    // No later step needs a capability.
    if die_with_supervisor(supervisor).is_err() || super::capabilities::drop_all().is_err() {
        exit_now(1);
    }
    // A reader that waits for the end of a pipe must wait for the module alone, not for this process too. The call
    // can't fail: it has succeeded in `channel::take`, and no filter was installed since.
    // SAFETY: this process must not use or close a descriptor later: it doesn't, and this function never returns to the
    // owner of one.
    unsafe { close_from(0) }.unwrap_or_default();
    loop {
        rustix::process::wait(WaitOptions::empty()).ok();
        rustix::event::pause();
    }
}

/// Makes this process end with `supervisor`, its parent, and ends it now if that one is gone already. The parent's
/// process id isn't visible in this namespace, so a descriptor stands for it.
///
/// # Errors
///
/// Those of prctl(2) and poll(2).
pub(crate) fn die_with_supervisor(supervisor: BorrowedFd<'_>) -> Result<(), Errno> {
    die_with_parent()?;
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut [PollFd::new(&supervisor, PollFlags::IN)], Some(&now))? {
        0 => Ok(()),
        _ => exit_now(1),
    }
}

/// Ends this process by a signal, as the module's process was; without a core file, since this one isn't dumpable.
pub(crate) fn end_by(signal: c_int) -> ! {
    // A signal that can't be raised, such as a real-time one, becomes the status that a shell reports for it.
    if let Ok(signal) = Signal::try_from(signal) {
        reset_signal(signal).ok();
        raise(signal).ok();
    }
    exit_now(u8::try_from(128 + signal).unwrap_or(1))
}

/// Installs a seccomp filter for this thread and those that it starts.
///
/// # Errors
///
/// `EINVAL`: the kernel is built without filters. `EACCES`: no_new_privs isn't set.
pub(crate) fn filter_system_calls(steps: &[sock_filter]) -> Result<(), Errno> {
    install(steps, 0).map(drop)
}

/// The same with a listener: its holder answers those calls that the filter passes on (seccomp_unotify(2)).
///
/// # Errors
///
/// `EBUSY`: another filter of this thread has a listener.
pub(crate) fn filter_with_listener(steps: &[sock_filter]) -> Result<OwnedFd, Errno> {
    let listener = install(steps, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER)?;
    let listener = RawFd::try_from(listener).map_err(|_| Errno::BADF)?;
    // SAFETY: it must be open, with no other owner: the kernel has just made it for this call.
    Ok(unsafe { OwnedFd::from_raw_fd(listener) })
}

/// seccomp(2), SECCOMP_SET_MODE_FILTER: 0, or the listener.
fn install(steps: &[sock_filter], flags: libc::c_ulong) -> Result<c_long, Errno> {
    let program = libc::sock_fprog {
        len: steps.len().try_into().map_err(|_| Errno::INVAL)?,
        filter: steps.as_ptr().cast_mut(),
    };
    let operation = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: the kernel copies the program, which outlives the call, and writes nothing.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, operation, flags, &raw const program) };
    if result < 0 { Err(last_error()) } else { Ok(result) }
}

/// A forbidden system call with invalid arguments, so that it does nothing if it isn't refused: the kernel then answers
/// `EINVAL`, `EFAULT` or `EBADF`.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub what: &'static str,
    number: c_long,
    arguments: [c_long; 6],
}

const NO: c_long = -1;

const fn attempt(what: &'static str, number: c_long, arguments: [c_long; 6]) -> Attempt {
    Attempt { what, number, arguments }
}

/// What no module may do, whatever its manifest grants.
pub(crate) static ALWAYS_REFUSED: [Attempt; 15] = [
    // Shared handlers of signals need shared memory.
    attempt("starting a process", libc::SYS_clone, [libc::CLONE_SIGHAND as c_long, 0, 0, 0, 0, 0]),
    // Its flags lie in memory, where a filter can't look.
    attempt("starting a process by clone3", libc::SYS_clone3, [0; 6]),
    attempt(
        "unsharing the descriptor table",
        libc::SYS_close_range,
        [NO, 0, libc::CLOSE_RANGE_UNSHARE as c_long, 0, 0, 0],
    ),
    attempt("starting a program", libc::SYS_execve, [0; 6]),
    attempt("signalling every process", libc::SYS_kill, [NO, 0, 0, 0, 0, 0]),
    attempt("tracing a process", libc::SYS_ptrace, [libc::PTRACE_ATTACH as c_long, NO, 0, 0, 0, 0]),
    attempt("reading another process's memory", libc::SYS_process_vm_readv, [NO, 0, 0, 0, 0, NO]),
    attempt("making a namespace", libc::SYS_unshare, [NO, 0, 0, 0, 0, 0]),
    attempt("entering a namespace", libc::SYS_setns, [NO, 0, 0, 0, 0, 0]),
    attempt("mounting a file system", libc::SYS_mount, [0; 6]),
    attempt("making a file in memory", libc::SYS_memfd_create, [0; 6]),
    attempt("using io_uring", libc::SYS_io_uring_register, [NO, NO, 0, 0, 0, 0]),
    attempt("using the kernel's keys", libc::SYS_keyctl, [NO, 0, 0, 0, 0, 0]),
    attempt("making a unix socket", libc::SYS_socket, [libc::AF_UNIX as c_long, 0, NO, 0, 0, 0]),
    attempt(
        "making a datagram socket",
        libc::SYS_socket,
        [libc::AF_INET as c_long, libc::SOCK_DGRAM as c_long, NO, 0, 0, 0],
    ),
];

/// What a module without a network may not do, either.
pub(crate) static REFUSED_WITHOUT_NETWORK: [Attempt; 1] = [attempt(
    "making a TCP socket",
    libc::SYS_socket,
    [libc::AF_INET as c_long, libc::SOCK_STREAM as c_long, NO, 0, 0, 0],
)];

impl Attempt {
    /// Makes the call.
    ///
    /// # Errors
    ///
    /// The filter's, always, in a jail that holds.
    pub(crate) fn make(&self) -> Result<(), Errno> {
        let [a, b, c, d, e, f] = self.arguments;
        // SAFETY: only the two lists above make these values. None of their pointers but null, which the kernel checks;
        // all are refused as invalid before they change anything, and the one signal is 0, which is none.
        let result = unsafe { libc::syscall(self.number, a, b, c, d, e, f) };
        if result == -1 { Err(last_error()) } else { Ok(()) }
    }
}
