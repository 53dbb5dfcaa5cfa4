//! Ordinary programs in plain C, where the C library does the work.

use crate::harness::{Host, ORDINARY_C, Site, skip};
use serde_json::{Value, json};

/// A host with one function in C, selected by a variable, and `more` in its manifest.
fn host(function: &str, more: Value) -> Host {
    let site = Site::new();
    let mut more = more;
    more["env"]["DO"] = function.into();
    site.install("ordinary-c@v1", ORDINARY_C, more);
    Host::start(site)
}

fn check(function: &str, more: Value, expected: &str) {
    let answer = host(function, more).get("/rpc/ordinary-c");
    assert_eq!((answer.outcome(), answer.text().as_str()), ((200, ""), expected), "{function}");
}

#[test]
fn local_time_is_that_of_the_manifests_zone() {
    if !std::path::Path::new("/usr/share/zoneinfo/Europe/Berlin").exists() {
        return skip("time zones aren't installed: apt-get install tzdata");
    }
    let env = json!({"env": {"TZ": "Europe/Berlin"}});
    check("local_time", env, "2023-11-14 23:13:20 CET, 2024-07-03 11:46:40 CEST");
}

#[test]
fn local_time_is_utc_without_a_zone() {
    check("local_time", json!({}), "2023-11-14 22:13:20 UTC, 2024-07-03 09:46:40 UTC");
}

#[test]
fn printf_output_is_logged_completely() {
    let host = host("prints", json!({}));
    assert_eq!(host.get("/rpc/ordinary-c").text(), "printed");
    for wanted in ["printed on stdout", "printed on stderr: 7", "printed without a newline"] {
        host.logged(wanted, |line| line["message"] == "stderr" && line["line"] == wanted);
    }
}

#[test]
fn printf_output_before_a_crash_is_logged() {
    let host = host("prints_and_crashes", json!({}));
    assert_eq!(host.get("/rpc/ordinary-c").outcome(), (502, "function_crashed"));
    host.logged("the line", |line| line["line"] == "printed before the crash");
}

#[test]
fn printf_output_is_logged_after_stdout_was_replaced() {
    let host = host("exchanges_stdout", json!({}));
    assert_eq!(host.get("/rpc/ordinary-c").text(), "exchanged");
    host.logged("the line", |line| line["line"] == "printed before the exchange");
}

#[test]
fn streams_read_and_write_files_in_the_scratch() {
    check("keeps_files", json!({"limits": {"scratch_bytes": 1 << 20}}), "kept");
}

#[test]
fn blocks_of_all_sizes_can_be_allocated_and_sorted() {
    check("allocates", json!({}), "allocated");
    check("sorts", json!({}), "sorted");
}

#[test]
fn numbers_are_read_and_text_is_converted_by_locale() {
    check("reads_numbers", json!({}), "read");
    check("converts_text", json!({}), "converted");
}

#[test]
fn long_jumps_work() {
    check("jumps", json!({}), "jumped");
}

#[test]
fn signals_to_the_own_process_are_handled_and_alarms_fire() {
    check("handles_signals", json!({}), "handled");
    check("is_woken_by_alarms", json!({}), "woken");
}

#[test]
fn threads_of_posix_start_wait_and_are_joined() {
    check("starts_threads", json!({}), "joined");
}

/// A known limit: code that measures its stack, like the crate `stacker`, must run on a thread that it started.
#[test]
fn the_bounds_of_the_first_threads_stack_are_unknown_and_those_of_others_known() {
    check("asks_for_stacks", json!({}), "asked");
}
