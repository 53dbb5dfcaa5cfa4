//! How long the host waits for a request on a connection, and for the rest of its head.

use crate::harness::{AUTHOR, Connection, Frames, Host, PATIENCE, Site, connect};
use serde_json::json;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

/// The pause of a slow client between two bytes.
const PAUSE: Duration = Duration::from_millis(20);

fn host(head_ms: &str, keep_alive_ms: &str) -> Host {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    Host::with_flags(site, &["--head-timeout-ms", head_ms, "--keep-alive-ms", keep_alive_ms])
}

/// Sends an endless head byte for byte until the host closes the connection, and then reads the answer.
fn dribble(mut stream: std::net::TcpStream) -> (String, Duration) {
    let begun = Instant::now();
    stream.set_read_timeout(Some(PAUSE)).unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    stream.write_all(b"GET /_health HTTP/1.1\r\nhost: a\r\nx: ").unwrap();
    while begun.elapsed() < PATIENCE && stream.write_all(b"x").is_ok() {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&piece[..read]),
            Err(_) => {}
        }
    }
    (String::from_utf8_lossy(&answer).into_owned(), begun.elapsed())
}

fn is_408(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 408 ")
        && answer.contains("fezz-error: head_timeout")
        && answer.ends_with('}')
}

#[test]
fn a_slow_head_ends_at_its_timeout() {
    let host = host("500", "60000");
    let (answer, took) = dribble(connect(host.address));
    assert!(is_408(&answer), "{answer}");
    assert!((400..5000).contains(&took.as_millis()), "{took:?}");
    assert_eq!(host.metric(r#"fezz_requests_total{function="",status="408",kind="head_timeout"}"#), 1.0);
}

#[test]
fn the_second_head_of_a_connection_ends_at_its_timeout_too() {
    let host = host("500", "60000");
    let mut connection = Connection::new(host.address);
    assert_eq!(connection.get("/rpc/author/pid").status, 200);
    let (answer, took) = dribble(connection.into_stream());
    assert!(is_408(&answer), "{answer}");
    assert!((400..5000).contains(&took.as_millis()), "{took:?}");
}

#[test]
fn an_idle_connection_ends_at_its_own_timeout_without_an_answer() {
    let host = host("200", "1500");
    let mut connection = Connection::new(host.address);
    assert_eq!(connection.get("/rpc/author/pid").status, 200);
    let begun = Instant::now();
    let mut rest = Vec::new();
    connection.into_stream().read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty() && begun.elapsed() > Duration::from_millis(1200), "{:?}", begun.elapsed());
}

#[test]
fn a_slow_body_is_not_limited_by_the_head_timeout() {
    let host = host("200", "60000");
    let mut stream = connect(host.address);
    stream.write_all(b"POST /rpc/author HTTP/1.1\r\nhost: a\r\ncontent-length: 30\r\n\r\n").unwrap();
    // The body takes three head timeouts in total.
    let begun = Instant::now();
    stream.set_read_timeout(Some(PAUSE)).unwrap();
    for _ in 0..30 {
        assert!(stream.read(&mut [0]).is_err(), "an answer after {:?}", begun.elapsed());
        stream.write_all(b"x").unwrap();
    }
    assert!(begun.elapsed() > Duration::from_millis(600));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

#[test]
fn http_2_ends_at_the_timeout_in_the_middle_of_a_head() {
    let host = host("500", "60000");
    let mut frames = Frames::connect(host.address);
    frames.half_a_head(&[(":method", "GET"), (":scheme", "http")]);
    let begun = Instant::now();
    frames.connection_end();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());

    let mut frames = Frames::connect(host.address);
    frames.half_a_head(&[(":method", "GET"), (":scheme", "http")]);
    let begun = Instant::now();
    // So slow that the timeout ends the head before the limit of frames does.
    while begun.elapsed() < PATIENCE && !frames.has_ended_within(PAUSE * 5) {
        frames.continue_head().ok();
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn an_idle_http_2_connection_gets_goaway_at_its_timeout() {
    let host = host("60000", "1000");
    let mut frames = Frames::connect(host.address);
    assert!(frames.connection_end(), "no GOAWAY");
}
