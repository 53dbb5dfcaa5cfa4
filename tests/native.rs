//! Functions that are code of the program that embeds the host, by the library's own traits. The crate `fezz` has the tests
//! of what it makes of them.

use crate::harness::{self, Client};
use bytes::Bytes;
use fezz_manifest::Manifest;
use hhrf::HhrfServer;
use hhrf::execute::Failure;
use hhrf::execute::native::{Native, NativeCall, NativeRequest};
use hhrf::release::{ModuleStore, Release};
use hhrf::settings::Settings;
use hhrf::source::{Entry, Reading, Snapshot, Source};
use hyper::Response;
use serde_json::json;
use std::pin::Pin;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// Answers by its path.
#[derive(Debug)]
struct ByPath;

impl Native for ByPath {
    fn call(self: Arc<Self>, request: NativeRequest) -> NativeCall {
        Box::pin(async move {
            match request.facts.head.uri.path() {
                "/native/panic" => panic!("out of cheese"),
                "/native/bomb" => std::panic::panic_any(Bomb),
                "/native/error" => Err(Failure::Returned("no shelf".to_owned())),
                "/native/100" => Ok(answer(100, "")),
                "/native/large" => Ok(answer(200, &"x".repeat(41))),
                path => Ok(answer(200, &format!("{path} {:?}", request.facts.params))),
            }
        })
    }
}

/// A panic's payload whose own drop panics.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("and again");
    }
}

fn answer(status: u16, body: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
    *response.status_mut() = status.try_into().unwrap();
    response
}

/// A native function, and one that needs a process.
#[derive(Debug)]
struct Both(Vec<Arc<Release>>);

impl Both {
    fn new(folder: &TempDir) -> Self {
        let manifest = |id: &str| {
            let route = format!("/{id}/{{what}}");
            let limits = json!({"response_body_bytes": 40});
            let json = json!({"id": id, "version": "v1", "entry": "none.so", "limits": limits, "routes": [{"path": route}]});
            Manifest::parse(json.to_string().as_bytes(), &format!("{id}@v1")).unwrap()
        };
        let store = ModuleStore::open(&folder.path().join("modules")).unwrap();
        let module = Release::new(manifest("module"), b"no module", None, &store).unwrap();
        Self(vec![Arc::new(Release::native(manifest("native"), Arc::new(ByPath)).unwrap()), Arc::new(module)])
    }
}

impl Source for Both {
    fn snapshot(&mut self) -> Reading<'_> {
        let entry =
            |release: &Arc<Release>| Entry { origin: "memory".to_owned(), release: Ok(Arc::clone(release)) };
        let entries = self.0.iter().map(entry).collect();
        Box::pin(async { Ok(Snapshot { entries, ..Snapshot::default() }) })
    }

    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}

#[test]
fn a_host_without_processes_serves_native_functions_and_refuses_modules() {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let folder = TempDir::new().unwrap();
        // Neither a runner nor a jail.
        let settings = Settings::from_toml("listen = '127.0.0.1:0'\ndrain_wait_ms = 0").unwrap();
        let builder = HhrfServer::builder(settings).source(Both::new(&folder)).without_processes();
        let server = builder.build().await.unwrap();
        let reason = server.host().rejection("module@v1").unwrap();
        assert!(reason.contains("`spawn`, which this host leaves out: it starts no processes"), "{reason}");
        assert_eq!(server.host().rejection("native@v1"), None);

        let (address, (stop, stopped)) = (server.address(), oneshot::channel());
        let end = tokio::spawn(server.run(async { stopped.await.unwrap() }));
        let get = async |path: &'static str| -> harness::Answer {
            tokio::task::spawn_blocking(move || Client::new(address, "GET", path).send()).await.unwrap()
        };
        let kind = async |path| {
            let answer = get(path).await;
            (answer.status, answer.header("fezz-error").map(str::to_owned))
        };
        assert_eq!(get("/native/x").await.text(), "/native/x {\"what\": \"x\"}");
        assert_eq!(kind("/module/x").await, (404, Some("not_found".to_owned())));
        for path in ["/native/panic", "/native/bomb"] {
            assert_eq!(kind(path).await, (500, Some("function_panicked".to_owned())), "{path}");
        }
        assert_eq!(kind("/native/error").await, (500, Some("function_error".to_owned())));
        for path in ["/native/100", "/native/large"] {
            assert_eq!(kind(path).await, (502, Some("invalid_response".to_owned())), "{path}");
        }
        stop.send(()).unwrap();
        end.await.unwrap();
    });
}
