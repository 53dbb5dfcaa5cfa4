//! The steps of a rewindable process: it gives up its zygote's rights, prepares to be put back to a snapshot, and serves
//! request after request. `fezz_wire::rewind` has the protocol.
//!
//! From its filter on, each call but the neutral ones goes to the host first (`policy.rs`, `NEUTRAL`): until the process
//! is sealed, the host has to let the calls of [`Prepared::seal`] through.

use super::Zygote;
use super::child::{ChildFailure, connect_log, is_given_up};
use super::control::ChildDescriptors;
use super::park::Park;
use super::syscalls::{Buffer, userfaultfd};
use crate::allocations;
use crate::channel;
use crate::jail;
use crate::module::Module;
use crate::syscalls;
use fezz_wire::rewind::{Obstacle, Preparation, REQUEST_BYTES_MAX, Resume};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::stdio::{dup2_stdin, stderr, stdin};

/// Serves requests in this process, and ends it.
pub(super) fn run(zygote: Zygote, descriptors: ChildDescriptors) -> ! {
    let status = match prepare_and_serve(zygote, descriptors) {
        Ok(()) => 0,
        Err(failure) => crate::report(&failure, failure.exit_code()),
    };
    syscalls::exit_now(status)
}

fn prepare_and_serve(zygote: Zygote, descriptors: ChildDescriptors) -> Result<(), ChildFailure> {
    let Zygote { module, control, forks, limits, rewinding, request: _request } = zygote;
    // Before anything else: over this socket, a child could send reports as its zygote.
    control.close();
    connect_log(descriptors.stderr)?;
    // The number by which the filter lets it write. It is the log's, too, once the process is sealed.
    dup2_stdin(&descriptors.socket).map_err(ChildFailure::Log)?;
    syscalls::close(descriptors.socket);
    // Processor time would add up over all requests: the host measures each one's.
    limits.apply_but_processor_time()?;
    forks.separate_rewindable()?;
    if is_given_up(stdin())? {
        return Ok(());
    }
    syscalls::block_child_signal(libc::SIG_UNBLOCK).map_err(ChildFailure::Signals)?;
    allocations::forget();
    // A zygote without `--rewind` forks no such process.
    let park = rewinding.unwrap_or(Err(Obstacle::Filter)).map_err(Impossible::from);
    match park.and_then(Prepared::new) {
        Ok(prepared) => prepared.serve(&module),
        Err(Impossible { obstacle, error }) => {
            tell(Preparation::Impossible { obstacle, error: error.map_or(0, Errno::raw_os_error) })
        }
    }
}

/// The process can't be put back to a snapshot; the host takes another kind.
struct Impossible {
    obstacle: Obstacle,
    error: Option<Errno>,
}

impl From<Obstacle> for Impossible {
    fn from(obstacle: Obstacle) -> Self {
        Self { obstacle, error: None }
    }
}

/// What the host tracks a process by, and where it writes requests.
struct Prepared {
    park: Park,
    buffer: Buffer,
    userfaultfd: OwnedFd,
    listener: OwnedFd,
}

impl Prepared {
    fn new(park: Park) -> Result<Self, Impossible> {
        let failed = |obstacle| move |error| Impossible { obstacle, error: Some(error) };
        let buffer = Buffer::map(REQUEST_BYTES_MAX).map_err(failed(Obstacle::Memory))?;
        let userfaultfd = userfaultfd().map_err(failed(Obstacle::Userfaultfd))?;
        // The host opens files in /proc, which otherwise belong to root.
        set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(failed(Obstacle::Dumpable))?;
        park.prepare();
        // The last: it lets this process do none of the above again.
        let listener = jail::install_with_listener().map_err(failed(Obstacle::Filter))?;
        Ok(Self { park, buffer, userfaultfd, listener })
    }

    fn serve(self, module: &Module) -> Result<(), ChildFailure> {
        let (userfaultfd, listener) = (self.userfaultfd.as_raw_fd(), self.listener.as_raw_fd());
        tell(Preparation::Ready { userfaultfd, listener })?;
        let (park, buffer) = (self.park, self.buffer);
        let wait = || park.wait(buffer.address(), buffer.size());
        // Whenever it is resumed in another way, the host is gone, or is about to kill this process.
        let Some(Resume::Seal) = wait() else { return Ok(()) };
        self.seal()?;
        // The host takes the snapshot here, so that each request begins here.
        let Some(Resume::Request(bytes)) = wait() else { return Ok(()) };
        module.on_fork();
        // SAFETY: the host mustn't write it while it is in use: it does so only while this process waits above.
        let request = unsafe { buffer.written(bytes) };
        let response = module.handle(request)?;
        syscalls::flush_stdout();
        park.wait(response.as_ptr(), response.len());
        // The host resumes this process only after restoring it, and then the wait above returns.
        Ok(())
    }

    /// Closes what a request mustn't have, and forbids other processes to open this one's memory.
    fn seal(self) -> Result<(), ChildFailure> {
        syscalls::close(self.userfaultfd);
        syscalls::close(self.listener);
        dup2_stdin(stderr()).map_err(ChildFailure::Log)?;
        set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(ChildFailure::Dumpable)
    }
}

/// Tells the host over its socket.
fn tell(preparation: Preparation) -> Result<(), ChildFailure> {
    Ok(channel::write_response(stdin(), &preparation.encode())?)
}
