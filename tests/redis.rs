//! A module in the host's own process keeps its connection to a real Redis.

use crate::harness::{Database, Host, Site};
use serde_json::json;

#[test]
fn a_client_in_a_static_keeps_its_connection_between_requests() {
    let Some(redis) = Database::redis() else { return };
    let site = Site::new();
    let url = format!("redis://127.0.0.1:{}", redis.port);
    let more = json!({"execution": "in-process", "env": {"REDIS_URL": url}});
    site.install("visits@v1", "libfixture_redis.so", more);
    let host = Host::with_flags(site, &["--allow-in-process=visits"]);
    let before = redis.redis_info("total_connections_received");
    for expected in 1..=100 {
        assert_eq!(host.get("/rpc/visits").text(), expected.to_string());
    }
    // One of the function, and that of this look.
    assert_eq!(redis.redis_info("total_connections_received") - before, 2);
}
