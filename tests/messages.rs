//! What the host passes to a function, and what it passes on of the answer.

use crate::harness::{AUTHOR, Answer, Host, Site};
use serde_json::{Value, json};

fn host() -> Host {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"timeout_ms": 20_000}));
    Host::start(site)
}

#[test]
fn a_function_sees_the_request_without_the_connections_headers() {
    let host = host();
    let text = host
        .client("PATCH", "/rpc/author/a%20b/request?x=%31&x=2")
        .header("X-Twice", "one")
        .header("x-twice", "two")
        .header("te", "trailers")
        .header("proxy-authorization", "Basic abc")
        .header("proxy-connection", "keep-alive")
        .header("http2-settings", "AAMAAABk")
        .header("x-hop", "1")
        .header("connection", "x-hop")
        .header("x-forwarded-proto", "https")
        .send()
        .text();
    for fact in [
        "method PATCH",
        "uri /a%20b/request?x=%31&x=2",
        "original_uri /rpc/author/a%20b/request?x=%31&x=2",
        "authority localhost",
        "scheme https",
        "client_ip 127.0.0.1",
        "x-twice: one\nx-twice: two",
    ] {
        assert!(text.contains(fact), "{fact} not in\n{text}");
    }
    for name in
        ["te:", "x-hop:", "connection:", "proxy-authorization:", "proxy-connection:", "http2-settings:"]
    {
        assert!(!text.lines().any(|line| line.starts_with(name)), "{name} in\n{text}");
    }
    let left_ms = text.lines().find_map(|line| line.strip_prefix("time_left_ms ")).unwrap();
    assert!((10_000..=20_000).contains(&left_ms.parse::<u64>().unwrap()), "{left_ms}");
}

#[test]
fn the_proxys_client_address_is_used_only_with_trust_proxy() {
    let address = |host: &Host| {
        let answer =
            host.client("GET", "/rpc/author/request").header("x-envoy-external-address", "192.0.2.7").send();
        answer.text().lines().find_map(|line| line.strip_prefix("client_ip ").map(str::to_owned)).unwrap()
    };
    assert_eq!(address(&host()), "127.0.0.1");
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    assert_eq!(address(&Host::with_flags(site, &["--trust-proxy"])), "192.0.2.7");
}

#[test]
fn connection_headers_and_the_hosts_own_headers_do_not_pass() {
    let answer = host().get("/rpc/author/hop-by-hop");
    assert_eq!((answer.status, answer.text().as_str()), (200, "clean"));
    assert_eq!(answer.header("x-kept"), Some("1"));
    assert_eq!(answer.header("content-length"), Some("5"));
    let proxys = ["proxy-authenticate", "proxy-authentication-info", "proxy-connection"];
    for name in ["x-hop", "transfer-encoding", "fezz-error"].into_iter().chain(proxys) {
        assert_eq!(answer.header(name), None, "{name}");
    }
}

#[test]
fn headers_of_the_manifest_are_in_each_response_that_has_not_got_them() {
    let site = Site::new();
    let headers = json!({"X-Frame-Options": "DENY", "x-kept": "2"});
    site.install("author@v1", AUTHOR, json!({"response_headers": headers}));
    let host = Host::start(site);
    let answer = host.get("/rpc/author/hop-by-hop");
    assert_eq!((answer.header("x-frame-options"), answer.header("x-kept")), (Some("DENY"), Some("1")));
    let panic = host.get("/rpc/author/panic");
    assert_eq!((panic.status, panic.header("x-frame-options")), (500, Some("DENY")));
    assert_eq!(host.get("/rpc/other").header("x-frame-options"), None);
}

#[test]
fn the_hosts_own_errors_are_not_cached_by_headers_of_the_manifest() {
    const CACHING: [&str; 3] = ["cache-control", "cdn-cache-control", "expires"];
    let site = Site::new();
    let headers = json!({"Cache-Control": "public", "cdn-cache-control": "public", "expires": "0"});
    site.install("author@v1", AUTHOR, json!({"response_headers": headers}));
    let host = Host::start(site);
    let (works, fails) = (host.get("/rpc/author/hop-by-hop"), host.get("/rpc/author/panic"));
    for name in CACHING {
        assert!(works.header(name).is_some(), "{name}");
        assert_eq!(fails.header(name), None, "{name}");
    }
}

#[test]
fn statuses_pass_and_those_without_a_body_have_none() {
    let host = host();
    for (status, body) in [(200, "body"), (204, ""), (304, ""), (404, "body"), (500, "body"), (599, "body")] {
        let answer = host.get(&format!("/rpc/author/status?is={status}"));
        assert_eq!((answer.outcome(), answer.text().as_str()), ((status, ""), body));
    }
}

#[test]
fn a_request_keeps_its_request_id_and_traceparent_and_gets_them_if_missing() {
    let host = host();
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let client = host.client("GET", "/rpc/author/request");
    let named = client.header("x-request-id", "mine-1").header("traceparent", traceparent).send();
    let check = |answer: &Answer, id: &str, trace: &str| {
        assert_eq!((answer.header("x-request-id"), answer.header("traceparent")), (Some(id), Some(trace)));
        let text = answer.text();
        let expected =
            [format!("request_id {id}"), format!("x-request-id: {id}"), format!("traceparent: {trace}")];
        for fact in &expected {
            assert!(text.lines().any(|line| line == fact), "{fact} not in\n{text}");
        }
        host.logged("the id", |line| line["request_id"] == id && line["message"] == "request");
    };
    check(&named, "mine-1", traceparent);

    let made = host.get("/rpc/author/request");
    let (id, trace) = (made.header("x-request-id").unwrap(), made.header("traceparent").unwrap());
    assert!(id.len() == 36 && trace.len() == 55, "{id} {trace}");
    check(&made, id, trace);
}

#[test]
fn a_problem_is_rfc_9457_json_with_the_requests_id() {
    let host = host();
    let answer = host.client("GET", "/nothing").header("x-request-id", "mine-2").send();
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    let expected = json!({
        "type": "urn:fezz:problem:not_found", "title": "No function here", "status": 404,
        "detail": "no function answers this path", "request_id": "mine-2",
    });
    assert_eq!(problem, expected);
}
