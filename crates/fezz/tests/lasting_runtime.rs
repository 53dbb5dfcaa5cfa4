//! One tokio runtime for all requests of a process that serves request after request.

#![cfg(feature = "tokio")]

mod common;

use common::{handle, request};
use fezz::prelude::*;
use fezz_wire::abi::{FezzOwned, FezzSlice, encode_lasting_load_context};
use std::sync::Mutex;
use tokio::sync::{mpsc, oneshot};

/// A task that a request has started, as that of a connection; later requests ask it.
static CONNECTION: Mutex<Option<mpsc::UnboundedSender<oneshot::Sender<u32>>>> = Mutex::new(None);

fn connect() -> mpsc::UnboundedSender<oneshot::Sender<u32>> {
    let (asker, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<u32>>();
    tokio::spawn(async move {
        let mut answered = 0;
        while let Some(answer) = asked.recv().await {
            answered += 1;
            answer.send(answered).ok();
        }
    });
    asker
}

#[fezz_function]
async fn ask(request: FezzRequest) -> Result<String, fezz::Error> {
    if request.path == "/panic" {
        panic!("in the runtime");
    }
    let connection = CONNECTION.lock().expect("no one panics").get_or_insert_with(connect).clone();
    let (answer, answered) = oneshot::channel();
    connection.send(answer)?;
    Ok(answered.await?.to_string())
}

unsafe extern "C" {
    fn fezz_on_load_v2(context: FezzSlice) -> FezzOwned;
}

#[test]
fn a_task_of_one_request_serves_the_next_on_any_thread() {
    let context = encode_lasting_load_context("ask", "v1", &[], 4);
    let slice = FezzSlice { ptr: context.as_ptr(), len: context.len() };
    // SAFETY: the slice must be readable for the call, and `context` lives longer.
    assert!(unsafe { fezz_on_load_v2(slice) }.ptr.is_null());
    assert_eq!(handle(&request("/").encode()).body, "1");
    let panicked = handle(&request("/panic").encode());
    assert!(panicked.status == 500 && panicked.error.is_some() && panicked.headers.is_empty());
    let others = [(); 4].map(|()| std::thread::spawn(|| handle(&request("/").encode()).body));
    let mut answers = others.map(|other| other.join().expect("it answers"));
    answers.sort_unstable();
    assert_eq!(answers, ["2", "3", "4", "5"]);
}
