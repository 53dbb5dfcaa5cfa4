//! A module, and a program (`main`), that tries to do what a jail forbids: one attempt a request, named by the last segment of the path. For
//! `hhrf check-jail`, which sends the requests, sets the baits and judges.
//!
//! `list` has all attempts; the host asks for it first. `attempt` describes one, `params` the check's baits, `found` is
//! the result of an attempt, `sys` makes system calls. Each other file is one theme, with a table of its attempts.
//!
//! No attempt does lasting harm without a jail, even as root. Signals go to victims that the check has started. Calls
//! that can't be undone have arguments that the kernel refuses after its check of privileges. Every attempt on a
//! resource has a cap.

mod attempt;
mod found;
mod list;
mod params;
mod probe;
mod sys;

mod descriptors;
mod devices;
mod environment;
mod files;
mod ipc;
mod kernel;
mod locks;
mod namespaces;
mod network;
mod privileges;
mod processes;
mod procfs;
mod resources;
#[cfg(target_arch = "x86_64")]
mod rewind;
mod siblings;
mod signals;
mod state;
mod tracing;
#[cfg(target_arch = "x86_64")]
mod x86;

use fezz_wire::abi::{FezzOwned, FezzSlice};
use fezz_wire::{FezzWireRequest, FezzWireResponse};
use found::Found;
use params::Params;

/// The module's entry. It first writes down the processor's registers: an earlier request may have left something there.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub extern "C" fn fezz_handle_v2(request: FezzSlice) -> FezzOwned {
    std::arch::naked_asm!(
        "lea r10, [rip + {entry}]",
        "call {capture}",
        "jmp {handle}",
        entry = sym rewind::registers::ENTRY,
        capture = sym rewind::registers::capture,
        handle = sym handle,
    )
}

/// The module's entry.
#[cfg(not(target_arch = "x86_64"))]
#[unsafe(no_mangle)]
pub extern "C" fn fezz_handle_v2(request: FezzSlice) -> FezzOwned {
    handle(request)
}

extern "C" fn handle(request: FezzSlice) -> FezzOwned {
    // SAFETY: the slice must be readable for the call, and not null: the ABI says that the runner passes such a one.
    let message = unsafe { std::slice::from_raw_parts(request.ptr, request.len) };
    #[cfg(target_arch = "x86_64")]
    rewind::note_request(message);
    let bytes = respond(message).leak();
    FezzOwned { ptr: bytes.as_mut_ptr(), len: bytes.len() }
}

/// Makes the attempt that a request names, and returns the response.
pub fn respond(message: &[u8]) -> Vec<u8> {
    let (status, body) = match FezzWireRequest::decode(message) {
        Ok(request) => answer(&request),
        Err(error) => (400, error.to_string()),
    };
    response(status, &body)
}

fn response(status: u16, body: &str) -> Vec<u8> {
    FezzWireResponse { status, headers: vec![], body: body.as_bytes(), error: None }.encode()
}

/// Nothing is ever freed: the process ends first.
#[unsafe(no_mangle)]
pub extern "C" fn fezz_free_v2(_buffer: FezzOwned) {}

fn answer(request: &FezzWireRequest<'_>) -> (u16, String) {
    let path = request.uri.split('?').next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let Some(params) = Params::parse(request.body) else {
        return (400, "the body is no text of `name=value` lines".to_owned());
    };
    match name {
        "list" => (200, list::to_json()),
        "ready" => (200, Found::Untried("nothing is attempted".to_owned()).to_json()),
        _ => match list::attempt(name, &params) {
            Some(found) => (200, found.to_json()),
            None => (404, format!("no attempt is called `{name}`")),
        },
    }
}
