//! Large bodies.

use crate::harness::{AUTHOR, Envoy, Host, Site};
use serde_json::json;

const LIMIT: usize = 1 << 20;

/// The same host over HTTP/1.1, which Envoy uses unless the configuration enables HTTP/2.
const HTTP1: [(&str, &str); 2] = [
    ("http2_protocol_options:\n", "http_protocol_options: {}\n"),
    ("              connection_keepalive: { interval: 10s, timeout: 5s }\n", ""),
];

fn host() -> Host {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"limits": {"request_body_bytes": LIMIT}}));
    Host::start(site)
}

fn check_too_large(changes: &[(&str, &str)]) {
    const UPLOADS: usize = 100;
    let host = host();
    let Some(envoy) = Envoy::changed(&[&host], changes) else { return };
    let body = vec![b'x'; 3 * LIMIT];
    let upload = || envoy.client("POST", "/rpc/author").body(body.as_slice()).send();
    for number in 0..UPLOADS {
        let answer = upload();
        assert_eq!(answer.outcome(), (413, "body_too_large"), "upload {number}: {}", answer.text());
    }
}

#[test]
fn a_too_large_upload_through_envoy_over_http_2_always_gets_our_413() {
    check_too_large(&[]);
}

#[test]
fn a_too_large_upload_through_envoy_over_http_1_always_gets_our_413() {
    check_too_large(&HTTP1);
}

#[test]
fn uploads_up_to_the_limit_pass_envoy_over_either_protocol() {
    let host = host();
    for changes in [&[][..], &HTTP1] {
        let Some(envoy) = Envoy::changed(&[&host], changes) else { return };
        let body: Vec<u8> = (0..LIMIT).map(|index| (index % 251) as u8).collect();
        let answer = envoy.client("POST", "/rpc/author").body(body.clone()).send();
        assert!(answer.status == 200 && answer.body == body, "{} {}", answer.status, answer.body.len());
    }
}
