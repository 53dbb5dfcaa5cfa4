//! The framing of request bodies: the host refuses a request whose body could end in two places, and closes its
//! connection (RFC 9112, section 6).

use crate::harness::{AUTHOR, Answer, Frames, Host, Site, StreamEnd, connect};
use serde_json::json;
use std::io::Write;
use std::time::Instant;

/// The version, the headers that frame the body, and the status. After each comes `0\r\n\r\n`, which is an empty chunked
/// body or five bytes, and then a second request, which gets an answer only if the connection stays open.
const ROWS: &[(&str, &str, u16)] = &[
    // One length.
    ("1.1", "content-length: 5", 200),
    ("1.1", "transfer-encoding: chunked", 200),
    ("1.1", "transfer-encoding: Chunked", 200),
    ("1.0", "content-length: 5", 200),
    // The same length twice may be taken for one (RFC 9110, section 8.6).
    ("1.1", "content-length: 5\r\ncontent-length: 5", 200),
    ("1.1", "content-length: 5\r\ncontent-length: 6", 400),
    ("1.1", "content-length: 5, 5", 400),
    ("1.1", "content-length: 5, 6", 400),
    ("1.1", "content-length: +5", 400),
    ("1.1", "content-length: -5", 400),
    ("1.1", "content-length: 0x5", 400),
    ("1.1", "content-length: 5.0", 400),
    ("1.1", "content-length: 5 5", 400),
    ("1.1", "content-length:", 400),
    ("1.1", "content-length: 99999999999999999999", 400),
    ("1.1", "content-length : 5", 400),
    // Chunked more than once, not last, or with parameters.
    ("1.1", "transfer-encoding: chunked\r\ntransfer-encoding: chunked", 400),
    ("1.1", "transfer-encoding: chunked, chunked", 400),
    ("1.1", "transfer-encoding: chunked, gzip", 400),
    ("1.1", "transfer-encoding: chunked\r\ntransfer-encoding: gzip", 400),
    ("1.1", "transfer-encoding: chunked;a=b", 400),
    ("1.1", "transfer-encoding: , chunked", 400),
    ("1.1", "transfer-encoding: chunked,", 400),
    ("1.1", "transfer-encoding:", 400),
    ("1.1", "transfer-encoding : chunked", 400),
    ("1.1", "transfer-encoding:\r\n chunked", 400),
    ("1.1", "transfer-encoding: \"chunked\"", 400),
    ("1.1", "transfer-encoding: xchunked", 400),
    // Codings that the host doesn't support.
    ("1.1", "transfer-encoding: identity", 400),
    ("1.1", "transfer-encoding: gzip", 400),
    ("1.1", "transfer-encoding: gzip, chunked", 501),
    ("1.1", "transfer-encoding: gzip\r\ntransfer-encoding: chunked", 501),
    ("1.1", "transfer-encoding: identity, chunked", 501),
    ("1.1", "transfer-encoding: x-unknown, chunked", 501),
    // HTTP/1.0 has no codings, with or without a length.
    ("1.0", "transfer-encoding: chunked", 400),
    ("1.0", "content-length: 5\r\ntransfer-encoding: chunked", 400),
    ("1.0", "transfer-encoding: gzip", 400),
];

fn host() -> Host {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    Host::start(site)
}

/// The statuses of all answers to a request with this framing and a second one after it.
fn statuses(host: &Host, path: &str, version: &str, framing: &str) -> Vec<u16> {
    let first = format!("POST {path} HTTP/{version}\r\nhost: a\r\n{framing}\r\n\r\n0\r\n\r\n");
    let second = "GET /_health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let mut stream = connect(host.address);
    stream.write_all([&first, second].concat().as_bytes()).unwrap();
    let answer = Answer::read(stream, Instant::now());
    // The text of the first answer includes the second answer.
    let first = format!("HTTP/1.1 {}", answer.status);
    let text = answer.text();
    let lines =
        std::iter::once(first.as_str()).chain(text.lines()).filter(|line| line.starts_with("HTTP/1."));
    lines.map(|line| line.split(' ').nth(1).unwrap().parse().unwrap()).collect()
}

#[test]
fn each_framing_gets_its_status_and_a_refused_one_closes_the_connection() {
    let host = host();
    for &(version, framing, status) in ROWS {
        let stays = status == 200 && version == "1.1";
        let expected = if stays { vec![200, 200] } else { vec![status] };
        assert_eq!(statuses(&host, "/rpc/author", version, framing), expected, "HTTP/{version} {framing:?}");
    }
}

#[test]
fn a_length_with_chunked_coding_is_ignored_and_the_connection_closed() {
    let host = host();
    for framing in [
        "content-length: 4000\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 4000",
    ] {
        assert_eq!(statuses(&host, "/rpc/author", "1.1", framing), [200], "{framing:?}");
    }
}

#[test]
fn builtin_endpoints_check_the_framing_too() {
    let host = host();
    for (framing, status) in [("chunked, chunked", 400), ("gzip, chunked", 501)] {
        let framing = format!("transfer-encoding: {framing}");
        assert_eq!(statuses(&host, "/_health", "1.1", &framing), [status], "{framing}");
    }
}

#[test]
fn a_refused_framing_reports_its_kind() {
    let host = host();
    let kind = |coding: &str| host.client("POST", "/rpc/author").header("transfer-encoding", coding).send();
    assert_eq!(kind("chunked, chunked").outcome(), (400, "bad_request"));
    assert_eq!(kind("gzip, chunked").outcome(), (501, "not_implemented"));
}

#[test]
fn http_2_refuses_transfer_encoding_and_wrong_lengths() {
    let host = host();
    let fields = [(":method", "POST"), (":scheme", "http"), (":path", "/rpc/author"), (":authority", "a")];
    let end = |more: &[(&str, &str)]| {
        let mut frames = Frames::connect(host.address);
        frames.request(&[&fields[..], more].concat());
        frames.stream_end()
    };
    const PROTOCOL_ERROR: u32 = 1;
    assert_eq!(end(&[("content-length", "0")]), StreamEnd::Response(200, 0));
    for more in [
        &[("transfer-encoding", "chunked")][..],
        &[("transfer-encoding", "gzip")],
        &[("content-length", "5")],
        &[("content-length", "0, 0")],
        &[("content-length", "+0")],
        &[("content-length", "0"), ("content-length", "5")],
    ] {
        assert_eq!(end(more), StreamEnd::Reset(PROTOCOL_ERROR), "{more:?}");
    }
}
