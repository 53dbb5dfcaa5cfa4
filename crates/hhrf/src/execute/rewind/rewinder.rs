//! The processes of one function: prepares those that serve request after request, and puts them back after each.

use super::OfHost;
use super::comparisons::Comparison;
use super::parked::{Instance, Parked};
use super::preparation::{Impossible, NotPrepared, THREADS_MAX, prepare};
use super::verdict::Verdict;
use crate::admitted::AdmittedRequest;
use crate::catalogue::Function;
use crate::execute::Failure;
use crate::execute::demand::IdlePermit;
use crate::execute::fork::Zygotes;
use crate::execute::lease::{Lease, Leave};
use crate::execute::message::authority;
use crate::execute::pool::Stats;
use crate::execute::process_pool::factory::{ChannelProcess, ProcessFactory};
use crate::execute::process_pool::idle::IdleOf;
use fezz_rewind::{Difference, RestoreError, Written};
use fezz_wire::rewind::REQUEST_BYTES_MAX;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use syscalls::Sysno;
use tokio::time::timeout;

/// Makes the processes of one function.
#[derive(Debug)]
pub(super) struct Rewinder {
    function: Arc<Function>,
    zygotes: Arc<Zygotes>,
    idle: IdleOf<Self>,
    host: Arc<OfHost>,
    verdict: Arc<Verdict>,
    is_preparing: AtomicBool,
    /// Preparations that failed in a row, and when to try again.
    failures: Mutex<(u32, Option<Instant>)>,
}

/// How a request was served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Served {
    /// By a process that is put back for the next.
    Rewound,
    /// By a process that can't be put back, and is replaced.
    Tainted,
    /// Not at all, or by no valid response: its process crashed, or was killed.
    Failed,
    /// By a process that was forked for it.
    Forked,
}

/// A process that has served, and what its request still holds. If the process ends, the permits are released when it is
/// gone.
pub(super) struct ServedBy {
    pub(super) parked: Parked,
    pub(super) lease: Lease,
}

impl ServedBy {
    /// Nothing of the request is left in it: logs the last lines, and releases the permits.
    fn without_request(self) -> Parked {
        let Self { mut parked, lease: Lease { stderr, permits } } = self;
        parked.stderr = Some(stderr.into_pipe());
        drop(permits);
        parked
    }

    /// It is killed.
    fn replace(self) {
        let Self { mut parked, lease } = self;
        parked.child.release(Leave::Replaced, lease, None);
    }
}

/// Why a process can't be put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taint {
    /// It made this system call, whose effect may last.
    Call(i32),
    /// Its stack has grown.
    Stack,
    /// It is gone, or can't be reached any more.
    Gone,
}

impl fmt::Display for Taint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = match self {
            Self::Call(number) => number,
            Self::Stack => return formatter.write_str("its stack grew by more than 1 MiB"),
            Self::Gone => return formatter.write_str("it ended after its answer"),
        };
        match usize::try_from(*number).ok().and_then(Sysno::new) {
            Some(call) => write!(formatter, "it made the system call {}", call.name()),
            None => write!(formatter, "it made the system call {number}"),
        }
    }
}

/// Processes are being prepared, by one at a time.
struct Preparing(Arc<Rewinder>);

/// A process is put back at once if it changed no more pages than this, which takes some 200 microseconds. Otherwise on
/// another thread: the runtime's must not be blocked.
const PAGES_AT_ONCE: u64 = 128;

/// A process restores its registers in microseconds; on a busy machine it waits for a processor first.
const SETTLED_AFTER_MAX: Duration = Duration::from_secs(5);

/// Writable memory that the memory limit doesn't count: stacks.
const PROGRAM_BYTES_MAX: u64 = 16 << 20;

/// If it takes longer to find out which pages were written, the next time it is done on another thread, too.
const SCAN_AT_ONCE_MAX: Duration = Duration::from_micros(500);

/// After a preparation a pause of so many times its duration, so that preparations take a quarter of one processor at
/// most.
const PAUSE_FACTOR: u32 = 3;

/// After a preparation that failed for something that may change: descriptors, memory, a process that ended.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// A process may end meanwhile, with its zygote. If so many did in a row, there is another reason.
const ENDED_MAX: u32 = 3;

/// The most that a message has beside the body and what its head has in HTTP: keys, lengths, ids, parameters a second
/// time.
const BESIDE_HEAD_BYTES: usize = 8 * 1024;

