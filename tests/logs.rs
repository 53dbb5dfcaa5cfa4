//! What the host logs.

use crate::harness::{AUTHOR, Host, Site};
use serde_json::{Value, json};

fn is_stderr(line: &Value) -> bool {
    line["message"] == "stderr"
}

#[test]
fn output_of_a_function_is_logged_by_line_with_its_name_and_request() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = Host::start(site);
    host.client("GET", "/rpc/author/log").header("x-request-id", "r-7").send();
    host.logged("the last line", |line| line["line"] == "no newline");
    let lines: Vec<Value> = host.log().into_iter().filter(is_stderr).collect();
    let messages: Vec<&str> = lines.iter().map(|line| line["line"].as_str().unwrap()).collect();
    // The log shows the terminal escape as text.
    assert_eq!(messages, ["first line", "second \\u{1b}[31mred\\u{1b}[0m line", "no newline"]);
    for line in &lines {
        assert_eq!(
            (line["function"].as_str(), line["request_id"].as_str()),
            (Some("author@v1"), Some("r-7"))
        );
    }
}

#[test]
fn an_event_of_tracing_is_logged_with_its_level_target_and_fields() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = Host::start(site);
    let answer = host.get("/rpc/author/event");
    let event = host.logged("the event", |line| line["message"] == "event");
    assert_eq!(event["request_id"], answer.header("x-request-id").unwrap());
    let of = |key: &str| event[key].as_str().unwrap().to_owned();
    assert_eq!(
        ["level", "event_level", "event_target", "line"].map(of),
        ["INFO", "WARN", "author::db", "connection lost"]
    );
    let fields: Value = serde_json::from_str(&of("fields")).unwrap();
    assert_eq!((&fields["attempt"], &fields["table"]), (&json!(3), &json!("to\u{1b}dos")));
}

#[test]
fn a_flood_is_logged_up_to_the_limit_and_counted_beyond() {
    let site = Site::new();
    site.harm("floods_stderr", json!({}));
    let host = Host::with_flags(site, &["--stderr-bytes", "1000"]);
    assert_eq!(host.get("/rpc/floods_stderr").status, 200);
    let counted = host.logged("the count", |line| line["dropped_bytes"].is_u64());
    let logged: usize = host
        .log()
        .iter()
        .filter(|line| is_stderr(line))
        .map(|line| line["line"].as_str().unwrap().len() + 1)
        .sum();
    assert_eq!(logged, 1000);
    const FLOOD_BYTES: u64 = (8 << 20) / 100 * 100;
    assert_eq!(counted["dropped_bytes"], FLOOD_BYTES - 1000);
}

#[test]
fn output_on_stdout_is_logged_too() {
    let site = Site::new();
    site.harm("prints_on_stdout", json!({}));
    let host = Host::start(site);
    assert_eq!(host.get("/rpc/prints_on_stdout").text(), "well");
    host.logged("the print", |line| is_stderr(line) && line["line"] == "printed on stdout");
}

#[test]
fn every_request_leaves_exactly_one_line() {
    let site = Site::new();
    site.harm("answers_well", json!({})).harm("segfaults", json!({}));
    let host = Host::start(site);
    let ids = ["/rpc/answers_well", "/rpc/segfaults", "/nothing"]
        .map(|path| host.get(path).header("x-request-id").unwrap().to_owned());
    for id in &ids {
        host.logged("the line", |line| line["request_id"] == *id && line["message"] == "request");
    }
    let lines = host.log();
    let of = |id: &String| {
        lines.iter().filter(|line| line["request_id"] == *id && line["message"] == "request").count()
    };
    assert_eq!(ids.each_ref().map(of), [1, 1, 1]);
}

#[test]
fn only_a_start_without_a_jail_warns_that_modules_run_unconfined() {
    let is_warning = |line: &serde_json::Value| {
        line["level"] == "WARN" && line["message"].as_str().is_some_and(|text| text.contains("unconfined"))
    };
    let host = Host::with_flags(Site::new(), &["--jail", "off"]);
    host.logged("the warning", is_warning);
    assert!(!Host::start(Site::new()).log().iter().any(is_warning));
}
