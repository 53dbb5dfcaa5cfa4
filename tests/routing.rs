//! Routing: which function answers a path, host and method.

use crate::harness::{AUTHOR, Frames, Host, Site, StreamEnd};
use serde_json::json;

fn facts(host: &Host, method: &str, authority: &str, path: &str) -> String {
    host.client(method, path).host(authority).send().text()
}

#[test]
fn a_function_answers_by_name_whatever_its_routes() {
    let site = Site::new();
    site.install("author@v9", AUTHOR, json!({})).install("author@v10", AUTHOR, json!({}));
    site.install("other@v1", AUTHOR, json!({})).install("other@latest", AUTHOR, json!({}));
    let host = Host::start(site);
    let version = |path: &str| {
        let answer = host.get(&format!("{path}/request"));
        let text = answer.text();
        text.lines().find_map(|line| line.strip_prefix("function ")).unwrap_or(answer.outcome().1).to_owned()
    };
    assert_eq!(version("/rpc/author@v9"), "author@v9");
    assert_eq!(version("/rpc/author"), "author@v10");
    assert_eq!(version("/rpc/author@latest/below"), "author@v10");
    assert_eq!(version("/rpc/other"), "other@latest");
    assert_eq!(version("/rpc/other@v2"), "not_found");
    assert_eq!(version("/rpc/authors"), "not_found");
    assert_eq!(version("/rpc"), "not_found");
}

#[test]
fn routes_match_path_method_and_host_in_both_notations() {
    let site = Site::new();
    let route = |path: &str, more: serde_json::Value| {
        let mut route = more;
        route["path"] = path.into();
        route
    };
    site.install("exact@v1", AUTHOR, json!({"routes": [route("/a/request", json!({"method": "GET"}))]}));
    site.install(
        "param@v1",
        AUTHOR,
        json!({"routes": [
            route("/a/{id}", json!({"method": ["POST", "GET"]})), route("/old/:name/request", json!({})),
        ]}),
    );
    site.install("wide@v1", AUTHOR, json!({"routes": [route("/a/*", json!({"method": "GET"}))]}));
    site.install("rest@v1", AUTHOR, json!({"routes": [route("/files/*", json!({}))]}));
    site.install(
        "hosted@v1",
        AUTHOR,
        json!({"routes": [route("/a/request", json!({"domains": ["api.example.com"]}))]}),
    );
    site.install(
        "below@v1",
        AUTHOR,
        json!({"routes": [route("/a/request", json!({"domains": ["*.example.com"]}))]}),
    );
    let host = Host::start(site);
    let check = |method: &str, authority: &str, path: &str, wanted: &[&str]| {
        let text = facts(&host, method, authority, path);
        for fact in wanted {
            assert!(
                text.lines().any(|line| line == *fact),
                "{method} {authority} {path}: {fact} not in\n{text}"
            );
        }
    };
    check("GET", "localhost", "/a/request", &["function exact@v1"]);
    // Another method on the same path matches the more general pattern.
    check("POST", "localhost", "/a/request", &["function param@v1", "param id=request"]);
    check("GET", "localhost", "/a/b/request", &["function wide@v1", "param rest=b/request"]);
    check("GET", "localhost", "/old/caf%C3%A9/request", &["function param@v1", "param name=café"]);
    check("DELETE", "localhost", "/files/x/y%2Fz/request", &["param rest=x/y/z/request", "method DELETE"]);
    check("GET", "api.example.com", "/a/request", &["function hosted@v1"]);
    check("GET", "API.Example.COM:8080", "/a/request", &["function hosted@v1"]);
    check("GET", "www.example.com", "/a/request", &["function below@v1"]);
    check("GET", "example.com", "/a/request", &["function exact@v1"]);
}

#[test]
fn an_unknown_path_is_404_and_a_wrong_method_405_with_allow() {
    let site = Site::new();
    let routes = json!([{"path": "/a", "method": ["GET", "POST"]}, {"path": "/b/{id}", "method": "PUT"}]);
    site.install("author@v1", AUTHOR, json!({"routes": routes}));
    let host = Host::start(site);
    assert_eq!(host.get("/nothing").outcome(), (404, "not_found"));
    let answer = host.client("DELETE", "/a").send();
    assert_eq!(answer.outcome(), (405, "method_not_allowed"));
    assert_eq!(answer.header("allow"), Some("GET, HEAD, POST"));
    assert_eq!(host.client("HEAD", "/a").send().status, 200);
    assert_eq!(host.client("PUT", "/b/%ff").send().outcome(), (400, "bad_request"));
}