impl Rewinder {
    pub(super) fn new(
        function: Arc<Function>,
        zygotes: Arc<Zygotes>,
        idle: IdleOf<Self>,
        host: Arc<OfHost>,
    ) -> Self {
        let verdict = host.verdicts.of(&function, &host.counters);
        let is_preparing = AtomicBool::new(false);
        let failures = Mutex::default();
        let threads = function.release.limits.threads;
        if threads > THREADS_MAX {
            verdict.impossible(&Impossible::Threads { threads });
        }
        Self { function, zygotes, idle, host, verdict, is_preparing, failures }
    }

    /// Whether processes may serve more than one request.
    pub(super) fn may_rewind(&self) -> bool {
        self.verdict.may_rewind()
    }

    /// Counts a request.
    pub(super) fn count(&self, served: Served) {
        let rewinds = self.verdict.rewinds();
        match served {
            Served::Rewound => rewinds.rewound.inc(),
            Served::Tainted => rewinds.tainted.inc(),
            Served::Failed => rewinds.failed.inc(),
            Served::Forked => rewinds.forked.inc(),
        };
    }

    /// Counts a request whose process can't be put back, and logs why, once.
    pub(super) fn tainted(&self, taint: Taint, lease: &Lease) {
        self.count(Served::Tainted);
        self.verdict.tainted(taint, || lease.stderr.request_id());
    }

    /// Puts a process back that made only calls without a lasting effect, and keeps it for the next request.
    pub(super) fn recycle(self: &Arc<Self>, served: ServedBy) {
        let rewinder = Arc::clone(self);
        if served.parked.is_slow {
            tokio::task::spawn_blocking(move || {
                if let Some((served, written)) = rewinder.find_written(served) {
                    rewinder.put_back(served, written);
                }
            });
        } else if let Some((served, written)) = self.find_written(served) {
            if written.pages <= PAGES_AT_ONCE {
                return self.put_back(served, written);
            }
            tokio::task::spawn_blocking(move || rewinder.put_back(served, written));
        }
    }

    /// Finds the pages that its request wrote; ends it if that can't be undone.
    fn find_written(&self, mut served: ServedBy) -> Option<(ServedBy, Written)> {
        let begun = Instant::now();
        match served.parked.memory.written() {
            Ok(written) => {
                served.parked.is_slow = begun.elapsed() > SCAN_AT_ONCE_MAX;
                Some((served, written))
            }
            Err(error) => {
                let is_stack = matches!(error, RestoreError::NewMemory { .. });
                self.tainted(if is_stack { Taint::Stack } else { Taint::Gone }, &served.lease);
                served.replace();
                None
            }
        }
    }

    /// Restores its memory, and has it restore its registers.
    fn put_back(self: &Arc<Self>, mut served: ServedBy, written: Written) {
        let parked = &mut served.parked;
        if parked.memory.restore(written).is_ok() && parked.restore_registers().is_ok() {
            tokio::spawn(Arc::clone(self).settle(served));
        } else {
            // It is gone, or its memory can't be reached any more.
            self.count(Served::Tainted);
            served.replace();
        }
    }

    /// Waits until it has parked again, with the registers of the snapshot. If what the request left in them ends the
    /// process, as the trap flag does, it ends here, and takes no other request along.
    async fn settle(self: Arc<Self>, mut served: ServedBy) {
        let has_parked = timeout(SETTLED_AFTER_MAX, served.parked.parks()).await.unwrap_or(false);
        if !has_parked {
            self.count(Served::Tainted);
            return served.replace();
        }
        self.count(Served::Rewound);
        let parked = served.without_request();
        // Before the comparison, so that those that are compared count as idle, too.
        let Some(permit) = self.idle.permit_to_return() else { return parked.child.replace() };
        match self.host.comparisons.begin() {
            None => self.keep(parked, permit),
            Some(comparison) => {
                tokio::task::spawn_blocking(move || self.compare(parked, permit, comparison));
            }
        }
    }

    fn compare(self: &Arc<Self>, parked: Parked, permit: IdlePermit, _comparison: Comparison) {
        self.verdict.rewinds().comparisons.inc();
        match parked.memory.compare() {
            Ok(()) => self.keep(parked, permit),
            Err(Difference::StackGrew) => parked.child.replace(),
            Err(difference) => self.end_rewinding(&parked, &difference),
        }
    }

    /// Keeps a process for the next request, if it may serve it.
    fn keep(self: &Arc<Self>, parked: Parked, permit: IdlePermit) {
        if parked.child.free() && self.verdict.may_rewind() {
            self.idle.push_first(Instance::Parked(Box::new(parked), Arc::downgrade(self)), permit);
        } else {
            parked.child.replace();
        }
    }

    fn end_rewinding(&self, parked: &Parked, difference: &Difference) {
        let is_evidence = parked.is_waiting();
        parked.child.replace();
        if !is_evidence {
            // It was killed meanwhile.
            return;
        }
        self.verdict.defective(difference);
        self.idle.remove(|instance| matches!(instance, Instance::Parked(..)));
    }

