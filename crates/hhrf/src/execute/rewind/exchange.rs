//! One request and a process that serves request after request: writes the request into its memory, answers its system
//! calls, reads the response, and hands the process over.

use super::cpu_limit::CpuLimit;
use super::parked::Parked;
use super::rewinder::{Rewinder, Served, ServedBy, Taint};
use crate::admitted::AdmittedRequest;
use crate::execute::answer::{self, Outcome};
use crate::execute::failure::{Failure, InvalidResponse};
use crate::execute::lease::{Lease, Leave};
use crate::execute::message;
use crate::execute::process_pool::exchange::LOG_UNWATCHED;
use crate::execute::process_pool::factory::{ChannelProcess, Unsent};
use crate::execute::response_reader::BESIDE_BODY_BYTES;
use crate::execute::stderr_log::{StderrLog, Subject};
use crate::memory::{Holding, SMALL_BYTES};
use fezz_wire::rewind::{PARK, REQUEST_BYTES_MAX, Resume};
use std::io;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};

/// A request that a process has in its memory. If it is dropped, because the client went away, the process is killed.
#[derive(Debug)]
pub(super) struct RewindExchange {
    serving: Serving,
    response_memory: Holding,
    body_bytes_max: u64,
    deadline: Instant,
    cpu: CpuLimit,
}

/// A request's hold on its process. If it is dropped without `release`, the process is killed.
#[derive(Debug)]
struct Serving {
    /// Both taken by `release`.
    held: Option<(Parked, Lease)>,
    rewinder: Arc<Rewinder>,
    /// The first system call that tainted it.
    taint: Option<i32>,
}

/// How the wait for a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// It has parked with a response of so many bytes at this address.
    Parked {
        address: u64,
        bytes: u64,
    },
    /// The function itself made the call by which the runner parks.
    Forged,
    /// It has ended.
    Ended,
    Deadline,
    /// The request has used up its processor time.
    CpuLimit,
}

/// The most calls that are answered before other tasks get a turn, and the deadline is looked at: a function may make
/// calls without end.
const CALLS_IN_A_TURN: u64 = 16;

/// The most that is read before other tasks get a turn.
const TURN_BYTES: usize = 256 * 1024;

impl RewindExchange {
    /// Writes the request into the memory of `parked`, and resumes it; logs up to `stderr_bytes_max` of what the function
    /// writes to stderr.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::BrokenPipe`]: the process is gone. The request comes back.
    pub(super) fn begin(
        mut parked: Parked,
        rewinder: Arc<Rewinder>,
        request: AdmittedRequest,
        stderr_bytes_max: usize,
    ) -> Result<Self, Unsent> {
        match Self::try_begin(&mut parked, &request, stderr_bytes_max) {
            Err(error) => Err((error, Box::new(request))),
            Ok((stderr, cpu)) => {
                let lease = Lease { stderr, permits: request.permits };
                Ok(Self {
                    serving: Serving { held: Some((parked, lease)), rewinder, taint: None },
                    response_memory: request.response_memory,
                    body_bytes_max: request.facts.function.release.limits.response_body_bytes,
                    deadline: request.facts.deadline,
                    cpu,
                })
            }
        }
    }

    fn try_begin(
        parked: &mut Parked,
        request: &AdmittedRequest,
        stderr_bytes_max: usize,
    ) -> io::Result<(StderrLog, CpuLimit)> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        let function = &request.facts.function;
        let head = message::encode_head(request);
        let bytes = head.len() + request.body.bytes.len();
        if bytes > REQUEST_BYTES_MAX {
            // `Rewinder::suits_idle` bounds it, with the largest head that there can be.
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let stderr = parked.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let subject = Subject::Request(request.facts.identity.request_id.clone());
        let stderr = StderrLog::of_nonblocking(stderr, function, subject, stderr_bytes_max);
        let cpu = CpuLimit::begin(parked.process, function.release.limits.cpu_ms).map_err(gone)?;
        parked.memory.write(parked.buffer, &[&head, &request.body.bytes]).map_err(gone)?;
        let resume = Resume::Request(bytes).encode();
        parked.listener.get_ref().resume(parked.call, resume).map_err(gone)?;
        let process = parked.process.as_raw_pid();
        tracing::debug!(
            function = function.name(),
            process,
            "a request is in a process that can be put back"
        );
        Ok((stderr, cpu))
    }

