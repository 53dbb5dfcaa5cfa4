//! The worker: a process that confines itself, loads the module, and then serves request after request, in frames over
//! stdin ([`fezz_wire::frame`]).
//!
//! Each of its threads takes a frame, calls the module, and writes the response. One reads at a time and one writes at a
//! time, so that frames stay whole. It ends when the host's stream does, and when the host is gone.

mod frames;

use crate::module::{Module, ModuleError};
use crate::{report, syscalls};
use fezz_wire::ExitCode;
use fezz_wire::frame::{Format, Header, Kind, PAYLOAD_BYTES_MAX, VERSION};
use frames::{FrameError, FrameReader, FrameWriter};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::num::NonZero;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Why a worker ends before its host's stream does.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame that is valid, but not for a worker of modules.
    #[error(
        "the host sent {kind:?} in the format {format:?}: a module takes requests in CBOR, cancels and pings"
    )]
    Unexpected {
        /// What the frame is.
        kind: Kind,
        /// What its payload is written in.
        format: Format,
    },
    #[error("failed to write a frame to the host")]
    Write(#[source] Errno),
    /// The system refuses a thread, or the function's limit does.
    #[error(
        "failed to start thread {number} of {threads}: raise `limits.threads` or `limits.memory_bytes`, or lower \
         `worker.concurrency`"
    )]
    Thread {
        /// Which of them.
        number: u32,
        /// How many there should be.
        threads: NonZero<u32>,
        /// The system's error.
        source: std::io::Error,
    },
    /// The module broke the ABI.
    #[error(transparent)]
    Module(#[from] ModuleError),
}

impl WorkerError {
    /// What the process exits with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Frame(FrameError::Read(_) | FrameError::Torn) => ExitCode::Io,
            Self::Frame(FrameError::Header(_)) | Self::Unexpected { .. } => ExitCode::BadRequest,
            Self::Write(_) => ExitCode::ResponseNotWritten,
            // The host learns of it as of any failure to make the module ready.
            Self::Thread { .. } => ExitCode::OnLoadFailed,
            Self::Module(_) => ExitCode::AbiViolation,
        }
    }
}

/// What its threads share.
#[derive(Debug)]
struct Worker {
    module: Module,
    reader: Mutex<FrameReader>,
    writer: Mutex<FrameWriter>,
}

/// The stack of each thread but the first: what Rust and most servers give a thread. It counts as private memory, of
/// which a function has 128 MiB by default.
const STACK_BYTES: usize = 2 << 20;

/// Serves requests by `threads` threads, this one among them, until the host's stream ends. Then those that it has are
/// answered, and the module's `fezz_on_unload_v2` was called.
///
/// # Errors
///
/// The first of this thread; if another thread fails, it ends the process.
pub(crate) fn run(module: Module, socket: OwnedFd, threads: NonZero<u32>) -> Result<(), WorkerError> {
    let writer = Mutex::new(FrameWriter::new(&socket).map_err(WorkerError::Write)?);
    let reader = Mutex::new(FrameReader::new(socket));
    let worker = Worker { module, reader, writer };
    // For good: if this thread fails, the others still use it until the process ends.
    let worker: &'static Worker = Box::leak(Box::new(worker));
    let others = worker.start_others(threads)?;
    // Not before all is there: it means that requests may come.
    let hello = Header { length: 0, kind: Kind::Hello, format: Format::Cbor, id: VERSION };
    worker.write(hello, &[])?;
    worker.serve()?;
    for other in others {
        // A thread that panics has aborted the process.
        other.join().ok();
    }
    worker.module.on_unload();
    syscalls::flush_stdout();
    Ok(())
}

impl Worker {
    fn start_others(&'static self, threads: NonZero<u32>) -> Result<Vec<JoinHandle<()>>, WorkerError> {
        let start = |number| {
            let thread = Builder::new().stack_size(STACK_BYTES);
            let started = thread.spawn(|| self.serve_or_end());
            started.map_err(|source| WorkerError::Thread { number, threads, source })
        };
        (2..=threads.get()).map(start).collect()
    }

    fn serve_or_end(&self) {
        if let Err(failure) = self.serve() {
            // The stream is of no more use to the other threads either.
            syscalls::exit_now(report(&failure, failure.exit_code()));
        }
    }

    /// Answers frames until the host's stream ends.
    fn serve(&self) -> Result<(), WorkerError> {
        let mut payload = Vec::new();
        loop {
            let Some(header) = lock(&self.reader).next(&mut payload)? else { return Ok(()) };
            match (header.kind, header.format) {
                (Kind::Request, Format::Cbor) => self.answer(header, &payload)?,
                (Kind::Ping, _) => self.write(Header { kind: Kind::Pong, ..header }, &[])?,
                // A module is called once for a request, and can't be told: its response goes nowhere.
                (Kind::Cancel, _) => {}
                (kind, format) => return Err(WorkerError::Unexpected { kind, format }),
            }
            // A large request's buffer isn't kept for the small ones that follow.
            payload.clear();
            payload.shrink_to(frames::BUFFER_BYTES);
        }
    }

    fn answer(&self, request: Header, message: &[u8]) -> Result<(), WorkerError> {
        self.module.handle_and_free(message, |response| {
            let length = u32::try_from(response.len()).ok().filter(|length| *length <= PAYLOAD_BYTES_MAX);
            let length = length.ok_or(ModuleError::TooLong { bytes: response.len() })?;
            self.write(Header { length, kind: Kind::Response, ..request }, response)
        })??;
        // After the response, as in other processes.
        syscalls::flush_stdout();
        Ok(())
    }

    fn write(&self, header: Header, payload: &[u8]) -> Result<(), WorkerError> {
        lock(&self.writer).write(header, payload).map_err(WorkerError::Write)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
