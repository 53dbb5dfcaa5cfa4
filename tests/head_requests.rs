//! HEAD: the answer of GET without its body (RFC 9110, section 9.3.2).

use crate::harness::{AUTHOR, Frames, Host, Site, StreamEnd, exchange, http_2};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use serde_json::json;

fn host() -> Host {
    let site = Site::new();
    let routes = json!([
        {"path": "/get/request", "method": "GET"}, {"path": "/any/{what}"},
        {"path": "/both/request", "method": ["GET", "HEAD"]}, {"path": "/post", "method": "POST"},
    ]);
    site.install("author@v1", AUTHOR, json!({"routes": routes}));
    Host::start(site)
}

/// A path, the method that its function sees (none where the host answers by itself), and the status.
const ROWS: [(&str, Option<&str>, u16); 9] = [
    ("/get/request", Some("GET"), 200),
    ("/both/request", Some("HEAD"), 200),
    ("/any/request", Some("HEAD"), 200),
    ("/rpc/author/request", Some("HEAD"), 200),
    ("/any/empty", Some("HEAD"), 200),
    ("/nothing", None, 404),
    ("/post", None, 405),
    ("/_health", None, 200),
    ("/_metrics", None, 200),
];

#[test]
fn head_has_the_length_and_no_byte_of_the_body() {
    let host = host();
    for (path, method, status) in ROWS {
        let head = format!("HEAD {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let answer = exchange(host.address, head.as_bytes());
        assert_eq!(
            (answer.status, answer.header("x-method"), answer.body.len()),
            (status, method, 0),
            "{path}"
        );
        let length = answer.header("content-length").map(|length| length.parse::<usize>().unwrap());
        // GET's length isn't known where the function itself left out the body.
        assert!(if path == "/any/empty" { length.is_none() } else { length > Some(0) }, "{path}: {length:?}");
    }
}

#[test]
fn http_2_has_the_length_and_no_data_either() {
    let host = host();
    for (path, method, status) in ROWS {
        http_2(host.address, async |mut sender| {
            let request =
                hyper::Request::head(format!("http://a{path}")).body(Full::<Bytes>::default()).unwrap();
            let answer = sender.send_request(request).await.unwrap();
            let header =
                |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            assert_eq!((answer.status().as_u16(), header("x-method").as_deref()), (status, method), "{path}");
            assert_eq!(header("content-length").is_some(), path != "/any/empty", "{path}");
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "", "{path}");
        });
        let mut frames = Frames::connect(host.address);
        frames.request(&[(":method", "HEAD"), (":scheme", "http"), (":path", path), (":authority", "a")]);
        assert!(matches!(frames.stream_end(), StreamEnd::Response(_, 0)), "{path}");
    }
}

#[test]
fn the_content_length_is_that_of_get() {
    let host = host();
    let length = |method: &'static str| {
        // The request fixes all values that vary, except the remaining time, which always has five digits.
        let client = host.client(method, "/get/request").header("x-request-id", "1");
        let client = client.header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        client.send().header("content-length").unwrap().to_owned()
    };
    assert_eq!(length("HEAD"), length("GET"));
}
