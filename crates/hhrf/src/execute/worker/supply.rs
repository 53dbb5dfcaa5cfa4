//! Which workers a function has: how many are started, when one is replaced or ended, and the pauses after failures.

use super::connection::Connection;
use super::end::Drain;
use super::resident::resident_bytes;
use crate::execute::back_off::{BackOff, Retry};
use crate::execute::load::LoadFailure;
use crate::execute::pool::{Readiness, WorkerStats};
use fezz_manifest::Worker;
use rustix::process::Pid;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limits {
    min: usize,
    max: usize,
    pub(super) concurrency: u32,
    requests_max: Option<u64>,
    age_max: Option<Duration>,
    memory_bytes_max: Option<u64>,
}

/// The workers to keep also without requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// At least so many.
    Workers(usize),
    /// None, since the release isn't served any more: those that are left end with their last request.
    Retired,
}

/// A worker that takes requests.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) connection: Arc<Connection>,
    pid: Pid,
    /// Slots that are taken.
    taken: u32,
    /// Requests so far.
    requests: u64,
    born: Instant,
    last_used: Instant,
    /// Why it is to be replaced.
    due: Option<Drain>,
}

/// The workers, and what failed lately.
#[derive(Debug)]
pub(super) struct Supply {
    /// The oldest first.
    members: Vec<Member>,
    starting: usize,
    /// All that aren't gone: those that start, serve, and end.
    processes: usize,
    started: u64,
    /// Of starts that failed.
    start_back_off: BackOff,
    /// The pause after one that failed, and the number of the last start that began before it.
    start_pause: Option<(Retry, u64)>,
    /// Of workers that were ready and crashed.
    crash_back_off: BackOff,
    /// Whether any was ever ready.
    has_served: bool,
    /// Why no worker can be started, until the next try: requests are refused with it.
    failure: Option<LoadFailure>,
    pause_until: Option<Instant>,
    /// Whether a task waits for the end of the pause.
    is_pause_watched: bool,
}

/// Workers to start.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) now: usize,
    /// When to look again; `None` if that isn't needed, or is seen to.
    pub(super) later: Option<Instant>,
}

/// Longer than the pauses of a person who uses a page; workers that wait longer are mostly wasted.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// The pauses after workers that were ready and ended by themselves. They are short, since such a worker served requests,
/// and others may wait for the next; they still keep a worker that crashes at its first request from using up a processor.
const CRASH_PAUSE_MIN: Duration = Duration::from_millis(10);
const CRASH_PAUSE_MAX: Duration = Duration::from_secs(1);

/// A release has at most `max` times so many processes: workers that start, serve, and end. So each worker can end while its
/// successor serves. Workers that end slowly, or only when they are killed, delay the next replacement.
const PROCESSES_PER_WORKER: usize = 2;

/// A function that has served may be about to recover: something killed its worker, or its database restarts. Requests wait
/// for so many starts in a row before they are refused.
const BROKEN_AFTER: u32 = 3;

impl Limits {
    pub(super) fn of(worker: &Worker) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let min = worker.min as usize;
        Self {
            min,
            max: worker.max.map_or(processors.max(min), |max| max as usize),
            concurrency: worker.concurrency,
            requests_max: worker.max_requests,
            age_max: worker.max_age_ms.map(Duration::from_millis),
            memory_bytes_max: worker.max_memory_bytes,
        }
    }

    /// The most processes: those that start, serve, and end.
    fn processes_max(&self) -> usize {
        self.max * PROCESSES_PER_WORKER
    }
}

impl Keep {
    /// So many workers, within what the manifest says.
    pub(super) fn within(limits: &Limits, workers: usize) -> Self {
        Self::Workers(workers.min(limits.max).max(limits.min))
    }

    pub(super) fn workers(self) -> usize {
        match self {
            Self::Workers(workers) => workers,
            Self::Retired => 0,
        }
    }
}

impl Member {
    pub(super) fn new(connection: Arc<Connection>, pid: Pid, born: Instant) -> Self {
        Self { connection, pid, taken: 0, requests: 0, born, last_used: born, due: None }
    }

    fn has_free_slot(&self, concurrency: u32) -> bool {
        self.taken < concurrency && self.connection.is_open()
    }

    fn take(&mut self) {
        self.taken += 1;
        self.requests += 1;
    }

    /// Whether its time has come.
    fn look(&mut self, limits: &Limits, now: Instant) {
        let is_over = |limit: Option<u64>, bytes: Option<u64>| {
            limit.zip(bytes).is_some_and(|(limit, has)| has >= limit)
        };
        if limits.age_max.is_some_and(|age_max| now.duration_since(self.born) >= age_max) {
            self.due = Some(Drain::Age);
        } else if limits.memory_bytes_max.is_some()
            && is_over(limits.memory_bytes_max, resident_bytes(self.pid))
        {
            self.due = Some(Drain::Memory);
        }
    }
}

