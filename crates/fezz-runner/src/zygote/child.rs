//! The steps of a forked process: it gives up its zygote's rights, serves one request, and exits.

use super::Zygote;
use super::control::ChildDescriptors;
use crate::allocations;
use crate::channel::{self, ChannelError};
use crate::jail::separation::SeparationError;
use crate::limits::LimitError;
use crate::module::ModuleError;
use crate::syscalls;
use fezz_wire::ExitCode;
use fezz_wire::control::LENGTH_BYTES;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use std::mem::ManuallyDrop;

/// Why a child has no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChildFailure {
    /// It can't be isolated from its siblings.
    #[error(transparent)]
    Separation(#[from] SeparationError),
    #[error(transparent)]
    Limit(#[from] LimitError),
    #[error("failed to connect stderr to the function's log")]
    Log(#[source] Errno),
    #[error("failed to unblock signals")]
    Signals(#[source] Errno),
    /// The request can't be read, or the response written.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// Another process could open the memory of a rewindable one.
    #[error("failed to forbid other processes to open this one's memory")]
    Dumpable(#[source] Errno),
}

impl ChildFailure {
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Separation(_) | Self::Limit(_) | Self::Log(_) | Self::Signals(_) | Self::Dumpable(_) => {
                ExitCode::NotConfined
            }
            Self::Channel(ChannelError::Write(_)) => ExitCode::ResponseNotWritten,
            Self::Channel(_) => ExitCode::Io,
            Self::Module(_) => ExitCode::AbiViolation,
        }
    }
}

/// Serves one request in this process, which was forked for it, and ends it.
pub(super) fn run(zygote: Zygote, descriptors: ChildDescriptors) -> ! {
    let status = match serve(zygote, descriptors) {
        Ok(()) => 0,
        Err(failure) => crate::report(&failure, failure.exit_code()),
    };
    syscalls::exit_now(status)
}

fn serve(zygote: Zygote, descriptors: ChildDescriptors) -> Result<(), ChildFailure> {
    let Zygote { module, control, forks, limits, request, rewinding: _ } = zygote;
    // Before anything else: over this socket, a child could send reports as its zygote.
    control.close();
    connect_log(descriptors.stderr)?;
    // Not dropped: the end of the process frees everything, and the module may have closed the descriptor.
    let (socket, mut request) = (ManuallyDrop::new(descriptors.socket), ManuallyDrop::new(request));
    // Before the next step, which without PID namespaces adds the filter of an ordinary function.
    limits.apply()?;
    forks.separate()?;
    if is_given_up(&*socket)? {
        return Ok(());
    }
    syscalls::block_child_signal(libc::SIG_UNBLOCK).map_err(ChildFailure::Signals)?;
    allocations::forget();
    module.on_fork();

    // All of the above is done before there is a request, while no client waits.
    if !read(&*socket, &mut request)? {
        return Ok(());
    }
    // The host wrote it, and the module decodes it.
    let answer = module.handle(&request[LENGTH_BYTES..])?;
    channel::write_response(&*socket, answer)?;
    syscalls::flush_stdout();
    Ok(())
}

/// Makes the function's log the three standard descriptors. All of them are this process's own: file flags set on a
/// shared open file would reach the next process. Reading stdin fails by EBADF, which stdio and Rust's library take for
/// its end.
pub(super) fn connect_log(stderr: OwnedFd) -> Result<(), ChildFailure> {
    dup2_stderr(&stderr).map_err(ChildFailure::Log)?;
    dup2_stdout(&stderr).map_err(ChildFailure::Log)?;
    dup2_stdin(&stderr).map_err(ChildFailure::Log)?;
    syscalls::close(stderr);
    Ok(())
}

/// Whether the host has closed the other end, perhaps after a request. Asked once this process gets a signal at its
/// zygote's exit: no signal comes for a zygote that was gone before.
pub(super) fn is_given_up(socket: impl AsFd) -> Result<bool, ChildFailure> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let ready = poll(&mut [PollFd::new(&socket, PollFlags::empty())], Some(&now));
    Ok(ready.map_err(ChannelError::Read)? > 0)
}

/// Reads one message, which follows its length. Returns whether there is one: the host closes the socket of a child
/// that it doesn't need any more.
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
