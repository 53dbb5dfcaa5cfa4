//! The clients of an interval, all in one thread, so that they leave most of the machine to the server. With a thread
//! for each of 64 clients, the clients would use more of two processors than a fast server.

use crate::target::{Interval, MeasureError, Slice};
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// One client: a request at a time.
pub(crate) trait Client {
    /// Sends the next request, as far as the socket takes it, without blocking. Returns the socket if it is new.
    fn send(&mut self) -> Result<Option<BorrowedFd<'_>>, MeasureError>;

    /// Continues after an event on the socket, without blocking. Returns whether the answer is complete. A wrong answer
    /// is an error.
    fn resume(&mut self) -> Result<bool, MeasureError>;
}

/// The timeout of a request: longer than the slowest target ever takes.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Lets the clients send requests for the interval, at least one each, and waits for the last answers.
///
/// # Errors
///
/// The first request that failed.
pub(crate) fn run<C: Client>(interval: Interval, clients: Vec<C>) -> Result<Slice, MeasureError> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(poll_error)?;
    let begun = Instant::now();
    let mut load = Load {
        epoll,
        begun,
        end: begun + interval.duration,
        pause: interval.pause,
        waiting: (0..clients.len()).map(|at| (begun, at)).collect(),
        sent: vec![None; clients.len()],
        clients,
        latencies: Vec::new(),
    };
    load.run()?;
    Ok(Slice::new(load.latencies, begun.elapsed()))
}

struct Load<C> {
    clients: Vec<C>,
    epoll: OwnedFd,
    begun: Instant,
    end: Instant,
    pause: Duration,
    /// Clients that pause, and when each sends its next request; in order of time, since all pauses are equal.
    waiting: VecDeque<(Instant, usize)>,
    /// When each client with a request sent it.
    sent: Vec<Option<Instant>>,
    latencies: Vec<Duration>,
}

impl<C: Client> Load<C> {
    fn run(&mut self) -> Result<(), MeasureError> {
        let mut events = Vec::with_capacity(self.clients.len());
        loop {
            self.send_what_is_due()?;
            if self.sent.iter().all(Option::is_none) && self.waiting.is_empty() {
                return Ok(());
            }
            self.wait(&mut events)?;
            for event in events.drain(..) {
                self.resume(event.data.u64() as usize)?;
            }
        }
    }

    fn send_what_is_due(&mut self) -> Result<(), MeasureError> {
        while let Some(&(due, at)) = self.waiting.front() {
            let now = Instant::now();
            let is_first = due == self.begun;
            if !is_first && now.max(due) >= self.end {
                self.waiting.clear();
                return Ok(());
            }
            if due > now {
                return Ok(());
            }
            self.waiting.pop_front();
            self.sent[at] = Some(now);
            if let Some(socket) = self.clients[at].send()? {
                // Edge-triggered, so that one call registers a socket for its whole life.
                let changes = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
                epoll::add(&self.epoll, socket, EventData::new_u64(at as u64), changes)
                    .map_err(poll_error)?;
            }
        }
        Ok(())
    }

    fn wait(&self, events: &mut Vec<epoll::Event>) -> Result<(), MeasureError> {
        let due = self.waiting.front().map(|(due, _)| due.saturating_duration_since(Instant::now()));
        let timeout =
            Timespec::try_from(due.unwrap_or(ANSWER_MAX)).expect("an interval fits into a Timespec");
        let count = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), Some(&timeout));
        match count.map_err(poll_error)? {
            0 if due.is_none() => Err(MeasureError::Silent(ANSWER_MAX)),
            _ => Ok(()),
        }
    }

    fn resume(&mut self, at: usize) -> Result<(), MeasureError> {
        // Events for writing matter only to a request that isn't completely sent.
        let Some(sent) = self.sent[at] else { return Ok(()) };
        if self.clients[at].resume()? {
            let now = Instant::now();
            self.latencies.push(now - sent);
            self.sent[at] = None;
            self.waiting.push_back((now + self.pause, at));
        }
        Ok(())
    }
}

fn poll_error(errno: rustix::io::Errno) -> MeasureError {
    MeasureError::Poll(io::Error::from(errno))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    /// A client that answers itself through a socket pair.
    struct Echo {
        ends: Option<(UnixStream, UnixStream)>,
    }

    impl Client for Echo {
        fn send(&mut self) -> Result<Option<BorrowedFd<'_>>, MeasureError> {
            let is_new = self.ends.is_none();
            let ends = self.ends.get_or_insert_with(|| UnixStream::pair().expect("sockets are there"));
            ends.0.write_all(b"x").expect("the other end is open");
            Ok(is_new.then_some(ends.1.as_fd()))
        }

        fn resume(&mut self) -> Result<bool, MeasureError> {
            let (_, end) = self.ends.as_mut().expect("it has been sent to");
            end.set_nonblocking(true).expect("it is a socket");
            Ok(end.read(&mut [0]).is_ok())
        }
    }

    fn echo(concurrency: usize, duration: Duration, pause: Duration) -> Slice {
        let clients = (0..concurrency).map(|_| Echo { ends: None }).collect();
        run(Interval { duration, concurrency, pause }, clients).expect("it answers itself")
    }

    #[test]
    fn each_client_sends_again_as_soon_as_it_has_its_answer() {
        let slice = echo(3, Duration::from_millis(20), Duration::ZERO);
        assert!(slice.latencies.len() > 100, "{} requests", slice.latencies.len());
        assert!(slice.latencies.is_sorted());
    }

    #[test]
    fn an_interval_of_zero_length_is_one_request_of_each_client() {
        assert_eq!(echo(3, Duration::ZERO, Duration::ZERO).latencies.len(), 3);
    }

    #[test]
    fn a_pause_is_kept_between_an_answer_and_the_next_request() {
        let slice = echo(1, Duration::from_millis(50), Duration::from_millis(20));
        assert!((1..=3).contains(&slice.latencies.len()), "{} requests", slice.latencies.len());
    }
}
