//! Gets a child ready to serve more than one request, by the steps of [`fezz_wire::rewind`].

use super::parked::Parked;
use crate::execute::fork::Child;
use crate::execute::watch::watch;
use fezz_rewind::{Call, Files, Kind, Listener, PrepareError, Rewindable, SnapshotError, take_descriptor};
use fezz_wire::rewind::{Obstacle, PARK, PREPARATION_BYTES, Preparation, Resume};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::Pid;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Why there is no child that is ready.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotPrepared {
    /// None can ever be.
    #[error(transparent)]
    Impossible(#[from] Impossible),
    /// Something is missing now.
    #[error("failed to {step}")]
    Failed { step: &'static str, source: io::Error },
    /// Its memory can't be copied now.
    #[error(transparent)]
    Snapshot(PrepareError),
    /// It ended, or its zygote did.
    #[error("the process ended meanwhile")]
    Gone,
    /// It takes longer than it may.
    #[error("the process wasn't ready within {} s", PREPARATION_MAX.as_secs())]
    TooSlow,
    /// It doesn't keep to the protocol.
    #[error("the process broke the protocol")]
    Protocol,
}

/// Why a function's processes can't be rewound.
#[derive(Debug, thiserror::Error)]
pub(super) enum Impossible {
    /// As the child says.
    #[error("{obstacle}")]
    Child { obstacle: Obstacle, source: Option<io::Error> },
    /// The host can't reach the process.
    #[error("failed to {step} of the process (is the host in a container that forbids it?)")]
    Host { step: &'static str, source: io::Error },
    /// The host can't track or copy its memory.
    #[error(transparent)]
    Memory(PrepareError),
    /// The host would keep a copy for each process.
    #[error(
        "{own_bytes} bytes of the process's memory differ from the first process of its zygote, the limit is {OWN_BYTES_MAX}"
    )]
    OwnMemory { own_bytes: usize },
    /// The host answers the calls of all of them.
    #[error("`limits.threads` is {threads}, the limit with `rewind` is {THREADS_MAX}")]
    Threads { threads: u64 },
}

/// It makes four calls to be sealed.
const CALLS_MAX: u32 = 64;

/// What a process has of its own is some pages of stack, and what `fezz_on_load_v2` made of random numbers.
const OWN_BYTES_MAX: usize = 16 << 20;

/// The kernel searches all calls that wait for an answer, for each answer.
pub(super) const THREADS_MAX: u64 = 64;

/// A child is ready in some milliseconds; one with much memory on a busy machine takes a second.
const PREPARATION_MAX: Duration = Duration::from_secs(10);

impl Impossible {
    /// The label of the metric.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Child { obstacle, .. } => match obstacle {
                Obstacle::Architecture | Obstacle::Registers | Obstacle::ExtendedState => "processor",
                Obstacle::Separation => "namespaces",
                Obstacle::SignalHandlers => "signal_handlers",
                Obstacle::Rseq => "rseq",
                Obstacle::Userfaultfd => "kernel",
                Obstacle::Filter | Obstacle::Dumpable => "wrapper",
                Obstacle::Memory => "memory",
            },
            Self::Host { .. } => "host",
            // Before Linux 6.7 a userfaultfd lacks the features.
            Self::Memory(PrepareError::Userfaultfd(_)) => "kernel",
            Self::Memory(_) | Self::OwnMemory { .. } => "memory",
            Self::Threads { .. } => "threads",
        }
    }
}

/// A child at a step of its preparation.
struct Preparing {
    child: Child,
    listener: AsyncFd<Listener>,
    process: Pid,
    stderr: OwnedFd,
}

/// Gets a child ready. One snapshot at a time is taken, by `turns`, of at most `snapshot_bytes_max`.
///
/// # Errors
///
/// See [`NotPrepared`]; the child is killed.
pub(super) async fn prepare(
    child: Child,
    turns: &Semaphore,
    snapshot_bytes_max: u64,
) -> Result<Parked, NotPrepared> {
    timeout(PREPARATION_MAX, prepare_in_time(child, turns, snapshot_bytes_max))
        .await
        .unwrap_or(Err(NotPrepared::TooSlow))
}

async fn prepare_in_time(
    mut child: Child,
    turns: &Semaphore,
    snapshot_bytes_max: u64,
) -> Result<Parked, NotPrepared> {
    let (socket, stderr) = child.take_streams().ok_or(NotPrepared::Gone)?;
    let (process, preparation) = receive(socket).await?;
    let (userfaultfd, listener) = match preparation {
        Preparation::Impossible { obstacle, error } => {
            let source = (error != 0).then(|| io::Error::from_raw_os_error(error));
            return Err(Impossible::Child { obstacle, source }.into());
        }
        Preparation::Ready { userfaultfd, listener } => (userfaultfd, listener),
    };
    let unreachable = |step| move |source| of_reaching(step, source);
    let take =
        |number, kind| take_descriptor(process, number, kind).map_err(unreachable("take a descriptor"));
    let userfaultfd = take(userfaultfd, Kind::Userfaultfd)?;
    let listener = Listener::from(take(listener, Kind::Listener)?);
    // An older kernel, which lacks this, is only slower.
    listener.wake_synchronously().ok();
    let listener = watch(listener, Interest::READABLE).map_err(failed("watch its system calls"))?;
    let preparing = Preparing { child, listener, process, stderr };

    let call = preparing.parks().await?;
    let stub = call.instruction_pointer;
    let files = Files::open(process).map_err(|error| of_reaching("open the files in /proc", error.source))?;
    // It is still in that call, so both were this process's.
    preparing.resume(&call, Resume::Seal)?;
    let call = preparing.parks().await?;
    let [buffer, ..] = call.args;
    // As after each request, so that what this leaves on the stack is in the snapshot.
    preparing.resume(&call, Resume::Settle)?;
    let call = preparing.parks().await?;
    if call.instruction_pointer != stub {
        return Err(NotPrepared::Protocol);
    }
    let memory = preparing.take_snapshot(files, userfaultfd, turns, snapshot_bytes_max).await;
    if memory.is_err() && !preparing.listener.get_ref().is_waiting(call.id).unwrap_or(false) {
        // Whatever failed, it failed for that.
        return Err(NotPrepared::Gone);
    }
    let memory = memory?;
    let own_bytes = memory.snapshot().own_bytes();
    if own_bytes > OWN_BYTES_MAX {
        return Err(Impossible::OwnMemory { own_bytes }.into());
    }
    let Preparing { child, listener, process, stderr } = preparing;
    rustix::io::ioctl_fionbio(&stderr, true).map_err(|error| failed("read its log")(error.into()))?;
    Ok(Parked {
        child,
        listener,
        memory,
        process,
        stub,
        buffer,
        call: call.id,
        stderr: Some(stderr),
        is_slow: false,
    })
}

