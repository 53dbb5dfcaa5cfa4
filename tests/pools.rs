//! Pools of connections to the real servers, under each executor that keeps processes: connections are kept, bounded, and
//! made again when a server was gone.

use crate::harness::{Connection, Database, Host, Site, wait_for};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// The pools of the fixture have up to 3 connections each.
const CONNECTIONS_MAX: u64 = 3;

/// Requests for the number of connections: a pool that is wrong for one in some thousand is noticed.
const MANY: usize = 10_000;

/// Enough that every connection of each pool serves some.
const SOME: usize = 800;

/// More than there are connections, so that requests wait for them.
const CLIENTS: usize = 16;

/// The names of the resources, and of the fixture's paths.
const SERVERS: [&str; 3] = ["postgres", "redis", "memcached"];

/// An executor that keeps processes, how it is asked for, and how many processes there are. Each has pools of its own.
type Execution = (&'static str, fn() -> Value, u64);

const IN_PROCESS: Execution = ("in-process", || json!({"execution": "in-process"}), 1);

const WORKER: Execution =
    ("worker", || json!({"execution": "worker", "worker": {"min": 2, "max": 2, "concurrency": 4}}), 2);

/// The fixture makes its pool for Memcached itself, on the runtime that is the function's own. In-process, that one ends with
/// its request.
fn executions(name: &str) -> &'static [Execution] {
    if name == "memcached" { &[WORKER] } else { &[IN_PROCESS, WORKER] }
}

fn start(name: &str) -> Option<Database> {
    match name {
        "postgres" => Database::postgres(),
        "redis" => Database::redis(),
        _ => Database::memcached(),
    }
}

fn url(name: &str, port: u16) -> String {
    let user = if name == "postgres" { "postgres@" } else { "" };
    format!("{name}://{user}127.0.0.1:{port}")
}

/// A host of the fixture, with one server as its resource.
fn host(name: &str, server: &Database, execution: Execution) -> Host {
    let site = Site::new();
    let mut manifest = execution.1();
    manifest["resources"] = json!({name: url(name, server.port)});
    site.install("pools@v1", "libfixture_pools.so", manifest);
    Host::with_flags(site, &["--allow-in-process=pools"])
}

/// Sends requests over several connections, and returns how many were answered 200.
fn load(host: &Host, path: &str, requests: usize) -> usize {
    let client = || {
        let mut connection = Connection::new(host.address);
        (0..requests / CLIENTS).filter(|_| connection.get(path).status == 200).count()
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    })
}

/// How many connections the server accepts while `work` runs, by its own count.
fn connections_made(name: &str, server: &Database, work: impl FnOnce()) -> u64 {
    let count = || match name {
        "postgres" => server.postgres_sessions(),
        "redis" => server.redis_info("total_connections_received"),
        _ => server.memcached_stat("total_connections"),
    };
    let before = count();
    work();
    // Each look at the others is a connection, too.
    count() - before - u64::from(name != "postgres")
}

/// Workers that ended, for whatever reason.
fn ended(host: &Host) -> f64 {
    host.metric(r#"fezz_worker_ends_total{function="pools@v1""#)
}

#[test]
fn ten_thousand_requests_share_the_connections_of_the_pools() {
    for name in SERVERS {
        let Some(server) = start(name) else { continue };
        for &execution in executions(name) {
            let host = host(name, &server, execution);
            let made = connections_made(name, &server, || {
                assert_eq!(load(&host, &format!("/rpc/pools/{name}"), MANY), MANY, "{name} {}", execution.0);
            });
            println!("{MANY} requests to {name}, {}: {made} connections", execution.0);
            assert!((1..=CONNECTIONS_MAX * execution.2).contains(&made), "{name} {}: {made}", execution.0);
            assert_eq!(ended(&host), 0.0);
        }
    }
}

#[test]
fn both_workers_have_connections_of_their_own() {
    let Some(server) = start("postgres") else { return };
    let host = host("postgres", &server, WORKER);
    let made = connections_made("postgres", &server, || {
        load(&host, "/rpc/pools/postgres", MANY);
    });
    assert!(made > CONNECTIONS_MAX, "{made}");
}

#[test]
fn a_function_recovers_when_its_server_was_restarted_under_load() {
    for name in SERVERS {
        let Some(mut server) = start(name) else { continue };
        for &execution in executions(name) {
            let host = host(name, &server, execution);
            let path = format!("/rpc/pools/{name}");
            assert_eq!(load(&host, &path, SOME), SOME);
            let is_over = AtomicBool::new(false);
            thread::scope(|scope| {
                let load = || {
                    while !is_over.load(Ordering::Relaxed) {
                        load(&host, &path, SOME);
                    }
                };
                scope.spawn(load);
                server.stop();
                wait_for("a failed request", || (host.get(&path).status == 500).then_some(()));
                server.restart();
                wait_for("a request that succeeds", || (host.get(&path).status == 200).then_some(()));
                is_over.store(true, Ordering::Relaxed);
            });
            // Every connection of each pool, not the first alone.
            assert_eq!(load(&host, &path, SOME), SOME, "{name} {}", execution.0);
            assert_eq!(ended(&host), 0.0, "{name}: the same workers");
        }
    }
}

#[test]
fn a_function_is_served_while_its_server_is_away_and_the_log_says_what_is_missing() {
    for (name, words) in [
        ("postgres", "failed to connect to the resource `postgres`"),
        ("redis", "failed to connect to the resource `redis`"),
        ("memcached", "onnect"),
    ] {
        let Some(mut server) = start(name) else { continue };
        server.stop();
        for &execution in executions(name) {
            let (host, path) = (host(name, &server, execution), format!("/rpc/pools/{name}"));
            assert_eq!(host.get(&path).outcome(), (500, "function_error"), "{name} {}", execution.0);
            host.logged("the cause", |line| {
                line["error"].as_str().is_some_and(|error| error.contains(words) && error.contains("refused"))
            });
            server.restart();
            wait_for("its return", || (host.get(&path).status == 200).then_some(()));
            assert_eq!(ended(&host), 0.0);
            server.stop();
        }
    }
}

#[test]
fn a_jailed_function_reaches_each_server() {
    let servers = SERVERS.map(|name| (name, start(name)));
    let running = servers.iter().filter_map(|(name, server)| Some((*name, server.as_ref()?)));
    let running: Vec<_> = running.collect();
    let resources = running.iter().map(|(name, server)| ((*name).to_owned(), url(name, server.port).into()));
    let resources = Value::Object(resources.collect());
    for execution in ["spawn", "fork", "worker"] {
        let site = Site::new();
        let manifest = json!({"execution": execution, "resources": resources});
        site.install("pools@v1", "libfixture_pools.so", manifest);
        let host = Host::start(site);
        for (name, _) in &running {
            assert_eq!(host.get(&format!("/rpc/pools/{name}")).text(), "1", "{execution} {name}");
        }
    }
}
