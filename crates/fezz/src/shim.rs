//! What the C functions that `#[fezz_function]` prints call. No part of the API: it changes with the macro.

use crate::variables::Variables;
use crate::{FezzError, FezzRequest, FezzResponse, IntoResponse, LoadContext, panic};
use fezz_wire::{ErrorKind, FezzWireRequest, abi};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{PoisonError, RwLock};

pub use fezz_wire::abi::{FezzOwned, FezzSlice};

/// `fezz_on_load_v2`: decodes the context and calls the author's `on_load`. The empty buffer where that succeeds, else
/// what failed. Never unwinds.
///
/// # Safety
///
/// `context` is readable for the whole call; a null `ptr` is taken for no bytes.
pub unsafe fn on_load(
    context: FezzSlice,
    load: impl FnOnce(&LoadContext) -> Result<(), FezzError>,
) -> FezzOwned {
    // SAFETY: the slice must be readable while `message` is in use, which the caller promises for the whole call; what
    // is decoded from it is copied.
    let message = unsafe { bytes(&context) };
    keep_context(message);
    match loaded(message, load) {
        Ok(()) => FezzOwned::EMPTY,
        // No text would be success.
        Err(failure) if failure.is_empty() => give_away(b"on_load failed with an empty message".to_vec()),
        Err(failure) => give_away(failure.into_bytes()),
    }
}

/// `fezz_on_load_v2` without a function of the author's: prepares once, for all processes that are forked from this
/// one, what each would otherwise do itself.
/// `app` builds an app, where there is one.
///
/// # Safety
///
/// As for [`on_load`].
pub unsafe fn prepare(context: FezzSlice, app: impl FnOnce()) -> FezzOwned {
    // SAFETY: the slice must be readable while it is in use, which the caller promises for the whole call; it is copied.
    keep_context(unsafe { bytes(&context) });
    let prepared = guarded(|| {
        warm();
        logging(app);
    });
    match prepared {
        Ok(()) => FezzOwned::EMPTY,
        Err(panic) => give_away(format!("building the app panicked: {panic}").into_bytes()),
    }
}

/// `fezz_on_fork_v2`: calls the author's `on_fork`. If that panics, the process aborts, and so never unwinds: otherwise
/// it could repeat the random numbers of other requests.
pub fn on_fork(fork: impl FnOnce()) {
    if let Err(panic) = guarded(fork) {
        // `eprintln!` would panic where stderr can't be written.
        let _ = writeln!(
            std::io::stderr(),
            "fezz: on_fork panicked, and so this process must not serve: {panic}"
        );
        std::process::abort();
    }
}

/// `fezz_on_unload_v2`: calls the author's `on_unload`. Its panic ends nothing that isn't ending already.
pub fn on_unload(unload: impl FnOnce()) {
    if let Err(panic) = guarded(unload) {
        // `eprintln!` would panic where stderr can't be written.
        let _ = writeln!(std::io::stderr(), "fezz: on_unload panicked: {panic}");
    }
}

/// `fezz_handle_v2`: decodes the request, calls the function, encodes the response. Never unwinds.
///
/// # Safety
///
/// `request` is readable for the whole call; a null `ptr` is taken for no bytes.
pub unsafe fn handle(request: FezzSlice, call: impl FnOnce(FezzRequest) -> FezzResponse) -> FezzOwned {
    // SAFETY: the slice must be readable while `message` is in use, which the caller promises for the whole call; what
    // is decoded from it is copied.
    let message = unsafe { bytes(&request) };
    let call = |request| {
        // Where `on_load` was never called.
        #[cfg(feature = "tracing")]
        crate::log::install();
        call(request)
    };
    give_away(answer(message, call))
}

/// `fezz_free_v2`: frees a buffer. Null is ignored.
///
/// # Safety
///
/// `buffer` is null, or came from [`handle`] or [`on_load`] and wasn't freed before.
pub unsafe fn free(buffer: FezzOwned) {
    if !buffer.ptr.is_null() {
        let bytes = std::ptr::slice_from_raw_parts_mut(buffer.ptr, buffer.len);
        // SAFETY: the pointer must be one that `Box::into_raw` gave, taken back once: the caller promises that it is
        // one of `give_away`, with its length, and the first to come back.
        drop(unsafe { Box::from_raw(bytes) });
    }
}

/// Runs an async function to its end: with the feature `tokio` on a runtime, else on this thread alone.
pub fn block_on<F: Future<Output: IntoResponse>>(future: F) -> FezzResponse {
    #[cfg(not(feature = "tokio"))]
    return pollster::block_on(future).into_response();
    #[cfg(feature = "tokio")]
    match crate::runtime::block_on(future) {
        Ok(output) => output.into_response(),
        Err(error) => {
            FezzResponse::failed(ErrorKind::Returned, format!("failed to start the tokio runtime: {error}"))
        }
    }
}