    /// Waits for the answer. The process is put back before the client gets it, if that takes only microseconds.
    pub(super) async fn answer(self) -> Outcome {
        let Self { mut serving, response_memory, body_bytes_max, deadline, cpu } = self;
        match serving.wait(deadline, &cpu).await {
            Stop::Parked { address, bytes } => {
                let response = ParkedResponse { address, bytes, body_bytes_max, memory: response_memory };
                serving.respond(response, deadline, &cpu).await
            }
            Stop::Ended => serving.after_end(deadline).await,
            Stop::Forged => {
                serving.release(Leave::Broken);
                Err(Failure::InvalidResponse(InvalidResponse::Forged))
            }
            Stop::CpuLimit => {
                serving.release(Leave::Broken);
                Err(CpuLimit::failure())
            }
            Stop::Deadline => {
                serving.release(Leave::GivenUp);
                Err(Failure::DeadlineExceeded)
            }
        }
    }
}

impl Serving {
    /// Waits until the process parks, ends, or has to be ended.
    async fn wait(&mut self, deadline: Instant, cpu: &CpuLimit) -> Stop {
        // Present until `release`, which only the callers call.
        let Some((parked, lease)) = &mut self.held else { return Stop::Ended };
        let taint = &mut self.taint;
        let unwatched = deadline.min(Instant::now() + LOG_UNWATCHED);
        tokio::select! {
            biased;
            stop = parked.next_stop(taint) => return stop,
            () = sleep_until(unwatched) => {}
        }
        tokio::select! {
            biased;
            () = sleep_until(deadline) => Stop::Deadline,
            () = cpu.used_up() => Stop::CpuLimit,
            stop = parked.next_stop(taint) => stop,
            never = lease.stderr.follow() => match never {},
        }
    }

    /// The answer by a response in the memory of the process, which is then put back or replaced.
    async fn respond(&mut self, response: ParkedResponse, deadline: Instant, cpu: &CpuLimit) -> Outcome {
        let Some((parked, _)) = &self.held else { return Err(Failure::Host) };
        let read = if self.taint.is_none() {
            response.read(parked).await
        } else {
            tokio::select! {
                biased;
                read = response.read_aside(parked) => read,
                () = sleep_until(deadline) => Err(Failure::DeadlineExceeded),
                () = cpu.used_up() => Err(CpuLimit::failure()),
            }
        };
        let ParkedResponse { body_bytes_max, memory, .. } = response;
        let outcome = read.and_then(|message| answer::decode(&message.into(), memory, body_bytes_max));
        match &outcome {
            Err(Failure::DeadlineExceeded) => self.release(Leave::GivenUp),
            Err(Failure::Crashed(_)) => self.release(Leave::Broken),
            Err(Failure::InvalidResponse(_)) => self.release(Leave::Broken),
            Err(Failure::ResponseDropped(_)) => self.release(Leave::GivenUp),
            _ if self.taint.is_some() => self.release(Leave::Replaced),
            _ => self.recycle(),
        }
        outcome
    }

    /// The failure that the end of the process means.
    async fn after_end(&mut self, deadline: Instant) -> Outcome {
        let Some((parked, lease)) = &mut self.held else { return Err(Failure::Host) };
        let end = tokio::select! {
            biased;
            end = parked.child.end(deadline) => end,
            never = lease.stderr.follow() => match never {},
        };
        let Some(end) = end else {
            self.release(Leave::GivenUp);
            return Err(Failure::DeadlineExceeded);
        };
        // First, so that the log has the function's last lines before the host's line about it.
        lease.stderr.take_rest();
        Err(end.failure)
    }

    /// The process was only given calls without a lasting effect: it can serve again.
    fn recycle(&mut self) {
        if let Some((parked, lease)) = self.held.take() {
            self.rewinder.recycle(ServedBy { parked, lease });
        }
    }

