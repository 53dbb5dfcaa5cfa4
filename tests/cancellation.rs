//! Clients that disconnect, and slow clients.

use crate::harness::{AUTHOR, Client, Host, Leftovers, Site, connect, wait_for};
use serde_json::json;
use std::io::{Read, Write};
use std::net::Shutdown;

fn busy(host: &Host) -> bool {
    Leftovers::of(host).processes > 0
}

#[test]
fn a_client_that_goes_away_has_its_process_killed_at_once() {
    let site = Site::new();
    site.harm("sleeps_for_ever", json!({"timeout_ms": 600_000}));
    let host = Host::start(site);
    let stream = host.client("GET", "/rpc/sleeps_for_ever").begin();
    wait_for("the process", || busy(&host).then_some(()));
    stream.shutdown(Shutdown::Both).unwrap();
    drop(stream);
    // Far below the deadline of ten minutes.
    wait_for("the process's end", || Some(Leftovers::of(&host)).filter(Leftovers::is_quiet));
    let line = host.logged("a line of its own", |line| line["kind"] == "client_gone");
    assert_eq!((line["status"].as_u64(), line["function"].as_str()), (Some(499), Some("sleeps_for_ever@v1")));
}

#[test]
fn a_client_that_goes_away_after_pipelining_a_second_request_is_noticed_too() {
    let site = Site::new();
    site.harm("sleeps_for_ever", json!({"timeout_ms": 600_000}));
    let host = Host::start(site);
    let mut stream = connect(host.address);
    let request = "GET /rpc/sleeps_for_ever HTTP/1.1\r\nhost: a\r\n\r\n";
    stream.write_all(request.repeat(2).as_bytes()).unwrap();
    wait_for("the process", || busy(&host).then_some(()));
    drop(stream);
    wait_for("the process's end", || Some(Leftovers::of(&host)).filter(Leftovers::is_quiet));
}

#[test]
fn a_client_that_goes_away_in_the_queue_leaves_it() {
    let site = Site::new();
    let limits = json!({"concurrency": 1, "queue": 1});
    site.harm("sleeps_for_ever", json!({"timeout_ms": 600_000, "limits": limits}));
    let host = Host::start(site);
    let _running = host.client("GET", "/rpc/sleeps_for_ever").begin();
    wait_for("the process", || busy(&host).then_some(()));
    let waiting = host.client("GET", "/rpc/sleeps_for_ever").begin();
    let queued = r#"fezz_queued{function="sleeps_for_ever@v1"}"#;
    wait_for("the queue", || (host.metric(queued) == 1.0).then_some(()));
    assert_eq!(host.get("/rpc/sleeps_for_ever").outcome(), (503, "overloaded"));
    drop(waiting);
    wait_for("the queue's end", || (host.metric(queued) == 0.0).then_some(()));
}

#[test]
fn a_slow_body_holds_no_permit_and_ends_at_its_timeout() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"limits": {"concurrency": 1, "queue": 0}}));
    let host = Host::with_flags(site, &["--body-timeout-ms", "700"]);
    let mut slow = connect(host.address);
    slow.write_all(b"POST /rpc/author HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf").unwrap();
    wait_for("the slow request", || (host.metric("fezz_requests_in_flight ") == 1.0).then_some(()));
    // While the host waits for the body, the only permit is free.
    assert_eq!(host.get("/rpc/author/pid").status, 200);
    let taken = r#"fezz_processes{function="author@v1"}"#;
    wait_for("the permit to be released", || (host.metric(taken) == 0.0).then_some(()));
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("fezz-error: body_timeout"), "{answer}");
}

#[test]
fn a_client_that_does_not_read_its_response_holds_no_permit() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"limits": {"concurrency": 1, "queue": 0}}));
    let host = Host::start(site);
    let body = vec![b'x'; 8 << 20];
    let mut unread = Client::new(host.address, "POST", "/rpc/author").body(body).begin();
    unread.read_exact(&mut [0; 15]).unwrap();
    wait_for("the permit", || (host.get("/rpc/author/pid").status == 200).then_some(()));
    drop(unread);
    host.logged("its end", |line| line["status"] == 200 && line["kind"] == "aborted");
}

#[test]
fn a_connection_that_sends_nothing_or_half_a_preface_is_closed() {
    let host = Host::start(Site::new());
    for beginning in [&b""[..], b"PRI * HT"] {
        let mut silent = connect(host.address);
        silent.write_all(beginning).unwrap();
        let closed = silent.read(&mut [0; 100]);
        // The kernel sends a reset where the host closes with unread bytes.
        let reset = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionReset;
        assert!(matches!(closed, Ok(0)) || closed.as_ref().is_err_and(reset), "{closed:?}");
    }
}
