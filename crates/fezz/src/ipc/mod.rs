//! A worker of one's own: a program that serves request after request, over the socket that the host gives it as stdin.
//! It needs no `#[fezz_function]`.
//!
//! ```no_run
//! use fezz::{Request, Response, ipc};
//!
//! fn main() {
//!     let mut visits = 0;
//!     loop {
//!         let req = ipc::read_request(); // ends the process in order when the host closes the socket
//!         visits += 1;
//!         let res = handle_request(visits, req);
//!         ipc::send_response(res);
//!     }
//! }
//!
//! fn handle_request(visits: u64, req: Request) -> Response {
//!     match (req.method.as_str(), req.path.as_str()) {
//!         ("GET", "/visits") => Response::text(format!("{visits}\n")),
//!         _ => Response::not_found(),
//!     }
//! }
//! ```
//!
//! The manifest names the program as its `binary`; the guide `docs/guides/worker.md` has the rest.
//!
//! - **State** is shared by all requests of the process: what one leaves, the next one finds.
//! - **Several at a time**: threads that each loop like this, or `serve` with the feature `worker`. The manifest's
//!   `worker.concurrency` says how many requests the host sends at a time.
//! - **The log** is stderr. stdout is the same.
//! - **A panic** ends the process, as that of any program: the host answers 502 `function_crashed`, and starts another.

mod stream;

#[cfg(feature = "worker")]
mod serve;

#[cfg(feature = "worker")]
pub use serve::serve;

use crate::{FezzRequest, FezzResponse, IntoResponse};
use fezz_wire::{ErrorKind, FezzWireRequest};
use std::cell::Cell;
use std::process::exit;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use stream::{Input, Output, StreamError};

/// Waits for the next request. It answers the host's heartbeats meanwhile.
///
/// The first call tells the host that this worker is ready: build what all requests need before. Each request is answered
/// by [`send_response`] on the thread that has read it. One that isn't, when its thread reads the next, is answered by a
/// 500 and a line in the log.
///
/// When the host closes the socket, it doesn't return: once the requests that other threads have are answered, it calls
/// the hooks of [`at_end`], and ends the process with status 0.
pub fn read_request() -> FezzRequest {
    let worker = Worker::get();
    if CURRENT.get().is_some() {
        send_response(FezzResponse::failed(
            ErrorKind::Returned,
            "the worker read the next request before it sent the response to this one".to_owned(),
        ));
    }
    loop {
        match worker.next_request() {
            Ok(Some((id, message))) => {
                CURRENT.set(Some(id));
                match decoded(&message) {
                    Ok(request) => return request,
                    Err(response) => send_response(response),
                }
            }
            Ok(None) => worker.end(),
            Err(error) => fail(&error),
        }
    }
}

/// Sends the response to the request that this thread has read.
///
/// If the host is gone, the process ends.
///
/// # Panics
///
/// There is no request to answer: this thread has read none, or has answered it.
pub fn send_response(response: impl IntoResponse) {
    let id = CURRENT.take().expect("`ipc::send_response` follows an `ipc::read_request` of the same thread");
    let worker = Worker::get();
    if let Err(error) = lock(&worker.output).respond(id, &response.into_response()) {
        fail(&error);
    }
    worker.change_in_flight(|in_flight| *in_flight -= 1);
}

/// Calls `hook` before the process ends in order, after the last response: it closes connections, or writes a last line of
/// the log. Hooks run in the order in which they were given, on the thread that meets the end.
pub fn at_end(hook: impl FnOnce() + Send + 'static) {
    lock(&HOOKS).push(Box::new(hook));
}

static HOOKS: Mutex<Vec<Box<dyn FnOnce() + Send>>> = Mutex::new(Vec::new());

thread_local! {
    /// The id of the request that this thread has to answer.
    static CURRENT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// The process's end of the socket.
struct Worker {
    input: Mutex<Input>,
    output: Mutex<Output>,
    /// Requests that are read and not answered.
    in_flight: Mutex<u64>,
    all_answered: Condvar,
}

impl Worker {
    /// The first call takes stdin, and tells the host that the worker is ready.
    fn get() -> &'static Self {
        static WORKER: OnceLock<Worker> = OnceLock::new();
        WORKER.get_or_init(|| {
            #[cfg(feature = "tracing")]
            crate::log::install();
            let (input, output) = stream::of_stdin().unwrap_or_else(|error| fail(&error));
            let (input, output) = (Mutex::new(input), Mutex::new(output));
            Self { input, output, in_flight: Mutex::new(0), all_answered: Condvar::new() }
        })
    }

    /// The next request, counted as in flight; `None` where the host sends no more.
    fn next_request(&self) -> Result<Option<(u64, Vec<u8>)>, StreamError> {
        let mut input = lock(&self.input);
        let request = input.next_request(&self.output)?;
        if request.is_some() {
            // Before another thread can read the end, which waits for all that are in flight.
            self.change_in_flight(|in_flight| *in_flight += 1);
        }
        Ok(request)
    }

    fn change_in_flight(&self, change: impl FnOnce(&mut u64)) {
        let mut in_flight = lock(&self.in_flight);
        change(&mut in_flight);
        if *in_flight == 0 {
            self.all_answered.notify_all();
        }
    }

    /// The host sends no more requests.
    fn end(&self) -> ! {
        let in_flight = lock(&self.in_flight);
        drop(self.all_answered.wait_while(in_flight, |in_flight| *in_flight > 0));
        for hook in std::mem::take(&mut *lock(&HOOKS)) {
            hook();
        }
        exit(0)
    }
}

/// The request, or the response to one that can't be decoded.
fn decoded(message: &[u8]) -> Result<FezzRequest, FezzResponse> {
    let failed = |error: &str| {
        FezzResponse::failed(ErrorKind::Returned, format!("failed to decode the request: {error}"))
    };
    let wire = FezzWireRequest::decode(message).map_err(|error| failed(&error.to_string()))?;
    FezzRequest::from_wire(&wire).map_err(|error| failed(&error.to_string()))
}

/// Ends a process that can't go on, with a line in the log.
fn fail(error: &StreamError) -> ! {
    eprintln!("fezz: {}", fezz_wire::chain(error));
    exit(1)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
