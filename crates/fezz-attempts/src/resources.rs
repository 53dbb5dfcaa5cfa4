//! Attempts to exhaust resources, each with a cap that does no harm without a jail, and to leave processes running.

use crate::attempt::{Attempt, Expected, Variant};
use crate::found::Found;
use crate::params::Params;
use crate::processes::{exit_now, memory_file};
use crate::sys;
use std::fs::{self, OpenOptions};
use std::hint::black_box;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("fork-bomb", "start more processes than it may have threads", fork_bomb)
        .expected(Expected::Bounded),
    Attempt::new(
        "thread-bomb",
        "start more threads than `limits.threads`, under `fork` times a zygote's children",
        thread_bomb,
    )
    .expected(Expected::Bounded),
    Attempt::new("private-memory", "use more memory than `limits.memory_bytes`", |params| {
        memory(libc::MAP_PRIVATE, params)
    })
    .expected(Expected::Bounded),
    Attempt::new("shared-memory", "use more memory, as shared memory", |params| {
        memory(libc::MAP_SHARED, params)
    })
    .expected(Expected::Bounded),
    Attempt::new("memory-in-memory-file", "use more memory, as a file in memory", |params| {
        fill("memfd_create", memory_file(), params.number("memory_bytes"))
    })
    .expected(Expected::Bounded),
    Attempt::new(
        "memory-in-shared-folder",
        "use more memory, as a file in the folder of shared memory",
        |params| fill("/dev/shm", unlinked("/dev/shm", params), params.number("memory_bytes")),
    )
    .expected(Expected::Bounded),
    Attempt::new("memory-in-stacks", "use more memory, as stacks of threads", memory_in_stacks)
        .expected(Expected::Bounded),
    Attempt::new("memory-in-pipes", "use twice its memory, as data in pipes", memory_in_pipes)
        .expected(Expected::Bounded),
    Attempt::new("addresses", "reserve 64 GiB of addresses", |_| {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        const BYTES: usize = 64 << 30;
        Found::achieved("mmap of 64 GiB", map(BYTES, libc::PROT_READ, flags))
    })
    .expected(Expected::Bounded),
    Attempt::new("descriptor-bomb", "open more than 64 files", descriptor_bomb).expected(Expected::Bounded),
    Attempt::new("signal-bomb", "queue more than 256 signals", |_| signal_bomb()).expected(Expected::Bounded),
    Attempt::new("disk-bomb", "write 32 MiB to a disk", disk_bomb).expected(Expected::Bounded),
    Attempt::new("scratch-bomb", "write more than `limits.scratch_bytes`", |params| {
        fill("/tmp", unlinked("/tmp", params), params.number("scratch_bytes"))
    })
    .under(Variant::Scratch)
    .expected(Expected::Bounded),
    Attempt::new("flood-stderr", "write 8 MiB into the host's log", |_| flood(2)).expected(Expected::Cut),
    Attempt::new("flood-stdout", "write 8 MiB to its stdout, which isn't the response", |_| flood(1))
        .expected(Expected::Cut),
    Attempt::new("burn-processor", "compute for ever", |_| {
        loop {
            black_box(0);
        }
    })
    .under(Variant::Brief)
    .expected(Expected::Ended),
    Attempt::new("ignore-deadline", "sleep for ever and ignore every signal", |_| ignore_deadline())
        .under(Variant::Brief)
        .expected(Expected::Ended),
    Attempt::new("stop-itself", "stop itself for ever", |_| {
        let stopped = sys::call(libc::SYS_kill, &[std::process::id() as usize, libc::SIGSTOP as usize]);
        Found::Refused(match stopped {
            Ok(_) => "SIGSTOP had no effect".to_owned(),
            Err(error) => format!("kill: {}", sys::name(&error)),
        })
    })
    .under(Variant::Brief)
    .expected(Expected::Bounded),
    Attempt::new("leave-daemon", "leave a process running, in a session of its own", |params| {
        leave(params, &[libc::SIGCHLD as usize], Leaving::Session)
    })
    .expected(Expected::NothingLeft),
    Attempt::new("leave-sibling", "leave a process running that is the host's child", |params| {
        leave(params, &[(libc::CLONE_PARENT | libc::SIGCHLD) as usize], Leaving::Session)
    })
    .expected(Expected::NothingLeft),
    Attempt::new("leave-child", "leave a process running", |params| {
        leave(params, &[libc::SIGCHLD as usize], Leaving::Group)
    })
    .expected(Expected::NothingLeft),
];

