//! Events of the crate `tracing` on stderr, each a line for the host's log. The function runs in a process of its own,
//! whose stderr the test reads.

#![cfg(all(feature = "tracing", feature = "json"))]

mod common;

use common::{handle, request};
use fezz::prelude::*;
use serde_json::{Value, json};
use std::process::Command;

/// Set in the process that a test starts to read what it logs.
const CHILD: &str = "FEZZ_TEST_LOGS";

#[fezz_function]
fn logs() -> &'static str {
    let span = tracing::info_span!("work");
    let _entered = span.enter();
    tracing::warn!(target: "todos::db", count = 3, name = "Ada \"A.\"\n", done = true, "slow {}", "query");
    tracing::debug!("not logged");
    let refused = std::io::Error::from_raw_os_error(13);
    tracing::error!(error = &refused as &dyn std::error::Error, "failed to connect");
    tracing::info!(long = "x\n".repeat(5000), second = "y".repeat(5000), third = "z".repeat(5000), "cut");
    "logged"
}

fn lines() -> Vec<Value> {
    let this_test = ["--exact", "an_event_is_a_line_of_json", "--nocapture"];
    let program = std::env::current_exe().expect("a test has a program");
    let ended = Command::new(program).args(this_test).env(CHILD, "1").output().expect("it starts");
    let log = String::from_utf8(ended.stderr).expect("the log is text");
    let events = log.lines().filter_map(|line| line.strip_prefix('\u{1e}'));
    events
        .map(|line| {
            assert!(line.len() + 2 <= 4096, "{} bytes", line.len());
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
        })
        .collect()
}

#[test]
fn an_event_is_a_line_of_json() {
    if std::env::var_os(CHILD).is_some() {
        let answer = handle(&request("/").encode());
        assert_eq!((answer.status, answer.body.as_str(), answer.headers.len()), (200, "logged", 1));
        assert_eq!(answer.error, None);
        return;
    }
    let lines = lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    let fields = json!({"message": "slow query", "count": 3, "name": "Ada \"A.\"\n", "done": true});
    assert_eq!(lines[0], json!({"level": "WARN", "target": "todos::db", "spans": "work", "fields": fields}));
    assert!(lines[1]["fields"]["error"].as_str().is_some_and(|text| text.contains("network.connect")));
    assert_eq!((&lines[2]["cut"], &lines[2]["fields"]["message"]), (&json!(true), &json!("cut")));
}
