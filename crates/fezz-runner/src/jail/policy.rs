//! The system calls that a module may make, as data: each with what needs it. A call that isn't listed fails by
//! `EPERM`. One in [`UNKNOWN`] fails by `ENOSYS`, so that libraries fall back on an older call. One in [`GRANTED`]
//! returns 0 without being made.
//!
//! `build/main.rs` compiles these lists into filters; `seccomp.rs` installs one of them. An addition here widens what a
//! hostile module can reach of the kernel, for all functions: name the software that needs it, and say why it is safe.

use fezz_wire::WrapperStatus;
use fezz_wire::rewind::PARK;
use libc::c_long;

/// One system call, or one way to make it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowed {
    /// Its number on this architecture.
    pub number: c_long,
    /// Its name, as in its manual page.
    pub name: &'static str,
    /// Conditions on its arguments, all of which must hold; several entries of one call are alternatives.
    pub only: &'static [Argument],
    /// What needs it.
    pub who: &'static str,
}

/// The condition on one argument.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Argument {
    /// Its index, from 0.
    pub index: u8,
    /// What its value must be.
    pub test: Test,
}

/// A test of an argument's value. The kernel takes integers of 32 bits out of the lower half, and so does this.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Test {
    /// This number.
    Is(u32),
    /// The bits in `mask` equal those of `value`.
    Bits {
        /// Which bits count.
        mask: u32,
        /// Their value.
        value: u32,
    },
    /// The bits in `mask` differ from those of `value`.
    BitsOtherThan {
        /// Which bits count.
        mask: u32,
        /// The value that they mustn't have.
        value: u32,
    },
    /// A number above 0, of a signed one.
    IsPositive,
    /// A null pointer.
    IsNull,
    /// The process's own id, put in when the filter is installed.
    IsThisProcess,
    /// The pointer of the same place in [`THE_CALL`], in all of its bits, put in when the filter is installed.
    IsOfTheCall(usize),
}

/// An exit status, of which the parent gets eight bits, other than this [`WrapperStatus`]: a module may exit by none of
/// them, not even by `_exit(2)`.
const fn other_status(at: usize) -> Test {
    Test::BitsOtherThan { mask: 0xff, value: WrapperStatus::ALL[at] as u32 }
}

/// A placeholder in the compiled filter for the process's own id: no process id is that high (proc(5), pid_max).
pub(crate) const THIS_PROCESS: u32 = 0x7e2a_5e1f;

/// Placeholders for the lower and the upper halves of the three pointers that execve(2) takes: see `exec.rs`. An upper
/// half is never that high, and the lower halves of addresses of pages end in zeros.
pub(crate) const THE_CALL: [[u32; 2]; 3] =
    [[0x7e2a_5e21, 0x7e2a_5e22], [0x7e2a_5e23, 0x7e2a_5e24], [0x7e2a_5e25, 0x7e2a_5e26]];

macro_rules! calls {
    ($($name:ident $([$($index:literal: $test:expr),+])? => $who:literal,)*) => {
        &[$(Allowed {
            number: libc::$name,
            name: stringify!($name),
            only: &[$($(Argument { index: $index, test: $test }),+)?],
            who: $who,
        }),*]
    };
}

/// A thread: everything is shared, and no namespace is new. The mask has the bits of clone(2) that matter for that. A
/// thread with a descriptor table of its own would also have its own limit of descriptors.
const A_THREAD: Test = Test::Bits {
    mask: (libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_PTRACE
        | libc::CLONE_UNTRACED
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET) as u32,
    value: (libc::CLONE_VM | libc::CLONE_FS | libc::CLONE_FILES | libc::CLONE_SIGHAND | libc::CLONE_THREAD)
        as u32,
};

/// The process id that every forked process has in its own namespace.
const FIRST_PROCESS: u32 = 1;

/// A process in a PID namespace of its own, whose id the kernel stores where glibc needs it.
const A_SEPARATE_PROCESS: Test = Test::Is(
    (libc::CLONE_NEWPID | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD) as u32,
);

/// A process in its parent's PID namespace, likewise.
const A_PROCESS: Test =
    Test::Is((libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD) as u32);