#[test]
fn a_request_that_names_two_hosts_or_none_is_refused() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = Host::start(site);
    let status = |head: &str| {
        use std::io::{Read, Write};
        let mut stream = crate::harness::connect(host.address);
        stream.write_all(format!("{head}\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(status("GET /rpc/author HTTP/1.1\r\nhost: a"), "200");
    assert_eq!(status("GET http://a/rpc/author HTTP/1.1\r\nhost: a"), "200");
    assert_eq!(status("GET /rpc/author HTTP/1.0"), "200");
    assert_eq!(status("GET /rpc/author HTTP/1.1"), "400");
    assert_eq!(status("GET /rpc/author HTTP/1.1\r\nhost: a\r\nhost: b"), "400");
    assert_eq!(status("GET /rpc/author HTTP/1.1\r\nhost: user@a"), "400");
    assert_eq!(status("GET http://a/rpc/author HTTP/1.1\r\nhost: b"), "400");
    assert_eq!(status("GET http://u@a/rpc/author HTTP/1.1\r\nhost: u@a"), "400");
    assert_eq!(status("GET http://u:p@a/rpc/author HTTP/1.0"), "400");
    assert_eq!(status("GET http://u@a/_health HTTP/1.1\r\nhost: u@a"), "400");
    assert_eq!(status("CONNECT a:80 HTTP/1.1\r\nhost: a:80"), "400");
}

#[test]
fn rpc_answers_only_on_the_configured_listener() {
    let site = || {
        let site = Site::new();
        site.install("author@v1", AUTHOR, json!({}));
        site
    };
    let off = Host::with_flags(site(), &["--rpc", "off"]);
    assert_eq!(off.get("/rpc/author").outcome(), (404, "not_found"));

    let admin = Host::with_flags(site(), &["--rpc", "admin", "--admin", "127.0.0.1:0"]);
    let at_admin = |path| crate::harness::Client::new(admin.admin.unwrap(), "GET", path).send().status;
    assert_eq!(admin.get("/rpc/author").outcome(), (404, "not_found"));
    assert_eq!(at_admin("/rpc/author"), 200);
    assert_eq!((admin.get("/_metrics").status, at_admin("/_metrics")), (404, 200));
    assert_eq!((admin.get("/_health").status, at_admin("/_health")), (200, 200));
}

#[test]
fn http_2_answers_on_the_same_port() {
    use http_body_util::{BodyExt, Full};
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"routes": [{"path": "/echo/{id}"}]}));
    let host = Host::start(site);
    let answer = crate::harness::http_2(host.address, async |mut sender| {
        let request = hyper::Request::post("http://example.com/echo/request");
        let request = request.body(Full::new(hyper::body::Bytes::from_static(b"ignored"))).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        response.into_body().collect().await.unwrap().to_bytes()
    });
    let text = String::from_utf8_lossy(&answer).into_owned();
    assert!(text.contains("authority example.com") && text.contains("param id=request"), "{text}");
}

#[test]
fn http_2_refuses_userinfo_before_the_host() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = Host::start(site);
    let answer = |authority: &str| {
        let mut frames = Frames::connect(host.address);
        let fields = [(":method", "GET"), (":scheme", "http"), (":path", "/rpc/author/pid")];
        frames.request(&[&fields[..], &[(":authority", authority)]].concat());
        frames.stream_end()
    };
    assert!(matches!(answer("a"), StreamEnd::Response(200, _)));
    for authority in ["u@a", "u:p@a", "@a"] {
        let answer = answer(authority);
        // hyper resets a stream whose authority isn't valid in a URI.
        assert!(
            matches!(answer, StreamEnd::Response(400, _) | StreamEnd::Reset(_)),
            "{authority}: {answer:?}"
        );
    }
}