const MIB: usize = 1 << 20;

/// How far an attempt goes beyond the memory limit.
const BEYOND_BYTES: usize = 32 * MIB;

fn fork_bomb(params: &Params<'_>) -> Found {
    const PROCESSES_MAX: usize = 50;
    let mut children = Vec::new();
    let mut stopped = None;
    while children.len() < PROCESSES_MAX {
        match sys::call(libc::SYS_clone, &[libc::SIGCHLD as usize]) {
            Ok(0) => {
                std::thread::sleep(Duration::from_secs(1));
                exit_now();
            }
            Ok(pid) => children.push(pid),
            Err(error) => {
                stopped = Some(error);
                break;
            }
        }
    }
    for child in &children {
        sys::call(libc::SYS_kill, &[*child, libc::SIGKILL as usize]).ok();
        sys::call(libc::SYS_wait4, &[*child, 0, 0, 0]).ok();
    }
    bounded("processes", children.len() + 1, params.number("threads"), stopped)
}

fn thread_bomb(params: &Params<'_>) -> Found {
    const BEYOND: usize = 32;
    const STACK_BYTES: usize = 64 * 1024;
    let limit = params.number("threads_counted");
    let mut threads = 1;
    let mut stopped = None;
    while threads < limit + BEYOND {
        // They end with the process.
        match std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn(|| std::thread::sleep(Duration::from_secs(60)))
        {
            Ok(_) => threads += 1,
            Err(error) => {
                stopped = Some(error);
                break;
            }
        }
    }
    bounded("threads", threads, limit, stopped)
}

fn bounded(what: &str, reached: usize, limit: usize, stopped: Option<io::Error>) -> Found {
    let by = stopped.map(|error| format!(": {}", sys::name(&error))).unwrap_or_default();
    let text = format!("{reached} {what}, the limit is {limit}{by}");
    if reached > limit { Found::Worked(text) } else { Found::Refused(text) }
}

fn map(bytes: usize, protection: i32, flags: i32) -> io::Result<usize> {
    sys::call(libc::SYS_mmap, &[0, bytes, protection as usize, flags as usize, usize::MAX, 0])
}

fn memory(kind: i32, params: &Params<'_>) -> Found {
    const PIECE_BYTES: usize = 4 * MIB;
    const PAGE_BYTES: usize = 4096;
    let limit = params.number("memory_bytes");
    let mut taken = 0;
    let mut stopped = None;
    while taken < limit + BEYOND_BYTES {
        match map(PIECE_BYTES, libc::PROT_READ | libc::PROT_WRITE, kind | libc::MAP_ANONYMOUS) {
            Ok(piece) => {
                for page in (piece..piece + PIECE_BYTES).step_by(PAGE_BYTES) {
                    // SAFETY: the page was just mapped, writable, and nothing else uses it.
                    unsafe { (page as *mut u8).write_volatile(1) };
                }
                taken += PIECE_BYTES;
            }
            Err(error) => {
                stopped = Some(error);
                break;
            }
        }
    }
    bounded("bytes", taken, limit, stopped)
}