/// Draws this thread's keys of `HashMap` from the system, which each forked process would otherwise do: its map of headers
/// needs them.
fn warm() {
    std::hint::black_box(std::hash::RandomState::new());
}

/// The last context of `fezz_on_load_v2`. Its variables are the function's. Those of the process are the same in a process
/// of the function's own, and the host's in the host's.
static CONTEXT: RwLock<Option<Box<[u8]>>> = RwLock::new(None);

fn keep_context(message: &[u8]) {
    *CONTEXT.write().unwrap_or_else(PoisonError::into_inner) = Some(message.into());
}

/// The function's variables; `None` where no host has loaded it. Decoded here, since most functions never ask.
pub(crate) fn variables() -> Option<Variables> {
    let context = CONTEXT.read().unwrap_or_else(PoisonError::into_inner);
    let decoded = abi::decode_load_context(context.as_deref()?).ok()?;
    Some(decoded.env.iter().map(|(name, value)| (*name, *value)).collect())
}

/// How many requests may call the function at a time, in a process that serves request after request; `None` in one that
/// serves one, and where no host has loaded it.
#[cfg(feature = "tokio")]
pub(crate) fn concurrency() -> Option<u64> {
    let context = CONTEXT.read().unwrap_or_else(PoisonError::into_inner);
    abi::decode_load_context(context.as_deref()?).ok()?.concurrency
}

/// Runs what may install a subscriber for `tracing`, and else has its events logged.
fn logging<T>(load: impl FnOnce() -> T) -> T {
    #[cfg(feature = "tracing")]
    return crate::log::around(load);
    #[cfg(not(feature = "tracing"))]
    load()
}

fn loaded(message: &[u8], load: impl FnOnce(&LoadContext) -> Result<(), FezzError>) -> Result<(), String> {
    let context = abi::decode_load_context(message)
        .map_err(|error| format!("failed to decode the context: {error}"))?;
    called(|| {
        warm();
        logging(|| load(&LoadContext::from_wire(&context)))
    })
}

/// Calls an `on_load`, and describes its failure, a panic included.
pub(crate) fn called(load: impl FnOnce() -> Result<(), FezzError>) -> Result<(), String> {
    match guarded(load) {
        Ok(outcome) => outcome.map_err(described),
        Err(panic) => Err(format!("on_load panicked: {panic}")),
    }
}

fn described(error: FezzError) -> String {
    error.message().unwrap_or_else(|| {
        let status = error.into_response().status();
        format!("on_load returned a response (status {status}), but there is no request to answer")
    })
}

/// The response's message, whatever happens. A panic is a response that says so.
pub(crate) fn answer(message: &[u8], call: impl FnOnce(FezzRequest) -> FezzResponse) -> Vec<u8> {
    let answer = guarded(|| {
        let request = FezzWireRequest::decode(message).map_err(|error| error.to_string()).and_then(|wire| {
            FezzRequest::from_wire(&wire).map_err(|error| format!("{error}: {:?}", wire.method))
        });
        let response = match request {
            Ok(request) => call(request),
            Err(error) => {
                FezzResponse::failed(ErrorKind::Returned, format!("failed to decode the request: {error}"))
            }
        };
        response.encode()
    });
    answer.unwrap_or_else(|panic| FezzResponse::failed(ErrorKind::Panicked, panic).encode())
}

/// Runs code that may panic, and returns the panic's message and location if it does. Then flushes stdout, after
/// `on_load` too: otherwise each forked process would have a copy of the buffer, and write it.
fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    panic::watch();
    // `AssertUnwindSafe`: after a panic no other request sees the author's state, since the process ends with its
    // request. If `on_load` or `on_fork` panics, there is no request. In a worker and in the host's own process others do
    // see it, as the threads of any server.
    let caught = catch_unwind(AssertUnwindSafe(call));
    flush_log();
    caught.map_err(|payload| {
        let panic = panic::describe(&*payload);
        // The payload's own drop may panic, and no caller would catch it.
        std::mem::forget(payload);
        panic
    })
}

/// A shared library's stdout isn't flushed at exit, and the last `print!` without a newline would be lost.
fn flush_log() {
    // An error can't be logged if the log itself can't be written.
    let _ = std::io::stdout().flush();
}

/// The bytes that the caller lends.
///
/// # Safety
///
/// `slice` is readable for as long as it is borrowed; a null `ptr` is taken for no bytes.
unsafe fn bytes(slice: &FezzSlice) -> &[u8] {
    if slice.ptr.is_null() {
        return &[];
    }
    // SAFETY: `ptr` must be readable for `len` bytes while the result is in use, which the caller promises.
    unsafe { std::slice::from_raw_parts(slice.ptr, slice.len) }
}

fn give_away(bytes: Vec<u8>) -> FezzOwned {
    let len = bytes.len();
    FezzOwned { ptr: Box::into_raw(bytes.into_boxed_slice()).cast(), len }
}
