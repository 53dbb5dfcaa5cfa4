//! The threads that call modules.
//!
//! To wake a thread costs both processors more than most calls take, and so does the way back. A pool that wakes one for
//! each call, as the runtime's own does, spends most of a small request's time on that. Here calls wait in one queue for a
//! thread that is awake and soon free, and another thread is woken only where that wait could be long:
//!
//! - by a call that finds no thread awake, or finds that each of them began its call more than [`QUICK`] ago;
//! - by the watch, a thread that looks every [`TICK`] while calls come, for each call that was queued a tick ago. So a slow
//!   call delays one that is queued behind it by at most two ticks, as long as there are threads.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// A call that runs for longer isn't waited for. To wake a thread takes 5 to 50 us.
const QUICK: Duration = Duration::from_micros(50);

/// How often the watch looks at the queue: at 1 ms it takes one percent of a processor.
const TICK: Duration = Duration::from_millis(1);

/// Ticks without a queued call after which the watch sleeps until the next one, so that it isn't woken for each.
const QUIET_TICKS: u32 = 20;

/// How often a thread without a call lets others run before it sleeps: what it has just answered makes the host's workers
/// run, which queue the next calls. Measured with 16 clients on two processors: 8 save a quarter of a request's processor
/// time, 30 no more than that. Where no other thread wants to run, all of them take some 5 us.
const YIELDS: u32 = 8;

/// After so long without a call a thread ends, as those of the runtime's own pool do.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// What a program's first thread has on most systems: a module may count on it.
const STACK_BYTES: usize = 8 << 20;

/// Threads, made when they are needed. Dropping this ends them after their calls.
#[derive(Debug)]
pub(super) struct Threads(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    threads_max: usize,
    state: Mutex<State>,
    /// Wakes sleeping threads.
    work: Condvar,
    /// Wakes the watch.
    watch: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Queued>,
    threads: usize,
    /// Those of them that sleep, without those that are being woken.
    asleep: usize,
    /// How many are being woken.
    woken: usize,
    /// Whether a thread without a call is awake, and will look at the queue.
    is_one_free: bool,
    /// When a thread last began a call.
    last_begun: Option<Instant>,
    watch: Watch,
    is_ended: bool,
}

struct Queued {
    since: Instant,
    call: Box<dyn FnOnce() + Send>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Watch {
    #[default]
    NotStarted,
    Asleep,
    Awake,
}

impl Threads {
    /// At most `threads_max`, the most calls that there are at a time.
    pub(super) fn new(threads_max: usize) -> Self {
        Self(Arc::new(Shared {
            threads_max,
            state: Mutex::default(),
            work: Condvar::new(),
            watch: Condvar::new(),
        }))
    }

    /// Has a thread call `call`. If the receiver is dropped before the call begins, it never does. The receiver gets an
    /// error if the call panics, or if the system gives the host no thread at all.
    pub(super) fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let call = move || {
            if !sender.is_closed() {
                // Fails if the receiver was dropped meanwhile.
                drop(sender.send(call()));
            }
        };
        self.0.queue(Box::new(call));
        receiver
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.0.lock().is_ended = true;
        self.0.work.notify_all();
        self.0.watch.notify_all();
    }
}

impl Shared {
    fn queue(self: &Arc<Self>, call: Box<dyn FnOnce() + Send>) {
        let now = Instant::now();
        let mut state = self.lock();
        state.queue.push_back(Queued { since: now, call });
        if state.is_quick(now) {
            self.have_watched(state);
        } else {
            self.wake(state);
        }
    }

    /// Wakes a thread, or makes one.
    fn wake(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        if state.asleep > 0 {
            state.asleep -= 1;
            state.woken += 1;
            drop(state);
            self.work.notify_one();
        } else if state.threads < self.threads_max {
            state.threads += 1;
            drop(state);
            if let Err(error) = self.start("fezz-call", Self::serve) {
                tracing::warn!(%error, "failed to start a thread for a module's call");
                let mut state = self.lock();
                state.threads -= 1;
                // Without any thread, these calls would wait for ever.
                let lost =
                    if state.threads == 0 { std::mem::take(&mut state.queue) } else { VecDeque::new() };
                drop(state);
                drop(lost);
            }
        }
    }

    /// Has the watch look after a queued call.
    fn have_watched(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let before = std::mem::replace(&mut state.watch, Watch::Awake);
        drop(state);
        match before {
            Watch::Awake => {}
            Watch::Asleep => self.watch.notify_one(),
            Watch::NotStarted => {
                if let Err(error) = self.start("fezz-call-watch", Self::watch) {
                    tracing::warn!(%error, "failed to start a thread: a slow call may delay others");
                    self.lock().watch = Watch::NotStarted;
                }
            }
        }
    }

