//! A function replaced by another, while requests come.

use crate::functions::{Does, Events, Lives, says};
use crate::harness::{Running, config};
use fezz::function::OwnedFunctionManifest;
use fezz::prelude::*;
use fezz::server::ServerError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The number of the release, and what the test must never see: a call before its `on_load` or after its `on_unload`.
struct Numbered {
    number: usize,
    is_loaded: bool,
    unloaded: Arc<AtomicUsize>,
}

#[async_trait]
impl FezzFunction for Numbered {
    async fn on_load(&mut self, _: &FunctionContext) -> Result<(), FezzError> {
        self.is_loaded = true;
        Ok(())
    }

    async fn fetch(&self, _: FezzRequest, _: &FunctionContext) -> Result<FezzResponse, FezzError> {
        tokio::task::yield_now().await;
        assert!(self.is_loaded);
        Ok(FezzResponse::text(self.number.to_string()))
    }

    async fn on_unload(&mut self, _: &FunctionContext) -> Result<(), FezzError> {
        self.is_loaded = false;
        self.unloaded.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn name(&self) -> &str {
        "numbered"
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replacements_under_load_fail_no_request() {
    const REPLACEMENTS: usize = 200;
    let unloaded = Arc::new(AtomicUsize::new(0));
    let numbered = |number| Numbered { number, is_loaded: false, unloaded: Arc::clone(&unloaded) };
    let running = Arc::new(Running::with(config(), numbered(0)).await);
    let is_over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (running, is_over) = (Arc::clone(&running), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut answers = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let answer = running.get("/f").await;
                    assert_eq!(answer.status, 200, "{answer:?}");
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    for number in 1..=REPLACEMENTS {
        running.server.replace_function("f", Box::new(numbered(number))).await.unwrap();
        assert_eq!(running.get("/f").await.text(), number.to_string());
        assert_eq!(unloaded.load(Ordering::Relaxed), number);
    }
    is_over.store(true, Ordering::Relaxed);
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
    Arc::into_inner(running).expect("the clients have ended").stop().await;
    assert_eq!(unloaded.load(Ordering::Relaxed), REPLACEMENTS + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_fails_leaves_the_function_as_it_was() {
    let running = Running::with(config(), says("first")).await;
    let manifest = |version, path| OwnedFunctionManifest::new("g", version, "*", path);
    running.server.register_with_manifest(manifest("v1", "/g"), Box::new(says("old"))).await.unwrap();
    let events = Events::default();
    let lives = |fails| Box::new(Lives { events: Events::clone(&events), fails });
    for version in ["v1", "v2"] {
        let taken = running.server.replace_with_manifest(manifest(version, "/f"), lives(None)).await;
        assert!(matches!(&taken, Err(ServerError::NotServed(reason)) if reason.contains("/f")), "{taken:?}");
    }
    let failed = running.server.replace_function("g", lives(Some("error"))).await;
    assert!(matches!(failed, Err(ServerError::NotLoaded { .. })), "{failed:?}");
    assert_eq!(
        *events.lock().unwrap(),
        ["load g@v1", "unload g", "load g@v2", "unload g", "load g@v1"],
        "each is unloaded if it was loaded"
    );
    assert_eq!(
        (running.get("/g").await.text(), running.get("/f").await.text()),
        ("old".into(), "first".into())
    );
    let unknown = running.server.replace_function("h", lives(None)).await;
    assert!(matches!(unknown, Err(ServerError::NotRegistered { .. })), "{unknown:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_is_replaced_by_another_version_and_route_also_before_the_server_runs() {
    let server = HhrfServer::new(config());
    let manifest = |version, path| OwnedFunctionManifest::new("f", version, "*", path);
    server.register_with_manifest(manifest("v2", "/old"), Box::new(says("first"))).await.unwrap();
    server.replace_with_manifest(manifest("v1", "/new"), Box::new(says("second"))).await.unwrap();
    let running = Running::start(&server).await;
    assert_eq!((running.get("/new").await.text(), running.get("/old").await.status), ("second".into(), 404));
    let function = Does(|_, ctx: FunctionContext| async move { Ok(FezzResponse::text(ctx.version())) });
    server.replace_with_manifest(manifest("v3", "/newer"), Box::new(function)).await.unwrap();
    assert_eq!((running.get("/newer").await.text(), running.get("/new").await.status), ("v3".into(), 404));
    running.stop().await;
}
