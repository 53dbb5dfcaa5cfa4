//! The life of a forked process: it gives up what its zygote can do, serves one request, and exits.

use super::Zygote;
use super::control::Seat;
use crate::channel::{self, ChannelError};
use crate::jail::separation::SeparationError;
use crate::limits::LimitError;
use crate::module::ModuleError;
use crate::syscalls;
use fezz_wire::{ExitCode, FezzWireRequest, Framer, Progress, WireError};
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::stdio::{dup2_stderr, dup2_stdout};
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
    /// The request.
    #[error("the host sent no request")]
    Request(#[from] WireError),
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
            Self::Request(_) => ExitCode::BadRequest,
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
    drop(control);
    dup2_stderr(&seat.stderr).map_err(ChildFailure::Log)?;
    dup2_stdout(&seat.stderr).map_err(ChildFailure::Log)?;
    drop(seat.stderr);
    channel::empty_stdin()?;
    // The end of the process frees all at once; and the module may have closed what isn't its own.
    let (socket, mut request) = (ManuallyDrop::new(seat.socket), ManuallyDrop::new(request));
    // While it may: where there is no PID namespace, the next step adds the filter of an ordinary function.
    limits.apply()?;
    forks.separate()?;
    syscalls::block_child_signal(libc::SIG_UNBLOCK).map_err(ChildFailure::Signals)?;
    module.on_fork();

    // All of the above is done before there is a request, while nobody waits for it.
    if !read(&*socket, &mut request)? {
        return Ok(());
    }
    FezzWireRequest::decode(&request)?;
    let answer = module.handle(&request)?;
    channel::write_response(&*socket, answer)?;
    syscalls::flush_stdout();
    Ok(())
}

/// Reads one message. Returns whether there is one: a child that isn't needed any more is told so by the end.
fn read(socket: impl AsFd, request: &mut Vec<u8>) -> Result<bool, ChildFailure> {
    let mut framer = Framer::default();
    loop {
        let missing = match framer.advance(request)? {
            Progress::Complete { .. } => return Ok(true),
            Progress::Partial { at_least } => at_least - request.len(),
        };
        request.reserve(missing);
        match rustix::io::read(&socket, rustix::buffer::spare_capacity(request)) {
            Ok(0) if request.is_empty() => return Ok(false),
            Ok(0) => return Err(ChannelError::Read(Errno::CONNRESET).into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(ChannelError::Read(error).into()),
        }
    }
}
