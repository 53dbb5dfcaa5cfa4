//! The samples of the documents, as they stand there.

use crate::functions::Events;
use crate::harness::{Answer, begin};
use fezz::prelude::*;
use std::error::Error;
use std::net::SocketAddr;
use tokio::task::JoinHandle;

#[fezz_function(id = "hello-world", path = "/hello")]
fn hello(_: FezzRequest) -> &'static str {
    "Hello, world!\n"
}

async fn embed() -> Result<(), Box<dyn Error + Send + Sync>> {
    let server = HhrfServer::with_defaults();
    server.register_function("hello-world", Box::new(HelloFunction::new())).await?;
    server.run().await // Result<(), Box<dyn Error + Send + Sync>>
}

async fn configure() -> Result<(), Box<dyn Error + Send + Sync>> {
    let config = HhrfConfig::new().host("0.0.0.0").port(8080).env("API_KEY", "secret");
    let server = HhrfServer::new(config);
    server.register_function("key", Box::new(Key)).await?;
    server.run().await
}

struct Key;

#[async_trait]
impl FezzFunction for Key {
    async fn fetch(&self, _: FezzRequest, ctx: &FunctionContext) -> Result<FezzResponse, FezzError> {
        Ok(FezzResponse::text(ctx.require_env("API_KEY")?))
    }

    fn name(&self) -> &str {
        "key"
    }
}

/// Asks the port of both samples, which the program's end frees again.
async fn ask_and_end(program: JoinHandle<Result<(), Box<dyn Error + Send + Sync>>>, path: &str) -> Answer {
    let address: SocketAddr = "127.0.0.1:8080".parse().unwrap();
    crate::harness::wait_for("port 8080", async || {
        assert!(!program.is_finished(), "it ended");
        std::net::TcpStream::connect(address).is_ok()
    })
    .await;
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    let asked = tokio::task::spawn_blocking(move || Answer::read(begin(address, &request)));
    let answer = asked.await.unwrap();
    assert!(!program.is_finished(), "port 8080 is another program's");
    // It answers, and so it handles signals.
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).unwrap();
    program.await.unwrap().unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_host_answers_until_sigterm_with_its_defaults_and_with_a_config() {
    let _signals = crate::harness::SIGNALS.lock().await;
    let answer = ask_and_end(tokio::spawn(embed()), "/hello").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "Hello, world!\n"));
    let answer = ask_and_end(tokio::spawn(configure()), "/key").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "secret"));
}

/// The trait with all of its methods, as it is declared.
struct Stateful {
    events: Events,
    greeting: String,
}

#[async_trait]
impl FezzFunction for Stateful {
    async fn on_load(&mut self, ctx: &FunctionContext) -> Result<(), FezzError> {
        self.greeting = format!("{} is loaded", ctx.function_name());
        crate::functions::add(&self.events, "load");
        Ok(())
    }

    async fn fetch(&self, request: FezzRequest, ctx: &FunctionContext) -> Result<FezzResponse, FezzError> {
        crate::functions::add(&self.events, format!("fetch {}", request.path));
        assert!(!ctx.request_id().is_empty());
        Ok(FezzResponse::text(&*self.greeting))
    }

    async fn on_unload(&mut self, _ctx: &FunctionContext) -> Result<(), FezzError> {
        self.greeting.clear();
        crate::functions::add(&self.events, "unload");
        Ok(())
    }

    fn name(&self) -> &str {
        "stateful"
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_by_hand_is_loaded_called_and_unloaded_in_this_order() {
    let events = Events::default();
    let function = Stateful { events: Events::clone(&events), greeting: String::new() };
    let running = crate::harness::Running::with(crate::harness::config(), function).await;
    assert_eq!(running.get("/f").await.text(), "f is loaded");
    assert_eq!(running.get("/f/below").await.status, 200);
    running.stop().await;
    assert_eq!(*events.lock().unwrap(), ["load", "fetch /f", "fetch /f/below", "unload"]);
}

#[tokio::test]
async fn the_control_plane_registers_watches_and_routes() -> Result<(), Box<dyn Error + Send + Sync>> {
    use fezz::control_plane::{
        FunctionEntry, FunctionStore, MemoryStore, Route, RouteMethod, RouteTable, StoreEvent,
    };
    use fezz::function::OwnedFunctionManifest;
    let store = MemoryStore::new();
    let manifest = OwnedFunctionManifest::new("my-fn", "v1", "GET", "/api/test");
    store.register(FunctionEntry::new(manifest).on_node("node-1")).await?;
    let entry = store.get("my-fn").await?;
    let mut rx = store.watch().await?;
    assert!(entry.is_some());
    store.remove("my-fn").await?;
    // The watch ends with its store.
    drop(store);
    let mut seen = Vec::new();
    while let Some(event) = rx.recv().await {
        match event {
            StoreEvent::Added(entry) | StoreEvent::Updated(entry) => seen.push(entry.id().to_owned()),
            StoreEvent::Removed(id) => seen.push(format!("no {id}")),
        }
    }
    assert_eq!(seen, ["no my-fn"]);

    let table = RouteTable::new();
    table.add(Route::new(RouteMethod::Get, "/api/users/:id", "user-get")).await;
    table.add(Route::new(RouteMethod::Get, "/api/*", "api-catch-all").priority(0)).await;
    let route = table.find("/api/users/123", "GET").await;
    assert_eq!(route.expect("it matches").function(), "user-get");
    Ok(())
}

#[test]
fn an_owned_manifest_has_what_the_attribute_says() {
    use fezz::function::{FunctionManifest, OwnedFunctionManifest};
    let FunctionManifest { id, version, method, path, timeout, description, .. } =
        crate::functions::HOOKED_MANIFEST;
    assert_eq!(
        (id, version, method, path, timeout, description),
        ("hooked", "v3", "GET", "/items/{id}", 2, "")
    );
    let owned = OwnedFunctionManifest::from(&crate::functions::HOOKED_MANIFEST);
    assert_eq!(owned, OwnedFunctionManifest::new("hooked", "v3", "GET", "/items/{id}").timeout(2));
}
