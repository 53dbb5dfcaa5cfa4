//! A single-threaded runtime for each processor (`--per-core`). A request's process is on the processor of its request, so
//! that neither waits for another processor to wake up.
//!
//! A connection stays on the processor with the fewest connections at its start. A request of it that would wait there,
//! while another processor has less to do, is executed on that one.

use crate::metrics::CoreCounters;
use prometheus_client::metrics::counter::Counter;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::cell::Cell;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A request is moved to another processor only if its own has this many more: the move takes as long as some of the
/// shortest requests.
const MORE_MIN: usize = 4;

/// The runtimes of one host. They end when it is dropped.
#[derive(Debug)]
pub(crate) struct Cores {
    cores: Vec<Core>,
    /// The threads wait for its end.
    _running: watch::Sender<()>,
}

/// One processor.
#[derive(Debug)]
struct Core {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    executed: Counter,
}

/// A connection or a request of a processor, counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicUsize>);

thread_local! {
    /// The position in `Cores` of the processor to which this thread belongs.
    static CURRENT: Cell<Option<usize>> = const { Cell::new(None) };
}

impl Cores {
    /// Starts one for each processor that this thread may use (taskset(1), cpuset(7)).
    ///
    /// # Errors
    ///
    /// No thread can be started, or the processors have changed meanwhile.
    pub(crate) fn start(counters: &CoreCounters) -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let (running, ended) = watch::channel(());
        let processors = (0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor));
        let core = |(position, processor)| {
            let runtime = start_one(position, processor, ended.clone())?;
            let (connections, requests) = Default::default();
            Ok(Core { runtime, connections, requests, executed: counters.of(processor) })
        };
        let cores = processors.enumerate().map(core).collect::<io::Result<_>>()?;
        Ok(Self { cores, _running: running })
    }

    /// How many there are: one at least.
    pub(crate) fn count(&self) -> usize {
        self.cores.len()
    }

    /// The runtimes, by position.
    pub(crate) fn runtimes(&self) -> impl Iterator<Item = &Handle> {
        self.cores.iter().map(|core| &core.runtime)
    }

    /// Has the processor with the fewest connections serve one more, by `serve`.
    pub(crate) fn spawn_connection<S: Future<Output = ()> + Send>(
        &self,
        stream: TcpStream,
        serve: impl FnOnce(TcpStream) -> S + Send + 'static,
    ) {
        let least = self.cores.iter().min_by_key(|core| core.connections.load(Ordering::Relaxed));
        // There is one at least.
        let Some(core) = least else { return };
        let counted = Counted::new(&core.connections);
        // From the runtime that has accepted it to that of the processor.
        let stream = stream.into_std();
        core.runtime.spawn(async move {
            match stream.and_then(TcpStream::from_std) {
                Ok(stream) => serve(stream).await,
                Err(error) => tracing::warn!(%error, "failed to serve a connection"),
            }
            drop(counted);
        });
    }

    /// Begins a request on a processor; returns its position.
    pub(crate) fn begin_request(&self) -> (usize, Counted) {
        let counts = self.cores.iter().map(|core| core.requests.load(Ordering::Relaxed));
        let position = choose(CURRENT.get(), counts);
        let core = &self.cores[position];
        core.executed.inc();
        (position, Counted::new(&core.requests))
    }

    /// Runs a part of a request on the processor at `position`. If the future is dropped, that part is, too.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        position: usize,
        part: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        if CURRENT.get() == Some(position) {
            Some(part.await)
        } else {
            run_on(&self.cores[position].runtime, part).await
        }
    }
}

/// Runs a part of a request on another runtime. If the future is dropped, that part is, too. Returns `None` if the runtime
/// ends, or the part panics.
pub(crate) async fn run_on<T: Send + 'static>(
    runtime: &Handle,
    part: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let mut tasks = JoinSet::new();
    tasks.spawn_on(part, runtime);
    tasks.join_next().await?.ok()
}

/// The position of the processor that executes a request: `own`, unless another one has far fewer.
fn choose(own: Option<usize>, mut counts: impl Iterator<Item = usize> + Clone) -> usize {
    let own_count = own.and_then(|own| counts.clone().nth(own));
    // Usually the others needn't be looked at, whose counts are in their caches.
    if let (Some(own), Some(0..=MORE_MIN)) = (own, own_count) {
        return own;
    }
    let mut least = (own.unwrap_or(0), own_count.map_or(usize::MAX, |count| count - MORE_MIN));
    for (position, count) in counts.by_ref().enumerate() {
        if count < least.1 {
            least = (position, count);
        }
    }
    least.0
}

/// Starts the thread of a processor.
fn start_one(position: usize, processor: usize, mut ended: watch::Receiver<()>) -> io::Result<Handle> {
    let runtime: Runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let mut only = CpuSet::new();
    only.set(processor);
    let (pinned, is_pinned) = std::sync::mpsc::sync_channel(1);
    thread::Builder::new().name(format!("core {processor}")).spawn(move || {
        // What it starts, threads and processes, stays on the processor, too: sched_setaffinity(2).
        pinned.send(sched_setaffinity(None, &only)).ok();
        CURRENT.set(Some(position));
        // The sender never sends.
        runtime.block_on(ended.changed()).ok();
        runtime.shutdown_background();
    })?;
    is_pinned.recv().map_err(io::Error::other)??;
    Ok(handle)
}

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_stays_on_its_processor_unless_another_has_far_fewer() {
        let on = |own, counts: [usize; 3]| choose(own, counts.into_iter());
        assert_eq!(on(Some(2), [0, 0, MORE_MIN]), 2);
        assert_eq!(on(Some(2), [3, 1, MORE_MIN + 1]), 2, "as many more as a move is worth, not beyond");
        assert_eq!(on(Some(2), [3, 1, MORE_MIN + 2]), 1, "the one that has the fewest");
        assert_eq!(on(Some(0), [9, 9, 9]), 0);
        assert_eq!(on(None, [3, 2, 2]), 1, "a thread of no processor has none that it prefers");
        assert_eq!(on(None, [0, 0, 0]), 0);
    }

    #[test]
    fn parts_of_requests_run_on_the_thread_of_their_processor_and_end_with_their_future() {
        let cores = Cores::start(&CoreCounters::default()).unwrap();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        for position in 0..cores.count() {
            let seen = runtime.block_on(cores.run(position, async {
                let only = sched_getaffinity(None).unwrap();
                (CURRENT.get(), only.count())
            }));
            assert_eq!(seen, Some((Some(position), 1)));
        }
        let (started, is_started) = std::sync::mpsc::channel();
        let (held, is_dropped) = std::sync::mpsc::channel::<()>();
        runtime.block_on(async {
            let hanging = cores.run(0, async move {
                started.send(()).unwrap();
                std::future::pending::<()>().await;
                drop(held);
            });
            let limit = std::time::Duration::from_millis(50);
            tokio::time::timeout(limit, hanging).await.unwrap_err();
        });
        is_started.recv().unwrap();
        is_dropped.recv().unwrap_err();
    }

    #[test]
    fn requests_are_counted_until_they_end() {
        let counters = CoreCounters::default();
        let cores = Cores::start(&counters).unwrap();
        let requests = || cores.cores.iter().map(|core| core.requests.load(Ordering::Relaxed)).sum::<usize>();
        let begun: Vec<_> = (0..10).map(|_| cores.begin_request()).collect();
        assert_eq!(requests(), 10);
        drop(begun);
        assert_eq!(requests(), 0);
    }
}
