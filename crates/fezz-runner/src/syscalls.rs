//! What rustix and std offer no safe way to do, one system call a function.

use libc::{c_int, c_void};
use rustix::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use rustix::io::Errno;
use std::mem::MaybeUninit;
use std::time::Duration;

/// Ends the process at once: no destructors, no atexit handlers, no flushing (`_exit(2)`).
pub fn exit_now(status: u8) -> ! {
    loop {
        // SAFETY: has no precondition. By the call that a forked process has used already, so that its end needs no page
        // of libc more.
        unsafe { libc::syscall(libc::SYS_exit_group, c_int::from(status)) };
    }
}

unsafe extern "C" {
    /// C's standard output stream (stdout(3)), which the libc crate doesn't declare.
    static mut stdout: *mut libc::FILE;

    /// How many bytes a stream holds that aren't written yet (stdio_ext(3)).
    fn __fpending(stream: *mut libc::FILE) -> usize;
}

/// Has C's stdout pass on each line as it ends, as it does on a terminal, and not some KiB at a time: else a function
/// that crashes, or is killed at its deadline, leaves nothing of what it printed (setbuf(3)). Before anything is
/// printed.
pub fn buffer_stdout_by_line() {
    // SAFETY: no other thread is there yet that could assign to it.
    let stream = unsafe { stdout };
    // SAFETY: the stream is open, unused so far, and keeps the buffer of its own. It can't fail for a mode that there
    // is.
    unsafe { libc::setvbuf(stream, std::ptr::null_mut(), libc::_IOLBF, 0) };
}

/// Passes on what C's stdout still holds: nobody else does, since [`exit_now`] doesn't. Not of all streams, one of
/// which a thread might have locked that waits for input.
pub fn flush_stdout() {
    // SAFETY: a module may assign to it (stdout(3)), but not from another thread while others use it: that is C's rule.
    let stream = unsafe { stdout };
    // SAFETY: a stream. Another thread may be at it, for which the answer is a number too high or too low, as it would be
    // a moment earlier or later.
    if stream.is_null() || unsafe { __fpending(stream) } == 0 {
        // To lock and unlock it takes three pages of a forked process's own.
        return;
    }
    // SAFETY: a stream; glibc's own, which is static, even where the module has closed it.
    unsafe { libc::fflush(stream) };
}

/// Has the kernel kill this process when the thread that started it ends (`PR_SET_PDEATHSIG`, prctl(2)).
///
/// # Errors
///
/// What prctl(2) says.
pub fn die_with_parent() -> Result<(), Errno> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
}

/// Has the kernel kill this process by SIGKILL when `time` has passed (timer_create(2)).
///
/// # Errors
///
/// What timer_create(2) or timer_settime(2) says.
pub fn kill_after(time: Duration) -> Result<(), Errno> {
    // SAFETY: all zeroes is a sigevent: integers, and a union of integers and a pointer that isn't used.
    let mut event: libc::sigevent = unsafe { MaybeUninit::zeroed().assume_init() };
    event.sigev_notify = libc::SIGEV_SIGNAL;
    event.sigev_signo = libc::SIGKILL;
    let mut timer = std::ptr::null_mut();
    // SAFETY: both pointers are to locals that outlive the call.
    if unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) } != 0 {
        return Err(last_error());
    }
    let once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let value = libc::timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: time.subsec_nanos().into(),
    };
    let setting = libc::itimerspec { it_interval: once, it_value: value };
    // SAFETY: the timer was created above, and the setting outlives the call.
    if unsafe { libc::timer_settime(timer, 0, &raw const setting, std::ptr::null_mut()) } != 0 {
        return Err(last_error());
    }
    Ok(())
}

/// The open descriptors from 3 on, up to the limit of open files.
pub fn open_files() -> Vec<RawFd> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.and_then(|limit| RawFd::try_from(limit).ok()).unwrap_or(RawFd::MAX);
    (3..limit).filter(|descriptor| is_open(*descriptor)).collect()
}

fn is_open(descriptor: RawFd) -> bool {
    // SAFETY: the kernel checks the descriptor, and takes no pointer.
    let flags = unsafe { libc::fcntl(descriptor, libc::F_GETFD) };
    flags != -1
}

