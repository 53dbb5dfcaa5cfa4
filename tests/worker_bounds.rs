//! What bounds the workers of a function, and what a client that has gone or a hostile worker can hold.

use crate::harness::{AUTHOR, Connection, Host, Site, wait_for};
use crate::worker::{ends, get, host_of, install, metric, starts, workers};
use serde_json::json;

/// Longer than any test: what the tests wait for must not come by a deadline.
const NEVER_MS: u64 = 300_000;

/// Without them, the host counts a request of a few kilobytes.
const BODY_BYTES: usize = 4 << 20;

fn requests_bytes(host: &Host) -> f64 {
    host.metric(r#"fezz_memory_bytes{use="requests"}"#)
}

#[test]
fn workers_that_go_on_after_their_end_are_never_more_than_the_maximum() {
    let worker = json!({"max": 2, "max_requests": 1});
    let host = host_of(json!({"env": {"START": "lingers"}, "worker": worker}));
    let (mut connection, mut most) = (Connection::new(host.address), 0.0_f64);
    wait_for("the end of some that were replaced", || {
        assert_eq!(connection.get("/rpc/w/count").outcome(), (200, ""));
        most = most.max(workers(&host));
        (ends(&host, "lingered") >= 3.0).then_some(())
    });
    assert!(most <= 4.0, "{most} at a time");
}

#[test]
fn requests_whose_clients_have_gone_leave_their_worker_one_permit_of_the_host() {
    let site = Site::new();
    install(&site, "w@v1", json!({"worker": {"max": 1, "concurrency": 8}, "timeout_ms": NEVER_MS}));
    site.install("f@v1", AUTHOR, json!({"timeout_ms": 10_000}));
    let host = Host::with_flags(site, &["--processes=2"]);
    for _ in 0..4 {
        host.forget_log();
        let client = host.client("GET", "/rpc/w/sleep?ms=300000").begin();
        host.logged("the request", |line| line["line"] == "sleeping");
        drop(client);
        host.logged("the cancel", |line| line["line"] == "cancelled");
    }
    assert_eq!(host.get("/rpc/f/pid").status, 200);
    // The function's own permits and the slots stay taken.
    assert_eq!(host.metric(r#"fezz_processes{function="w@v1"}"#), 4.0);
    assert_eq!((get(&host, "count").text().as_str(), starts(&host)), ("5", 1.0));
}

#[test]
fn a_busy_worker_keeps_a_permit_of_the_host_when_its_clients_have_gone() {
    let site = Site::new();
    install(&site, "w@v1", json!({"worker": {"max": 1, "concurrency": 2}, "timeout_ms": 4000}));
    site.install("f@v1", AUTHOR, json!({"timeout_ms": 500}));
    let host = Host::with_flags(site, &["--processes=1"]);
    get(&host, "count");
    let client = host.client("GET", "/rpc/w/never").begin();
    wait_for("the request", || (metric(&host, "workers", r#",state="busy""#) == 1.0).then_some(()));
    drop(client);
    assert_eq!(host.get("/rpc/f/pid").outcome(), (504, "deadline_exceeded"));
    wait_for("the end of the worker", || (ends(&host, "deadline") == 1.0).then_some(()));
    wait_for("the permit", || (host.get("/rpc/f/pid").status == 200).then_some(()));
}

#[test]
fn the_body_of_a_request_whose_client_has_gone_is_given_back_at_once() {
    for format in ["cbor", "json"] {
        let worker = json!({"max": 1, "concurrency": 4});
        let host = host_of(json!({"env": {"FORMAT": format}, "worker": worker, "timeout_ms": NEVER_MS}));
        get(&host, "count");
        let client = host.client("POST", "/rpc/w/never").body(vec![b'x'; BODY_BYTES]).begin();
        wait_for("the request", || (metric(&host, "workers", r#",state="busy""#) == 1.0).then_some(()));
        assert!(requests_bytes(&host) >= BODY_BYTES as f64, "{format}");
        drop(client);
        wait_for("the memory", || (requests_bytes(&host) == 0.0).then_some(()));
        // A large payload in JSON is encoded on another thread: the client may be gone before it is sent.
        if format == "cbor" {
            assert_eq!(metric(&host, "workers", r#",state="busy""#), 1.0, "its slot stays taken");
        }
    }
}

#[test]
fn a_request_that_its_worker_has_not_begun_to_read_is_withdrawn_with_its_client() {
    let worker = json!({"max": 1, "concurrency": 4});
    let host = host_of(json!({"env": {"START": "deaf"}, "worker": worker, "timeout_ms": NEVER_MS}));
    let taken = || host.metric(r#"fezz_processes{function="w@v1"}"#);
    let post = || host.client("POST", "/rpc/w/never").body(vec![b'x'; BODY_BYTES]).begin();
    let clients: Vec<_> = (1..=3)
        .map(|number| {
            let client = post();
            wait_for("the request", || (taken() == f64::from(number)).then_some(()));
            client
        })
        .collect();
    assert!(requests_bytes(&host) >= (3 * BODY_BYTES) as f64);
    drop(clients);
    // The first is written in part.
    wait_for("the permits", || (taken() == 1.0).then_some(()));
    wait_for("the memory", || (requests_bytes(&host) < (2 * BODY_BYTES) as f64).then_some(()));
}

#[test]
fn descriptors_in_a_workers_stream_are_ignored() {
    // With a network it may call sendmsg(2).
    let host = host_of(json!({"worker": {"max": 1}, "timeout_ms": 3000, "network": {"connect": [9]}}));
    for request in 0..20 {
        assert_eq!(get(&host, "descriptors").outcome(), (200, ""), "{request}");
    }
    assert_eq!(get(&host, "count").text(), "21", "the same worker");
}

#[test]
fn a_worker_that_reads_no_more_ends_and_the_next_request_has_another() {
    let host = host_of(json!({"worker": {"max": 1}, "timeout_ms": 5000}));
    assert_eq!(get(&host, "shuts-reading").outcome(), (200, ""));
    assert_eq!(get(&host, "count").text(), "1", "another worker");
    let line = host.logged("the end", |line| line["reason"] == "invalid");
    assert!(line["message"].as_str().unwrap().contains("closed its stdin for reading"), "{line}");
}

#[test]
fn a_worker_that_reads_no_more_while_it_has_requests_ends_before_their_deadline() {
    let worker = json!({"max": 1, "concurrency": 2});
    let host = host_of(json!({"worker": worker, "timeout_ms": NEVER_MS}));
    // The second client's request can't be sent, and the first one's has no answer.
    let client = host.client("GET", "/rpc/w/shuts-reading-silently").begin();
    host.logged("the request", |line| line["line"] == "shut");
    assert_eq!(get(&host, "count").text(), "1", "another worker");
    wait_for("the end of the first worker", || (ends(&host, "invalid") == 1.0).then_some(()));
    drop(client);
}
