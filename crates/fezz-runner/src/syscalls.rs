//! System calls for which std and rustix have no safe function, one a function: by nix where it has one, else unsafe.

use libc::{c_int, c_void};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::{SaFlags, SigAction, SigEvent, SigHandler, SigSet, SigevNotify, Signal, sigaction};
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::ClockId;
use rustix::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use rustix::io::Errno;
use std::mem::MaybeUninit;
use std::time::Duration;

/// Ends the process at once: no destructors, no atexit handlers, no flushing (`_exit(2)`).
pub fn exit_now(status: u8) -> ! {
    loop {
        // SAFETY: has no precondition. `libc::syscall`, since a forked process has its page mapped already.
        unsafe { libc::syscall(libc::SYS_exit_group, c_int::from(status)) };
    }
}

unsafe extern "C" {
    /// The stream that C's `stdout` points to, unless a module assigns another one to it (stdout(3)). Part of glibc's
    /// interface to programs; it is static, and fclose(3) doesn't free it.
    static mut _IO_2_1_stdout_: libc::FILE;

    /// How many bytes a stream holds that aren't written yet (stdio_ext(3)).
    fn __fpending(stream: *mut libc::FILE) -> usize;
}

/// Makes C's stdout line-buffered, as on a terminal (setbuf(3)). With full buffering, the output of a function that
/// crashes, or is killed at its deadline, would be lost. Call it before anything is printed.
pub(crate) fn buffer_stdout_by_line() {
    let stream = &raw mut _IO_2_1_stdout_;
    // SAFETY: setvbuf(3) wants an open stream that hasn't been used: glibc's own is open from the start, and this
    // process prints by it nowhere. A null buffer means the stream's own, so that no memory must outlive the call.
    unsafe { libc::setvbuf(stream, std::ptr::null_mut(), libc::_IOLBF, 0) };
}

/// Gives C's stdout, still line-buffered, a buffer at a fixed place. Otherwise its first use allocates one, and asks by
/// fstat(2) how large it should be. Call it before the module is loaded.
pub(crate) fn buffer_stdout_in_place() {
    /// The size that glibc chooses for a pipe.
    const BUFFER_BYTES: usize = 4096;
    static mut BUFFER: [MaybeUninit<u8>; BUFFER_BYTES] = [MaybeUninit::uninit(); BUFFER_BYTES];
    let (stream, buffer) = (&raw mut _IO_2_1_stdout_, (&raw mut BUFFER).cast());
    // SAFETY: setvbuf(3) wants an open stream that hasn't been used, as above, and a buffer that outlives it: it is
    // static, and only this stream uses it.
    unsafe { libc::setvbuf(stream, buffer, libc::_IOLBF, BUFFER_BYTES) };
}

/// Flushes C's stdout, which [`exit_now`] doesn't. Only the original stream: one that a module has assigned to `stdout`
/// may be closed and freed by now, and any other stream may be locked by a thread that waits for input.
pub(crate) fn flush_stdout() {
    let stream = &raw mut _IO_2_1_stdout_;
    // SAFETY: __fpending(3) wants a stream, which the static one remains even after fclose(3), with nothing in it. It
    // reads two pointers without the stream's lock: where another thread prints meanwhile, the answer is a number too
    // high or too low, as it would be a moment earlier or later.
    if unsafe { __fpending(stream) } == 0 {
        // Locking it would copy three pages in a forked process.
        return;
    }
    // SAFETY: fflush(3) wants a stream that is open; this one holds bytes, which a closed one doesn't. It takes the
    // stream's lock.
    unsafe { libc::fflush(stream) };
}

/// Makes the kernel kill this process when the thread that started it ends (`PR_SET_PDEATHSIG`, prctl(2)).
///
/// # Errors
///
/// Those of prctl(2).
pub(crate) fn die_with_parent() -> Result<(), Errno> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
}