impl Default for Supply {
    fn default() -> Self {
        Self {
            members: Vec::new(),
            starting: 0,
            processes: 0,
            started: 0,
            start_back_off: BackOff::default(),
            start_pause: None,
            crash_back_off: BackOff::between(CRASH_PAUSE_MIN, CRASH_PAUSE_MAX),
            has_served: false,
            failure: None,
            pause_until: None,
            is_pause_watched: false,
        }
    }
}

impl Supply {
    /// Takes a slot of the worker that has the fewest requests, and of those the oldest: so the others become idle when they
    /// aren't needed.
    pub(super) fn choose(&mut self, concurrency: u32) -> Option<Arc<Connection>> {
        let free = self.members.iter_mut().filter(|member| member.has_free_slot(concurrency));
        let chosen = free.min_by_key(|member| member.taken)?;
        chosen.take();
        Some(Arc::clone(&chosen.connection))
    }

    /// Takes a slot of this worker, if it has a free one.
    pub(super) fn take(&mut self, connection: &Arc<Connection>, concurrency: u32) -> bool {
        match self.member(connection).filter(|member| member.has_free_slot(concurrency)) {
            Some(member) => {
                member.take();
                true
            }
            None => false,
        }
    }

    pub(super) fn release(&mut self, connection: &Arc<Connection>, limits: &Limits) {
        if let Some(member) = self.member(connection) {
            member.taken -= 1;
            member.last_used = Instant::now();
            if limits.requests_max.is_some_and(|requests_max| member.requests >= requests_max) {
                member.due = Some(Drain::Requests);
            }
        }
    }

