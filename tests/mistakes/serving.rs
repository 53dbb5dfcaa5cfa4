//! A host that serves a function with a mistake: its answer, and the line of its log that says what to do.

use super::snapshot::assert_seen;
use crate::harness::{Host, Site};
use serde_json::{Value, json};

const MODULE: &str = "libfixture_mistakes.so";

/// What an author finds in the log: the line whose `field` has `words`, with the fields that say why.
fn log_line(host: &Host, field: &str, words: &str) -> String {
    let line = host.logged(words, |line| line[field].as_str().is_some_and(|text| text.contains(words)));
    let mut text = format!("{}: {}\n", line["level"].as_str().unwrap(), line["message"].as_str().unwrap());
    for field in ["function", "line", "error"] {
        if let Some(value) = line[field].as_str() {
            text += &format!("    {field}: {value}\n");
        }
    }
    text.replace(host.site.root().to_str().unwrap(), "/srv/fezz")
}

fn manifest(more: &Value) -> Value {
    let mut manifest = json!({"id": "greet", "version": "v1", "entry": MODULE});
    manifest.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    manifest
}

fn host(more: &Value) -> Host {
    let site = Site::new();
    site.write("greet@v1", MODULE, &manifest(more).to_string());
    Host::start(site)
}

/// The answer's status and kind, and the line of the log whose `field` has `words`.
fn seen(host: &Host, path: &str, body: &[u8], field: &str, words: &str) -> String {
    let method = if body.is_empty() { "GET" } else { "POST" };
    let answer = host.client(method, path).body(body).send();
    let (status, kind) = answer.outcome();
    let detail: Value = serde_json::from_str(&answer.text()).unwrap();
    let detail = detail["detail"].as_str().unwrap();
    format!("{method} {path}\n{status} {kind}: {detail}\n\nlog:\n{}", log_line(host, field, words))
}

#[test]
fn a_thread_that_on_load_leaves_under_fork() {
    let host = host(&json!({"execution": "fork", "env": {"ON_LOAD": "thread"}}));
    assert_seen("thread_in_on_load", &seen(&host, "/todos/7", b"", "line", "left threads running"));
}

#[test]
fn a_file_that_on_load_leaves_open_under_fork() {
    let host = host(&json!({"execution": "fork", "env": {"ON_LOAD": "file"}}));
    assert_seen("file_left_open_in_on_load", &seen(&host, "/todos/7", b"", "line", "descriptors open"));
}

#[test]
fn a_request_that_is_too_large() {
    let host = host(&json!({"limits": {"request_body_bytes": 1024}}));
    assert_seen("large_request", &seen(&host, "/todos", &[b'x'; 2000], "kind", "body_too_large"));
}

#[test]
fn two_functions_with_the_same_route() {
    let site = Site::new();
    for id in ["greet", "welcome"] {
        let mut manifest = manifest(&json!({"routes": [{"path": "/hello", "method": "GET"}]}));
        manifest["id"] = json!(id);
        site.write(&format!("{id}@v1"), MODULE, &manifest.to_string());
    }
    let host = Host::start(site);
    assert_seen("route_twice", &log_line(&host, "message", "not served"));
}

#[test]
fn an_unknown_key_in_fezz_json() {
    assert_seen(
        "unknown_key_in_fezz_json",
        &log_line(&host(&json!({"timout_ms": 500})), "message", "not served"),
    );
}

#[test]
fn a_folder_of_another_name() {
    let site = Site::new();
    site.write("greet@v2", MODULE, &manifest(&json!({})).to_string());
    assert_seen("folder_of_another_name", &log_line(&Host::start(site), "message", "not served"));
}
