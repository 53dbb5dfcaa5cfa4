//! An async function without a runtime: it waits for another thread, and may panic while it does.

#![cfg(not(feature = "tokio"))]

mod common;

use common::{handle, request};
use fezz::prelude::*;
use fezz_wire::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

#[fezz_function]
async fn patient(request: FezzRequest) -> &'static str {
    AnotherThread::default().await;
    if request.path == "/timer" {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    if request.path == "/panic" {
        panic!("impatient");
    }
    "done"
}

/// Ready when a thread, started on the first poll, says so.
#[derive(Default)]
struct AnotherThread(Option<Arc<AtomicBool>>);

impl Future for AnotherThread {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<()> {
        if let Some(done) = &self.0 {
            return if done.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending };
        }
        let done = Arc::new(AtomicBool::new(false));
        self.0 = Some(Arc::clone(&done));
        let waker = context.waker().clone();
        std::thread::spawn(move || {
            done.store(true, Ordering::SeqCst);
            waker.wake();
        });
        Poll::Pending
    }
}

#[test]
fn an_async_function_is_waited_for() {
    let answer = handle(&request("/").encode());
    assert_eq!((answer.status, answer.body.as_str()), (200, "done"));
    assert_eq!(answer.headers.len(), 1);
}

#[test]
fn a_panic_behind_an_await_is_an_answer() {
    let (kind, message) = handle(&request("/panic").encode()).error.expect("it panicked");
    assert_eq!(kind, ErrorKind::Panicked);
    assert!(message.starts_with("impatient, at "), "{message}");
}

#[test]
fn tokio_without_its_runtime_names_the_feature() {
    let (_, message) = handle(&request("/timer").encode()).error.expect("it panicked");
    assert!(message.contains("enable the feature `tokio` of fezz"), "{message}");
}
