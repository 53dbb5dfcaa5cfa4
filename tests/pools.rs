//! The SDK's pools, with the real servers: connections are kept, bounded, and made again when a server was gone.

use crate::harness::{Database, Host, Site, wait_for};
use serde_json::json;
use std::thread;

/// The pools of the fixture have up to 3 connections each.
const CONNECTIONS_MAX: u64 = 3;

fn host(name: &str, port: u16) -> Host {
    let site = Site::new();
    let user = if name == "postgres" { "postgres@" } else { "" };
    let url = format!("{name}://{user}127.0.0.1:{port}");
    site.install(
        "pools@v1",
        "libfixture_pools.so",
        json!({"execution": "in-process", "resources": {name: url}}),
    );
    Host::with_flags(site, &["--allow-in-process=pools"])
}

/// Sends 10,000 requests over 16 connections, and returns how many were answered 200.
fn load(host: &Host, path: &str) -> usize {
    let client = || {
        let mut connection = crate::harness::Connection::new(host.address);
        (0..625).filter(|_| connection.get(path).status == 200).count()
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..16).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    })
}

#[test]
fn ten_thousand_requests_share_the_connections_of_a_pool_to_postgres() {
    let Some(server) = Database::postgres() else { return };
    let host = host("postgres", server.port);
    assert_eq!(load(&host, "/rpc/pools/postgres"), 10_000);
    let connections = host.get("/rpc/pools/connections").text();
    let made: u64 = connections.split(' ').next().unwrap().parse().unwrap();
    assert!((1..=CONNECTIONS_MAX).contains(&made), "{connections}");
}

#[test]
fn ten_thousand_requests_share_the_connections_of_a_pool_to_redis() {
    let Some(server) = Database::redis() else { return };
    let before = server.redis_info("total_connections_received");
    let host = host("redis", server.port);
    assert_eq!(load(&host, "/rpc/pools/redis"), 10_000);
    // The server's own count, without that of this look.
    let made = server.redis_info("total_connections_received") - before - 1;
    assert!((1..=CONNECTIONS_MAX).contains(&made), "{made}");
}

#[test]
fn a_function_recovers_when_its_server_was_restarted_under_load() {
    for (name, server) in [("postgres", Database::postgres()), ("redis", Database::redis())] {
        let Some(mut server) = server else { continue };
        let host = host(name, server.port);
        let path = format!("/rpc/pools/{name}");
        assert_eq!(host.get(&path).status, 200);
        thread::scope(|scope| {
            let load = scope.spawn(|| load(&host, &path));
            server.stop();
            wait_for("a failed request", || (host.get(&path).status == 500).then_some(()));
            server.restart();
            wait_for("a request that succeeds", || (host.get(&path).status == 200).then_some(()));
            load.join().unwrap();
        });
        // Every connection of the pool, not the first alone.
        assert_eq!(load(&host, &path), 10_000, "{name}");
    }
}

#[test]
fn a_function_is_served_while_its_server_is_away() {
    let Some(mut server) = Database::redis() else { return };
    server.stop();
    let host = host("redis", server.port);
    assert_eq!(host.get("/rpc/pools/redis").outcome(), (500, "function_error"));
    server.restart();
    wait_for("its return", || (host.get("/rpc/pools/redis").status == 200).then_some(()));
}

#[test]
fn a_jailed_function_reaches_each_server() {
    let servers = [
        ("postgres", Database::postgres()),
        ("redis", Database::redis()),
        ("memcached", Database::memcached()),
    ];
    let resources = servers.iter().filter_map(|(name, server)| {
        let user = if *name == "postgres" { "postgres@" } else { "" };
        Some((name.to_string(), format!("{name}://{user}127.0.0.1:{}", server.as_ref()?.port).into()))
    });
    let resources = serde_json::Value::Object(resources.collect());
    let expected = [("postgres", "1"), ("redis", "1"), ("memcached", "STORED VALUE greeting 0 5 hello END")];
    for execution in ["spawn", "fork"] {
        let site = Site::new();
        site.install(
            "pools@v1",
            "libfixture_pools.so",
            json!({"execution": execution, "resources": resources}),
        );
        let host = Host::start(site);
        for (name, text) in expected.iter().filter(|(name, _)| resources.get(name).is_some()) {
            let answer = host.get(&format!("/rpc/pools/{name}")).text();
            assert!(answer == *text || (*name == "redis" && answer == "2"), "{execution} {name}: {answer}");
        }
    }
}
