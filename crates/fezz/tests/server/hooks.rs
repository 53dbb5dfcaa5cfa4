//! `on_load` and `on_unload`: called once each, whatever becomes of who asked, and no hook stops the server.

use crate::functions::{Does, Events, Lives, add, says};
use crate::harness::{Running, SIGNALS, config, wait_for};
use fezz::prelude::*;
use fezz::server::ServerError;
use rustix::process::{Signal, getpid, kill_process};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Blocks the thread of a hook until the test's end of the channel is dropped.
struct Blocks {
    hook: &'static str,
    events: Events,
    wait: Mutex<Receiver<()>>,
}

fn blocks(hook: &'static str) -> (Sender<()>, Events, Blocks) {
    let ((go_on, wait), events) = (channel(), Events::default());
    (go_on, Events::clone(&events), Blocks { hook, events, wait: Mutex::new(wait) })
}

impl Blocks {
    fn run(&self, hook: &'static str) {
        add(&self.events, hook);
        if hook == self.hook {
            self.wait.lock().unwrap().recv().unwrap_err();
        }
    }
}

#[async_trait]
impl FezzFunction for Blocks {
    async fn on_load(&mut self, _: &FunctionContext) -> Result<(), FezzError> {
        self.run("load");
        Ok(())
    }

    async fn fetch(&self, _: FezzRequest, _: &FunctionContext) -> Result<FezzResponse, FezzError> {
        Ok(FezzResponse::text("blocks"))
    }

    async fn on_unload(&mut self, _: &FunctionContext) -> Result<(), FezzError> {
        self.run("unload");
        Ok(())
    }

    fn name(&self) -> &str {
        "blocks"
    }
}

