//! The life of a forked process: it gives up what its zygote can do, serves one request, and exits.

use super::Zygote;
use super::control::Seat;
use crate::allocations;
use crate::channel::{self, ChannelError};
use crate::jail::separation::SeparationError;
use crate::limits::LimitError;
use crate::module::ModuleError;
use crate::syscalls;
use fezz_wire::ExitCode;
use fezz_wire::control::LENGTH_BYTES;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use std::mem::ManuallyDrop;

/// Why a child has no response.
#[derive(Debug, thiserror::Error)]
enum ChildFailure {
    /// It isn't separate from the others.
    #[error(transparent)]
    Separation(#[from] SeparationError),
    /// It has no limit.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Its log.
    #[error("failed to take up the function's log")]
    Log(#[source] Errno),
    /// Its signals.
    #[error("failed to let signals through")]
    Signals(#[source] Errno),
    /// The request's way, or the response's.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The module.
    #[error(transparent)]
    Module(#[from] ModuleError),
}

impl ChildFailure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Separation(_) | Self::Limit(_) | Self::Log(_) | Self::Signals(_) => ExitCode::NotConfined,
            Self::Channel(ChannelError::Write(_)) => ExitCode::ResponseNotWritten,
            Self::Channel(_) => ExitCode::Io,
            Self::Module(_) => ExitCode::AbiViolation,
        }
    }
}

/// Serves one request in this process, which was forked for it, and ends it.
pub(super) fn live(zygote: Zygote, seat: Seat) -> ! {
    let status = match serve(zygote, seat) {
        Ok(()) => 0,
        Err(failure) => crate::report(&failure, failure.exit_code()),
    };
    syscalls::exit_now(status)
}

fn serve(zygote: Zygote, seat: Seat) -> Result<(), ChildFailure> {
    let Zygote { module, control, forks, limits, request } = zygote;
    // Before anything else: over it, a child could speak for its zygote.
    control.close();
    dup2_stderr(&seat.stderr).map_err(ChildFailure::Log)?;
    dup2_stdout(&seat.stderr).map_err(ChildFailure::Log)?;
    // All three are this process's own: an open file that it shared with the next would have its flags, too. What reads
    // stdin is told that it can't be read (EBADF), which stdio and Rust's library take for its end.
    dup2_stdin(&seat.stderr).map_err(ChildFailure::Log)?;
    syscalls::close(seat.stderr);
    // The end of the process frees all at once; and the module may have closed what isn't its own.
    let (socket, mut request) = (ManuallyDrop::new(seat.socket), ManuallyDrop::new(request));
    // While it may: where there is no PID namespace, the next step adds the filter of an ordinary function.
    limits.apply()?;
    forks.separate()?;
    if is_given_up(&*socket)? {
        return Ok(());
    }
    syscalls::block_child_signal(libc::SIG_UNBLOCK).map_err(ChildFailure::Signals)?;
    allocations::forget();
    module.on_fork();

    // All of the above is done before there is a request, while nobody waits for it.
    if !read(&*socket, &mut request)? {
        return Ok(());
    }
    // The host wrote it, and the module decodes it.
    let answer = module.handle(&request[LENGTH_BYTES..])?;
    channel::write_response(&*socket, answer)?;
    syscalls::flush_stdout();
    Ok(())
}

/// Whether the host has left the other end, perhaps behind a request. To be asked once there is a signal at the zygote's
/// end, which doesn't come for one that ended before; later, it does.
fn is_given_up(socket: impl AsFd) -> Result<bool, ChildFailure> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let ready = poll(&mut [PollFd::new(&socket, PollFlags::empty())], Some(&now));
    Ok(ready.map_err(ChannelError::Read)? > 0)
}

/// Reads one message, behind its length. Returns whether there is one: a child that isn't needed any more is told so by
/// the end.
fn read(socket: impl AsFd, request: &mut Vec<u8>) -> Result<bool, ChildFailure> {
    loop {
        let whole = match request.first_chunk::<LENGTH_BYTES>() {
            Some(length) => LENGTH_BYTES + u64::from_le_bytes(*length) as usize,
            None => LENGTH_BYTES,
        };
        if request.len() > LENGTH_BYTES && request.len() >= whole {
            return Ok(true);
        }
        request.reserve(whole - request.len());
        match rustix::io::read(&socket, rustix::buffer::spare_capacity(request)) {
            Ok(0) if request.is_empty() => return Ok(false),
            Ok(0) => return Err(ChannelError::Read(Errno::CONNRESET).into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(ChannelError::Read(error).into()),
        }
    }
}