    fn member(&mut self, connection: &Arc<Connection>) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| Arc::ptr_eq(&member.connection, connection))
    }

    /// Whether requests may wait for a worker.
    ///
    /// # Errors
    ///
    /// None can be started now.
    pub(super) fn check(&self) -> Result<(), LoadFailure> {
        match &self.failure {
            Some(failure) if self.members.is_empty() && self.starting == 0 && self.is_paused() => {
                Err(failure.clone())
            }
            _ => Ok(()),
        }
    }

    /// The workers to start, for so many `waiting` requests. Where ending ones leave no room, to be asked again after
    /// [`Self::gone`].
    pub(super) fn missing(&mut self, limits: &Limits, waiting: usize, keep: Keep) -> Missing {
        let present = self.members.len() + self.starting;
        let for_waiting = waiting.div_ceil(limits.concurrency as usize).saturating_sub(self.starting);
        let for_keep = keep.workers().saturating_sub(present);
        let wanted = for_waiting.min(limits.max.saturating_sub(present)).max(for_keep);
        // One at a time, beside those that serve.
        let for_due = usize::from(keep != Keep::Retired && self.starting == 0 && self.has_due());
        let room = limits.processes_max().saturating_sub(self.processes);
        match (wanted.max(for_due).min(room), self.pause_until.filter(|_| self.is_paused())) {
            (0, _) => Missing { now: 0, later: None },
            (now, None) => Missing { now, later: None },
            (_, Some(until)) => {
                let is_watched = std::mem::replace(&mut self.is_pause_watched, true);
                Missing { now: 0, later: (!is_watched).then_some(until) }
            }
        }
    }

    fn is_paused(&self) -> bool {
        self.pause_until.is_some_and(|until| Instant::now() < until)
    }

    pub(super) fn pause_is_over(&mut self) {
        self.is_pause_watched = false;
    }

    /// Whether the workers to keep are there.
    pub(super) fn readiness(&self, keep: Keep) -> Readiness {
        match &self.failure {
            _ if self.members.len() >= keep.workers() => Readiness::Ready,
            Some(failure) => Readiness::Failed(failure.clone()),
            None => Readiness::Starting,
        }
    }

    /// A worker is being started. Returns its number.
    pub(super) fn begin_start(&mut self) -> u64 {
        (self.starting, self.processes) = (self.starting + 1, self.processes + 1);
        self.started += 1;
        self.started
    }

    /// It is ready. If another one's time has come, that one ends now.
    pub(super) fn begin_service(&mut self, member: Member) {
        self.starting -= 1;
        (self.start_back_off, self.failure, self.has_served) = (BackOff::default(), None, true);
        self.start_pause = None;
        if let Some(due) = self.members.iter().position(|member| member.due.is_some()) {
            let Member { connection, due, .. } = self.members.remove(due);
            connection.drain(due.unwrap_or(Drain::Age));
        }
        self.members.push(member);
    }

    /// The start of this number has failed. Returns when the next is, and whether requests are refused until then. Of
    /// starts that began together, the first that fails begins the pause: the others most likely have the same cause, and
    /// don't make it longer.
    pub(super) fn not_ready(&mut self, number: u64, failure: LoadFailure) -> (Retry, bool) {
        (self.starting, self.processes) = (self.starting - 1, self.processes - 1);
        let retry = match self.start_pause {
            Some((retry, last)) if number <= last => retry,
            _ => {
                let retry = self.start_back_off.failed();
                self.start_pause = Some((retry, self.started));
                self.pause_until = Some(retry.at);
                retry
            }
        };
        let is_broken = !self.has_served || retry.attempt >= BROKEN_AFTER;
        self.failure = is_broken.then_some(failure);
        (retry, is_broken && self.members.is_empty() && self.starting == 0)
    }

    /// It takes no requests any more.
    pub(super) fn remove(&mut self, connection: &Arc<Connection>) {
        self.members.retain(|member| !Arc::ptr_eq(&member.connection, connection));
    }

    /// One that was ready has ended, and not because the host asked it to. Returns when the next is started, if there is a
    /// pause.
    pub(super) fn crashed(&mut self, lived: Duration) -> Option<Retry> {
        let retry = self.crash_back_off.ended(lived)?;
        self.pause_until = Some(retry.at);
        Some(retry)
    }

    /// A worker's processes are gone.
    pub(super) fn gone(&mut self) {
        self.processes -= 1;
    }

    /// Ends workers that aren't needed, and notes those whose time has come.
    pub(super) fn tick(&mut self, limits: &Limits, keep: Keep, now: Instant) {
        self.members.iter_mut().for_each(|member| member.look(limits, now));
        let surplus = self.members.len().saturating_sub(keep.workers());
        let is_idle = |member: &Member| member.taken == 0 && now.duration_since(member.last_used) > IDLE_MAX;
        // The youngest first: the oldest get the requests.
        let idle: Vec<_> = self.members.iter().rev().filter(|member| is_idle(member)).take(surplus).collect();
        let idle: Vec<Arc<Connection>> =
            idle.into_iter().map(|member| Arc::clone(&member.connection)).collect();
        for connection in idle {
            self.remove(&connection);
            connection.drain(Drain::Idle);
        }
    }

    /// Ends those without a request. One that has given a slot away goes on, even if the slot's request hasn't been sent
    /// yet: it would have to wait for another worker, and then for the next one.
    pub(super) fn drain_free(&mut self, why: Drain) {
        let (free, busy) =
            std::mem::take(&mut self.members).into_iter().partition(|member| member.taken == 0);
        self.members = busy;
        let free: Vec<Member> = free;
        free.iter().for_each(|member| member.connection.drain(why));
    }

    pub(super) fn has_due(&self) -> bool {
        self.members.iter().any(|member| member.due.is_some())
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn processes(&self) -> usize {
        self.processes
    }

    pub(super) fn stats(&self) -> WorkerStats {
        let busy = self.members.iter().filter(|member| member.taken > 0).count();
        let serving = self.members.len();
        WorkerStats {
            starting: self.starting,
            idle: serving - busy,
            busy,
            ending: self.processes.saturating_sub(self.starting + serving),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begins so many starts, which the supply numbers from `first`.
    fn begin(supply: &mut Supply, first: u64, starts: u64) {
        let numbers: Vec<u64> = (0..starts).map(|_| supply.begin_start()).collect();
        assert_eq!(numbers, (first..first + starts).collect::<Vec<_>>());
    }

    fn attempt_of(supply: &mut Supply, number: u64) -> u32 {
        supply.not_ready(number, LoadFailure::Unstable).0.attempt
    }

    #[test]
    fn starts_that_began_before_a_pause_do_not_make_the_next_one_longer() {
        let mut supply = Supply::default();
        begin(&mut supply, 1, 16);
        assert_eq!((1..16).map(|number| attempt_of(&mut supply, number)).collect::<Vec<_>>(), [1; 15]);
        let pause = supply.pause_until;
        begin(&mut supply, 17, 2);
        assert_eq!([17, 18].map(|number| attempt_of(&mut supply, number)), [2, 2]);
        assert!(supply.pause_until > pause);
        let pause = supply.pause_until;
        assert_eq!(attempt_of(&mut supply, 16), 2, "it began before both");
        assert_eq!(supply.pause_until, pause);
    }
}