async fn wait_for_event(events: &Events, event: &str) {
    wait_for(event, async || events.lock().unwrap().iter().any(|other| other == event)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hook_that_blocks_its_thread_stops_no_request() {
    let running = Running::with(config(), says("first")).await;
    for hook in ["load", "unload"] {
        let (go_on, events, function) = blocks(hook);
        let server = running.server.clone();
        let lives = tokio::spawn(async move {
            server.register_function("g", Box::new(function)).await?;
            server.unregister_function("g").await
        });
        wait_for_event(&events, hook).await;
        assert_eq!(running.get("/f").await.text(), "first");
        drop(go_on);
        lives.await.unwrap().unwrap();
    }
    running.stop().await;
}

/// Waits in one of its methods until the test lets it go on.
struct Waits {
    method: &'static str,
    events: Events,
    go_on: Arc<Notify>,
}

impl Waits {
    async fn run(&self, method: &'static str) {
        add(&self.events, method);
        if method == self.method {
            self.go_on.notified().await;
        }
    }
}

#[async_trait]
impl FezzFunction for Waits {
    async fn on_load(&mut self, _: &FunctionContext) -> Result<(), FezzError> {
        self.run("load").await;
        Ok(())
    }

    async fn fetch(&self, request: FezzRequest, _: &FunctionContext) -> Result<FezzResponse, FezzError> {
        if request.path == "/g/waits" {
            self.run("fetch").await;
        }
        Ok(FezzResponse::text("waited"))
    }

    async fn on_unload(&mut self, _: &FunctionContext) -> Result<(), FezzError> {
        self.run("unload").await;
        Ok(())
    }

    fn name(&self) -> &str {
        "waits"
    }
}

fn waits_in(method: &'static str) -> (Events, Arc<Notify>, Box<Waits>) {
    let (events, go_on) = (Events::default(), Arc::new(Notify::new()));
    (Events::clone(&events), Arc::clone(&go_on), Box::new(Waits { method, events, go_on }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_future_of_registering_that_is_dropped_leaves_a_function_that_is_served() {
    let running = Running::with(config(), says("first")).await;
    let (events, go_on, function) = waits_in("load");
    tokio::select! {
        _ = running.server.register_function("g", function) => panic!("it waits"),
        () = wait_for_event(&events, "load") => {}
    }
    go_on.notify_one();
    wait_for("the function", async || running.get("/g").await.status == 200).await;
    running.server.unregister_function("g").await.unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_future_of_unregistering_that_is_dropped_loses_no_on_unload() {
    let running = Running::with(config(), says("first")).await;
    let (events, go_on, function) = waits_in("fetch");
    running.server.register_function("g", function).await.unwrap();
    let client = running.begin("/g/waits");
    wait_for_event(&events, "fetch").await;
    tokio::select! {
        _ = running.server.unregister_function("g") => panic!("it waits"),
        () = wait_for("the route's end", async || running.get("/g").await.status == 404) => {}
    }
    go_on.notify_one();
    wait_for_event(&events, "unload").await;
    drop(client);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_unregisters_itself_answers_and_is_then_unloaded() {
    struct Leaves(HhrfServer, Events);

    #[async_trait]
    impl FezzFunction for Leaves {
        async fn fetch(&self, _: FezzRequest, _: &FunctionContext) -> Result<FezzResponse, FezzError> {
            self.0.unregister_function("g").await.unwrap();
            add(&self.1, "left");
            Ok(FezzResponse::text("left"))
        }

        async fn on_unload(&mut self, _: &FunctionContext) -> Result<(), FezzError> {
            add(&self.1, "unload");
            Ok(())
        }

        fn name(&self) -> &str {
            "leaves"
        }
    }

    let (running, events) = (Running::with(config(), says("first")).await, Events::default());
    let leaves = Leaves(running.server.clone(), Events::clone(&events));
    running.server.register_function("g", Box::new(leaves)).await.unwrap();
    assert_eq!(running.get("/g").await.text(), "left");
    wait_for_event(&events, "unload").await;
    assert_eq!(*events.lock().unwrap(), ["left", "unload"]);
    assert_eq!(running.get("/g").await.status, 404);
    running.stop().await;
}

static SERVER: Mutex<Option<HhrfServer>> = Mutex::new(None);

#[fezz_function(id = "g", path = "/g", export = false)]
fn leaving(_: FezzRequest) -> &'static str {
    let server = SERVER.lock().unwrap().clone().unwrap();
    tokio::runtime::Handle::current().block_on(server.unregister_function("g")).unwrap();
    "left"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_the_attribute_that_unregisters_itself_answers() {
    let running = Running::with(config(), says("first")).await;
    *SERVER.lock().unwrap() = Some(running.server.clone());
    running.server.register_function("g", Box::new(LeavingFunction::new())).await.unwrap();
    assert_eq!(running.get("/g").await.text(), "left");
    assert_eq!(running.get("/g").await.status, 404);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_is_not_registered_with_a_server_that_has_ended() {
    let running = Running::with(config(), says("first")).await;
    let (server, events) = (running.server.clone(), Events::default());
    running.stop().await;
    let function = Lives { events: Events::clone(&events), fails: None };
    let refused = server.register_function("g", Box::new(function)).await.unwrap_err();
    assert!(matches!(refused, ServerError::Ended), "{refused}");
    assert!(events.lock().unwrap().is_empty());
}

/// What `run` returns once the functions have been asked to unload; sends another signal then, if `again`.
async fn end_with_a_hook_that_never_returns(again: bool) -> Duration {
    let _signals = SIGNALS.lock().await;
    let (_go_on, events, function) = blocks("unload");
    let server = HhrfServer::new(config());
    let other = Lives { events: Events::clone(&events), fails: None };
    server.register_function("f", Box::new(other)).await.unwrap();
    server.register_function("g", Box::new(function)).await.unwrap();
    let listening = server.bind().await.unwrap();
    let address = listening.address();
    let run = tokio::spawn(listening.run());
    // It answers, and so it handles signals.
    crate::harness::send(address, "GET /f HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
    let asked = Instant::now();
    kill_process(getpid(), Signal::TERM).unwrap();
    wait_for_event(&events, "unload").await;
    wait_for_event(&events, "unload f").await;
    if again {
        wait_for("a second", async || asked.elapsed() > Duration::from_millis(1100)).await;
        kill_process(getpid(), Signal::TERM).unwrap();
    }
    let ended = tokio::time::timeout(Duration::from_secs(20), run).await.expect("it ends").unwrap();
    assert_eq!(ended.is_err(), again, "{ended:?}");
    asked.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_on_unload_that_never_returns_is_waited_for_only_so_long() {
    end_with_a_hook_that_never_returns(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_wait_for_an_on_unload_that_never_returns() {
    let took = end_with_a_hook_that_never_returns(true).await;
    assert!(took < Duration::from_secs(8), "{took:?}");
}

/// Answers when the test lets it.
fn answers_later(go_on: &Arc<tokio::sync::Semaphore>) -> impl FezzFunction + use<> {
    let permits = Arc::clone(go_on);
    Does(move |request: FezzRequest, _| {
        let permits = Arc::clone(&permits);
        async move {
            permits.acquire().await.unwrap().forget();
            Ok(FezzResponse::text(format!("done {}", request.bytes().len())))
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_began_before_their_function_was_unregistered_are_answered_by_it() {
    let go_on = Arc::new(tokio::sync::Semaphore::new(0));
    let running = Running::with(config().limit("concurrency", 1), answers_later(&go_on)).await;
    let arriving = crate::harness::begin(
        running.address,
        "POST /f HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: 4\r\n\r\nab",
    );
    let mut clients: Vec<_> = (0..4).map(|_| running.begin("/f")).collect();
    running.wait_for_metric("fezz_queued{function=\"f@v1\"}", 3).await;
    running.wait_for_metric("fezz_requests_in_flight", 5).await;
    let server = running.server.clone();
    let unregistered = tokio::spawn(async move { server.unregister_function("f").await });
    running.wait_for_metric("fezz_functions", 0).await;
    assert_eq!(running.get("/f").await.status, 404);
    go_on.add_permits(5);
    std::io::Write::write_all(&mut &arriving, b"cd").unwrap();
    clients.push(arriving);
    for client in clients {
        let answer = tokio::task::spawn_blocking(|| crate::harness::Answer::read(client)).await.unwrap();
        assert_eq!((answer.status, &answer.text()[..4]), (200, "done"), "{answer:?}");
    }
    unregistered.await.unwrap().unwrap();
    running.stop().await;
}
