//! A zygote as the host sees it: it takes orders, and reports the end of each child.

use super::child_table::{ChildEnd, ChildTable, InvalidReport, Wait};
use super::usage::Usage;
use super::wear::{Condition, Wear};
use crate::cgroups::Cgroup;
use crate::execute::demand::Life;
use crate::execute::lease::{Lease, Leave};
use crate::execute::stderr_log;
use crate::execute::watch::watch;
use fezz_rewind::{Call, Listener, Pages};
use fezz_wire::control::{Order, RECORD_BYTES, RECORDS_MAX, Report};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, SocketFlags,
    SocketType, recv, sendmsg, shutdown, socketpair,
};
use rustix::process::Signal;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

/// A process that forks others on order.
#[derive(Debug)]
pub(in crate::execute) struct Zygote {
    control: AsyncFd<OwnedFd>,
    state: Mutex<State>,
    /// Wakes its supervisor after a change of the state.
    changed: Notify,
    /// Wakes its pool when a suspect zygote's wear or requests in flight have changed.
    wear: Notify,
    /// What its reusable children have in common.
    base: Mutex<Option<Arc<Pages>>>,
    /// Held while a system call of such a child is received.
    receiving: Mutex<()>,
    born: Instant,
    cgroup: Option<Cgroup>,
}

#[derive(Debug, Default)]
struct State {
    children: ChildTable,
    ordered: u64,
    /// Orders that the socket hasn't taken yet.
    unsent: VecDeque<Packet>,
    /// Since when the socket takes none.
    blocked_since: Option<Instant>,
    /// Whether it owes the answer to a probe.
    is_asked: bool,
    /// How many children are known to have been killed for exceeding the memory limit.
    killed_for_memory: u64,
    usage: Usage,
    is_retired: bool,
    is_gone: bool,
}

/// All children of a zygote share its addresses, its stack canary and its hash keys. So zygotes are replaced regularly,
/// and what an attacker learns is soon useless. `wear` has the other reasons.
const FORKS_MAX: u64 = 100_000;
const REQUESTS_MAX: u64 = 1_000_000;
const AGE_MAX: Duration = Duration::from_secs(600);

/// A zygote is kept longer than its idle children: it costs the memory of one process, and starting one takes some
/// milliseconds.
pub(super) const UNUSED_MAX: Duration = Duration::from_secs(60);

/// An order, and the child's socket and pipe.
type Packet = (Order, Option<[OwnedFd; 2]>);

/// A child that was ordered.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) number: u64,
    /// The host's end of the socket for request and response.
    pub(super) socket: OwnedFd,
    /// The host's end of its log.
    pub(super) stderr: OwnedFd,
}

/// What a zygote's supervisor is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Try again soon: the socket is full.
    Send,
    /// End it: it violates the protocol.
    Lost,
    /// Check the children periodically.
    Watch,
    /// Wait for a change.
    Rest,
    /// End it: it has no children and is retired.
    End,
}

/// Each order holds two descriptors. A zygote that works has far fewer unsent orders.
const UNSENT_MAX: usize = 1024;

/// How long a zygote may read no order.
const BLOCKED_MAX: Duration = Duration::from_secs(5);

