//! Request heads that don't end: their timeouts, and which account is charged for them.

use crate::harness::{
    AUTHOR, Frames, Host, PATIENCE, Site, StreamEnd, alone, connect, connect_from, resident_kib, wait_for,
};
use serde_json::json;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

/// The address of the attacker. Honest clients use another one.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

const WHOLE: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/_health")];

const CHARGED: [&str; 2] =
    [r#"fezz_memory_bytes{use="small requests"}"#, r#"fezz_memory_bytes{use="requests"}"#];

fn site() -> Site {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    site
}

fn charged(host: &Host) -> f64 {
    CHARGED.iter().map(|name| host.metric(name)).sum()
}

fn assert_served(host: &Host) {
    for bytes in [0, 1000, 30_000] {
        let answer = host.client("POST", "/rpc/author").body(vec![b'x'; bytes]).send();
        assert_eq!((answer.outcome(), answer.body.len()), ((200, ""), bytes), "{}", answer.text());
    }
}

/// A connection on which hyper holds 3000 headers of a head.
fn half_an_http_2_head(host: &Host) -> Option<Frames> {
    let mut frames = Frames::begin(connect_from(ATTACKER, host.address), &[]);
    frames.half_a_head_of(3000).ok().map(|()| frames)
}

/// A connection on which hyper holds 60 KB of a head.
fn half_an_http_1_head(host: &Host) -> Option<TcpStream> {
    let mut stream = connect_from(ATTACKER, host.address);
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nx: ").unwrap();
    stream.write_all(&[b'x'; 60_000]).ok().map(|()| stream)
}

#[test]
fn a_ping_does_not_shorten_the_timeout_of_an_http_2_head() {
    let host = Host::with_flags(site(), &["--head-timeout-ms", "3000"]);
    let mut frames = Frames::connect(host.address);
    frames.await_ping();
    frames.half_a_head(&WHOLE);
    // The answer to the ping may take two thirds of the time.
    assert!(!frames.has_ended_within(Duration::from_millis(2500)));
    frames.end_head();
    assert_eq!(frames.stream_end(), StreamEnd::Response(200, 3));
}

#[test]
fn an_http_2_head_that_lacks_an_octet_ends_at_its_timeout() {
    let host = Host::with_flags(site(), &["--head-timeout-ms", "3000"]);
    let mut frames = Frames::connect(host.address);
    frames.all_but_an_octet(&WHOLE);
    let begun = Instant::now();
    frames.connection_end();
    assert!((2900..3900).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
}

#[test]
fn half_a_head_is_charged_until_it_ends() {
    let host = Host::start(site());
    let frames = half_an_http_2_head(&host);
    wait_for("the head to be charged", || (charged(&host) > 200_000.0).then_some(()));
    drop(frames);
    wait_for("the memory to be released", || (charged(&host) == 0.0).then_some(()));
    let mut stream = half_an_http_1_head(&host).unwrap();
    wait_for("the head to be charged", || (charged(&host) > 100_000.0).then_some(()));
    stream.write_all(b"\r\nconnection: close\r\n\r\n").unwrap();
    wait_for("the memory to be released", || (charged(&host) == 0.0).then_some(()));
}

#[test]
fn half_heads_use_no_more_than_the_request_memory_and_other_clients_are_served() {
    const CONNECTIONS: usize = 400;
    const GROWTH_KIB_MAX: usize = 40 * 1024;
    let _machine = alone();
    let host = Host::without_machine(site(), |command| {
        command.args(["--body-memory-bytes", "4000000"]);
    });
    assert_served(&host);
    let before_kib = resident_kib(&host);
    let http_2: Vec<_> = (0..CONNECTIONS).map(|_| half_an_http_2_head(&host)).collect();
    assert_served(&host);
    let http_1: Vec<_> = (0..CONNECTIONS).map(|_| half_an_http_1_head(&host)).collect();
    assert_served(&host);
    let growth_kib = resident_kib(&host).saturating_sub(before_kib);
    assert!(growth_kib < GROWTH_KIB_MAX, "the host has grown by {growth_kib} KiB");
    drop((http_1, http_2));
    wait_for("the memory to be released", || (charged(&host) == 0.0).then_some(()));
}

#[test]
fn a_half_head_without_memory_is_refused() {
    let host = Host::with_flags(site(), &["--body-memory-bytes", "1048576", "--header-bytes", "600000"]);
    let mut stream = connect(host.address);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nx: ").unwrap();
    stream.write_all(&[b'x'; 400_000]).ok();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("fezz-error: overloaded"), "{answer}");
}

#[test]
fn an_idle_connection_with_a_large_buffer_is_charged_and_ended_for_memory() {
    let host = Host::with_flags(site(), &["--body-memory-bytes", "1048576", "--keep-alive-ms", "60000"]);
    let idle: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = connect_from(ATTACKER, host.address);
            // The second request is incomplete and arrives together with the first.
            let twice = ["GET /_health HTTP/1.1\r\nhost: a\r\nx: ", &"x".repeat(50_000)].concat();
            stream.write_all([&twice, "\r\n\r\n", &twice].concat().as_bytes()).unwrap();
            let mut answer = [0; 15];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200 OK");
            stream
        })
        .collect();
    assert!((100_000.0..600_000.0).contains(&charged(&host)), "{}", charged(&host));
    assert_served(&host);
    drop(idle);
    wait_for("the memory to be released", || (charged(&host) == 0.0).then_some(()));
}

