//! Deadlines, limits and clients that leave: what ends a call, and what can't.

use crate::functions::{Does, Dropped, Events, add, for_ever};
use crate::harness::{Answer, Running, config, wait_for};
use fezz::function::OwnedFunctionManifest;
use fezz::prelude::*;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

/// With a deadline of one second.
async fn with_deadline(config: HhrfConfig, function: impl FezzFunction + 'static) -> Running {
    let server = HhrfServer::new(config);
    let manifest = OwnedFunctionManifest::new("f", "v1", "*", "/f").timeout(1);
    server.register_with_manifest(manifest, Box::new(function)).await.unwrap();
    Running::start(&server).await
}

/// Whether the one event has come.
async fn wait_until_dropped(events: &Events) {
    wait_for("the future's end", async || *events.lock().unwrap() == ["dropped"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_future_is_dropped_at_its_deadline() {
    let events = Events::default();
    let seen = Events::clone(&events);
    let running = with_deadline(config(), Does(move |_, _| for_ever(Dropped(Events::clone(&seen))))).await;
    assert_eq!(running.get("/f").await.error(), (504, Some("deadline_exceeded")));
    wait_until_dropped(&events).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_future_is_dropped_when_its_client_leaves() {
    let events = Events::default();
    let seen = Events::clone(&events);
    let begun = Arc::new(tokio::sync::Notify::new());
    let begins = Arc::clone(&begun);
    let function = Does(move |_, _| {
        begins.notify_one();
        for_ever(Dropped(Events::clone(&seen)))
    });
    let running = Running::with(config(), function).await;
    let client = running.begin("/f");
    begun.notified().await;
    drop(client);
    wait_until_dropped(&events).await;
    running.stop().await;
}

/// Blocks its thread until the test lets it go on.
#[derive(Clone)]
struct Blocks(Arc<Mutex<Receiver<()>>>);

fn blocks() -> (Sender<()>, Blocks) {
    let (go_on, wait) = channel();
    (go_on, Blocks(Arc::new(Mutex::new(wait))))
}

impl Blocks {
    fn block(&self) -> FezzResponse {
        self.0.lock().unwrap().recv().unwrap();
        FezzResponse::text("at last")
    }
}

/// In the runtime's own thread.
#[async_trait]
impl FezzFunction for Blocks {
    async fn fetch(&self, _: FezzRequest, _: &FunctionContext) -> Result<FezzResponse, FezzError> {
        Ok(self.block())
    }

    fn name(&self) -> &str {
        "blocks"
    }
}

/// A thread that blocks is counted while it goes on after its deadline, and then no more.
async fn a_blocked_call_is_counted_and_bounded(running: Running, go_on: Sender<()>) {
    assert_eq!(running.get("/f").await.error(), (504, Some("deadline_exceeded")));
    running.wait_for_metric("fezz_overdue_calls{function=\"f@v1\"}", 1).await;
    let refused = running.get("/f").await;
    assert_eq!(refused.error(), (503, Some("overloaded")));
    go_on.send(()).unwrap();
    running.wait_for_metric("fezz_overdue_calls{function=\"f@v1\"}", 0).await;
    go_on.send(()).unwrap();
    assert_eq!(running.get("/f").await.text(), "at last");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_that_blocks_is_answered_504_counted_and_bounded() {
    let (go_on, function) = blocks();
    let running = with_deadline(config().set("overdue", 1), function).await;
    a_blocked_call_is_counted_and_bounded(running, go_on).await;
}

static BLOCKED: Mutex<Option<Blocks>> = Mutex::new(None);

#[fezz_function(id = "f", path = "/f", timeout = 1, export = false)]
fn blocking(request: FezzRequest) -> FezzResponse {
    // What works on goes on counting, even without its request.
    drop(request);
    let blocks = BLOCKED.lock().unwrap().clone().unwrap();
    blocks.block()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_of_the_attributes_function_counts_until_it_ends() {
    let (go_on, blocks) = blocks();
    *BLOCKED.lock().unwrap() = Some(blocks);
    let running = Running::with(config().set("overdue", 1), BlockingFunction::new()).await;
    a_blocked_call_is_counted_and_bounded(running, go_on).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_concurrency_and_queue_are_refused() {
    let (events, let_go) = (Events::default(), Arc::new(tokio::sync::Semaphore::new(0)));
    let (seen, permits) = (Events::clone(&events), Arc::clone(&let_go));
    let function = Does(move |_, _| {
        let (seen, permits) = (Events::clone(&seen), Arc::clone(&permits));
        async move {
            add(&seen, "begun");
            permits.acquire().await.unwrap().forget();
            Ok(FezzResponse::text("done"))
        }
    });
    let running = Running::with(config().limit("concurrency", 1).limit("queue", 1), function).await;
    let first = running.begin("/f");
    wait_for("the first call", async || events.lock().unwrap().len() == 1).await;
    let second = running.begin("/f");
    running.wait_for_metric("fezz_queued{function=\"f@v1\"}", 1).await;
    assert_eq!(running.get("/f").await.error(), (503, Some("overloaded")));
    let_go.add_permits(2);
    for client in [first, second] {
        assert_eq!(tokio::task::spawn_blocking(|| Answer::read(client)).await.unwrap().text(), "done");
    }
    running.stop().await;
}