/// Makes the kernel send this process a signal when `time` has passed (timer_create(2)).
///
/// # Errors
///
/// Those of timer_create(2) and timer_settime(2).
pub(crate) fn signal_after(time: Duration, signal: Signal) -> Result<(), Errno> {
    let event = SigEvent::new(SigevNotify::SigevSignal { signal, si_value: 0 });
    let mut timer = Timer::new(ClockId::CLOCK_MONOTONIC, event).map_err(of_nix)?;
    timer.set(Expiration::OneShot(time.into()), TimerSetTimeFlags::empty()).map_err(of_nix)?;
    // Dropping it would delete the timer.
    std::mem::forget(timer);
    Ok(())
}

/// Makes the kernel send this process SIGIO when the file at `descriptor` changes state, once its flag O_ASYNC is set
/// (fcntl(2), F_SETOWN).
///
/// # Errors
///
/// Those of fcntl(2).
pub(crate) fn signal_this_process(descriptor: BorrowedFd<'_>) -> Result<(), Errno> {
    let own_id = rustix::process::getpid().as_raw_nonzero().get();
    // SAFETY: the operation takes an int, and no pointer.
    let result = unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_SETOWN, own_id) };
    if result == -1 { Err(last_error()) } else { Ok(()) }
}

/// Whether the other end of a pipe or socket is closed. The descriptor may itself be closed by now. Async-signal-safe:
/// it can't fail, and so leaves errno as it is.
pub(crate) fn has_hung_up(descriptor: RawFd) -> bool {
    const AT_ONCE: c_int = 0;
    // No events: the kernel reports a hang-up in any case.
    let mut asked = libc::pollfd { fd: descriptor, events: 0, revents: 0 };
    // SAFETY: poll(2) needs as many entries as its second argument, for the call: there is one, which outlives it. The
    // kernel checks the descriptor.
    let ready = unsafe { libc::poll(&raw mut asked, 1, AT_ONCE) };
    ready > 0 && asked.revents & (libc::POLLERR | libc::POLLHUP) != 0
}

/// The open descriptors from 3 on, up to the limit of open files.
pub(crate) fn open_files() -> Vec<RawFd> {
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
/// `ENOSYS` before Linux 5.9. errno is set then, and only then.
///
/// # Safety
///
/// From `first` on, this process holds no descriptor that it uses or closes after this call: by then the number could
/// stand for another file.
pub(crate) unsafe fn close_from(first: u32) -> Result<(), Errno> {
    // SAFETY: no pointers; that the descriptors are of no more use is what the caller promises.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// Replaces the process's environment, and overwrites the memory of the old one, so that no module can read it there.
pub(crate) fn replace_environment(env: &[(String, String)]) {
    wipe_environment();
    // SAFETY: no other thread may be there, nor a pointer into the environment be in use: `run`'s caller promises both,
    // and the module, the only thing here that starts threads, isn't loaded yet.
    unsafe { libc::clearenv() };
    for (name, value) in env {
        // SAFETY: likewise.
        unsafe { std::env::set_var(name, value) };
    }
}

/// Overwrites each variable, in the memory where the kernel has put it (environ(7)).
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
        // SAFETY: it lies in this process's own memory, writable, and nothing reads it any more: the wanted values have
        // been copied.
        unsafe { libc::explicit_bzero(text.cast(), length) };
        // SAFETY: not beyond the end, which is null.
        variable = unsafe { variable.add(1) };
    }
}

/// Limits glibc's malloc to two arenas, shared by all threads, instead of eight a processor (mallopt(3)). Each reserves
/// 64 MiB of addresses.
pub(crate) fn use_few_arenas() {
    // SAFETY: has no precondition; an unknown parameter would be refused.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 2) };
}

/// A random number.
///
/// # Errors
///
/// `ENOSYS` before Linux 3.17.
pub(crate) fn random() -> Result<usize, Errno> {
    let mut number = 0_usize;
    let bytes = size_of_val(&number);
    // SAFETY: getrandom(2) writes at most as many bytes as the number has.
    let written = unsafe { libc::getrandom((&raw mut number).cast(), bytes, 0) };
    if written == bytes.cast_signed() { Ok(number) } else { Err(last_error()) }
}

