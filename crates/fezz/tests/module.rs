//! A function through its C functions: what goes in, what comes out, and that nothing unwinds.

mod common;

use common::{Answer, handle, request};
use fezz::prelude::*;
use fezz_wire::ErrorKind;
use std::panic::{catch_unwind, panic_any, resume_unwind};

#[fezz_function(id = "test", version = "v1", path = "/{*rest}", timeout = 2)]
fn module(request: FezzRequest, context: &FunctionContext) -> Result<FezzResponse, FezzError> {
    match request.path.as_str() {
        "/describe" => Ok(describe(&request, context)),
        "/cookies" => {
            Ok(FezzResponse::new(204).added_header("Set-Cookie", "a").added_header("Set-Cookie", b"\xff"))
        }
        "/error" => Err(std::io::Error::other("the disk is full").into()),
        "/panic" => panic!("out of {}", "luck"),
        "/panic-any" => panic_any(Bomb),
        "/panic-caught" => Ok(FezzResponse::text(format!("{}", catch_unwind(|| panic!("caught")).is_err()))),
        "/resume" => resume_unwind(Box::new("resumed")),
        other => Ok(FezzResponse::text(other).with_status(404)),
    }
}

/// A payload that panics again where it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload's drop");
    }
}

fn describe(request: &FezzRequest, context: &FunctionContext) -> FezzResponse {
    let headers: Vec<_> =
        request.header_list().iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    assert!(context.time_left().as_secs() <= 30);
    FezzResponse::text(format!(
        "{} {} {:?} {:?} [{}] id={:?} body={:?} {} {}@{} {:?} {:?}",
        request.method,
        request.uri(),
        request.authority(),
        request.scheme(),
        headers.join(" "),
        request.param("id"),
        request.text(),
        context.request_id(),
        context.function_name(),
        context.version(),
        context.client_ip(),
        request.original_uri(),
    ))
}

fn get(uri: &str) -> Answer {
    handle(&request(uri).encode())
}

fn check_failure(answer: &Answer, kind: ErrorKind, message: &str) {
    assert_eq!((answer.status, answer.body.as_str()), (500, ""));
    let (found_kind, found) = answer.error.as_ref().expect("the answer is an error");
    assert_eq!(*found_kind, kind);
    assert!(found.starts_with(message), "{found}");
}

#[test]
fn all_of_a_request_arrives() {
    let mut request = request("/describe?a=b");
    request.method = "POST";
    request.headers = vec![("x-a", b"1"), ("x-b", b"\xff"), ("x-a", b"2")];
    request.params = [("id", "7")].into();
    request.body = b"hello";
    request.meta.client_ip = Some("::1");
    request.meta.original_uri = Some("/rpc/test/describe?a=b");
    let answer = handle(&request.encode());
    assert_eq!(
        answer.body,
        "POST /describe?a=b Some(\"example.com:3000\") Some(\"http\") [x-a=[49] x-b=[255] x-a=[50]] \
         id=Some(\"7\") body=Ok(\"hello\") r1 test@v1 Some(\"::1\") \
         Some(\"/rpc/test/describe?a=b\")"
    );
}

#[test]
fn all_of_a_response_leaves() {
    let answer = get("/cookies");
    let cookie = |value: &[u8]| ("set-cookie".to_owned(), value.to_vec());
    assert_eq!(answer.status, 204);
    assert_eq!(answer.headers, [cookie(b"a"), cookie(b"\xff")]);
    assert!(answer.body.is_empty() && answer.error.is_none());
}

#[test]
fn a_returned_error_is_for_the_log() {
    check_failure(&get("/error"), ErrorKind::Returned, "the disk is full");
}

#[test]
fn a_panic_says_what_and_where() {
    check_failure(&get("/panic"), ErrorKind::Panicked, "out of luck, at crates/fezz/tests/module.rs:");
}

#[test]
fn a_payload_that_is_no_text_and_panics_when_dropped_is_still_an_answer() {
    check_failure(&get("/panic-any"), ErrorKind::Panicked, "panic with a payload that is no text, at crates");
}

#[test]
fn a_panic_that_is_caught_is_none() {
    let answer = get("/panic-caught");
    assert_eq!((answer.status, answer.body.as_str()), (200, "true"));
}

#[test]
fn a_panic_without_a_place_claims_none() {
    get("/panic");
    let answer = get("/resume");
    assert_eq!(answer.error, Some((ErrorKind::Panicked, "resumed".to_owned())));
}

#[test]
fn a_request_that_cannot_be_decoded_is_an_error() {
    check_failure(
        &handle(b"\xa0"),
        ErrorKind::Returned,
        "failed to decode the request: key `method` is missing",
    );
    check_failure(
        &handle(b""),
        ErrorKind::Returned,
        "failed to decode the request: message ends after 0 bytes",
    );
}

#[test]
fn a_deadline_beyond_every_clock_is_no_panic() {
    let mut request = request("/other");
    request.meta.deadline_ms = u64::MAX;
    assert_eq!(handle(&request.encode()).status, 404);
}

#[cfg(target_os = "linux")]
#[test]
fn the_manifest_is_read_without_running_the_module() {
    use object::{Object, ObjectSection};

    let module = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let module = object::File::parse(&*module).unwrap();
    let section = module.section_by_name(fezz_wire::abi::MANIFEST_SECTION).expect("the section is there");
    assert_eq!(
        str::from_utf8(section.data().unwrap()).unwrap(),
        r#"{"id":"test","routes":[{"method":"GET","path":"/{*rest}"}],"timeout_ms":2000,"version":"v1"}"#
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_module_has_only_the_functions_that_were_asked_for() {
    use object::{Object, ObjectSymbol};

    let module = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let module = object::File::parse(&*module).unwrap();
    let names = module.symbols().filter_map(|symbol| symbol.name().ok());
    let mut functions: Vec<_> =
        names.filter(|name| name.starts_with("fezz_") && name.ends_with("_v2")).collect();
    functions.sort_unstable();
    assert_eq!(functions, ["fezz_free_v2", "fezz_handle_v2"]);
}
