//! The library's extension points: a source without a folder and an executor without processes, written against the
//! public traits. Also two hosts in one process.

use crate::harness::{Answer, Client};
use fezz_manifest::{Execution, Manifest};
use fezz_wire::FezzWireResponse;
use hhrf::HhrfServer;
use hhrf::admitted::AdmittedRequest;
use hhrf::catalogue::Function;
use hhrf::execute::RawResponse;
use hhrf::execute::pool::{Call, Executor, Pool, Stats};
use hhrf::release::{ModuleStore, Release};
use hhrf::settings::Settings;
use hhrf::source::{Entry, Reading, Snapshot, Source};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use tokio::sync::{Notify, watch};

/// An executor that answers from memory: the function's name and the number of calls.
#[derive(Debug, Default)]
struct FromMemory {
    pools: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Counter {
    name: String,
    calls: AtomicUsize,
    pools: Arc<AtomicUsize>,
}

impl Executor for FromMemory {
    fn pool(&self, function: &Arc<Function>) -> Arc<dyn Pool> {
        self.pools.fetch_add(1, Ordering::Relaxed);
        Arc::new(Counter {
            name: function.name(),
            calls: AtomicUsize::new(0),
            pools: Arc::clone(&self.pools),
        })
    }
}

impl Pool for Counter {
    fn call(self: Arc<Self>, request: AdmittedRequest) -> Call {
        Box::pin(async move {
            let calls = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
            let body = format!("{} was called {calls} times", self.name);
            let response =
                FezzWireResponse { status: 200, headers: Vec::new(), body: body.as_bytes(), error: None };
            Ok(RawResponse { bytes: response.encode().into(), holding: request.response_memory })
        })
    }

    fn tick(self: Arc<Self>) -> bool {
        true
    }

    fn retire(self: Arc<Self>) {}

    fn stats(&self) -> Stats {
        Stats { idle: 7, ..Stats::default() }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.pools.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A source with two functions, and with one after `change`.
#[derive(Debug)]
struct TwoFunctions {
    releases: Vec<Arc<Release>>,
    change: Arc<Notify>,
}

impl TwoFunctions {
    fn new(folder: &TempDir, change: &Arc<Notify>) -> Self {
        let store = ModuleStore::open(&folder.path().join("modules")).unwrap();
        let release = |name: &str| {
            let (id, version) = name.split_once('@').unwrap();
            let json = serde_json::json!({"id": id, "version": version, "entry": "none.so", "routes": [{"path": format!("/{id}")}]});
            let manifest = Manifest::parse(json.to_string().as_bytes(), name).unwrap();
            Arc::new(Release::new(manifest, b"no module", None, &store).unwrap())
        };
        Self { releases: vec![release("one@v1"), release("two@v1")], change: Arc::clone(change) }
    }
}

impl Source for TwoFunctions {
    fn snapshot(&mut self) -> Reading<'_> {
        let entry =
            |release: &Arc<Release>| Entry { origin: "memory".to_owned(), release: Ok(Arc::clone(release)) };
        let entries = self.releases.iter().map(entry).collect();
        Box::pin(async { Ok(Snapshot { entries }) })
    }

    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            self.change.notified().await;
            self.releases.truncate(1);
        })
    }
}

/// A host in the test's process, and the handles to control it.
struct Embedded {
    address: SocketAddr,
    change: Arc<Notify>,
    pools: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
    end: tokio::task::JoinHandle<()>,
    _folder: TempDir,
}

impl Embedded {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        // The file is never loaded: the executor starts no process.
        let text = "listen = '127.0.0.1:0'\nrunner = '/bin/true'\njail = 'off'\ndrain_wait_ms = 0";
        let (change, executor) = (Arc::new(Notify::new()), FromMemory::default());
        let (pools, source) = (Arc::clone(&executor.pools), TwoFunctions::new(&folder, &change));
        let builder = HhrfServer::builder(Settings::from_toml(text).unwrap());
        let server = builder.source(source).executor(Execution::Spawn, executor).build().await.unwrap();
        let (stop, mut stopped) = watch::channel(false);
        let address = server.address();
        let end = tokio::spawn(server.run(async move {
            stopped.wait_for(|stopped| *stopped).await.unwrap();
        }));
        Self { address, change, pools, stop, end, _folder: folder }
    }

    async fn get(&self, path: &'static str) -> Answer {
        let address = self.address;
        tokio::task::spawn_blocking(move || Client::new(address, "GET", path).send()).await.unwrap()
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.end.await.unwrap();
        assert_eq!(self.pools.load(Ordering::Relaxed), 0, "pools end with their host");
    }
}

fn in_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(test);
}

#[test]
fn a_custom_executor_and_a_custom_source_serve_requests() {
    in_runtime(async {
        let host = Embedded::start().await;
        assert_eq!(host.get("/one").await.text(), "one@v1 was called 1 times");
        assert_eq!(host.get("/rpc/one").await.text(), "one@v1 was called 2 times");
        assert_eq!(host.get("/two").await.text(), "two@v1 was called 1 times");
        assert!(host.get("/_metrics").await.text().contains("fezz_spare_processes{function=\"one@v1\"} 7"));
        host.change.notify_one();
        while host.get("/two").await.status == 200 {
            tokio::task::yield_now().await;
        }
        assert_eq!(host.get("/one").await.text(), "one@v1 was called 3 times");
        host.stop().await;
    });
}

#[test]
fn two_hosts_live_in_one_process() {
    in_runtime(async {
        let (first, second) = (Embedded::start().await, Embedded::start().await);
        assert_eq!(first.get("/one").await.text(), "one@v1 was called 1 times");
        first.stop().await;
        assert_eq!(second.get("/one").await.text(), "one@v1 was called 1 times");
        second.stop().await;
    });
}
