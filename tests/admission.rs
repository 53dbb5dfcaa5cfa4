//! Limits before a function runs.

use crate::harness::{AUTHOR, Answer, Client, Host, Site, connect, wait_for};
use serde_json::json;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

fn host_with_limits(limits: serde_json::Value) -> Host {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"limits": limits}));
    Host::start(site)
}

#[test]
fn a_body_at_the_limit_passes_and_one_above_is_refused() {
    let host = host_with_limits(json!({"request_body_bytes": 1000}));
    let send = |bytes: usize| host.client("POST", "/rpc/author").body(vec![b'x'; bytes]).send();
    assert_eq!(send(1000).body.len(), 1000);
    let answer = send(1001);
    assert_eq!(answer.outcome(), (413, "body_too_large"));
    assert!(answer.text().contains("over 1000 bytes"), "{}", answer.text());
}

#[test]
fn a_chunked_body_is_counted_as_it_arrives() {
    let host = host_with_limits(json!({"request_body_bytes": 1000}));
    let chunks = |count: usize| {
        let mut stream = connect(host.address);
        stream.write_all(b"POST /rpc/author HTTP/1.1\r\nhost: a\r\nconnection: close\r\n").unwrap();
        stream.write_all(b"transfer-encoding: chunked\r\n\r\n").unwrap();
        for _ in 0..count {
            stream.write_all(format!("64\r\n{}\r\n", "x".repeat(100)).as_bytes()).unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(chunks(10).ends_with(&"x".repeat(1000)));
    assert!(chunks(11).starts_with("HTTP/1.1 413 "));
}

#[test]
fn bodies_of_any_size_come_back_as_they_were() {
    let host = host_with_limits(json!({}));
    for bytes in [0, 1, 4096, 65_535, 65_536, 1_000_000, 10 << 20] {
        let body: Vec<u8> = (0..bytes).map(|index| (index % 251) as u8).collect();
        let answer = host.client("POST", "/rpc/author").body(body.clone()).send();
        assert!(
            answer.status == 200 && answer.body == body,
            "{bytes}: {} {}",
            answer.status,
            answer.body.len()
        );
    }
}

#[test]
fn headers_over_the_limit_are_refused() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = Host::with_flags(site, &["--header-bytes", "2000"]);
    let with = |bytes: usize| host.client("GET", "/rpc/author").header("x-large", &"x".repeat(bytes)).send();
    assert_eq!(with(1000).outcome(), (200, ""));
    assert_eq!(with(3000).outcome(), (431, "headers_too_large"));
    // Headers beyond the parser's own limit get a 431 without a problem document.
    assert_eq!(with(100_000).status, 431);
}

#[test]
fn requests_beyond_the_concurrency_limit_and_the_queue_are_refused() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"limits": {"concurrency": 1, "queue": 1}}));
    let host = Host::start(site);
    let sleeper = host.client("GET", "/rpc/author/sleep?ms=700").begin();
    let taken = r#"fezz_processes{function="author@v1"}"#;
    wait_for("the permit to be taken", || (host.metric(taken) == 1.0).then_some(()));
    let queued = std::thread::spawn({
        let address = host.address;
        move || Client::new(address, "GET", "/rpc/author/sleep").send()
    });
    wait_for("the queue", || (host.metric(r#"fezz_queued{function="author@v1"}"#) == 1.0).then_some(()));
    let refused = host.get("/rpc/author");
    assert_eq!(refused.outcome(), (503, "overloaded"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(queued.join().unwrap().status, 200);
    drop(sleeper);
}

#[test]
fn the_deadline_counts_the_time_in_the_queue() {
    let site = Site::new();
    site.harm("sleeps_for_ever", json!({"timeout_ms": 1000, "limits": {"concurrency": 1, "queue": 5}}));
    let host = Host::start(site);
    let _first = host.client("GET", "/rpc/sleeps_for_ever").header("x-request-id", "first").begin();
    let taken = r#"fezz_processes{function="sleeps_for_ever@v1"}"#;
    wait_for("the permit to be taken", || (host.metric(taken) == 1.0).then_some(()));
    let second = host.get("/rpc/sleeps_for_ever");
    assert_eq!(second.outcome(), (504, "deadline_exceeded"));
    // With a deadline that starts after the queue, the second request would take twice as long as the first.
    assert!(second.took.as_millis() < 1700, "{:?}", second.took);
}

#[test]
fn envoys_timeout_shortens_the_deadline_and_never_lengthens_it() {
    let site = Site::new();
    site.harm("sleeps_for_ever", json!({"timeout_ms": 1500}));
    let host = Host::start(site);
    let with = |ms: &str| {
        let client = host.client("GET", "/rpc/sleeps_for_ever");
        let answer = client.header("x-envoy-expected-rq-timeout-ms", ms).send();
        assert_eq!(answer.outcome(), (504, "deadline_exceeded"));
        answer.took.as_millis()
    };
    assert!(with("200") < 1200);
    assert!((1500..5000).contains(&with("600000")));
    assert!((1500..5000).contains(&with("nonsense")));
}

#[test]
fn envoys_timeout_includes_the_time_in_which_the_body_arrives() {
    const TIMEOUT: Duration = Duration::from_secs(2);
    let host = host_with_limits(json!({}));
    let client = host.client("POST", "/rpc/author/sleep?ms=60000").header("content-length", "2");
    let begun = Instant::now();
    let mut slow = client.header("x-envoy-expected-rq-timeout-ms", &TIMEOUT.as_millis().to_string()).begin();
    slow.write_all(b"a").unwrap();
    wait_for("half of the time", || (begun.elapsed() > TIMEOUT / 2).then_some(()));
    slow.write_all(b"b").unwrap();
    let answer = Answer::read(slow, begun);
    assert_eq!(answer.outcome(), (504, "deadline_exceeded"));
    // Counted from the end of the body, the deadline would be 50 % later.
    assert!(answer.took < TIMEOUT * 5 / 4, "{:?}", answer.took);
}

#[test]
fn memory_for_bodies_is_bounded_for_all_requests_together() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = Host::with_flags(site, &["--body-memory-bytes", "1600000"]);
    let send = |bytes: usize| host.client("POST", "/rpc/author").body(vec![b'x'; bytes]).send();
    assert_eq!(send(2_000_000).outcome(), (503, "overloaded"));
    for _ in 0..3 {
        assert_eq!(send(700_000).status, 200, "what a request took comes back");
    }
}
