//! The SDK's pools by TLS, from a jailed worker to the real servers.

use crate::harness::{Certificates, Database, Host, Site};
use serde_json::json;
use std::fs;

/// A host of the fixture, whose secret `authority` is that of the server.
fn host(name: &str, url: String, authority: &str) -> Host {
    let site = Site::new();
    let secrets = site.root().join("secrets");
    fs::create_dir(&secrets).unwrap();
    fs::write(secrets.join("authority"), authority).unwrap();
    let manifest = json!({
        "execution": "worker", "resources": {name: url}, "secrets": {"AUTHORITY": "authority"},
    });
    site.install("pools@v1", "libfixture_pools.so", manifest);
    Host::with_flags(site, &["--secrets", secrets.to_str().unwrap()])
}

fn refuses(host: &Host, path: &str) {
    assert_eq!(host.get(path).outcome(), (500, "function_error"));
    host.logged("the cause", |line| {
        line["error"].as_str().is_some_and(|error| error.contains("invalid peer certificate"))
    });
}

#[test]
fn postgres_is_reached_by_tls_where_its_authority_is_a_secret() {
    let certificates = Certificates::of("127.0.0.1");
    let Some(server) = Database::postgres_by_tls(&certificates) else { return };
    let url = || format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=require", server.port);
    let trusting = host("postgres", url(), &certificates.authority);
    assert_eq!(trusting.get("/rpc/pools/postgres").text(), "1");
    assert_eq!((server.postgres_sessions(), server.postgres_sessions_by_tls()), (1, 1));
    refuses(&host("postgres", url(), &Certificates::of("127.0.0.1").authority), "/rpc/pools/postgres");
    assert_eq!(server.postgres_sessions(), 1);
}

#[test]
fn redis_is_reached_by_tls_where_its_authority_is_a_secret() {
    let certificates = Certificates::of("127.0.0.1");
    let Some(server) = Database::redis_by_tls(&certificates) else { return };
    let url = || format!("rediss://127.0.0.1:{}", server.port);
    let trusting = host("redis", url(), &certificates.authority);
    assert_eq!(trusting.get("/rpc/pools/redis").text(), "1");
    refuses(&host("redis", url(), &Certificates::of("127.0.0.1").authority), "/rpc/pools/redis");
}

#[test]
fn a_server_of_another_name_is_not_trusted() {
    let certificates = Certificates::of("db.internal");
    let Some(server) = Database::postgres_by_tls(&certificates) else { return };
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=require", server.port);
    refuses(&host("postgres", url, &certificates.authority), "/rpc/pools/postgres");
}
