//! An async function on tokio's runtime.

#![cfg(feature = "tokio")]

mod common;

use common::{handle, request};
use fezz::prelude::*;
use fezz_wire::ErrorKind;
use std::time::{Duration, Instant};

const BLOCKED: Duration = Duration::from_secs(30);

#[fezz_function]
async fn timed(request: FezzRequest) -> Result<&'static str, fezz::Error> {
    match request.path.as_str() {
        "/panic" => panic!("in the runtime"),
        // Has begun before the function returns, and goes on for long after it.
        "/blocking" => {
            let (began, begins) = tokio::sync::oneshot::channel();
            tokio::task::spawn_blocking(move || {
                began.send(()).expect("the function waits for it");
                std::thread::sleep(BLOCKED);
            });
            begins.await.expect("the task began");
        }
        _ => tokio::spawn(tokio::time::sleep(Duration::from_millis(1))).await?,
    }
    Ok("done")
}

#[test]
fn timers_and_tasks_work() {
    let answer = handle(&request("/").encode());
    assert_eq!((answer.status, answer.body.as_str()), (200, "done"));
    assert_eq!(answer.headers.len(), 1);
}

#[test]
fn a_blocking_task_does_not_hold_up_the_answer() {
    let begun = Instant::now();
    assert_eq!(handle(&request("/blocking").encode()).status, 200);
    assert!(begun.elapsed() < BLOCKED);
}

#[test]
fn a_panic_in_the_runtime_is_an_answer() {
    let (kind, message) = handle(&request("/panic").encode()).error.expect("it panicked");
    assert_eq!(kind, ErrorKind::Panicked);
    assert!(message.starts_with("in the runtime, at "), "{message}");
}
