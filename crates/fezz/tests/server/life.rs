//! Functions come and go while the server runs.

use crate::functions::{Does, Events, Lives, add, says};
use crate::harness::{Answer, Running, config, wait_for};
use fezz::function::OwnedFunctionManifest;
use fezz::prelude::*;
use fezz::server::ServerError;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn a_function_is_served_when_registering_returns_and_not_when_unregistering_does() {
    let running = Running::with(config(), says("first")).await;
    for round in 0..20 {
        running.server.register_function("g", Box::new(says("second"))).await.unwrap();
        assert_eq!(running.get("/g").await.text(), "second", "{round}");
        running.server.unregister_function("g").await.unwrap();
        assert_eq!(running.get("/g").await.status, 404, "{round}");
    }
    assert_eq!(running.get("/f").await.text(), "first");
    let unknown = running.server.unregister_function("g").await.unwrap_err();
    assert_eq!(unknown.to_string(), "there is no function `g`");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unregistering_waits_for_calls_in_flight_and_then_unloads() {
    struct Slow(Events, Arc<tokio::sync::Notify>);

    #[async_trait]
    impl FezzFunction for Slow {
        /// Requests of other paths tell only whether it is still served.
        async fn fetch(&self, request: FezzRequest, _: &FunctionContext) -> Result<FezzResponse, FezzError> {
            if request.path == "/f" {
                add(&self.0, "begun");
                self.1.notified().await;
                add(&self.0, "ended");
            }
            Ok(FezzResponse::text("slow"))
        }

        async fn on_unload(&mut self, _: &FunctionContext) -> Result<(), FezzError> {
            add(&self.0, "unload");
            Ok(())
        }

        fn name(&self) -> &str {
            "slow"
        }
    }

    let (events, go_on) = (Events::default(), Arc::new(tokio::sync::Notify::new()));
    let running = Running::with(config(), Slow(Events::clone(&events), Arc::clone(&go_on))).await;
    let client = running.begin("/f");
    wait_for("the call", async || events.lock().unwrap().len() == 1).await;
    let server = running.server.clone();
    let unregistered = tokio::spawn(async move { server.unregister_function("f").await });
    wait_for("the route's end", async || running.get("/f/x").await.status == 404).await;
    assert!(!unregistered.is_finished());
    go_on.notify_one();
    unregistered.await.unwrap().unwrap();
    assert_eq!(*events.lock().unwrap(), ["begun", "ended", "unload"]);
    assert_eq!(tokio::task::spawn_blocking(|| Answer::read(client)).await.unwrap().text(), "slow");
    running.stop().await;
}

#[tokio::test]
async fn a_name_that_is_taken_or_no_id_is_refused_before_on_load() {
    let (server, events) = (HhrfServer::new(config()), Events::default());
    let lives = || Box::new(Lives { events: Events::clone(&events), fails: None });
    server.register_function("f", lives()).await.unwrap();
    let taken = server.register_function("f", lives()).await.unwrap_err();
    assert!(matches!(&taken, ServerError::Taken { id } if id == "f"), "{taken}");
    // As a `main` prints what it returns.
    let bad = format!("{:?}", server.register_function("a b", lives()).await.unwrap_err());
    assert!(bad.starts_with("failed to register the function `a b`: key `id`"), "{bad}");
    let path = OwnedFunctionManifest::new("g", "v1", "GET", "no/slash");
    let route = format!("{:?}", server.register_with_manifest(path, lives()).await.unwrap_err());
    assert!(route.contains("no/slash"), "{route}");
    assert_eq!(*events.lock().unwrap(), ["load f@v1"]);
}

#[tokio::test]
async fn a_function_whose_on_load_fails_or_panics_is_not_registered() {
    let (server, events) = (HhrfServer::new(config()), Events::default());
    for (fails, says) in [("error", "the disk is full"), ("out of cheese", "panicked: out of cheese")] {
        let function = Lives { events: Events::clone(&events), fails: Some(fails) };
        let error = server.register_function("f", Box::new(function)).await.unwrap_err().to_string();
        assert!(error.starts_with("on_load of the function `f` failed: ") && error.contains(says), "{error}");
    }
    server.register_function("f", Box::new(says_nothing())).await.unwrap();
    // As `?` in a program's main has it.
    let boxed: Box<dyn std::error::Error + Send + Sync> =
        server.register_function("f", Box::new(says_nothing())).await.unwrap_err().into();
    assert!(boxed.to_string().contains("registered already"), "{boxed}");
}

fn says_nothing() -> impl FezzFunction {
    Does(|_, _| async { Ok(FezzResponse::new(204)) })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_of_another_function_is_refused_and_its_function_unloaded() {
    let running = Running::with(config(), says("first")).await;
    let events = Events::default();
    let same = OwnedFunctionManifest::new("g", "v1", "*", "/f");
    let function = Lives { events: Events::clone(&events), fails: None };
    let refused = running.server.register_with_manifest(same, Box::new(function)).await.unwrap_err();
    assert!(matches!(&refused, ServerError::NotServed(reason) if reason.contains("/f")), "{refused}");
    assert_eq!(*events.lock().unwrap(), ["load g@v1", "unload g"]);
    assert_eq!(running.get("/f").await.text(), "first");
    running.stop().await;

    let server = HhrfServer::new(config());
    for id in ["f", "g"] {
        let same = OwnedFunctionManifest::new(id, "v1", "*", "/same");
        server.register_with_manifest(same, Box::new(says("same"))).await.unwrap();
    }
    let refused = server.bind().await.unwrap_err();
    assert!(matches!(&refused, ServerError::NotServed(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_unloads_all_of_its_functions() {
    let (server, events) = (HhrfServer::new(config()), Events::default());
    for id in ["a", "b"] {
        let function = Lives { events: Events::clone(&events), fails: None };
        server.register_function(id, Box::new(function)).await.unwrap();
    }
    let running = Running::start(&server).await;
    assert_eq!(running.get("/a").await.text(), "lives");
    running.stop().await;
    let mut events = events.lock().unwrap().split_off(2);
    events.sort();
    assert_eq!(events, ["fetch /a", "unload a", "unload b"]);
    assert!(matches!(server.bind().await.unwrap_err(), ServerError::Started));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_never_ends_keeps_its_function_from_being_unloaded_not_the_server_from_stopping() {
    let events = Events::default();
    let kept = Events::clone(&events);
    // The context is kept for ever, as by a thread that doesn't end.
    let function = Does(move |_, ctx| {
        std::mem::forget(ctx);
        add(&kept, "called");
        async { Ok(FezzResponse::new(204)) }
    });
    let server = HhrfServer::new(config());
    let manifest = OwnedFunctionManifest::new("f", "v1", "*", "/f").timeout(1);
    server.register_with_manifest(manifest, Box::new(function)).await.unwrap();
    let running = Running::start(&server).await;
    assert_eq!(running.get("/f").await.status, 204);
    let stuck = running.server.unregister_function("f").await.unwrap_err();
    assert!(matches!(&stuck, ServerError::StillRunning { id } if id == "f"), "{stuck}");
}