#[test]
fn a_buffer_that_has_grown_stays_charged_while_the_next_request_is_in_flight() {
    let host = Host::start(site());
    let mut stream = connect_from(ATTACKER, host.address);
    let grow = ["GET /_health HTTP/1.1\r\nhost: a\r\nx: ", &"x".repeat(50_000), "\r\n\r\n"].concat();
    stream.write_all(grow.as_bytes()).unwrap();
    stream.read_exact(&mut [0; 15]).unwrap();
    wait_for("the buffer to be charged", || (charged(&host) > 50_000.0).then_some(()));
    let before = charged(&host);
    stream.write_all(b"POST /rpc/author HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nx").unwrap();
    wait_for("the request to be charged beside it", || (charged(&host) > before + 8000.0).then_some(()));
    drop(stream);
    wait_for("the memory to be released", || (charged(&host) == 0.0).then_some(()));
}

#[test]
fn a_request_in_flight_whose_buffer_is_evicted_gets_no_answer_that_is_safe_to_retry() {
    let host = Host::with_flags(site(), &["--body-memory-bytes", "1048576", "--keep-alive-ms", "60000"]);
    let grown = || {
        let mut stream = connect_from(ATTACKER, host.address);
        let grow = ["GET /_health HTTP/1.1\r\nhost: a\r\nx: ", &"x".repeat(50_000), "\r\n\r\n"].concat();
        stream.write_all(grow.as_bytes()).ok()?;
        stream.read_exact(&mut [0; 15]).ok().map(|()| stream)
    };
    let mut busy = grown().expect("there is memory for the first");
    // It sleeps for longer than the test waits.
    busy.write_all(b"GET /rpc/author/sleep?ms=25000 HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    host.logged("the function's start", |line| line["line"] == "sleeping");
    busy.set_nonblocking(true).unwrap();
    let (mut idle, mut rest) = (Vec::new(), Vec::new());
    // All hold as much, so which of them is evicted isn't certain: others come until it is this one.
    wait_for("the eviction of its buffer", || {
        idle.push(grown());
        let read = busy.read_to_end(&mut rest);
        (!read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)).then_some(())
    });
    // After the rest of the first answer, the connection ends.
    let rest = String::from_utf8_lossy(&rest);
    assert!(!rest.contains("HTTP/1.1"), "{rest}");
}

#[test]
fn a_head_that_comes_in_two_parts_is_served_however_full_the_memory_is() {
    let host = Host::with_flags(site(), &["--body-memory-bytes", "1048576"]);
    let mut two_parts = Frames::connect(host.address);
    let mut holds = connect(host.address);
    write!(holds, "POST /rpc/author HTTP/1.1\r\nhost: a\r\ncontent-length: 512000\r\n\r\n").unwrap();
    holds.write_all(&vec![b'x'; 511_999]).unwrap();
    wait_for("the address's half to be full", || (charged(&host) > 515_000.0).then_some(()));
    let last = two_parts.all_but_an_octet(&WHOLE);
    // A request after it is served first.
    assert_eq!(host.get("/_health").status, 200);
    two_parts.octet(last);
    assert_eq!(two_parts.stream_end(), StreamEnd::Response(200, 3));
}