/// Maps zeroed memory at `address`, a multiple of the page size, for good.
///
/// # Errors
///
/// `EEXIST`: something is there already. `ENOMEM`, `EPERM`: no memory can be there.
pub(crate) fn map_at(address: usize, bytes: usize) -> Result<&'static mut [u8], Errno> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    let wanted = address as *mut c_void;
    // SAFETY: with MAP_FIXED_NOREPLACE it changes no mapping that exists.
    let mapped = unsafe { libc::mmap(wanted, bytes, access, kind, -1, 0) };
    if mapped == libc::MAP_FAILED {
        return Err(last_error());
    }
    // SAFETY: the kernel has mapped as many zeroed bytes there, which nothing else points to, and nothing unmaps.
    Ok(unsafe { std::slice::from_raw_parts_mut(mapped.cast(), bytes) })
}

/// Replaces this process by a program (execve(2)). Returns only the error.
///
/// # Safety
///
/// The addresses are those of a C string and of two lists of C strings that end in null.
pub(crate) unsafe fn execute(path: usize, arguments: usize, variables: usize) -> Errno {
    // SAFETY: the caller promises what the call needs.
    unsafe { libc::syscall(libc::SYS_execve, path, arguments, variables) };
    last_error()
}

/// Gives every signal its default effect and lets it come, as at the start of any program: execve(2) keeps which signals
/// are ignored or blocked.
pub(crate) fn reset_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // It fails for those that can't be changed, which have their default effect in any case.
        // SAFETY: the default effect runs no code of this process.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // It fails for a wrong argument only, and this one is right.
    SigSet::empty().thread_set_mask().ok();
}

/// Gives a process of this thread's the usual layout of addresses (personality(2)): a debugger or setarch(8) around the
/// host may have switched off that it is random, and execve(2) keeps that.
pub(crate) fn use_random_addresses() {
    const PER_LINUX: libc::c_ulong = 0;
    // SAFETY: takes a number; the effect begins with the next program.
    unsafe { libc::personality(PER_LINUX) };
}

/// The calling thread's errno. Async-signal-safe.
pub(crate) fn errno() -> c_int {
    nix::errno::Errno::last_raw()
}

/// A handler that gets more than the signal's number (sigaction(2), SA_SIGINFO).
pub(crate) type CrashHandler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// The address of the fault, for a signal that has one.
///
/// # Safety
///
/// `info` is the argument that the kernel passed to a [`CrashHandler`].
pub(crate) unsafe fn address_of_crash(signal: c_int, info: *const libc::siginfo_t) -> Option<usize> {
    if ![libc::SIGSEGV, libc::SIGBUS].contains(&signal) {
        return None;
    }
    // SAFETY: the caller promises that it points to a siginfo_t.
    let info = unsafe { &*info };
    // SAFETY: these two signals have the field si_addr (sigaction(2)); one that a process sent has other integers
    // there.
    Some(unsafe { info.si_addr() } as usize)
}

/// Calls `handler` on the signals of a crash; when it returns, the signal has its default effect. It runs on a stack
/// of its own, for the crash may be an overflow of the usual one (sigaltstack(2)).
///
/// # Errors
///
/// Those of sigaltstack(2) and sigaction(2).
pub(crate) fn on_fatal_signal(handler: CrashHandler) -> Result<(), Errno> {
    // The kernel's frame with AVX-512 state takes 3 KiB; the handlers here take little.
    const STACK_BYTES: usize = 16 * 1024;
    static mut STACK: [MaybeUninit<u8>; STACK_BYTES] = [MaybeUninit::uninit(); STACK_BYTES];
    let stack = libc::stack_t { ss_sp: (&raw mut STACK).cast(), ss_flags: 0, ss_size: STACK_BYTES };
    // SAFETY: the stack is static, and nothing but the kernel uses it.
    if unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) } != 0 {
        return Err(last_error());
    }
    // One shot: after the handler the instruction, or abort(3), raises the signal again, with its default effect.
    let flags = SaFlags::SA_RESETHAND | SaFlags::SA_ONSTACK | SaFlags::SA_NODEFER;
    let action = SigAction::new(SigHandler::SigAction(handler), flags, SigSet::empty());
    [Signal::SIGABRT, Signal::SIGSEGV, Signal::SIGBUS].into_iter().try_for_each(|signal| set(signal, &action))
}