    fn start(self: &Arc<Self>, name: &str, run: fn(&Arc<Self>)) -> io::Result<()> {
        let shared = Arc::clone(self);
        let thread = thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES);
        thread.spawn(move || run(&shared)).map(drop)
    }

    /// One thread: makes calls until it is no more needed.
    fn serve(self: &Arc<Self>) {
        let mut state = self.lock();
        loop {
            while let Some(queued) = state.queue.pop_front() {
                state.last_begun = Some(Instant::now());
                drop(state);
                // The panic hook has reported it, and the call's receiver gets an error. The payload's own drop may panic.
                catch_unwind(AssertUnwindSafe(queued.call)).unwrap_or_else(std::mem::forget);
                state = self.lock();
            }
            if !state.is_one_free {
                state = self.let_others_run(state);
            }
            if state.queue.is_empty() {
                match self.sleep(state) {
                    Some(woken) => state = woken,
                    None => return,
                }
            }
        }
    }

    fn let_others_run<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.is_one_free = true;
        for _ in 0..YIELDS {
            drop(state);
            thread::yield_now();
            state = self.lock();
            if !state.queue.is_empty() {
                break;
            }
        }
        state.is_one_free = false;
        state
    }

    /// Sleeps until this thread is woken; `None` if it is to end.
    fn sleep<'a>(&'a self, mut state: MutexGuard<'a, State>) -> Option<MutexGuard<'a, State>> {
        state.asleep += 1;
        let must_sleep = |state: &mut State| state.woken == 0 && !state.is_ended;
        let waited = self.work.wait_timeout_while(state, IDLE_MAX, must_sleep);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.woken > 0 {
            state.woken -= 1;
            return Some(state);
        }
        state.asleep -= 1;
        state.threads -= 1;
        None
    }

    /// The watch: wakes a thread for each call that is queued for too long.
    fn watch(self: &Arc<Self>) {
        let mut quiet = 0;
        while !self.lock().is_ended {
            thread::sleep(TICK);
            let now = Instant::now();
            let mut state = self.lock();
            let late = state.queue.iter().take_while(|queued| now - queued.since >= TICK).count();
            quiet = if state.queue.is_empty() { quiet + 1 } else { 0 };
            if quiet == QUIET_TICKS {
                quiet = 0;
                state.watch = Watch::Asleep;
                let must_sleep = |state: &mut State| state.watch == Watch::Asleep && !state.is_ended;
                drop(self.watch.wait_while(state, must_sleep));
                continue;
            }
            drop(state);
            for _ in 0..late {
                self.wake(self.lock());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether a thread that is awake will probably take a call soon.
    fn is_quick(&self, now: Instant) -> bool {
        let is_recent = |begun| now.saturating_duration_since(begun) <= QUICK;
        self.is_one_free || (self.threads > self.asleep && self.last_begun.is_some_and(is_recent))
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} queued, {} of {} threads asleep", self.queue.len(), self.asleep, self.threads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::Barrier;
    use std::sync::mpsc::{RecvError, channel};

    #[test]
    fn calls_that_wait_for_each_other_get_a_thread_each() {
        let (threads, barrier) = (Threads::new(8), Arc::new(Barrier::new(8)));
        let call = |_| {
            let barrier = Arc::clone(&barrier);
            threads.call(move || barrier.wait())
        };
        for receiver in (0..8).map(call).collect::<Vec<_>>() {
            receiver.blocking_recv().unwrap();
        }
        assert!(threads.0.lock().threads <= 8);
    }

    #[test]
    fn a_call_behind_a_slow_one_gets_another_thread_though_no_further_call_comes() {
        let (threads, (end, ended)) = (Threads::new(2), channel::<()>());
        let slow = threads.call(move || ended.recv().unwrap());
        let (answer, answered) = channel();
        let quick = threads.call(move || answer.send(()).unwrap());
        assert_eq!(answered.recv_timeout(Duration::from_secs(10)), Ok(()));
        end.send(()).unwrap();
        slow.blocking_recv().and(quick.blocking_recv()).unwrap();
    }

    #[test]
    fn quick_calls_one_after_the_other_share_few_threads() {
        let threads = Threads::new(64);
        let called = |_| threads.call(|| thread::current().id()).blocking_recv().unwrap();
        let ids: HashSet<_> = (0..1000).map(called).collect();
        // More than one, if the system takes the processor from a thread before it sleeps.
        assert!(ids.len() < 16, "{}", ids.len());
    }

    #[test]
    fn a_panic_ends_its_call_alone() {
        let threads = Threads::new(1);
        let panicked = threads.call(|| panic!("of a test"));
        assert!(panicked.blocking_recv().is_err());
        assert_eq!(threads.call(|| 1).blocking_recv(), Ok(1));
    }

    #[test]
    fn a_call_that_nobody_waits_for_does_not_begin() {
        let (threads, (end, ended)) = (Threads::new(1), channel::<()>());
        let running = threads.call(move || ended.recv().unwrap());
        let (begin, begun) = channel();
        drop(threads.call(move || begin.send(()).unwrap()));
        end.send(()).unwrap();
        running.blocking_recv().unwrap();
        assert_eq!(threads.call(|| 1).blocking_recv(), Ok(1));
        assert_eq!(begun.recv(), Err(RecvError), "it was dropped without a call");
    }

    #[test]
    fn all_threads_end_with_their_owner() {
        let threads = Threads::new(4);
        let shared = Arc::downgrade(&threads.0);
        threads.call(|| ()).blocking_recv().unwrap();
        threads.call(|| ()).blocking_recv().unwrap();
        drop(threads);
        let begun = Instant::now();
        while shared.strong_count() > 0 {
            assert!(begun.elapsed() < Duration::from_secs(10));
            thread::yield_now();
        }
    }
}