/// A file without a name, which is gone with the process.
fn unlinked(folder: &str, params: &Params<'_>) -> io::Result<fs::File> {
    let path = Path::new(folder).join(params.text("marker"));
    let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// Files in memory beyond a limit.
fn fill(what: &str, file: io::Result<fs::File>, limit: usize) -> Found {
    match file {
        Ok(file) => {
            let (written, stopped) = write_up_to(file, limit + BEYOND_BYTES);
            bounded("bytes", written, limit, stopped)
        }
        Err(error) => Found::Refused(format!("{what}: {}", sys::name(&error))),
    }
}

fn write_up_to(mut file: fs::File, bytes_max: usize) -> (usize, Option<io::Error>) {
    let piece = vec![1; MIB];
    let mut written = 0;
    while written < bytes_max {
        match file.write(&piece) {
            Ok(bytes) => written += bytes,
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

fn memory_in_stacks(params: &Params<'_>) -> Found {
    const STACK_BYTES: usize = 12 * MIB;
    const FRAMES: usize = 128;
    static USED: AtomicUsize = AtomicUsize::new(0);
    let limit = params.number("memory_bytes");
    let use_it = || {
        USED.fetch_add(use_stack(FRAMES), Ordering::SeqCst);
        std::thread::sleep(Duration::from_secs(60));
    };
    let mut stopped = None;
    let mut threads = 0;
    while threads * FRAMES * FRAME_BYTES <= limit + BEYOND_BYTES {
        match std::thread::Builder::new().stack_size(STACK_BYTES).spawn(use_it) {
            Ok(_) => threads += 1,
            Err(error) => {
                stopped = Some(error);
                break;
            }
        }
    }
    wait_until(|| USED.load(Ordering::SeqCst) == threads * FRAMES * FRAME_BYTES);
    bounded("bytes", USED.load(Ordering::SeqCst), limit, stopped)
}

/// A third of what would fit that many frames on such a stack: an unoptimized build keeps copies.
const FRAME_BYTES: usize = 32 * 1024;

/// Writes that many frames, one below the other, and returns their size.
fn use_stack(frames: usize) -> usize {
    let mut frame = [1_u8; FRAME_BYTES];
    black_box(&mut frame);
    let below = if frames > 1 { use_stack(frames - 1) } else { 0 };
    // Used again after the call, so that it isn't a tail call, which would reuse this frame.
    below + black_box(&frame).len()
}

fn wait_until(done: impl Fn() -> bool) {
    const PATIENCE: Duration = Duration::from_secs(2);
    let begun = Instant::now();
    while !done() && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Pipes hold up to a megabyte each, which no limit of the process counts, only one of the user (pipe(7)).
fn memory_in_pipes(params: &Params<'_>) -> Found {
    const F_SETPIPE_SZ: usize = 1031;
    let limit = params.number("memory_bytes");
    let piece = vec![1; MIB];
    let mut taken = 0;
    let mut pipes = Vec::new();
    let mut stopped = None;
    // Twice the limit: the kernel allows an ordinary user 64 MiB.
    while taken <= limit * 2 {
        let (reader, mut writer) = match io::pipe() {
            Ok(pipe) => pipe,
            Err(error) => {
                stopped = Some(error);
                break;
            }
        };
        let at = std::os::fd::AsRawFd::as_raw_fd(&writer) as usize;
        let bytes = match sys::call(libc::SYS_fcntl, &[at, F_SETPIPE_SZ, MIB]) {
            Ok(bytes) => bytes,
            Err(error) => {
                stopped = Some(error);
                break;
            }
        };
        taken += writer.write(&piece[..bytes.min(MIB)]).unwrap_or_default();
        pipes.push((reader, writer));
    }
    bounded("bytes", taken, limit * 2, stopped)
}

fn descriptor_bomb(_: &Params<'_>) -> Found {
    const LIMIT: usize = 64;
    const DESCRIPTORS_MAX: usize = 4096;
    let mut highest = 0;
    let mut stopped = None;
    while highest < DESCRIPTORS_MAX {
        match sys::call(libc::SYS_dup, &[2]) {
            Ok(descriptor) => highest = descriptor,
            Err(error) => {
                stopped = Some(error);
                break;
            }
        }
    }
    bounded("descriptors", highest + 1, LIMIT, stopped)
}

/// The kernel limits queued signals per user: beyond the limit, the user's next process gets no timer.
fn signal_bomb() -> Found {
    const LIMIT: usize = 256;
    const SIGNALS_MAX: usize = 4096;
    const SIGNAL: usize = 40;
    let all = u64::MAX;
    sys::call(libc::SYS_rt_sigprocmask, &[0, sys::at(&all), 0, size_of_val(&all)]).ok();
    let own = std::process::id() as usize;
    // To this thread, since the others don't block the signal.
    let thread = sys::call(libc::SYS_gettid, &[]).unwrap_or(own);
    for _ in 0..SIGNALS_MAX {
        // Received without being queued once the limit is reached (sigqueue(3)).
        if let Err(error) = sys::call(libc::SYS_tgkill, &[own, thread, SIGNAL]) {
            return Found::Refused(format!("tgkill: {}", sys::name(&error)));
        }
    }
    let at_once = [0_u64; 2];
    let wait = [sys::at(&all), 0, sys::at(&at_once), size_of_val(&all)];
    let waiting = std::iter::from_fn(|| sys::call(libc::SYS_rt_sigtimedwait, &wait).ok()).count();
    // One of each signal is pending without being queued.
    bounded("signals", waiting.saturating_sub(1), LIMIT, None)
}

/// No byte may be written: a function has no disk.
fn disk_bomb(params: &Params<'_>) -> Found {
    const BYTES_MAX: usize = 32 * MIB;
    for folder in [params.text("open_folder"), "/tmp", "/var/tmp", "/"] {
        if let Ok(file) = unlinked(folder, params) {
            let (written, _) = write_up_to(file, BYTES_MAX);
            return Found::Worked(format!("{written} bytes in {folder}"));
        }
    }
    Found::Refused("no folder can be written".to_owned())
}

/// The host limits how much of it it logs, and judges by its log.
fn flood(descriptor: usize) -> Found {
    const FLOOD_BYTES: usize = 8 * MIB;
    let lines = [&[b'x'; 99][..], b"\n"].concat().repeat(64);
    let mut written = 0;
    while written < FLOOD_BYTES {
        match sys::call(libc::SYS_write, &[descriptor, sys::at(&*lines), lines.len()]) {
            Ok(bytes) => written += bytes,
            Err(error) => return Found::Refused(format!("{written} bytes, then {}", sys::name(&error))),
        }
    }
    Found::Refused(format!("{written} bytes were taken"))
}

fn ignore_deadline() -> Found {
    for signal in 1..64 {
        // SAFETY: SIG_IGN is a disposition, not a function that could run; for signals that can't be ignored it fails.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

/// How a process detaches from the processes by which the host could find it.
enum Leaving {
    /// As a daemon does: a session of its own.
    Session,
    /// Not at all.
    Group,
}

/// Leaves a process that has the check's marker as its name, for some seconds at most: the host counts those
/// afterwards.
fn leave(params: &Params<'_>, flags: &[usize], leaving: Leaving) -> Found {
    const LIFE: Duration = Duration::from_secs(10);
    match sys::call(libc::SYS_clone, flags) {
        Ok(0) => {
            if matches!(leaving, Leaving::Session) {
                sys::call(libc::SYS_setsid, &[]).ok();
                // Forked again, so that its parent is gone.
                if !matches!(sys::call(libc::SYS_clone, &[libc::SIGCHLD as usize]), Ok(0)) {
                    exit_now();
                }
            }
            let mut name = params.text("marker").to_owned();
            name.push('\0');
            sys::call(libc::SYS_prctl, &[libc::PR_SET_NAME as usize, sys::at(&*name), 0, 0, 0]).ok();
            sys::call(libc::SYS_close_range, &[0, u32::MAX as usize, 0]).ok();
            std::thread::sleep(LIFE);
            exit_now();
        }
        Ok(_) => Found::Refused("a process is left, for the host to end".to_owned()),
        Err(error) => Found::Refused(format!("clone: {}", sys::name(&error))),
    }
}