/// Calls `handler`, which must be async-signal-safe (signal-safety(7)), on a signal.
///
/// # Errors
///
/// Those of sigaction(2).
pub(crate) fn on_signal(signal: Signal, handler: extern "C" fn(c_int), flags: SaFlags) -> Result<(), Errno> {
    set(signal, &SigAction::new(SigHandler::Handler(handler), flags, SigSet::empty()))
}

/// Makes a signal have no effect, here and in what this process executes.
///
/// # Errors
///
/// Those of sigaction(2).
pub(crate) fn ignore_signal(signal: Signal) -> Result<(), Errno> {
    set(signal, &SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty()))
}

/// Gives a signal its default effect.
///
/// # Errors
///
/// Those of sigaction(2).
pub(crate) fn reset_signal(signal: Signal) -> Result<(), Errno> {
    set(signal, &SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty()))
}

fn set(signal: Signal, action: &SigAction) -> Result<(), Errno> {
    // SAFETY: a handler may call what is async-signal-safe (signal-safety(7)). Those of this program, in `crash.rs`,
    // `termination.rs` and `zygote`, make system calls and read integers; they are functions, and so live for ever.
    unsafe { sigaction(signal, action) }.map(drop).map_err(of_nix)
}

/// Blocks or unblocks SIGCHLD for this thread (sigprocmask(2)). Not by libc, whose function would map two pages that a
/// forked process uses for nothing else.
///
/// # Errors
///
/// None in practice.
pub(crate) fn block_child_signal(how: c_int) -> Result<(), Errno> {
    // The kernel's own form of a signal set: a bit for each signal from 1 on.
    let set = 1_u64 << (libc::SIGCHLD - 1);
    let bytes = size_of_val(&set);
    let (new, old) = (&raw const set, std::ptr::null_mut::<u64>());
    // SAFETY: the set outlives the call, which gets its size, and this process has one thread.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, new, old, bytes) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// Closes a descriptor without libc, for the same reason.
pub(crate) fn close(descriptor: OwnedFd) {
    // SAFETY: the descriptor must be owned by the caller and not used later: `into_raw_fd` gives up its only owner.
    unsafe { rustix::io::close(descriptor.into_raw_fd()) };
}

/// Waits until there is something to read, or SIGCHLD comes, which is blocked elsewhere (ppoll(2)). Returns whether
/// there is something to read.
///
/// # Errors
///
/// Those of ppoll(2), but for `EINTR`.
pub(crate) fn wait_for_input_or_signal(input: BorrowedFd<'_>) -> Result<bool, Errno> {
    match ppoll(&mut [PollFd::new(input, PollFlags::POLLIN)], None, Some(SigSet::empty())) {
        Err(nix::errno::Errno::EINTR) => Ok(false),
        ready => ready.map(|_| true).map_err(of_nix),
    }
}

/// Calls `handler` with the status when the process ends by `exit(3)`; registered first, it is called last, after the
/// module's own handlers (on_exit(3), glibc).
///
/// # Errors
///
/// `ENOMEM`: no memory for another handler.
pub(crate) fn on_exit(handler: extern "C" fn(c_int, *mut c_void)) -> Result<(), Errno> {
    unsafe extern "C" {
        // Missing in the libc crate.
        #[link_name = "on_exit"]
        fn register(handler: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
    }
    // SAFETY: the handler has the type that on_exit(3) calls, and functions live for ever.
    let result = unsafe { register(handler, std::ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(Errno::NOMEM) }
}

/// The error of the last call through libc.
pub(crate) fn last_error() -> Errno {
    Errno::from_raw_os_error(errno())
}

/// Converts an error of nix to one of rustix, which all errors here hold.
pub(crate) fn of_nix(error: nix::errno::Errno) -> Errno {
    Errno::from_raw_os_error(error as i32)
}
