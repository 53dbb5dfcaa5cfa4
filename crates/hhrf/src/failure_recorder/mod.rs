//! Records failed requests, so that they can be replayed (`--record-failures`).
//!
//! The pipeline has each admitted request kept until its end is known, whichever executor has it. If its function failed,
//! the message is written to the `folder`, exactly as the function's process was given it.

mod folder;

pub use folder::FolderError;

use crate::admitted::{AdmittedRequest, RequestBody};
use crate::log;
use crate::problem::Problem;
use bytes::Bytes;
use folder::{BOUNDS, Folder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Records failed requests of one host.
#[derive(Debug)]
pub(crate) struct FailureRecorder {
    writer: Arc<Writer>,
    /// Permits for requests that wait to be written.
    waiting: Arc<Semaphore>,
}

#[derive(Debug)]
struct Writer {
    folder: Folder,
    counters: RecorderCounters,
    /// Whether the last request couldn't be written.
    is_failing: AtomicBool,
}

/// What becomes of failed requests; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecorderCounters {
    recorded: Counter,
    not_recorded: Counter,
}

/// A request that is kept until its end is known.
#[derive(Debug)]
pub(crate) struct Kept<'a> {
    recorder: &'a FailureRecorder,
    path: PathBuf,
    message: Arc<KeptMessage>,
}

/// The message of a request, with its memory.
#[derive(Debug)]
pub(crate) struct KeptMessage {
    /// All but the body, as it was sent last; empty before.
    head: Mutex<Bytes>,
    body: RequestBody,
}

/// The kinds of problems that are recorded: the function had the request.
const KINDS: [&str; 6] = [
    "function_panicked",
    "function_error",
    "function_crashed",
    "out_of_memory",
    "invalid_response",
    "deadline_exceeded",
];

/// The most requests that wait to be written; more are not recorded. One is written in less than a millisecond, or a few
/// for the largest. Their memory stays charged to their clients and functions meanwhile.
const WAITING_MAX: usize = 16;

impl RecorderCounters {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("failures_recorded", "Failed requests that were recorded", self.recorded.clone());
        registry.register(
            "failures_not_recorded",
            "Failed requests that should have been recorded, but were too many at a time or couldn't be written",
            self.not_recorded.clone(),
        );
    }
}

impl FailureRecorder {
    /// Records in `folder`, which is made if it is missing.
    ///
    /// # Errors
    ///
    /// See [`FolderError`].
    pub(crate) fn open(folder: &Path, counters: RecorderCounters) -> Result<Self, FolderError> {
        let folder = Folder::open(folder, BOUNDS)?;
        let writer = Writer { folder, counters, is_failing: AtomicBool::new(false) };
        Ok(Self { writer: Arc::new(writer), waiting: Arc::new(Semaphore::new(WAITING_MAX)) })
    }

    /// Has a request's message kept as it is sent.
    pub(crate) fn keep(&self, request: &mut AdmittedRequest) -> Kept<'_> {
        let message = Arc::new(KeptMessage { head: Mutex::default(), body: request.body.clone() });
        request.kept = Some(Arc::clone(&message));
        let path =
            self.writer.folder.path_of(&request.facts.function.name(), &request.facts.identity.request_id);
        Kept { recorder: self, path, message }
    }

    /// Whether no request waits to be written.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.available_permits() == WAITING_MAX
    }
}

impl Kept<'_> {
    /// Has the request recorded if its function had it and failed. Returns the file, which is written soon after, by
    /// another thread. Never waits: if too many requests are being written, this one is only counted.
    pub(crate) fn record(self, problem: &Problem) -> Option<PathBuf> {
        let Self { recorder, path, message } = self;
        if !KINDS.contains(&problem.kind().word) || !message.was_sent() {
            return None;
        }
        let Ok(permit) = Arc::clone(&recorder.waiting).try_acquire_owned() else {
            recorder.writer.counters.not_recorded.inc();
            return None;
        };
        let (writer, to) = (Arc::clone(&recorder.writer), path.clone());
        tokio::task::spawn_blocking(move || writer.write(&to, &message, permit));
        Some(path)
    }
}

impl KeptMessage {
    /// Notes all but the body of the message, as it is sent now.
    pub(crate) fn set_head(&self, head: Bytes) {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = head;
    }

    fn head(&self) -> Bytes {
        self.head.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn was_sent(&self) -> bool {
        !self.head().is_empty()
    }
}

impl Writer {
    /// Logs the first of several failures in a row.
    fn write(&self, path: &Path, message: &KeptMessage, permit: OwnedSemaphorePermit) {
        match self.folder.write(path, &[&message.head(), &message.body.bytes]) {
            Ok(()) => {
                self.is_failing.store(false, Ordering::Relaxed);
                self.counters.recorded.inc();
            }
            Err(error) => {
                self.counters.not_recorded.inc();
                if !self.is_failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        path = %path.display(),
                        error = log::chain(&error),
                        "failed to record a failed request (--record-failures); later ones are counted in \
                         fezz_failures_not_recorded_total"
                    );
                }
            }
        }
        drop(permit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execute::Failure;
    use crate::memory::tests::small_response;
    use std::time::{Duration, Instant};

    fn kept<'a>(recorder: &'a FailureRecorder, id: &str) -> Kept<'a> {
        let body = RequestBody { bytes: Bytes::from_static(b"body"), holding: Arc::new(small_response()) };
        let message = Arc::new(KeptMessage { head: Mutex::new(Bytes::from_static(b"head, ")), body });
        Kept { recorder, path: recorder.writer.folder.path_of("f@v1", id), message }
    }

    #[test]
    fn while_files_are_written_slowly_failures_are_counted_and_wait_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let counters = RecorderCounters::default();
        let recorder = FailureRecorder::open(folder.path(), counters.clone()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        let _entered = runtime.enter();
        let (release, released) = std::sync::mpsc::channel::<()>();
        // The only thread that writes.
        runtime.spawn_blocking(move || released.recv());
        let problem = Problem::from(Failure::DeadlineExceeded);
        let of = |number: usize| kept(&recorder, &number.to_string()).record(&problem);
        let taken = (0..WAITING_MAX + 4).filter_map(of).count();
        assert_eq!((taken, counters.not_recorded.get()), (WAITING_MAX, 4));

        drop(release);
        let deadline = Instant::now() + Duration::from_secs(20);
        while !recorder.is_idle() {
            assert!(Instant::now() < deadline, "the files aren't written");
            std::thread::yield_now();
        }
        assert_eq!(counters.recorded.get(), WAITING_MAX as u64);
        assert_eq!(std::fs::read(folder.path().join("f@v1-0.cbor")).unwrap(), b"head, body");
    }
}