/// Closes every descriptor from `first` on (close_range(2)).
///
/// # Errors
///
/// `ENOSYS` before Linux 5.9.
pub fn close_from(first: u32) -> Result<(), Errno> {
    // SAFETY: nothing in this process owns a descriptor yet: the callers run before anything is opened.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// Closes all but stdin and stderr, for a process that has nothing left to do but to wait.
pub fn close_all_but_stdin_and_stderr() {
    // SAFETY: this process doesn't use it any more, nor does it ever return to code that would.
    unsafe { libc::close(1) };
    close_from(3).unwrap_or_default();
}

/// Replaces the process's environment, and wipes the memory of the old one, where a module would find it.
pub fn replace_environment(env: &[(String, String)]) {
    wipe_environment();
    // SAFETY: single-threaded: the module, the only thing here that starts threads, isn't loaded yet.
    unsafe { libc::clearenv() };
    for (name, value) in env {
        // SAFETY: single-threaded, as above.
        unsafe { std::env::set_var(name, value) };
    }
}

/// Overwrites each variable, where the kernel has put it (environ(7)).
fn wipe_environment() {
    unsafe extern "C" {
        static environ: *const *mut libc::c_char;
    }
    // SAFETY: libc has set it, and no other thread is there that could change it.
    let mut variable = unsafe { environ };
    if variable.is_null() {
        return;
    }
    loop {
        // SAFETY: the array ends in null, where the loop ends.
        let text = unsafe { *variable };
        if text.is_null() {
            return;
        }
        // SAFETY: each is a C string.
        let length = unsafe { libc::strlen(text) };
        // SAFETY: it lies in this process's own memory, writable, and is read by nobody any more: what was wanted of it
        // has been copied.
        unsafe { libc::explicit_bzero(text.cast(), length) };
        // SAFETY: not behind the end, which is null.
        variable = unsafe { variable.add(1) };
    }
}

/// Has glibc's malloc share two arenas between all threads, each of which reserves 64 MiB of addresses, instead of
/// eight a processor (mallopt(3)).
pub fn use_few_arenas() {
    // SAFETY: has no precondition; an unknown parameter would be refused.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 2) };
}

/// The calling thread's errno.
pub fn errno() -> c_int {
    // SAFETY: has no precondition, and is async-signal-safe in glibc and musl.
    let location = unsafe { libc::__errno_location() };
    // SAFETY: the pointer is to the calling thread's own errno, which lives as long as the thread.
    unsafe { *location }
}

/// Calls `handler` on the signals of a crash; when it returns, the signal has its default effect. It runs on a stack
/// of its own, for the crash may be an overflow of the usual one (sigaltstack(2)).
///
/// # Errors
///
/// What sigaltstack(2) or sigaction(2) says.
pub fn on_fatal_signal(handler: extern "C" fn(c_int)) -> Result<(), Errno> {
    // The kernel's frame with AVX-512 state takes 3 KiB; the handlers here take little.
    const STACK_BYTES: usize = 16 * 1024;
    static mut STACK: [MaybeUninit<u8>; STACK_BYTES] = [MaybeUninit::uninit(); STACK_BYTES];
    let stack = libc::stack_t { ss_sp: (&raw mut STACK).cast(), ss_flags: 0, ss_size: STACK_BYTES };
    // SAFETY: the stack is static, and nothing but the kernel uses it.
    if unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) } != 0 {
        return Err(last_error());
    }
    // One shot: behind the handler the instruction, or abort(3), raises the signal again, with its default effect.
    let flags = libc::SA_RESETHAND | libc::SA_ONSTACK | libc::SA_NODEFER;
    [libc::SIGABRT, libc::SIGSEGV, libc::SIGBUS]
        .into_iter()
        .try_for_each(|signal| on_signal(signal, handler, flags))
}

/// Calls `handler` on a signal; `flags` are those of sigaction(2), without SA_SIGINFO.
///
/// # Errors
///
/// What sigaction(2) says.
pub fn on_signal(signal: c_int, handler: extern "C" fn(c_int), flags: c_int) -> Result<(), Errno> {
    let action = libc::sigaction {
        sa_sigaction: handler as libc::sighandler_t,
        // SAFETY: an empty sigset_t is all zeroes on Linux.
        sa_mask: unsafe { MaybeUninit::zeroed().assume_init() },
        sa_flags: flags,
        sa_restorer: None,
    };
    // SAFETY: the handler takes one int, as a handler without SA_SIGINFO does, and the action outlives the call.
    let result = unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// Blocks or unblocks SIGCHLD for this thread (sigprocmask(2)). Not by libc, in which it is two pages that nothing else of
/// a forked process is in.
///
/// # Errors
///
/// None that this call can have.
pub fn block_child_signal(how: c_int) -> Result<(), Errno> {
    // The kernel's own kind of set, a bit for each signal from 1 on.
    let set = 1_u64 << (libc::SIGCHLD - 1);
    let bytes = size_of_val(&set);
    let (new, old) = (&raw const set, std::ptr::null_mut::<u64>());
    // SAFETY: the set outlives the call, which is told its size, and this process has one thread.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, new, old, bytes) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// Closes a descriptor without libc, likewise.
pub fn close(descriptor: OwnedFd) {
    // SAFETY: nobody else uses it, for it is given away here.
    unsafe { rustix::io::close(descriptor.into_raw_fd()) };
}

/// Waits until there is something to read, or a signal has come that is blocked otherwise: SIGCHLD (ppoll(2)). Returns
/// whether there is something to read.
///
/// # Errors
///
/// What ppoll(2) says, but for `EINTR`.
pub fn wait_for_input_or_signal(input: BorrowedFd<'_>) -> Result<bool, Errno> {
    let mut wanted = libc::pollfd { fd: input.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: an empty sigset_t is all zeroes on Linux.
    let none_blocked: libc::sigset_t = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: one descriptor, as is said; without a time it waits for ever; the set outlives the call.
    let ready = unsafe { libc::ppoll(&raw mut wanted, 1, std::ptr::null(), &raw const none_blocked) };
    match ready {
        -1 if last_error() == Errno::INTR => Ok(false),
        -1 => Err(last_error()),
        _ => Ok(true),
    }
}

/// Calls `handler` with the status when the process ends by `exit(3)`; registered first, it is called last, behind the
/// module's own handlers (on_exit(3), glibc).
///
/// # Errors
///
/// `ENOMEM`: no place for another handler.
pub fn on_exit(handler: extern "C" fn(c_int, *mut c_void)) -> Result<(), Errno> {
    unsafe extern "C" {
        // Missing in the libc crate.
        #[link_name = "on_exit"]
        fn register(handler: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
    }
    // SAFETY: the handler has the type that on_exit(3) calls, and functions live for ever.
    let result = unsafe { register(handler, std::ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(Errno::NOMEM) }
}

/// What the last call through libc said.
pub fn last_error() -> Errno {
    Errno::from_raw_os_error(errno())
}