impl Preparing {
    /// Waits until it parks. The other calls on the way are its runner's own.
    async fn parks(&self) -> Result<Call, NotPrepared> {
        for _ in 0..CALLS_MAX {
            let mut ready = self.listener.readable().await.map_err(failed("watch its system calls"))?;
            let received = match self.child.zygote().receive(ready.get_inner()) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(NotPrepared::Gone),
                received => received.map_err(failed("receive its system calls"))?,
            };
            match received {
                Some(call) if call.pid != Some(self.process) => return Err(NotPrepared::Protocol),
                Some(call) if call.number == PARK.cast_signed() => return Ok(call),
                Some(call) => ready.get_inner().let_through(call.id).or_else(ignore_gone)?,
                None if ready.ready().is_read_closed() => return Err(NotPrepared::Gone),
                None => ready.clear_ready(),
            }
        }
        Err(NotPrepared::Protocol)
    }

    fn resume(&self, call: &Call, how: Resume) -> Result<(), NotPrepared> {
        self.listener.get_ref().resume(call.id, how.encode()).map_err(|_| NotPrepared::Gone)
    }

    /// On another thread: it reads all memory of the process.
    async fn take_snapshot(
        &self,
        files: Files,
        userfaultfd: OwnedFd,
        turns: &Semaphore,
        bytes_max: u64,
    ) -> Result<Rewindable, NotPrepared> {
        let _turn = turns.acquire().await.map_err(|_| NotPrepared::Gone)?;
        let zygote = Arc::clone(self.child.zygote());
        let taken = tokio::task::spawn_blocking(move || {
            let base = zygote.base().lock().ok().and_then(|base| base.clone());
            let memory = Rewindable::prepare(files, userfaultfd, base.as_ref(), bytes_max)?;
            if let Ok(mut base) = zygote.base().lock() {
                base.get_or_insert_with(|| Arc::clone(memory.snapshot().base()));
            }
            Ok(memory)
        });
        let taken: Result<Rewindable, PrepareError> = taken.await.map_err(|_| NotPrepared::Gone)?;
        taken.map_err(|error| match error {
            // The host's memory may run out, and the process may end meanwhile.
            PrepareError::Unreadable { .. }
            | PrepareError::Snapshot(SnapshotError::Memory(_) | SnapshotError::Scan(_)) => {
                NotPrepared::Snapshot(error)
            }
            error => Impossible::Memory(error).into(),
        })
    }
}

/// Receives what the child says, with its process id.
async fn receive(socket: OwnedFd) -> Result<(Pid, Preparation), NotPrepared> {
    rustix::io::ioctl_fionbio(&socket, true).map_err(|error| failed("read its message")(error.into()))?;
    let socket = watch(socket, Interest::READABLE).map_err(failed("watch its socket"))?;
    loop {
        let mut ready = socket.readable().await.map_err(failed("watch its socket"))?;
        let mut message = [0; PREPARATION_BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(
            ready.get_inner(),
            &mut [IoSliceMut::new(&mut message)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        );
        let bytes = match received {
            Ok(received) if received.bytes == 0 => return Err(NotPrepared::Gone),
            Ok(received) => received.bytes,
            Err(Errno::AGAIN) => {
                ready.clear_ready();
                continue;
            }
            Err(Errno::INTR) => continue,
            Err(_) => return Err(NotPrepared::Gone),
        };
        let process = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmCredentials(credentials) => Some(credentials.pid),
            _ => None,
        });
        let preparation = Preparation::decode(&message[..bytes]).ok_or(NotPrepared::Protocol)?;
        return Ok((process.ok_or(NotPrepared::Protocol)?, preparation));
    }
}

fn failed(step: &'static str) -> impl Fn(io::Error) -> NotPrepared {
    move |source| NotPrepared::Failed { step, source }
}

/// A refusal stays; a lack of descriptors or memory, or the process's end, does not.
fn of_reaching(step: &'static str, source: io::Error) -> NotPrepared {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported => {
            Impossible::Host { step, source }.into()
        }
        io::ErrorKind::NotFound => NotPrepared::Gone,
        _ if source.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => NotPrepared::Gone,
        _ => NotPrepared::Failed { step, source },
    }
}

/// A process that is gone is noticed by the next step.
fn ignore_gone(error: io::Error) -> Result<(), NotPrepared> {
    if error.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(failed("answer its system calls")(error))
    }
}