    /// Prepares processes as long as some are wanted.
    async fn prepare_all(self: Arc<Self>) {
        let preparing = Preparing(self);
        let rewinder = &preparing.0;
        while rewinder.verdict.may_rewind()
            && let Some(permit) = rewinder.idle.permit_for_next()
        {
            let begun = Instant::now();
            match rewinder.prepare_one(permit).await {
                Ok(()) => *rewinder.failures.lock().unwrap_or_else(PoisonError::into_inner) = (0, None),
                Err(error) => return rewinder.preparation_failed(&error),
            }
            tokio::time::sleep(begun.elapsed() * PAUSE_FACTOR).await;
        }
    }

    async fn prepare_one(self: &Arc<Self>, permit: IdlePermit) -> Result<(), NotPrepared> {
        let failed = |source: io::Error| NotPrepared::Failed { step: "order a process", source };
        let child = self.zygotes.order_reusable().map_err(failed)?.ok_or(NotPrepared::Gone)?;
        let bytes_max = self.function.release.limits.memory_bytes.saturating_add(PROGRAM_BYTES_MAX);
        let parked = prepare(child, &self.host.snapshot, bytes_max).await?;
        self.verdict.prepared();
        self.idle.push(Instance::Parked(Box::new(parked), Arc::downgrade(self)), permit);
        Ok(())
    }

    fn preparation_failed(&self, error: &NotPrepared) {
        if let NotPrepared::Impossible(reason) = error {
            return self.verdict.impossible(reason);
        }
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let in_row = failures.0 + 1;
        let is_usual = matches!(error, NotPrepared::Gone) && in_row < ENDED_MAX;
        let pause = if is_usual { Duration::ZERO } else { PAUSE_AFTER_FAILURE };
        *failures = (in_row, Some(Instant::now() + pause));
        if !is_usual {
            tracing::warn!(
                function = self.function.name(),
                error = crate::log::chain(error),
                "no process could be prepared for rewinding; requests get forked processes; retry in {} s",
                pause.as_secs()
            );
        }
    }

    fn may_prepare(&self) -> bool {
        let (_, until) = *self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_none_or(|until| Instant::now() >= until)
    }
}

impl ProcessFactory for Rewinder {
    type Process = Instance;

    const STARTS_FAST: bool = true;

    /// Its zygote's age is limited.
    const IDLE_MAX: Duration = Duration::MAX;

    /// A long request gets a process of its own.
    fn suits_idle(&self, request: &AdmittedRequest) -> bool {
        let head = &request.facts.head;
        // Counted four times: as received, as the function sees it, in the parameters.
        let uri = head.uri.path_and_query().map_or(0, |uri| uri.as_str().len());
        let headers = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 16);
        // One of the headers, or from HTTP/2's `:authority`; the message has it alone, too.
        let authority = authority(head).map_or(0, |authority| authority.len());
        let bytes =
            BESIDE_HEAD_BYTES + 4 * uri + authority + headers.sum::<usize>() + request.body.bytes.len();
        bytes <= REQUEST_BYTES_MAX || !self.verdict.may_rewind()
    }

    fn check(&self) -> Result<(), Failure> {
        self.zygotes.check()
    }

    async fn start(self: &Arc<Self>, deadline: tokio::time::Instant) -> Result<Instance, Failure> {
        Ok(Instance::Forked(self.zygotes.start(deadline).await?, Arc::downgrade(self)))
    }

    /// Begins to prepare one in the background. Where that is impossible, forks one at once.
    fn prewarm(self: &Arc<Self>) -> Option<Instance> {
        if !self.verdict.may_rewind() {
            return Some(Instance::Forked(self.zygotes.prewarm()?, Arc::downgrade(self)));
        }
        if self.may_prepare() && !self.is_preparing.swap(true, Ordering::Acquire) {
            tokio::spawn(Arc::clone(self).prepare_all());
        }
        None
    }

    fn tick(self: &Arc<Self>, unused_for: Duration) -> bool {
        // A verdict on the release must outlive a pause without requests.
        self.zygotes.tick(unused_for) || (self.verdict.is_defective() && !self.idle.is_retired())
    }

    fn retire(&self) {
        self.zygotes.retire();
    }

    fn make_room(&self) {
        self.zygotes.make_room();
    }

    fn stats(&self) -> Stats {
        Stats { rewinding: Some(self.verdict.rewinding()), ..self.zygotes.stats() }
    }
}

impl Drop for Preparing {
    fn drop(&mut self) {
        self.0.is_preparing.store(false, Ordering::Release);
    }
}