impl Zygote {
    /// A zygote at the other end of `control`, all of whose children are in `cgroup`, if there is one.
    ///
    /// # Errors
    ///
    /// Those of registering a descriptor with the runtime.
    pub(super) fn new(control: OwnedFd, cgroup: Option<Cgroup>) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            // Not for writing: each order that the zygote reads would wake the runtime.
            control: watch(control, Interest::READABLE)?,
            state: Mutex::default(),
            changed: Notify::new(),
            wear: Notify::new(),
            base: Mutex::default(),
            receiving: Mutex::default(),
            born: Instant::now(),
            cgroup,
        }))
    }

    /// Orders a child of such a life. Its streams can be used at once: the socket holds what is written until the child reads it.
    /// Returns `None` if the zygote takes no orders any more.
    ///
    /// # Errors
    ///
    /// No descriptors or no memory is left.
    pub(super) fn order(&self, life: Life) -> io::Result<Option<Ordered>> {
        let (socket, its_socket) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        if life == Life::ManyRequests {
            // The host learns the child's process id with what it writes (unix(7), SO_PASSCRED).
            set_socket_passcred(&socket, true)?;
        }
        let (stderr, its_stderr) = stderr_log::pipe()?;
        let mut state = self.lock();
        if state.is_gone || state.is_retired {
            return Ok(None);
        }
        if state.unsent.len() >= UNSENT_MAX {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "the zygote takes no orders"));
        }
        let number = state.ordered;
        state.ordered += 1;
        if state.children.is_empty() {
            // Its supervisor sleeps while there are no children: wake it.
            self.changed.notify_one();
        }
        state.children.begin(number);
        let order = match life {
            Life::OneRequest => Order::Fork { child: number },
            Life::ManyRequests => Order::ForkRewindable { child: number },
        };
        self.send(&mut state, (order, Some([its_socket, its_stderr.into()])));
        drop(state);
        Ok(Some(Ordered { number, socket, stderr: stderr.into() }))
    }

    /// The memory that its reusable children have in common: set by the first of them.
    pub(in crate::execute) fn base(&self) -> &Mutex<Option<Arc<Pages>>> {
        &self.base
    }

    /// Receives a system call of a reusable child. One at a time: `on_load` of a hostile module can have several children
    /// share a listener, and receiving would block where another thread has just received the last call.
    ///
    /// # Errors
    ///
    /// Those of [`Listener::receive`].
    pub(in crate::execute) fn receive(&self, listener: &Listener) -> io::Result<Option<Call>> {
        // Nothing that is done under the lock can panic halfway.
        let _receiving = self.receiving.lock().unwrap_or_else(PoisonError::into_inner);
        listener.receive()
    }

    /// How long it has lived.
    pub(super) fn lived(&self) -> Duration {
        self.born.elapsed()
    }

    /// How worn it is.
    pub(super) fn condition(&self) -> Condition {
        let state = self.lock();
        let wear = state.children.wear();
        let is_old =
            state.ordered > FORKS_MAX || wear.requests() > REQUESTS_MAX || self.born.elapsed() > AGE_MAX;
        wear.condition().max(if is_old { Condition::Old } else { Condition::Good })
    }

    /// The verdicts on its children so far.
    pub(super) fn wear(&self) -> Wear {
        *self.lock().children.wear()
    }

    /// Waits for a change of a suspect zygote's wear.
    pub(super) async fn worn(&self) {
        self.wear.notified().await;
    }

    /// How many children it has, with those that it hasn't forked yet; `None` if it takes no orders.
    pub(super) fn children(&self) -> Option<usize> {
        let state = self.lock();
        (!state.is_gone && !state.is_retired).then(|| state.children.len())
    }

    /// Marks a child as having a request. Returns whether it lives, as far as is known, and the zygote may serve.
    pub(super) fn assign(&self, child: u64) -> bool {
        let mut state = self.lock();
        !state.is_retired && state.children.assign(child)
    }

    /// A child has served its request, and may get another. Returns whether it and the zygote may serve.
    pub(super) fn free(&self, child: u64) -> bool {
        let mut state = self.lock();
        state.children.free(child) && !state.is_retired && !state.is_gone
    }

    /// Has it end as soon as it has no children.
    pub(super) fn retire(&self) {
        self.lock().is_retired = true;
        self.changed.notify_one();
    }

    /// Waits for the end of a child that will give no response; `None`: the zygote has ended with it.
    pub(super) async fn end_of(&self, child: u64) -> Option<ChildEnd> {
        let wait = {
            let mut state = self.lock();
            let wait = state.children.wait(child);
            self.notify_wear(&state);
            wait
        };
        match wait {
            Wait::Over(end) => Some(end),
            Wait::Until(end) => end.await.ok(),
            Wait::Gone => None,
        }
    }

    /// The request is done with a child. The lease is released when the child is gone.
    pub(super) fn leave(&self, child: u64, leave: Leave, lease: Option<Lease>) {
        let mut state = self.lock();
        let (lease, is_to_be_killed) = state.children.leave(child, leave, lease);
        if is_to_be_killed {
            self.send(&mut state, (Order::Kill { child }, None));
        }
        self.notify_wear(&state);
        drop(state);
        if let Some(lease) = lease {
            lease.release();
        }
    }

    /// The share of its time in which it was busy lately, from 0 to 1.
    pub(super) fn usage(&self) -> f64 {
        self.lock().usage.share()
    }

    /// Asks for a heartbeat.
    pub(super) fn probe(&self) {
        let mut state = self.lock();
        if !state.is_asked {
            state.is_asked = true;
            self.send(&mut state, (Order::Probe, None));
        }
    }

    /// Waits for a change of the state.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Sends unsent orders, has overdue children killed, and returns what to do next.
    pub(super) fn look(&self) -> Next {
        let mut state = self.lock();
        for child in state.children.overdue() {
            self.send(&mut state, (Order::Kill { child }, None));
        }
        while let Some(packet) = state.unsent.pop_front() {
            if !self.try_send(&packet) {
                state.unsent.push_front(packet);
                let since = *state.blocked_since.get_or_insert_with(Instant::now);
                return if since.elapsed() > BLOCKED_MAX { Next::Lost } else { Next::Send };
            }
            state.blocked_since = None;
        }
        if state.children.is_one_stuck() {
            return Next::Lost;
        }
        match (state.children.is_empty(), state.is_retired) {
            (true, true) => Next::End,
            (true, false) => Next::Rest,
            (false, _) => Next::Watch,
        }
    }

    /// The next reports; `None` at the end.
    pub(super) async fn reports(&self) -> Option<Vec<Report>> {
        loop {
            // A zygote that reports without end must not starve other tasks: reading alone doesn't use tokio's budget.
            tokio::task::consume_budget().await;
            let mut ready = self.control.readable().await.ok()?;
            let mut packet = [0; RECORD_BYTES * RECORDS_MAX];
            match recv(ready.get_inner(), &mut packet, RecvFlags::DONTWAIT) {
                Ok((_, 0)) => return None,
                // An invalid packet means that the zygote is broken.
                Ok((_, bytes)) => return Report::decode(packet.get(..bytes)?).ok(),
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
    }

    /// Handles several reports.
    ///
    /// # Errors
    ///
    /// One of them answers no order.
    pub(super) fn handle_all(&self, reports: Vec<Report>) -> Result<(), InvalidReport> {
        reports.into_iter().try_for_each(|report| self.handle_report(report))
    }

    /// Handles a report.
    ///
    /// # Errors
    ///
    /// It answers no order: the zygote is broken.
    fn handle_report(&self, report: Report) -> Result<(), InvalidReport> {
        let (child, end) = match report {
            Report::Ready(_) => return Err(InvalidReport),
            Report::Alive { busy_us } => return self.handle_heartbeat(Duration::from_micros(busy_us)),
            Report::Ended { child, status } => (child, self.end_by(ExitStatus::from_raw(status))),
            Report::NotForked { child, error } => (child, ChildEnd::NotForked(error)),
        };
        let mut state = self.lock();
        let lease = state.children.end(child, end)?;
        self.notify_wear(&state);
        drop(state);
        if let Some(lease) = lease {
            lease.release();
        }
        Ok(())
    }

    fn handle_heartbeat(&self, busy: Duration) -> Result<(), InvalidReport> {
        let mut state = self.lock();
        if !std::mem::take(&mut state.is_asked) {
            return Err(InvalidReport);
        }
        state.usage.update(Instant::now(), busy);
        Ok(())
    }

    /// It has ended with all of its children. Requests that wait for them see their channel closed.
    pub(super) fn mark_dead(&self) {
        let mut state = self.lock();
        state.is_gone = true;
        state.unsent.clear();
        let lease = state.children.end_all();
        drop(state);
        lease.into_iter().for_each(Lease::release);
    }

    /// Tells the zygote that it isn't needed any more.
    pub(super) fn hang_up(&self) {
        self.lock().is_retired = true;
        // Fails if it is gone.
        shutdown(self.control.get_ref(), Shutdown::Both).ok();
    }

    /// A SIGKILL doesn't tell its reason: the cgroup's counter shows whether it was for memory.
    fn end_by(&self, status: ExitStatus) -> ChildEnd {
        let is_killed = status.signal() == Some(Signal::KILL.as_raw());
        let Some(cgroup) = self.cgroup.as_ref().filter(|_| is_killed) else {
            return ChildEnd::Exited(status);
        };
        let killed = cgroup.killed_for_memory();
        let mut state = self.lock();
        if killed <= state.killed_for_memory {
            return ChildEnd::Exited(status);
        }
        // One kill for each child: the reports of others may still be on their way.
        state.killed_for_memory += 1;
        ChildEnd::OutOfMemory
    }

    fn notify_wear(&self, state: &State) {
        if state.children.wear().condition() >= Condition::Suspect {
            self.wear.notify_one();
        }
    }

    /// Sends a packet, or queues it until the socket takes it.
    fn send(&self, state: &mut State, packet: Packet) {
        if !state.unsent.is_empty() || !self.try_send(&packet) {
            state.unsent.push_back(packet);
            self.changed.notify_one();
        }
    }

    /// Returns whether the packet is done with. It is also if it can never be sent; the supervisor notices that in
    /// other ways.
    fn try_send(&self, (order, descriptors): &Packet) -> bool {
        let descriptors: Option<[BorrowedFd<'_>; 2]> =
            descriptors.as_ref().map(|[socket, stderr]| [socket.as_fd(), stderr.as_fd()]);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if let Some(descriptors) = &descriptors {
            ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let sent = sendmsg(self.control.get_ref(), &[IoSlice::new(&order.encode())], &mut ancillary, flags);
        // ETOOMANYREFS: too many descriptors are in flight (unix(7)).
        !matches!(sent, Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS | Errno::NOMEM | Errno::TOOMANYREFS))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