    /// The process is killed; the lease is released when it is gone.
    fn release(&mut self, leave: Leave) {
        if let Some((mut parked, lease)) = self.held.take() {
            match (leave, self.taint) {
                (Leave::Replaced, Some(call)) => self.rewinder.tainted(Taint::Call(call), &lease),
                _ => self.rewinder.count(Served::Failed),
            }
            parked.child.release(leave, lease, None);
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.release(Leave::GivenUp);
    }
}

impl Parked {
    /// Has it restore its registers, after its memory was restored, and wait again.
    ///
    /// # Errors
    ///
    /// It is gone.
    pub(super) fn restore_registers(&self) -> io::Result<()> {
        self.listener.get_ref().resume(self.call, Resume::Settle.encode())
    }

    /// Waits until it has done that. Returns whether it has.
    pub(super) async fn parks(&mut self) -> bool {
        let mut taint = None;
        let stop = self.next_stop(&mut taint).await;
        stop == Stop::Parked { address: 0, bytes: 0 } && taint.is_none()
    }

    /// Answers its system calls until it parks or ends. Any call but that one taints it: it has an effect that lasts, or
    /// may show what an earlier request left.
    async fn next_stop(&mut self, taint: &mut Option<i32>) -> Stop {
        let mut answered = 0_u64;
        loop {
            let Ok(mut ready) = self.listener.readable().await else { return Stop::Ended };
            let listener = ready.get_inner();
            match self.child.zygote().receive(listener) {
                Ok(Some(call)) if call.number != PARK.cast_signed() => {
                    taint.get_or_insert(call.number);
                    // If it is gone, the next event tells.
                    listener.let_through(call.id).ok();
                    drop(ready);
                    answered += 1;
                    if answered.is_multiple_of(CALLS_IN_A_TURN) {
                        tokio::task::yield_now().await;
                    }
                }
                Ok(Some(call)) if call.pid != Some(self.process) || call.instruction_pointer != self.stub => {
                    return Stop::Forged;
                }
                Ok(Some(call)) => {
                    self.call = call.id;
                    let [address, bytes, ..] = call.args;
                    return Stop::Parked { address, bytes };
                }
                Ok(None) if ready.ready().is_read_closed() => return Stop::Ended,
                Ok(None) => ready.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Stop::Ended,
            }
        }
    }
}

/// A response in the memory of a parked process. Where it lies and how long it is, the function may have chosen.
struct ParkedResponse {
    address: u64,
    bytes: u64,
    body_bytes_max: u64,
    memory: Holding,
}

impl ParkedResponse {
    /// Reads it.
    async fn read(&self, parked: &Parked) -> Result<Vec<u8>, Failure> {
        let mut message = self.allocate()?;
        for (piece, offset) in message.chunks_mut(TURN_BYTES).zip((0..).step_by(TURN_BYTES)) {
            let at = self.address.checked_add(offset).ok_or(NOT_READABLE)?;
            parked.memory.read(at, piece).map_err(|_| NOT_READABLE)?;
            if self.bytes > TURN_BYTES as u64 {
                tokio::task::yield_now().await;
            }
        }
        Ok(message)
    }

    /// Reads it on another thread: a tainted process may have threads that keep its memory map locked, for as long as they
    /// like. Their end ends the wait.
    async fn read_aside(&self, parked: &Parked) -> Result<Vec<u8>, Failure> {
        let mut message = self.allocate()?;
        let reader = parked.memory.reader().map_err(|_| Failure::Host)?;
        let address = self.address;
        let reading =
            tokio::task::spawn_blocking(move || reader.read(address, &mut message).map(|()| message));
        reading.await.map_err(|_| Failure::Host)?.map_err(|_| NOT_READABLE)
    }

    /// Room for it, if it may be so long.
    fn allocate(&self) -> Result<Vec<u8>, Failure> {
        let [bytes, body_bytes_max] =
            [self.bytes, self.body_bytes_max].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        if bytes == 0 {
            return Err(Failure::InvalidResponse(InvalidResponse::Empty));
        }
        if bytes > body_bytes_max.saturating_add(BESIDE_BODY_BYTES) {
            let beside_bytes_max = BESIDE_BODY_BYTES;
            let too_large = InvalidResponse::TooLarge { bytes, body_bytes_max, beside_bytes_max };
            return Err(Failure::InvalidResponse(too_large));
        }
        if bytes > SMALL_BYTES {
            self.memory.resize(bytes).map_err(Failure::ResponseDropped)?;
        }
        Ok(vec![0; bytes])
    }
}

const NOT_READABLE: Failure = Failure::InvalidResponse(InvalidResponse::NotReadable);
