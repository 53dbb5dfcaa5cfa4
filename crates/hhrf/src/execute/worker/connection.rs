//! A worker as the host sees it: it takes requests and sends responses, over one socket.
//!
//! A request's task writes its frame itself; the worker's own task (`instance`) reads, and writes what the socket didn't take
//! at once. What they share is here, under one lock.

use super::end::{Drain, Kill, Violation};
use super::in_flight::{InFlight, Reply};
use super::outbox::{Frame, Outbox, Sent, Written};
use super::pool::Slot;
use super::requests::Requests;
use crate::admitted::AdmittedRequest;
use crate::execute::failure::Failure;
use crate::execute::watch::watch;
use crate::memory::Holding;
use bytes::Bytes;
use fezz_wire::frame::{Format, Kind};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::net::{Shutdown, shutdown};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// A worker's socket and the requests that it has.
#[derive(Debug)]
pub struct Connection {
    number: u64,
    socket: AsyncFd<OwnedFd>,
    /// What its hello chose.
    format: OnceLock<Format>,
    /// Whether it takes requests. Also changed under the lock.
    is_open: AtomicBool,
    link: Mutex<Link>,
    /// Wakes its task after a change of the link.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Link {
    requests: Requests,
    outbox: Outbox,
    /// Requests so far.
    sent: u64,
    drain: Option<Drain>,
    kill: Option<Kill>,
    /// Whether the worker has been told that no more requests come.
    is_shut_down: bool,
}

/// A request that a worker has.
#[derive(Debug)]
pub(super) struct Pending {
    connection: Arc<Connection>,
    id: u64,
    reply: Option<oneshot::Receiver<Reply>>,
}

/// What a worker's task is to do next.
#[derive(Debug)]
pub(super) enum Next {
    /// Wait for frames, for a change, or until a request that has no client any more misses its deadline.
    Wait { until: Option<Instant>, has_unsent: bool },
    /// Kill it.
    Kill(Kill),
    /// Wait for its end: it has no requests, and has been told to end.
    End(Drain),
    /// Wait a moment for its end, then kill it: nothing can be sent to it.
    Broken,
}

/// What to do with the payload of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Its request waits for it.
    Yes,
    /// Its client has gone.
    No,
}

impl Connection {
    /// Of the worker `number`, at the other end of `socket`, which doesn't block.
    ///
    /// # Errors
    ///
    /// Those of registering a descriptor with the runtime.
    pub(super) fn new(number: u64, socket: OwnedFd) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            number,
            // Not for writing: each request that the worker reads would wake the runtime.
            socket: watch(socket, Interest::READABLE)?,
            format: OnceLock::new(),
            is_open: AtomicBool::new(false),
            link: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Counts the workers of its function, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The id of the request that it has, if it has one alone.
    pub fn only_request_id(&self) -> Option<String> {
        self.lock().requests.only().map(InFlight::request_id)
    }

    pub(super) fn socket(&self) -> &AsyncFd<OwnedFd> {
        &self.socket
    }

    /// It has said hello: from now on it takes requests.
    pub(super) fn open(&self, format: Format) {
        // A second hello is a violation, so it isn't set yet.
        self.format.set(format).ok();
        self.is_open.store(true, Ordering::Release);
    }

    /// The format of its payloads; before its hello none.
    pub(super) fn format(&self) -> Format {
        self.format.get().copied().unwrap_or(Format::None)
    }

    /// Whether it takes requests, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Gives it a request, whose payload is `payload`: writes its frame, as much as the socket takes now.
    ///
    /// # Errors
    ///
    /// It takes no requests any more, and has read no byte of this one: the request comes back.
    pub(super) fn send(
        self: &Arc<Self>,
        slot: Slot,
        request: AdmittedRequest,
        payload: [Bytes; 2],
    ) -> Result<Pending, Box<AdmittedRequest>> {
        let (sender, reply) = oneshot::channel();
        let mut link = self.lock();
        if !self.is_open() {
            return Err(Box::new(request));
        }
        link.sent += 1;
        let id = link.sent;
        link.requests.insert(id, InFlight::new(request, slot, sender));
        match link.outbox.send(Frame::request(id, self.format(), payload), &self.socket) {
            Ok(Written::All) => {}
            Ok(Written::InPart) => self.changed.notify_one(),
            Err(_) => {
                self.is_open.store(false, Ordering::Release);
                self.changed.notify_one();
                if link.outbox.withdraw(id) == Sent::Nothing
                    && let Some(in_flight) = link.requests.remove(id)
                {
                    drop(link);
                    let request = in_flight.into_request();
                    return Err(request.expect("it can't be abandoned before this returns"));
                }
            }
        }
        drop(link);
        Ok(Pending { connection: Arc::clone(self), id, reply: Some(reply) })
    }

    /// A response begins. Returns whether its request still wants it.
    ///
    /// # Errors
    ///
    /// The worker doesn't have this request, or can't have read it yet.
    pub(super) fn begin_response(&self, id: u64) -> Result<Wanted, Violation> {
        let link = self.lock();
        match link.requests.get(id) {
            Some(in_flight) if !link.outbox.has(id) => {
                Ok(if in_flight.has_client() { Wanted::Yes } else { Wanted::No })
            }
            _ => Err(Violation::Unasked { id }),
        }
    }

    /// Whether a request still wants its response.
    pub(super) fn is_wanted(&self, id: u64) -> bool {
        self.lock().requests.get(id).is_some_and(InFlight::has_client)
    }

    /// Runs `change` on the memory of a request's response; `None` if that isn't wanted any more.
    pub(super) fn with_holding<T>(&self, id: u64, change: impl FnOnce(&Holding) -> T) -> Option<T> {
        self.lock().requests.get(id).and_then(InFlight::holding).map(change)
    }

