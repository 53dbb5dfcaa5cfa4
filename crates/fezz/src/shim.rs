//! What the C functions that `#[fezz_function]` prints call. No part of the API: it changes with the macro.

use crate::{Context, IntoResponse, Request, Response, panic};
use fezz_wire::{ErrorKind, FezzWireRequest};
use std::any::Any;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use fezz_wire::abi::{FezzOwned, FezzSlice};

/// `fezz_handle_v2`: decodes the request, calls the function, encodes the response. Never unwinds.
///
/// # Safety
///
/// `request` is readable for the whole call; a null `ptr` is taken for no bytes.
pub unsafe fn handle(request: FezzSlice, call: impl FnOnce(Request, Context) -> Response) -> FezzOwned {
    let message = if request.ptr.is_null() {
        &[]
    } else {
        // SAFETY: `ptr` must be readable for `len` bytes, which the caller promises for the whole call; what is
        // decoded from `message` is copied before `answer` returns.
        unsafe { std::slice::from_raw_parts(request.ptr, request.len) }
    };
    give_away(answer(message, call))
}

/// `fezz_free_v2`: frees a buffer. Null is ignored.
///
/// # Safety
///
/// `buffer` is null, or came from [`handle`] and wasn't freed before.
pub unsafe fn free(buffer: FezzOwned) {
    if !buffer.ptr.is_null() {
        let bytes = std::ptr::slice_from_raw_parts_mut(buffer.ptr, buffer.len);
        // SAFETY: the pointer must be one that `Box::into_raw` gave, taken back once: the caller promises that it is
        // one of `give_away`, with its length, and the first to come back.
        drop(unsafe { Box::from_raw(bytes) });
    }
}

/// Runs an async function to its end: with the feature `tokio` on a runtime of its own, else on this thread alone.
pub fn block_on<F: Future<Output: IntoResponse>>(future: F) -> Response {
    #[cfg(not(feature = "tokio"))]
    return pollster::block_on(future).into_response();
    #[cfg(feature = "tokio")]
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let response = runtime.block_on(future).into_response();
            // Dropping would wait for what `spawn_blocking` runs; the answer doesn't.
            runtime.shutdown_background();
            response
        }
        Err(error) => {
            Response::failed(ErrorKind::Returned, format!("failed to start the tokio runtime: {error}"))
        }
    }
}

fn answer(message: &[u8], call: impl FnOnce(Request, Context) -> Response) -> Vec<u8> {
    panic::watch();
    // Whatever the function left half done goes with the process or with its request: nobody else sees it.
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let response = match FezzWireRequest::decode(message) {
            Ok(wire) => call(Request::from_wire(&wire), Context::from_wire(&wire.meta)),
            Err(error) => {
                Response::failed(ErrorKind::Returned, format!("failed to decode the request: {error}"))
            }
        };
        response.encode()
    }));
    flush_log();
    caught.unwrap_or_else(panicked)
}

fn panicked(payload: Box<dyn Any + Send>) -> Vec<u8> {
    let message = panic::describe(&*payload);
    // The payload's own drop may panic, and nothing is left that would catch it.
    std::mem::forget(payload);
    Response::failed(ErrorKind::Panicked, message).encode()
}

/// A shared library's stdout isn't flushed at exit, and the last `print!` without a newline would be lost.
fn flush_log() {
    // A log that can't be written is nothing that the log could say.
    let _ = std::io::stdout().flush();
}

fn give_away(bytes: Vec<u8>) -> FezzOwned {
    let len = bytes.len();
    FezzOwned { ptr: Box::into_raw(bytes.into_boxed_slice()).cast(), len }
}
