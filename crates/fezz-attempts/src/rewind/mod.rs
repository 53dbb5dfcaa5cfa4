//! Attempts on a process that serves request after request, and that the host puts back to its snapshot after each
//! (`"execution": "rewind"`). In each, one request leaves something and a later one looks for it. That shows something
//! only if both ran in the same process, which the host's log tells.
//!
//! - `memory`, `libraries`: what is in the process's memory.
//! - `registers`: what is in the processor. `stub` parks the process by the runner's own code, with any registers.
//! - `parking`, `threads`: other ways to end a request, and threads that go on after it.
//! - `calls`, `signals`, `files`: what system calls change or show. A process that made one of these doesn't serve again.
//!
//! The steps of an attempt, each a request:
//!
//! 1. `control`: leaves it and looks for it in the same request. If that doesn't find it, the attempt is worthless.
//! 2. `mark`: leaves it.
//! 3. `look`: looks for it.

use crate::attempt::{Action, Attempt, Expected};
use crate::found::Found;
use crate::params::Params;
use crate::state::Own;
use crate::sys;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

mod memory;

mod libraries;

pub(crate) mod registers;
mod setters;
mod stub;

mod parking;
mod threads;

mod calls;
mod files;
mod signals;

pub(crate) use memory::note_request;

/// The theme's parts.
pub(crate) const PARTS: &[&[Attempt]] = &[
    CONTROL,
    memory::ATTEMPTS,
    libraries::ATTEMPTS,
    registers::ATTEMPTS,
    parking::ATTEMPTS,
    threads::ATTEMPTS,
    signals::ATTEMPTS,
    calls::ATTEMPTS,
    files::ATTEMPTS,
];

/// By this the host finds out whether processes serve again at all.
const CONTROL: &[Attempt] = &[restored(
    "serve-again",
    "serve another request (it may: this shows that the others show something)",
    &Own { leave: || Ok(()), is_there: is_control },
)];

/// An attempt after which the same process serves another request, which finds nothing.
const fn restored(id: &'static str, tries: &'static str, own: &'static Own) -> Attempt {
    two_parts(id, tries, own).expected(Expected::Restored)
}

/// An attempt after which another process serves the next request, and finds nothing.
const fn replaced(id: &'static str, tries: &'static str, own: &'static Own) -> Attempt {
    two_parts(id, tries, own).expected(Expected::Replaced)
}

/// An attempt after which it is the host's choice.
const fn either(id: &'static str, tries: &'static str, own: &'static Own) -> Attempt {
    two_parts(id, tries, own).expected(Expected::RestoredOrReplaced)
}

/// An attempt that may end its process before there is a response.
const fn killed(id: &'static str, tries: &'static str, own: &'static Own) -> Attempt {
    two_parts(id, tries, own).expected(Expected::Killed)
}

const fn two_parts(id: &'static str, tries: &'static str, own: &'static Own) -> Attempt {
    Attempt { action: Action::TwoParts(own), ..Attempt::new(id, tries, |_| Found::Refused(String::new())) }
}

/// Whether this request is the step `control`.
static IS_CONTROL: AtomicBool = AtomicBool::new(false);

/// The `is_there` of an attempt that leaves nothing: what counts is which process serves the next request.
fn is_control() -> io::Result<bool> {
    Ok(IS_CONTROL.load(Ordering::Relaxed))
}

/// The step of the attempt that `params` names.
pub(crate) fn step(own: &Own, params: &Params<'_>) -> Found {
    IS_CONTROL.store(params.text("step") == "control", Ordering::Relaxed);
    match params.text("step") {
        "control" => match (own.leave)().and_then(|()| (own.is_there)()) {
            Ok(true) => Found::Worked("the same request found it".to_owned()),
            Ok(false) => Found::Blind("the same request left it, and didn't find it".to_owned()),
            Err(error) => failed(&error),
        },
        "mark" => (own.leave)().map_or_else(|error| failed(&error), |()| Found::Worked(LEFT.to_owned())),
        _ => look(own),
    }
}

/// The detail of a step `mark` that has left its mark.
const LEFT: &str = "left it";

fn look(own: &Own) -> Found {
    match (own.is_there)() {
        Ok(true) => Found::Worked("a later request found it".to_owned()),
        Ok(false) => Found::Refused(LOOKED.to_owned()),
        Err(error) => Found::Refused(format!("{LOOKED}: {}", sys::name(&error))),
    }
}

/// The detail of a step `look` that has found nothing.
const LOOKED: &str = "a later request looked for it";

