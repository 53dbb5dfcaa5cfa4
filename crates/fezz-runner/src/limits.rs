//! Resource limits of this process, set before the module is loaded.

use crate::syscalls;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Why the process would run without a limit.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// setrlimit(2) refused.
    #[error("failed to limit {what} to {value}")]
    Resource { what: &'static str, value: u64, source: rustix::io::Errno },
    /// The handler that notices the memory limit can't be installed.
    #[error("failed to install the handler of crashes")]
    CrashHandler(#[source] rustix::io::Errno),
    /// The handler of a module's exit can't be installed.
    #[error("failed to install the handler of exits")]
    ExitHandler(#[source] rustix::io::Errno),
}

/// Addresses beyond the memory limit: the program, its libraries, and what glibc reserves for arenas, 64 MiB each.
/// [`Resource::Data`] bounds what is writable; this, what was written and then made read-only.
const ADDRESSES_BEYOND_MEMORY_BYTES: u64 = 256 << 20;

/// The default limit: the most that select(2) can wait for.
const DESCRIPTORS: u64 = 1024;

/// Timers and queued signals of one process.
const QUEUED_SIGNALS: u64 = 256;

/// How much one process may take; `None`: the limit that it inherited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub memory_bytes: Option<u64>,
    pub cpu_ms: Option<u64>,
    pub descriptors: Option<u64>,
    /// Threads, the first among them.
    pub threads: Option<u64>,
}

/// No core file, which would hold requests, and be written to the working folder.
pub(crate) const NO_CORE_FILE: u64 = 0;

/// Nor a core that the kernel pipes to a program of the host, for which it ignores the limit, except this one (core(5);
/// fs/coredump.c, do_coredump). For a program: execve(2) makes a process dumpable again, if its file can be read.
/// And for rewindable processes, which are dumpable for a moment.
pub(crate) const NO_CORE_AT_ALL: u64 = 1;

/// Puts the limits in force, for this process and its children. `others` is the number of other processes of the same
/// user in this user namespace, since the kernel counts threads by user (getrlimit(2)). Where it is unknown, threads
/// aren't limited.
///
/// # Errors
///
/// Those of setrlimit(2), with the limit's name.
pub(crate) fn apply(limits: &Limits, others: Option<u64>, core_bytes: u64) -> Result<(), LimitError> {
    apply_to_memory(limits, core_bytes)?;
    let threads = limits.threads.zip(others).map(|(threads, others)| threads.saturating_add(others));
    ChildLimits::new(threads, limits.cpu_ms).apply()
}

/// Puts the limits in force that a zygote's children inherit, and returns those that each child puts in force itself.
/// Processor time is per child. The kernel counts the threads of all `children` together, and the zygote must be able
/// to fork when they have used up theirs.
///
/// # Errors
///
/// As [`apply`].
pub(crate) fn apply_to_zygote(
    limits: &Limits,
    others: Option<u64>,
    children: u64,
    core_bytes: u64,
) -> Result<ChildLimits, LimitError> {
    apply_to_memory(limits, core_bytes)?;
    let threads = limits.threads.zip(others).map(|(threads, others)| {
        const THE_ZYGOTE: u64 = 1;
        threads.saturating_mul(children).saturating_add(others + THE_ZYGOTE)
    });
    let of_child = ChildLimits::new(threads, limits.cpu_ms);
    if let Some(threads) = threads {
        lower("threads", Resource::Nproc, threads.saturating_add(children))?;
    }
    Ok(of_child)
}

/// The limits of a zygote's child that it doesn't inherit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChildLimits {
    threads: Option<u64>,
    /// The soft limit and the hard one.
    cpu_seconds: Option<(u64, u64)>,
}

impl ChildLimits {
    fn new(threads: Option<u64>, cpu_ms: Option<u64>) -> Self {
        let threads = threads.map(|threads| threads.min(inherited(Resource::Nproc)));
        let cpu_seconds = cpu_ms.map(|cpu_ms| {
            // A second apart: SIGXCPU, which tells the cause, comes before SIGKILL, which doesn't.
            let seconds = cpu_ms.div_ceil(1000);
            let inherited = inherited(Resource::Cpu);
            (seconds.min(inherited), seconds.saturating_add(1).min(inherited))
        });
        Self { threads, cpu_seconds }
    }

    /// Puts them in force for this process.
    ///
    /// # Errors
    ///
    /// Those of setrlimit(2), with the limit's name.
    pub(crate) fn apply(self) -> Result<(), LimitError> {
        self.apply_but_processor_time()?;
        match self.cpu_seconds {
            Some((soft, hard)) => set("processor seconds", Resource::Cpu, soft, hard),
            None => Ok(()),
        }
    }

    /// The same for a process that serves many requests, whose processor time the kernel would add up.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub(crate) fn apply_but_processor_time(self) -> Result<(), LimitError> {
        self.threads.map_or(Ok(()), |threads| set("threads", Resource::Nproc, threads, threads))
    }
}

fn apply_to_memory(limits: &Limits, core_bytes: u64) -> Result<(), LimitError> {
    lower("the size of core files", Resource::Core, core_bytes)?;
    // Each can hold kernel memory that no other limit counts: a socket of a pair, 220 KiB. And the number of possible
    // epoll watches, which the kernel limits for all processes of a user together, grows with the third power of this.
    lower("open files", Resource::Nofile, limits.descriptors.unwrap_or(DESCRIPTORS))?;
    // The kernel limits these, too, for all processes of a user together, the host included.
    lower("queued signals", Resource::Sigpending, QUEUED_SIGNALS)?;
    syscalls::use_few_arenas();
    if let Some(memory_bytes) = limits.memory_bytes {
        // Private writable memory, however it is mapped (since Linux 4.7: getrlimit(2)).
        lower("memory", Resource::Data, memory_bytes)?;
        lower("addresses", Resource::As, memory_bytes.saturating_add(ADDRESSES_BEYOND_MEMORY_BYTES))?;
    }
    Ok(())
}

/// Lowers the soft and the hard limit, so that the module can't raise them again; a limit that is lower already stays.
fn lower(what: &'static str, resource: Resource, value: u64) -> Result<(), LimitError> {
    let value = value.min(inherited(resource));
    set(what, resource, value, value)
}

fn inherited(resource: Resource) -> u64 {
    getrlimit(resource).maximum.unwrap_or(u64::MAX)
}

fn set(what: &'static str, resource: Resource, soft: u64, hard: u64) -> Result<(), LimitError> {
    let limit = Rlimit { current: Some(soft), maximum: Some(hard) };
    setrlimit(resource, limit).map_err(|source| LimitError::Resource { what, value: soft, source })
}
