//! The library's extension points: a source without a folder and an executor without processes, written against the
//! public traits. Also two hosts in one process.

use crate::harness::{self, Client};
use bytes::Bytes;
use fezz_manifest::{Execution, Manifest};
use hhrf::HhrfServer;
use hhrf::admitted::AdmittedRequest;
use hhrf::catalogue::Function;
use hhrf::execute::pool::{Call, Executor, Pool, Stats};
use hhrf::execute::{Answer, AnswerBody, Failure};
use hhrf::release::{ModuleStore, Release};
use hhrf::settings::Settings;
use hhrf::source::{Entry, Reading, Snapshot, Source};
use hyper::body::{Body, Frame};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
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
            let holding = request.response_memory;
            Ok(Answer::new(match request.facts.head.uri.query() {
                Some(query) => AnswerBody::arriving(Pieces::of(query, &body), holding),
                None => AnswerBody::whole(body.into(), holding),
            }))
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

/// A body that arrives word by word, each later than it is asked for, and then ends or fails.
struct Pieces {
    pieces: VecDeque<Result<Frame<Bytes>, Failure>>,
    is_late: bool,
}

impl Pieces {
    fn of(query: &str, text: &str) -> Self {
        let words = text.split_inclusive(' ').map(|word| Ok(Frame::data(Bytes::from(word.to_owned()))));
        let failure = (query == "fail").then_some(Err(Failure::DeadlineExceeded));
        Self { pieces: words.chain(failure).collect(), is_late: false }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        self.is_late = !self.is_late;
        if self.is_late {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.pieces.pop_front())
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
        Box::pin(async { Ok(Snapshot { entries, ..Snapshot::default() }) })
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

    async fn get(&self, path: &'static str) -> harness::Answer {
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
fn a_body_that_arrives_in_pieces_is_sent_in_pieces_and_recorded_at_its_end() {
    in_runtime(async {
        let host = Embedded::start().await;
        let count = |metrics: &str, kind: &str| {
            let series = format!(r#"fezz_requests_total{{function="one@v1",status="200",kind="{kind}"}} 1"#);
            metrics.lines().filter(|line| **line == series).count()
        };
        // Chunks (RFC 9112, section 7.1); the last has no bytes.
        let whole = "7\r\none@v1 \r\n4\r\nwas \r\n7\r\ncalled \r\n2\r\n1 \r\n5\r\ntimes\r\n0\r\n\r\n";
        assert_eq!(host.get("/one?whole").await.text(), whole);
        let metrics = host.get("/_metrics").await.text();
        assert_eq!([count(&metrics, ""), count(&metrics, "aborted")], [1, 0]);
        assert_eq!(
            host.get("/one?fail").await.text(),
            whole.replace("\n1 \r", "\n2 \r").replace("0\r\n\r\n", "")
        );
        let metrics = host.get("/_metrics").await.text();
        assert_eq!([count(&metrics, ""), count(&metrics, "aborted")], [1, 1]);
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