/// A step that can't be made: refused, or impossible on this machine.
fn failed(error: &io::Error) -> Found {
    match error.raw_os_error() {
        Some(_) if sys::is_denial(error) => Found::Refused(sys::name(error)),
        _ => Found::Untried(sys::name(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fezz_wire::abi::FezzSlice;
    use fezz_wire::{FezzWireRequest, FezzWireResponse, Meta};

    /// The body of the answer to a request, through the module's entry.
    fn request(id: &str, step: &str) -> String {
        let padding = "P".repeat(if step == "look" { 0 } else { 256 });
        let body = format!("step={step}\npadding={padding}\n");
        let (request_id, function, version) = ("1", "attempts", "v1");
        let meta =
            Meta { request_id, function, version, deadline_ms: 1000, client_ip: None, original_uri: None };
        let request = FezzWireRequest {
            method: "POST",
            uri: &format!("/{id}"),
            authority: None,
            scheme: None,
            headers: vec![],
            params: Default::default(),
            body: body.as_bytes(),
            meta,
        };
        let message = request.encode();
        let answer = crate::fezz_handle_v2(FezzSlice { ptr: message.as_ptr(), len: message.len() });
        // SAFETY: the module gives so many bytes there, and never frees them.
        let answer = unsafe { std::slice::from_raw_parts(answer.ptr, answer.len) };
        String::from_utf8_lossy(FezzWireResponse::decode(answer).unwrap().body).into_owned()
    }

    /// What `act` returns, called in a process of its own, which has none of the tests' descriptors.
    fn apart(act: impl FnOnce() -> i32) -> i32 {
        // SAFETY: the child only makes the attempt; glibc's malloc works in it (fork(2)).
        let child = unsafe { libc::fork() };
        if child == 0 {
            let null = crate::files::open(c"/dev/null", libc::O_RDWR).unwrap();
            let null = std::os::fd::AsRawFd::as_raw_fd(&null) as usize;
            (0..3).for_each(|at| drop(sys::call(libc::SYS_dup3, &[null, at, 0])));
            sys::call(libc::SYS_close_range, &[3, u32::MAX as usize, 0]).unwrap();
            sys::call(libc::SYS_exit_group, &[act() as usize]).unwrap();
        }
        let mut status = 0;
        sys::call(libc::SYS_wait4, &[child as usize, sys::at_mut(&mut status), 0, 0]).unwrap();
        if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -libc::WTERMSIG(status) }
    }

    /// The results of a request, as exit statuses.
    const FOUND: i32 = 0;
    const UNTRIED: i32 = 1;
    const BLIND: i32 = 2;
    const NOT_FOUND: i32 = 3;

    fn status(body: &str) -> i32 {
        match body {
            _ if body.contains(r#""result":"worked""#) => FOUND,
            _ if body.contains(r#""result":"blind""#) => BLIND,
            _ if body.contains(LOOKED) => NOT_FOUND,
            _ => UNTRIED,
        }
    }

    fn all() -> impl Iterator<Item = &'static str> {
        let two_parts = |attempt: &&Attempt| matches!(attempt.action, Action::TwoParts(_));
        PARTS.iter().copied().flatten().filter(two_parts).map(|attempt| attempt.id)
    }

    /// A test's thread has only 2 MiB of stack, and not every processor has every register.
    const NOT_EVERYWHERE: [&str; 6] = [
        "keep-stack-growth",
        "keep-avx-registers",
        "keep-avx512-registers",
        "keep-mask-registers",
        "keep-protection-keys",
        "keep-runner-memory",
    ];

    #[test]
    fn the_same_request_finds_what_it_left() {
        for id in all() {
            let status = apart(|| status(&request(id, "control")));
            let may_be_missing = NOT_EVERYWHERE.contains(&id) && ![BLIND, NOT_FOUND].contains(&status);
            assert!(status == FOUND || may_be_missing, "{id}: {status}");
        }
    }

    #[test]
    fn the_next_request_finds_what_one_left_in_a_process_that_is_not_put_back() {
        // Here is no runner, by whose instructions a request could park.
        for id in all().filter(|id| !NOT_EVERYWHERE.contains(id)) {
            let status = apart(|| match status(&request(id, "mark")) {
                FOUND => status(&request(id, "look")),
                other => other,
            });
            let leaves_nothing = id.starts_with("see-") || id.starts_with("serve-");
            let expected = if leaves_nothing { &[NOT_FOUND][..] } else { &[FOUND, UNTRIED] };
            assert!(expected.contains(&status), "{id}: {status}");
        }
    }
}
