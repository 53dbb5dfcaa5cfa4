//! Answers that don't wait for the request's body. Each must arrive although the client is still sending.

use crate::harness::{AUTHOR, Answer, Connection, Host, Site, connect, exchange};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

/// More than the socket buffers hold: the client can't send all of it unless the host reads.
const BODY_BYTES: usize = 16 << 20;

/// Enough repetitions to find a reset that overtakes one answer in ten.
const ATTEMPTS: usize = 20;

fn host() -> Host {
    let site = Site::new();
    let routes = json!([{"path": "/get", "method": "GET"}]);
    site.install("author@v1", AUTHOR, json!({"limits": {"request_body_bytes": 1000}, "routes": routes}));
    Host::with_flags(site, &["--header-bytes", "1000"])
}

/// A client that sends its whole body before it reads gets the host's answer each time, and never an error.
fn check(request: &str, status: u16, kind: &str) {
    check_with(request, "", status, kind);
}

fn check_with(request: &str, headers: &str, status: u16, kind: &str) {
    let host = host();
    let head = format!("{request} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}");
    let sized = format!("content-length: {BODY_BYTES}\r\n\r\n");
    let chunked = format!("transfer-encoding: chunked\r\n\r\n{BODY_BYTES:x}\r\n");
    let body = vec![b'x'; BODY_BYTES];
    for (framing, tail) in [(sized, &b""[..]), (chunked, b"\r\n0\r\n\r\n")] {
        let bytes = [head.as_bytes(), framing.as_bytes(), &body, tail].concat();
        for _ in 0..ATTEMPTS {
            let answer = exchange(host.address, &bytes);
            assert_eq!(answer.outcome(), (status, kind));
            let length: usize = answer.header("content-length").unwrap().parse().unwrap();
            assert_eq!(answer.body.len(), length, "{}", answer.text());
        }
    }
}

#[test]
fn a_body_over_the_limit_gets_its_413_however_late_the_client_reads() {
    check("POST /rpc/author", 413, "body_too_large");
}

#[test]
fn a_body_for_an_unknown_path_gets_its_404() {
    check("POST /nothing", 404, "not_found");
}

#[test]
fn a_body_with_the_wrong_method_gets_its_405() {
    check("POST /get", 405, "method_not_allowed");
    check("POST /_health", 405, "");
}

#[test]
fn a_body_after_too_large_headers_gets_its_431() {
    let headers = format!("x: {}\r\n", "x".repeat(1000));
    check_with("POST /rpc/author", &headers, 431, "headers_too_large");
}

#[test]
fn a_request_that_hyper_refuses_gets_its_answer_too() {
    let host = host();
    let rest = vec![b'x'; BODY_BYTES];
    let headers = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}", "x".repeat(1 << 20));
    for (head, status) in [("NOT HTTP\r\n\r\n", 400), (&headers, 431)] {
        let bytes = [head.as_bytes(), &rest].concat();
        for _ in 0..ATTEMPTS {
            assert_eq!(exchange(host.address, &bytes).status, status);
        }
    }
}

#[test]
fn a_client_that_half_closes_after_its_body_gets_its_answer() {
    let host = host();
    let head = format!("POST /rpc/author HTTP/1.1\r\nhost: a\r\ncontent-length: {BODY_BYTES}\r\n\r\n");
    let bytes = [head.as_bytes(), &vec![b'x'; BODY_BYTES]].concat();
    for _ in 0..ATTEMPTS {
        let mut stream = connect(host.address);
        stream.write_all(&bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(Answer::read(stream, Instant::now()).outcome(), (413, "body_too_large"));
    }
}

#[test]
fn a_connection_serves_on_once_the_refused_body_is_read() {
    let host = host();
    let mut connection = Connection::new(host.address);
    let body = vec![b'x'; 1 << 20];
    let head = format!("POST /nothing HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len());
    connection.write(head.as_bytes());
    assert_eq!(connection.read().outcome(), (404, "not_found"));
    connection.write(&body);
    assert_eq!(connection.get("/_health").status, 200);
}

#[test]
fn a_client_that_expects_100_continue_gets_the_refusal_and_the_connection_closes() {
    let host = host();
    let head = "POST /rpc/author HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2000\r\n\r\n";
    let answer = exchange(host.address, head.as_bytes());
    assert_eq!((answer.outcome(), answer.header("connection")), ((413, "body_too_large"), Some("close")));
}

#[test]
fn a_client_that_sends_for_ever_is_cut_off() {
    const FAR_TOO_MUCH: usize = 1 << 30;
    let host = host();
    let mut stream = connect(host.address);
    let head = format!("POST /rpc/author HTTP/1.1\r\nhost: a\r\ncontent-length: {FAR_TOO_MUCH}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let piece = vec![b'x'; 1 << 20];
    let sent = (0..FAR_TOO_MUCH >> 20).take_while(|_| stream.write_all(&piece).is_ok()).count() << 20;
    assert!(sent < FAR_TOO_MUCH, "all was read");
    // The answer that was sent before the close still arrives.
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    assert!(answer.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn a_host_that_shuts_down_does_not_wait_for_clients_that_have_their_answers() {
    let mut host = host();
    let mut idle = Connection::new(host.address);
    assert_eq!(idle.get("/_health").status, 200);
    let mut sending = Connection::new(host.address);
    sending.write(b"POST /nothing HTTP/1.1\r\nhost: a\r\ncontent-length: 2000\r\n\r\nhalf");
    assert_eq!(sending.read().outcome(), (404, "not_found"));
    let begun = Instant::now();
    host.signal(Signal::TERM);
    assert!(host.ended().success());
    // Much less than the time that the host otherwise waits for a silent client.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[test]
fn a_slow_body_gets_its_408_and_the_connection_is_closed() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = Host::with_flags(site, &["--body-timeout-ms", "300"]);
    let head = "POST /rpc/author HTTP/1.1\r\nhost: a\r\ncontent-length: 2000\r\n\r\nhalf";
    let answer = exchange(host.address, head.as_bytes());
    assert_eq!((answer.outcome(), answer.header("connection")), ((408, "body_timeout"), Some("close")));
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem["status"], 408);
}

#[test]
fn an_http_2_stream_gets_its_answer_and_the_connection_serves_on() {
    use http_body_util::{BodyExt, Full};
    let host = host();
    let body = hyper::body::Bytes::from(vec![b'x'; BODY_BYTES]);
    crate::harness::http_2(host.address, async |mut sender| {
        for _ in 0..ATTEMPTS {
            let request = hyper::Request::post("http://a/rpc/author").body(Full::new(body.clone())).unwrap();
            let answer = sender.send_request(request).await.unwrap();
            assert_eq!(
                (answer.status().as_u16(), answer.headers()["fezz-error"].as_bytes()),
                (413, &b"body_too_large"[..])
            );
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let problem: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(problem["status"], 413);
        }
    });
}