    /// A response is complete: the request's permits and its slot are released, and it gets `reply`.
    pub(super) fn end_response(&self, id: u64, reply: impl FnOnce(Holding) -> Reply) {
        let in_flight = self.lock().requests.remove(id);
        // Without the lock: the slot goes to the next request.
        if let Some(in_flight) = in_flight {
            in_flight.answer(reply);
        }
    }

    /// A response can't be kept: its request is told, and the rest of it is thrown away.
    pub(super) fn drop_response(&self, id: u64, failure: Failure) {
        let remains = self.lock().requests.abandon(id);
        if let Some(remains) = remains {
            // Its client may have gone at the same moment.
            remains.reply.send(Reply::Failed(failure)).ok();
        }
    }

    /// Has it end as soon as it has no requests. It gets no more.
    pub(super) fn drain(&self, why: Drain) {
        let mut link = self.lock();
        self.is_open.store(false, Ordering::Release);
        link.drain.get_or_insert(why);
        self.changed.notify_one();
    }

    /// Has it killed.
    fn kill(&self, why: Kill) {
        let mut link = self.lock();
        self.is_open.store(false, Ordering::Release);
        link.kill.get_or_insert(why);
        self.changed.notify_one();
    }

    /// The client of a request has gone. The worker is told, and the request keeps its slot until the worker has answered, or
    /// until its deadline. If the worker can't have seen it, it is as if it had never been sent.
    fn abandon(&self, id: u64) {
        let mut link = self.lock();
        let withdrawn = if link.outbox.withdraw(id) == Sent::Nothing {
            link.requests.remove(id)
        } else {
            if let Some(remains) = link.requests.abandon(id)
                && !link.is_shut_down
            {
                link.outbox.keep(id, remains.body);
                // Its task sees an error.
                link.outbox.send(Frame::empty(Kind::Cancel, id), &self.socket).ok();
            }
            None
        };
        self.changed.notify_one();
        drop(link);
        // Without the lock: the slot goes to the next request.
        drop(withdrawn);
    }

    /// Sends a ping, and returns whether the worker has no requests: otherwise it may be busy, and isn't asked.
    pub(super) fn ping(&self, number: u64) -> bool {
        let mut link = self.lock();
        if !link.requests.is_empty() || link.is_shut_down {
            return false;
        }
        link.outbox.send(Frame::empty(Kind::Ping, number), &self.socket).ok();
        true
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.lock().requests.is_empty()
    }

    /// Waits for a change.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Writes what waits, and returns what to do next.
    pub(super) fn look(&self) -> Next {
        let mut link = self.lock();
        if let Some(kill) = link.kill.take() {
            return Next::Kill(kill);
        }
        let first = link.requests.first_abandoned();
        let until = first.map(InFlight::deadline);
        if let Some(overdue) = first.filter(|first| first.deadline() <= Instant::now()) {
            return Next::Kill(Kill::Deadline { request_id: overdue.request_id() });
        }
        let has_unsent = link.outbox.flush(&self.socket) == Ok(Written::InPart);
        if let Some(drain) = link.drain {
            if link.outbox.is_empty() && !std::mem::replace(&mut link.is_shut_down, true) {
                // Fails if it is gone.
                shutdown(&self.socket, Shutdown::Write).ok();
            }
            if link.requests.is_empty() {
                return Next::End(drain);
            }
        }
        if link.outbox.is_broken() {
            self.is_open.store(false, Ordering::Release);
            return Next::Broken;
        }
        Next::Wait { until, has_unsent }
    }

    /// Why it was told to end, if it was and has answered all requests.
    pub(super) fn drained(&self) -> Option<Drain> {
        let link = self.lock();
        link.drain.filter(|_| link.is_shut_down && link.requests.is_empty())
    }

    /// Waits until the socket takes more.
    pub(super) async fn writable(&self) {
        // By a second descriptor: the runtime watches the first one for reading.
        let watched =
            self.socket.as_fd().try_clone_to_owned().and_then(|copy| watch(copy, Interest::WRITABLE));
        match watched {
            Ok(watched) => watched.writable().await.map(drop).unwrap_or_default(),
            // No descriptors are left: try again when something else happens, at the latest at the next heartbeat.
            Err(_) => std::future::pending().await,
        }
    }

    /// The worker is gone. Returns the requests that it had: those that it never saw, and the others.
    pub(super) fn close(&self) -> (Vec<InFlight>, Vec<InFlight>) {
        self.is_open.store(false, Ordering::Release);
        let mut link = self.lock();
        let unsent = link.outbox.unsent();
        let (unseen, seen): (Vec<_>, Vec<_>) = link.requests.take().partition(|(id, _)| unsent.contains(id));
        link.outbox = Outbox::default();
        let requests = |of: Vec<(u64, InFlight)>| of.into_iter().map(|(_, in_flight)| in_flight).collect();
        (requests(unseen), requests(seen))
    }

    fn lock(&self) -> MutexGuard<'_, Link> {
        // Nothing that is done under the lock can panic halfway.
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Pending {
    /// Waits for the reply; at the deadline the worker is killed.
    pub(super) async fn reply(mut self, deadline: Instant, request_id: &str) -> Reply {
        let Some(reply) = self.reply.as_mut() else { return Reply::Failed(Failure::Host) };
        let replied = tokio::time::timeout_at(deadline, reply).await;
        match replied {
            Ok(Ok(reply)) => {
                self.reply = None;
                reply
            }
            Ok(Err(_)) => Reply::Failed(Failure::Host),
            Err(_) => {
                self.connection.kill(Kill::Deadline { request_id: request_id.to_owned() });
                Reply::Failed(Failure::DeadlineExceeded)
            }
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.reply.is_some() {
            self.connection.abandon(self.id);
        }
    }
}
