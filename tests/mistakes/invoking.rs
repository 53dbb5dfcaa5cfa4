//! `cargo fezz invoke` of a function that goes wrong in the runner and its jail: `tests/fixtures/mistakes`.

use super::snapshot::assert_command;
use crate::harness::{Site, binary};
use serde_json::{Value, json};

const MODULE: &str = "libfixture_mistakes.so";

fn invoke_with(more: Value, mistake: &str, words: &[&str]) {
    binary("fezz-runner");
    let site = Site::new();
    let mut manifest = json!({"id": "greet", "version": "v1", "entry": MODULE});
    manifest.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    site.write("greet@v1", MODULE, &manifest.to_string());
    assert_command(mistake, site.root(), &[&["invoke"], words].concat());
}

fn invoke(mistake: &str, words: &[&str]) {
    invoke_with(json!({}), mistake, words);
}

#[test]
fn a_header_that_is_missing() {
    invoke("missing_header", &["/missing-header"]);
}

#[test]
fn an_async_function_without_a_runtime() {
    invoke("no_runtime", &["/no-runtime"]);
}

#[test]
fn a_connection_that_the_manifest_does_not_name() {
    invoke("network_undeclared", &["/connects"]);
}

#[test]
fn a_program_that_is_started() {
    invoke("starts_a_program", &["/starts-a-program"]);
}

#[test]
fn a_file_that_the_jail_does_not_have() {
    invoke("file_not_in_the_jail", &["/reads-etc"]);
}

#[test]
fn a_response_that_is_too_large() {
    invoke_with(json!({"limits": {"response_body_bytes": 1024}}), "large_response", &["/large-response"]);
}

#[test]
fn a_header_of_two_lines() {
    invoke("line_break_in_a_header", &["/line-break-in-a-header"]);
}

#[test]
fn a_status_that_is_none() {
    invoke("status_out_of_range", &["/status-99"]);
}

#[test]
fn a_function_that_does_not_end() {
    invoke_with(json!({"timeout_ms": 300}), "deadline", &["/endless"]);
}

#[test]
fn a_function_that_takes_too_much_memory() {
    invoke("out_of_memory", &["/allocates"]);
}

#[test]
fn a_function_that_aborts() {
    invoke("crash", &["/aborts"]);
}

#[test]
fn a_parameter_of_another_type() {
    invoke("parameter_that_is_no_number", &["/todos/seven"]);
}

#[test]
fn json_that_is_sent_as_curl_sends_a_form() {
    invoke("json_sent_as_a_form", &["/todos", "-d", "{\"title\": \"write\"}"]);
}

#[test]
fn json_without_a_field() {
    invoke("missing_field", &["/todos", "--json", "{\"tilte\": \"write\"}"]);
}

#[test]
fn json_that_is_none() {
    invoke("json_syntax", &["/todos", "--json", "{title: write}"]);
}

#[test]
fn a_path_that_no_route_has() {
    invoke("no_such_route", &["/tods"]);
}

#[test]
fn an_on_load_that_fails() {
    invoke_with(json!({"env": {"ON_LOAD": "variable"}}), "on_load_error", &["/todos/7"]);
}
