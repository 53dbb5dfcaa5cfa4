//! `on_load` and `on_fork` through their C functions: what goes in, what comes out, and that nothing unwinds.

mod common;

use common::{handle, request};
use fezz::LoadContext;
use fezz::prelude::*;
use fezz_wire::abi::{FezzOwned, FezzSlice, encode_load_context};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

const SIGABRT: i32 = 6;

/// Set in the process that a test starts to see it end.
const DOOMED: &str = "FEZZ_TEST_ON_FORK_PANICS";

static GREETING: OnceLock<String> = OnceLock::new();
static FORKS: AtomicU32 = AtomicU32::new(0);
static UNLOADS: AtomicU32 = AtomicU32::new(0);

#[fezz_function(on_load = load, on_fork = fork, on_unload = unload)]
fn greet(_: FezzRequest) -> String {
    GREETING.get().cloned().unwrap_or_default()
}

fn load(context: &LoadContext) -> Result<(), FezzError> {
    match context.env("FAIL") {
        None => {}
        Some("error") => return Err(std::io::Error::other("the disk is full").into()),
        Some("empty") => return Err(FezzError::new("")),
        Some("response") => return Err(FezzResponse::new(404).into()),
        Some(other) => panic!("out of {other}"),
    }
    let greeting = format!("{}@{} {:?}", context.function(), context.version(), context.env("NAME"));
    GREETING.set(greeting).map_err(|_| FezzError::new("loaded twice"))
}

fn fork() {
    FORKS.fetch_add(1, Ordering::SeqCst);
    if std::env::var_os(DOOMED).is_some() {
        print!("half a line");
        panic!("no entropy");
    }
}

fn unload() {
    UNLOADS.fetch_add(1, Ordering::SeqCst);
    panic!("too late to matter");
}

unsafe extern "C" {
    fn fezz_on_load_v2(context: FezzSlice) -> FezzOwned;
    fn fezz_on_fork_v2();
    fn fezz_on_unload_v2();
    fn fezz_free_v2(buffer: FezzOwned);
}

/// Sends a context; the text that came back, if any.
fn on_load(message: &[u8]) -> Option<String> {
    let slice = FezzSlice { ptr: message.as_ptr(), len: message.len() };
    // SAFETY: the slice must be readable for the call, and `message` is borrowed for longer.
    let owned = unsafe { fezz_on_load_v2(slice) };
    if owned.ptr.is_null() {
        return None;
    }
    // SAFETY: the buffer must be readable until it is freed, which is below.
    let bytes = unsafe { std::slice::from_raw_parts(owned.ptr, owned.len) };
    let text = String::from_utf8(bytes.to_vec()).expect("the failure is text");
    // SAFETY: the buffer must be the module's and freed once: it came from above, and nothing borrows it any more.
    unsafe { fezz_free_v2(owned) };
    Some(text)
}

fn on_fork() {
    // SAFETY: it has no condition.
    unsafe { fezz_on_fork_v2() }
}

fn check_failure(fail: &str, message: &str) {
    let env = [("FAIL".to_owned(), fail.to_owned())];
    let found = on_load(&encode_load_context("greet", "v1", &env)).expect("it failed");
    assert!(found.starts_with(message), "{found}");
}

#[test]
fn all_of_a_context_arrives_and_what_was_loaded_is_there_for_a_request() {
    let env = [("NAME".to_owned(), "Ada".to_owned())];
    assert_eq!(on_load(&encode_load_context("greet", "v1", &env)), None);
    let answer = handle(&request("/").encode());
    assert_eq!((answer.status, answer.body.as_str()), (200, "greet@v1 Some(\"Ada\")"));
    assert_eq!((answer.headers.len(), answer.error), (1, None));
}

#[test]
fn a_returned_error_is_the_text() {
    check_failure("error", "the disk is full");
}

#[test]
fn a_panic_is_a_text_that_says_what_and_where() {
    check_failure("luck", "on_load panicked: out of luck, at crates/fezz/tests/hooks.rs:");
}

#[test]
fn an_error_that_says_nothing_is_no_success() {
    check_failure("empty", "on_load failed with an empty message");
}

#[test]
fn of_a_response_as_an_error_only_the_status_is_logged() {
    check_failure("response", "on_load returned a response (status 404), but there is no request to answer");
}

#[test]
fn a_context_that_cannot_be_decoded_is_an_error() {
    let failure = on_load(b"\xa0");
    assert_eq!(failure.as_deref(), Some("failed to decode the context: key `function` is missing"));
}

#[test]
fn on_fork_is_called_each_time() {
    let before = FORKS.load(Ordering::SeqCst);
    on_fork();
    on_fork();
    assert_eq!(FORKS.load(Ordering::SeqCst), before + 2);
}

#[test]
fn on_unload_is_called_and_its_panic_does_not_unwind() {
    // SAFETY: it has no condition.
    unsafe { fezz_on_unload_v2() };
    assert_eq!(UNLOADS.load(Ordering::SeqCst), 1);
}

#[test]
fn a_panic_in_on_fork_ends_the_process_and_says_why() {
    if std::env::var_os(DOOMED).is_some() {
        return on_fork();
    }
    let this_test = ["--exact", "a_panic_in_on_fork_ends_the_process_and_says_why", "--nocapture"];
    let this_program = std::env::current_exe().expect("a test has a program");
    let ended = Command::new(this_program).args(this_test).env(DOOMED, "1").output().expect("it starts");
    assert_eq!(ended.status.signal(), Some(SIGABRT));
    let log = String::from_utf8_lossy(&ended.stderr);
    assert!(
        log.contains("fezz: on_fork panicked, and so this process must not serve: no entropy, at "),
        "{log}"
    );
    assert!(ended.stdout.ends_with(b"half a line"), "what it had printed is flushed");
}