/// Private memory: of the types in the lowest four bits only MAP_PRIVATE, and no huge pages, whose pool belongs to the
/// whole machine.
const PRIVATE_MEMORY: Test = Test::Bits {
    mask: (libc::MAP_TYPE | libc::MAP_ANONYMOUS | libc::MAP_GROWSDOWN | libc::MAP_HUGETLB) as u32,
    value: (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u32,
};

/// A file's pages, whether shared with its other readers or not.
const A_FILE: Test =
    Test::Bits { mask: (libc::MAP_ANONYMOUS | libc::MAP_GROWSDOWN | libc::MAP_HUGETLB) as u32, value: 0 };

/// The operation of arch_prctl(2) that every program begins with (asm/prctl.h).
const ARCH_SET_FS: u32 = 0x1002;

/// Whether msync(2) waits for the disk. Without waiting, it only checks that memory is mapped, which libraries need.
const SYNCHRONOUSLY: Test = Test::Bits { mask: !libc::MS_INVALIDATE as u32, value: libc::MS_SYNC as u32 };
const ASYNCHRONOUSLY: Test = Test::Bits { mask: !(libc::MS_INVALIDATE | libc::MS_ASYNC) as u32, value: 0 };

/// The type of a socket without its flags SOCK_NONBLOCK and SOCK_CLOEXEC (socket(2)).
const STREAM: Test = Test::Bits { mask: 0xf, value: libc::SOCK_STREAM as u32 };

/// A protocol, or a level of socket options.
const TCP: Test = Test::Is(libc::IPPROTO_TCP as u32);
const IPV6: Test = Test::Is(libc::IPPROTO_IPV6 as u32);
const SOCKET: Test = Test::Is(libc::SOL_SOCKET as u32);

/// Sending over an existing connection: fast open makes a new one, bypassing connect(2) and Landlock's rule on it
/// (tcp(7)). And no urgent bytes, for which Unix sockets have code that programs rarely use.
const PLAIN_SENDING: Test = Test::Bits { mask: (libc::MSG_FASTOPEN | libc::MSG_OOB) as u32, value: 0 };

/// Receiving ordinary data only.
const PLAIN_RECEIVING: Test = Test::Bits { mask: (libc::MSG_ERRQUEUE | libc::MSG_OOB) as u32, value: 0 };

/// What every function may do.
pub(crate) const ALWAYS: &[Allowed] = calls! {
    // Memory. PROT_EXEC isn't restricted: dlopen(3) needs it, and so do just-in-time compilers.
    SYS_brk => "malloc",
    // Not shared memory without a file, nor memory that grows downwards: no limit of the process counts them (mmap(2),
    // setrlimit(2)), and the former has no other process to be shared with.
    SYS_mmap [3: PRIVATE_MEMORY] => "malloc, threads' stacks",
    SYS_mmap [3: A_FILE] => "dlopen, files",
    SYS_munmap => "malloc, threads' stacks",
    SYS_mremap => "realloc of large blocks",
    SYS_mprotect => "threads' guard pages, dlopen's relocations",
    SYS_madvise => "free, allocators that give memory back",
    SYS_membarrier => "garbage collectors, crossbeam and other lock-free code",
    SYS_mincore => "libunwind, which asks whether an address is mapped",
    SYS_mlock => "libraries that keep keys out of swap; RLIMIT_MEMLOCK bounds it",
    SYS_munlock => "the same",

    // Threads.
    SYS_clone [0: A_THREAD] => "pthread_create",
    SYS_set_robust_list => "a thread's start",
    SYS_rseq => "a thread's start",
    SYS_set_tid_address => "a thread's start",
    SYS_gettid => "thread names in logs, Rust's mutexes",
    SYS_futex => "mutexes, condition variables, join",
    SYS_sched_yield => "spinning locks",
    SYS_sched_getaffinity => "how many threads a runtime starts",
    SYS_sched_getparam => "pthread_getschedparam",
    SYS_sched_getscheduler => "the same",
    SYS_sched_get_priority_min => "the same",
    SYS_sched_get_priority_max => "the same",
    SYS_getcpu => "allocators with an arena for each processor",
    SYS_prctl [0: Test::Is(libc::PR_SET_NAME as u32)] => "thread names",
    SYS_prctl [0: Test::Is(libc::PR_GET_NAME as u32)] => "thread names",
    SYS_prctl [0: Test::Is(libc::PR_SET_VMA as u32)] => "glibc names its mappings",
    SYS_exit [0: other_status(0), 0: other_status(1), 0: other_status(2)] => "a thread's end, which may be the process's",
    SYS_exit_group [0: other_status(0), 0: other_status(1), 0: other_status(2)] => "the process's end",

    // Signals, of the process to itself.
    SYS_rt_sigaction => "handlers of crashes, runtimes, pthread_create",
    SYS_rt_sigprocmask => "pthread_create, abort",
    SYS_rt_sigreturn => "the end of every handler",
    SYS_rt_sigtimedwait => "sigwait",
    SYS_rt_sigsuspend => "sigsuspend",
    SYS_rt_sigpending => "sigpending",
    SYS_pause => "pause, as glibc makes it: waits for a signal",
    SYS_sigaltstack => "Rust's threads: a stack for the handler of stack overflows",
    SYS_tgkill [0: Test::IsThisProcess] => "abort, raise, pthread_kill",
    SYS_kill [0: Test::IsThisProcess] => "kill(getpid(), ...) in C code",
    SYS_restart_syscall => "the kernel, after a stop (SIGSTOP, SIGCONT)",

    // Time.
    SYS_clock_gettime => "time, where the vDSO has no clock",
    SYS_clock_getres => "the same",
    SYS_clock_nanosleep => "sleep",
    SYS_nanosleep => "sleep",
    SYS_gettimeofday => "time",
    SYS_timerfd_create => "async-io",
    SYS_timerfd_settime => "async-io",
    SYS_timerfd_gettime => "async-io",
    SYS_alarm => "alarm, as glibc makes it: a timer of the process's own, as setitimer's",
    SYS_setitimer => "alarm, as musl makes it, timeouts in C code",
    SYS_getitimer => "the same",

    // What the process is.
    SYS_getpid => "seeds, logs",
    SYS_getppid => "the same",
    SYS_getpgrp => "the same",
    SYS_getpgid => "the same",
    SYS_getsid => "the same",
    SYS_getuid => "secure_getenv and the like",
    SYS_geteuid => "the same",
    SYS_getgid => "the same",
    SYS_getegid => "the same",
    SYS_getresuid => "the same",
    SYS_getresgid => "the same",
    SYS_getgroups => "the same",
    SYS_getrandom => "HashMap, keys, ids",
    SYS_uname => "runtimes that ask for the kernel's version",
    SYS_sysinfo => "caches sized by memory",
    SYS_getrusage => "measurements",
    SYS_times => "measurements",
    SYS_getpriority => "runtimes that ask",
    SYS_getrlimit => "the stack's size",
    SYS_prlimit64 [0: Test::Is(0), 2: Test::IsNull] => "the same: to ask, not to set",
    SYS_umask => "mkdtemp and the like",
    SYS_capget => "runtimes that ask whether they are privileged",

    // Open descriptors.
    SYS_read => "all",
    SYS_readv => "all",
    SYS_pread64 => "dlopen, files",
    SYS_preadv => "files",
    // Without flags, one of which (RWF_NOWAIT) shows whether other processes have read the file.
    SYS_preadv2 [5: Test::Is(0)] => "files",
    SYS_write => "all",
    SYS_writev => "all",
    SYS_pwrite64 => "files in the scratch",
    SYS_pwritev => "files in the scratch",
    SYS_pwritev2 [5: Test::Is(0)] => "files in the scratch",
    SYS_close => "all",
    // Not CLOSE_RANGE_UNSHARE, which gives a thread its own descriptor table, with a limit of its own.
    SYS_close_range [2: Test::Is(0)] => "libraries that close all descriptors but their own",
    SYS_close_range [2: Test::Is(libc::CLOSE_RANGE_CLOEXEC)] => "the same, for an exec",
    SYS_lseek => "files, stdio",
    SYS_dup => "stdio",
    SYS_dup2 => "stdio",
    SYS_dup3 => "stdio",
    // Not F_SETOWN and F_SETSIG, which make the kernel send signals to other processes.
    SYS_fcntl [1: Test::Is(libc::F_DUPFD as u32)] => "dup",
    SYS_fcntl [1: Test::Is(libc::F_DUPFD_CLOEXEC as u32)] => "dup",
    SYS_fcntl [1: Test::Is(libc::F_GETFD as u32)] => "O_CLOEXEC",
    SYS_fcntl [1: Test::Is(libc::F_SETFD as u32)] => "O_CLOEXEC",
    SYS_fcntl [1: Test::Is(libc::F_GETFL as u32)] => "O_NONBLOCK",
    SYS_fcntl [1: Test::Is(libc::F_SETFL as u32)] => "O_NONBLOCK",
    SYS_ioctl [1: Test::Is(libc::FIONBIO as u32)] => "sockets and pipes that don't block",
    SYS_ioctl [1: Test::Is(libc::FIONREAD as u32)] => "how much can be read",
    SYS_ioctl [1: Test::Is(libc::FIOCLEX as u32)] => "Rust's standard library",
    SYS_ioctl [1: Test::Is(libc::TCGETS as u32)] => "isatty, which C's stdio asks of stdout",
    SYS_ioctl [1: Test::Is(libc::TIOCGWINSZ as u32)] => "terminal libraries; it fails, since there is no terminal",
    SYS_pipe => "runtimes that wake themselves",
    SYS_pipe2 => "runtimes that wake themselves",
    SYS_eventfd2 => "tokio, which wakes itself",
    SYS_socketpair [0: Test::Is(libc::AF_UNIX as u32), 1: STREAM] => "tokio, with its feature `signal`; it reaches no other process",
    SYS_sendto [3: PLAIN_SENDING, 4: Test::IsNull] => "the standard library's writes to that pair, or to a connection",
    SYS_recvfrom [3: PLAIN_RECEIVING, 4: Test::IsNull] => "the same, reads",
    SYS_shutdown => "the ends of connections",

    // Waiting.
    SYS_poll => "all",
    SYS_ppoll => "all",
    SYS_select => "C code",
    SYS_pselect6 => "C code",
    SYS_epoll_create => "old event loops",
    SYS_epoll_create1 => "tokio",
    SYS_epoll_ctl => "tokio",
    SYS_epoll_wait => "tokio",
    SYS_epoll_pwait => "tokio",
    SYS_epoll_pwait2 => "async-io",
    SYS_signalfd4 => "runtimes that read signals",

    // Files: the root and Landlock restrict which.
    SYS_open => "C code, dlopen",
    SYS_openat => "all",
    SYS_stat => "C code, time zones",
    SYS_lstat => "C code",
    SYS_fstat => "dlopen, stdio",
    SYS_newfstatat => "dlopen, files",
    SYS_statx => "Rust's standard library",
    SYS_access => "dlopen, time zones",
    SYS_faccessat => "the same",
    SYS_faccessat2 => "the same",
    SYS_readlink => "realpath",
    SYS_readlinkat => "realpath",
    SYS_getdents64 => "listings of folders, certificates among them",
    SYS_getcwd => "relative paths",
    SYS_chdir => "relative paths",
    SYS_fchdir => "relative paths",
    // Not POSIX_FADV_DONTNEED, after which other processes have to read the file from the disk again.
    SYS_fadvise64 [3: Test::Is(libc::POSIX_FADV_NORMAL as u32)] => "readers of large files",
    SYS_fadvise64 [3: Test::Is(libc::POSIX_FADV_RANDOM as u32)] => "readers of large files",
    SYS_fadvise64 [3: Test::Is(libc::POSIX_FADV_SEQUENTIAL as u32)] => "readers of large files",
};

/// What a function whose manifest has `network.connect` may do in addition: TCP to the ports that Landlock allows. No
/// datagrams, which Landlock can't restrict to a port: names are looked up by TCP (resolv.conf(5), use-vc).
pub(crate) const NETWORK: &[Allowed] = calls! {
    // TCP only: Landlock's rules don't cover MPTCP and SCTP, which are streams too.
    SYS_socket [0: Test::Is(libc::AF_INET as u32), 1: STREAM, 2: Test::Is(0)] => "TCP over IPv4",
    SYS_socket [0: Test::Is(libc::AF_INET as u32), 1: STREAM, 2: TCP] => "the same, named",
    SYS_socket [0: Test::Is(libc::AF_INET6 as u32), 1: STREAM, 2: Test::Is(0)] => "TCP over IPv6",
    SYS_socket [0: Test::Is(libc::AF_INET6 as u32), 1: STREAM, 2: TCP] => "the same, named",
    SYS_connect => "TCP",
    SYS_getsockopt [1: SOCKET, 2: Test::Is(libc::SO_ERROR as u32)] => "whether a connection is there",
    SYS_getsockopt [1: SOCKET, 2: Test::Is(libc::SO_TYPE as u32)] => "libraries that are handed a socket",
    SYS_getsockopt [1: SOCKET, 2: Test::Is(libc::SO_DOMAIN as u32)] => "libraries that are handed a socket",
    SYS_getsockopt [1: SOCKET, 2: Test::Is(libc::SO_PROTOCOL as u32)] => "libraries that are handed a socket",
    SYS_getsockopt [1: SOCKET, 2: Test::Is(libc::SO_KEEPALIVE as u32)] => "clients that ask",
    SYS_getsockopt [1: SOCKET, 2: Test::Is(libc::SO_LINGER as u32)] => "clients that ask",
    SYS_getsockopt [1: SOCKET, 2: Test::Is(libc::SO_RCVTIMEO as u32)] => "clients that ask",
    SYS_getsockopt [1: SOCKET, 2: Test::Is(libc::SO_SNDTIMEO as u32)] => "clients that ask",
    SYS_getsockopt [1: SOCKET, 2: Test::Is(libc::SO_RCVBUF as u32)] => "clients that ask",
    SYS_getsockopt [1: SOCKET, 2: Test::Is(libc::SO_SNDBUF as u32)] => "clients that ask",
    SYS_getsockopt [1: TCP, 2: Test::Is(libc::TCP_NODELAY as u32)] => "clients that ask",
    SYS_getsockopt [1: TCP, 2: Test::Is(libc::TCP_INFO as u32)] => "clients that ask for a connection's state",
    SYS_getsockopt [1: IPV6, 2: Test::Is(libc::IPV6_V6ONLY as u32)] => "clients of both versions",
    // Not SO_LINGER, with which close(2) waits for the peer: if a socket is sent over another one, whoever closes its last
    // descriptor waits, which may be the host.
    // Listed by name: other options size the kernel's buffers, join groups, or select rarely used kernel code.
    SYS_setsockopt [1: SOCKET, 2: Test::Is(libc::SO_REUSEADDR as u32)] => "clients",
    SYS_setsockopt [1: SOCKET, 2: Test::Is(libc::SO_KEEPALIVE as u32)] => "clients",
    SYS_setsockopt [1: SOCKET, 2: Test::Is(libc::SO_RCVTIMEO as u32)] => "timeouts",
    SYS_setsockopt [1: SOCKET, 2: Test::Is(libc::SO_SNDTIMEO as u32)] => "timeouts",
    SYS_setsockopt [1: TCP, 2: Test::Is(libc::TCP_NODELAY as u32)] => "clients that answer at once",
    SYS_setsockopt [1: TCP, 2: Test::Is(libc::TCP_CORK as u32)] => "clients that send in pieces",
    SYS_setsockopt [1: TCP, 2: Test::Is(libc::TCP_QUICKACK as u32)] => "clients that answer at once",
    SYS_setsockopt [1: TCP, 2: Test::Is(libc::TCP_KEEPIDLE as u32)] => "long-lived connections",
    SYS_setsockopt [1: TCP, 2: Test::Is(libc::TCP_KEEPINTVL as u32)] => "long-lived connections",
    SYS_setsockopt [1: TCP, 2: Test::Is(libc::TCP_KEEPCNT as u32)] => "long-lived connections",
    SYS_setsockopt [1: TCP, 2: Test::Is(libc::TCP_USER_TIMEOUT as u32)] => "timeouts",
    SYS_setsockopt [1: IPV6, 2: Test::Is(libc::IPV6_V6ONLY as u32)] => "clients of both versions",
    SYS_getsockname => "clients that ask",
    SYS_getpeername => "clients that ask",
    SYS_sendmsg [2: PLAIN_SENDING] => "writes of several buffers",
    SYS_recvmsg [2: PLAIN_RECEIVING] => "reads into several buffers",
};

/// What a function whose manifest has `limits.scratch_bytes` may do in addition: calls that change files, and calls
/// that could act on files that it may only read, the host's libraries among them.
pub(crate) const SCRATCH: &[Allowed] = calls! {
    SYS_creat => "C code: open in another form",
    SYS_msync [2: ASYNCHRONOUSLY] => "databases and memmap2, which write to the scratch through memory",
    SYS_mkdir => "temporary folders",
    SYS_mkdirat => "temporary folders",
    SYS_rmdir => "temporary folders",
    SYS_unlink => "temporary files",
    SYS_unlinkat => "temporary files",
    SYS_rename => "files that appear whole",
    SYS_renameat => "files that appear whole",
    SYS_renameat2 => "files that appear whole",
    SYS_link => "files that appear whole",
    SYS_linkat => "files that appear whole",
    SYS_symlink => "archives that are unpacked",
    SYS_symlinkat => "archives that are unpacked",
    SYS_chmod => "archives that are unpacked",
    SYS_fchmod => "archives that are unpacked, tempfile",
    SYS_fchmodat => "archives that are unpacked",
    SYS_utimensat => "archives that are unpacked",
    SYS_truncate => "databases",
    SYS_ftruncate => "databases",
    SYS_fallocate => "databases",
    SYS_copy_file_range => "copies of files",
    // These work on any file system: a function without a scratch must not learn how full the host's disk is.
    SYS_statfs => "whether there is room left",
    SYS_fstatfs => "the same",
    // Asking takes no lock, and finds none: see GRANTED.
    SYS_fcntl [1: Test::Is(libc::F_GETLK as u32)] => "databases",
    SYS_fcntl [1: Test::Is(libc::F_OFD_GETLK as u32)] => "databases",
};

/// Calls that return success without being made, for a function with `limits.scratch_bytes`. They matter only for files
/// that several processes use, or that outlive the process, and so not in the scratch. A filter can't see which file a
/// call means, and these calls also work on files that may only be read, such as the host's libraries.
///
/// - Locks block the host's programs, and are kernel memory that no limit of the process counts. For locks of a process
///   (F_SETLK) the answer is right, since only one process has the scratch. Locks of an open file (flock, F_OFD_SETLK)
///   don't exclude two open files of one process.
/// - Flushing to a disk delays all other processes that use it.
pub(crate) const GRANTED: &[Allowed] = calls! {
    SYS_flock => "databases, the standard library's File::lock",
    SYS_fcntl [1: Test::Is(libc::F_SETLK as u32)] => "databases",
    SYS_fcntl [1: Test::Is(libc::F_SETLKW as u32)] => "databases",
    SYS_fcntl [1: Test::Is(libc::F_OFD_SETLK as u32)] => "databases",
    SYS_fcntl [1: Test::Is(libc::F_OFD_SETLKW as u32)] => "databases",
    SYS_fsync => "databases",
    SYS_fdatasync => "databases",
    SYS_msync [2: SYNCHRONOUSLY] => "databases and memmap2, which write to the scratch through memory",
};

/// What a worker's program may do in addition: what runs between execve(2) and its `main`.
pub(crate) const PROGRAM: &[Allowed] = calls! {
    // At addresses that only the runner knows, and that end with it. So this works once. execveat(2) is never allowed.
    SYS_execve [0: Test::IsOfTheCall(0), 1: Test::IsOfTheCall(1), 2: Test::IsOfTheCall(2)] => "the runner, to execute the program",
    // A register of the thread's own. Not ARCH_CET_*, nor the requests for larger vector states.
    SYS_arch_prctl [0: Test::Is(ARCH_SET_FS)] => "the start of every program: where its thread-local variables are",
};

/// What a program without a network may ask of its stdin, which is a socket. One with a network may ask that of every
/// socket.
pub(crate) const STDIN: &[Allowed] = calls! {
    SYS_getsockname => "Python's socket.socket(fileno=0), Node and Go: what stdin is",
    SYS_getpeername => "Go, for the same",
    SYS_getsockopt [1: SOCKET, 2: Test::Is(libc::SO_TYPE as u32)] => "the same",
    SYS_getsockopt [1: SOCKET, 2: Test::Is(libc::SO_DOMAIN as u32)] => "the same",
    SYS_getsockopt [1: SOCKET, 2: Test::Is(libc::SO_PROTOCOL as u32)] => "the same",
    SYS_getsockopt [1: SOCKET, 2: Test::Is(libc::SO_ERROR as u32)] => "event loops: tokio, asyncio",
};

/// What a zygote may do in addition, and its children with it: a filter can't be replaced, and adding one to each child
/// costs more than all its other steps (README of `bench/`). The calls that would be dangerous for a function also need
/// a capability, which a child gives up before it reads its request.
pub(crate) const FORK: &[Allowed] = calls! {
    // The kernel requires CAP_SYS_ADMIN for the new namespace (clone(2)). Only this clone and a thread's are allowed.
    SYS_clone [0: A_SEPARATE_PROCESS] => "a zygote's children",
    SYS_capset => "a child, which gives up that capability; no process can gain one by it",
    // To lower them: raising one needs a capability outside of the jail.
    SYS_prlimit64 [0: Test::Is(0), 1: Test::Is(libc::RLIMIT_CPU)] => "a child's own limits",
    SYS_prlimit64 [0: Test::Is(0), 1: Test::Is(libc::RLIMIT_NPROC)] => "a child's own limits",
    SYS_recvmsg [2: PLAIN_RECEIVING] => "a zygote, which gets its children's sockets by it",
    SYS_wait4 => "a zygote, which reaps its children",
    // In a child's namespace there is no other process. But 0 means the process group, which reaches beyond the
    // namespace: to the zygote and all of its children.
    SYS_kill [0: Test::IsPositive, 1: Test::Is(libc::SIGKILL as u32)] => "a zygote, which ends its children",
    SYS_kill [0: Test::Is(FIRST_PROCESS)] => "what kill(getpid(), ...) is in a child",
    SYS_tgkill [0: Test::Is(FIRST_PROCESS)] => "what abort, raise and pthread_kill are in a child",
    // No other signal, and not to switch it off.
    SYS_prctl [0: Test::Is(libc::PR_SET_PDEATHSIG as u32), 1: Test::Is(libc::SIGKILL as u32)] => "a child, which ends with its zygote",
    // Does nothing, but fails where there are other threads (unshare(2)).
    SYS_unshare [0: Test::Is(libc::CLONE_THREAD as u32)] => "a zygote, which must have one thread",
};

/// What a zygote may do in addition if it can't make PID namespaces. Each of its children adds the filter of an
/// ordinary function, which allows none of this nor of [`FORK`].
pub(crate) const SCOPED: &[Allowed] = calls! {
    SYS_clone [0: A_PROCESS] => "a zygote's children",
    SYS_landlock_restrict_self => "a child, which then can't signal other processes",
    // The child's own filter restricts it to its own id, which the zygote's filter can't know. The zygote's own signals
    // can't leave its Landlock domain, which this kind of zygote always has.
    SYS_kill [0: Test::IsPositive] => "kill(getpid(), ...) in a child",
    SYS_tgkill [0: Test::IsPositive] => "abort, raise and pthread_kill in a child",
    SYS_seccomp [0: Test::Is(libc::SECCOMP_SET_MODE_FILTER), 1: Test::Is(0)] => "a child, which adds its own filter",
};

/// What a zygote may do in addition that also forks processes which the host puts back to a snapshot. Such a process
/// prepares that, and then adds a filter that lets it do none of this: see [`PREPARED`]. An ordinary child of this
/// zygote adds a filter that refuses these calls, before its request. Only what a module runs while it is loaded can
/// make them, too: for itself and its own function's processes.
pub(crate) const REWIND: &[Allowed] = calls! {
    // For faults of the process's own code only: it can't delay the kernel's work (userfaultfd(2)).
    SYS_userfaultfd [0: Test::Is(UFFD_USER_MODE_ONLY | libc::O_CLOEXEC as u32)] => "the host, which learns which pages a request has written",
    SYS_seccomp [0: A_FILTER, 1: WITH_LISTENER] => "the host, which learns which calls a request makes",
    SYS_seccomp [0: A_FILTER, 1: Test::Is(0)] => "an ordinary child, which adds the filter against these calls",
    SYS_prctl [0: DUMPABLE, 1: Test::Is(1)] => "the host, which opens the process's memory",
    SYS_prctl [0: DUMPABLE, 1: Test::Is(0)] => "a rewindable process, once that is open",
};

/// With [`REWIND`]: the call that no kernel has. A filter with a listener can pass on only what this one allows.
pub(crate) const PARKING: &[Allowed] = &[Allowed {
    number: PARK as c_long,
    name: "park",
    only: &[],
    who: "a rewindable process, which waits by it",
}];

/// Which calls of [`REWIND`] fail by `EPERM` once a rewindable process is prepared. Of all others that its zygote's
/// filter allows, it may make those in [`NEUTRAL`]. The host is told of any other: it lets the call be made, and kills
/// the process after the request instead of putting it back.
pub(crate) const PREPARED: &[Allowed] = calls! {
    SYS_userfaultfd => "a process that could undo the host's own tracking",
    SYS_seccomp => "a filter of the module's, which would stay",
    SYS_prctl [0: DUMPABLE, 1: Test::BitsOtherThan { mask: !0, value: 0 }] => "a process that could let others open its memory",
};

/// The operation of seccomp(2) that adds a filter, and the flag that makes a listener for it.
const A_FILTER: Test = Test::Is(libc::SECCOMP_SET_MODE_FILTER);
const WITH_LISTENER: Test = Test::Is(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32);

/// The operation of prctl(2) that decides who may open the process's memory.
const DUMPABLE: Test = Test::Is(libc::PR_SET_DUMPABLE as u32);

/// Calls without an effect that outlives the request, and that show nothing of an earlier one. All others taint the
/// process. Among these: every call that changes mappings, descriptors, signals or timers; `fstat` (a pipe's times show
/// earlier writes), `getrusage`, `times` and the clocks of processor time (they show earlier work), `sysinfo` and
/// `mincore` (they show the kernel's memory), `rt_sigreturn` (a signal came), `restart_syscall` (it continues a call that
/// may be an earlier request's).
pub(crate) const NEUTRAL: &[Allowed] = calls! {
    SYS_write [0: Test::Is(0)] => "the process, which tells the host that it is ready; later the log",
    SYS_write [0: Test::Is(1)] => "output, which goes to the log and can't be read back",
    SYS_write [0: Test::Is(2)] => "the same",
    SYS_writev [0: Test::Is(1)] => "the same",
    SYS_writev [0: Test::Is(2)] => "the same",

    SYS_clock_gettime [0: REALTIME_OR_MONOTONIC] => "time, where the vDSO has no clock",
    SYS_clock_gettime [0: RAW_COARSE_OR_BOOT] => "the same",
    SYS_clock_gettime [0: TAI] => "the same",
    SYS_clock_getres [0: REALTIME_OR_MONOTONIC] => "the clocks' resolution, a constant",
    SYS_clock_getres [0: RAW_COARSE_OR_BOOT] => "the same",
    SYS_clock_getres [0: TAI] => "the same",
    SYS_gettimeofday => "time",
    // Processor time would show earlier requests' share.
    SYS_clock_nanosleep [0: REALTIME_OR_MONOTONIC] => "sleep, which leaves nothing but the time that it took",
    SYS_clock_nanosleep [0: RAW_COARSE_OR_BOOT] => "the same",
    SYS_clock_nanosleep [0: TAI] => "the same",
    SYS_nanosleep => "the same",

    SYS_getrandom => "random numbers, which depend on no earlier ones",

    SYS_getpid => "an id that the process keeps for its life",
    SYS_gettid => "the same",
    SYS_getppid => "the same",
    SYS_getpgrp => "the same: the calls that change it are refused",
    SYS_getpgid => "the same",
    SYS_getsid => "the same",
    SYS_getuid => "the same",
    SYS_geteuid => "the same",
    SYS_getgid => "the same",
    SYS_getegid => "the same",
    SYS_getresuid => "the same",
    SYS_getresgid => "the same",
    SYS_getgroups => "the same",

    SYS_uname => "the kernel's version and names, which are the same for all",
    SYS_sched_getaffinity => "which processors it may use: the call that changes it is refused",
    SYS_sched_yield => "spinning locks; it only takes time",
    SYS_getcpu => "where it runs now, which rseq(2) and an instruction show as well",
    SYS_getrlimit => "limits: the calls that change them taint or are refused",
    SYS_prlimit64 [0: Test::Is(0), 2: Test::IsNull] => "the same: to ask, not to set",

    // No other thread is there that could wait: a process with one is tainted.
    SYS_futex [1: Test::Is((libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG) as u32)] => "mutexes that are released",
    SYS_ioctl [1: Test::Is(libc::TCGETS as u32)] => "isatty, which C's stdio asks of stdout; it fails, since there is no terminal",
    SYS_ioctl [1: Test::Is(libc::TIOCGWINSZ as u32)] => "the same, terminal libraries",

    // The zygote's filter goes on refusing the statuses that wrappers reserve: the kernel takes the stricter answer.
    SYS_exit => "the process's end",
    SYS_exit_group => "the same",
};

/// Clocks that don't depend on what the process has done (time.h, CLOCK_*): CLOCK_REALTIME and CLOCK_MONOTONIC, 0 and 1;
const REALTIME_OR_MONOTONIC: Test = Test::Bits { mask: !1, value: 0 };
/// CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE and CLOCK_BOOTTIME, 4 to 7;
const RAW_COARSE_OR_BOOT: Test = Test::Bits { mask: !3, value: 4 };
/// CLOCK_TAI. Not those between: the processor time of the process and the thread, nor the alarms' clocks.
const TAI: Test = Test::Is(libc::CLOCK_TAI as u32);

/// A flag of userfaultfd(2), of linux/userfaultfd.h; missing in the libc crate.
pub(crate) const UFFD_USER_MODE_ONLY: u32 = 1;

/// Calls that fail by `ENOSYS`, so that glibc and other libraries use another call, whose arguments a filter can read.
pub(crate) const UNKNOWN: &[Allowed] = calls! {
    SYS_clone3 => "pthread_create, which then calls clone",
    SYS_openat2 => "libraries that then call openat",
    SYS_io_uring_setup => "runtimes that then use epoll",
    // It keeps pages of files in sockets, where no limit counts them.
    SYS_sendfile => "copies of files, which are then read and written",
};
