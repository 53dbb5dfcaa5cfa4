//! Ordinary code works in the default jail: one example of each thing that programs commonly do.

mod files;
mod names;
mod network;
mod programs_in_c;

use crate::harness::{Host, ORDINARY, Site};
use serde_json::{Value, json};

/// A host with the function `ordinary`, and `more` in its manifest.
fn host(more: Value) -> Host {
    let site = Site::new();
    site.install("ordinary@v1", ORDINARY, more);
    Host::start(site)
}

/// Checks the answer of `path`.
fn check(host: &Host, path: &str, expected: &str) {
    let answer = host.get(&format!("/rpc/ordinary/{path}"));
    assert_eq!((answer.outcome(), answer.text().as_str()), ((200, ""), expected), "{path}");
}

/// Checks several answers on a new host.
fn check_all(more: Value, cases: &[(&str, &str)]) {
    let host = host(more);
    for (path, expected) in cases {
        check(&host, path, expected);
    }
}

#[test]
fn threads_start_up_to_the_manifests_limit_and_the_next_is_an_error_that_can_be_handled() {
    let path = "threads/as-many-as-there-may-be";
    check_all(json!({"limits": {"threads": 8}}), &[(path, "7 more, then WouldBlock")]);
    check_all(json!({"limits": {"threads": 1}}), &[(path, "0 more, then WouldBlock")]);
}

/// A known limit: the kernel counts the whole stack, 2 MiB for a Rust thread, whether it is used or not.
#[test]
fn the_stacks_of_threads_count_as_memory() {
    let host = host(json!({"limits": {"memory_bytes": 32 << 20}}));
    let answer = host.get("/rpc/ordinary/threads/as-many-as-there-may-be").text();
    let (started, refused) = answer.split_once(' ').unwrap();
    assert!((8..16).contains(&started.parse().unwrap()), "{answer}");
    assert_eq!(refused, "more, then WouldBlock");
}

#[test]
fn threads_have_names_and_variables_of_their_own_and_can_be_scoped() {
    check_all(
        json!({}),
        &[("threads/named", "weaver weaver"), ("threads/of-their-own", "1 2"), ("threads/scoped", "500500")],
    );
}

#[test]
fn threads_wait_for_each_other_by_locks_and_channels() {
    check_all(json!({}), &[("threads/locked", "4000"), ("threads/channelled", "10")]);
}

#[test]
fn the_clock_is_right_and_sleeping_takes_its_time() {
    let host = host(json!({}));
    let unix_time = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let before = unix_time();
    let seconds: u64 = host.get("/rpc/ordinary/clocks/now").text().parse().unwrap();
    assert!((before..=unix_time()).contains(&seconds), "{seconds}");
    check(&host, "clocks/sleep", "true");
}

#[test]
fn no_two_requests_have_the_same_random_numbers() {
    let host = host(json!({}));
    for source in ["getrandom", "device", "hashes"] {
        let answers = [(); 2].map(|()| host.get(&format!("/rpc/ordinary/chance/{source}")));
        let [first, second] = &answers;
        assert_eq!((first.outcome(), second.outcome()), ((200, ""), (200, "")), "{source}");
        assert_ne!(first.text(), second.text(), "{source}");
    }
}

#[test]
fn most_of_the_memory_can_be_used_and_more_is_out_of_memory() {
    let host = host(json!({"limits": {"memory_bytes": 64 << 20}}));
    check(&host, "memory/touch?at=56", "56");
    assert_eq!(host.get("/rpc/ordinary/memory/touch?at=72").outcome(), (502, "out_of_memory"));
    check(&host, "memory/try?at=72", "false");
}

#[test]
fn maps_large_sorts_and_formatting_work() {
    check_all(
        json!({}),
        &[
            ("memory/map", "10000"),
            ("memory/sort", "true"),
            ("memory/format", r#"    a|b    |  c  |0001.500|0xff|Some("d")"#),
        ],
    );
}

#[test]
fn a_backtrace_in_the_log_names_the_functions_own_code() {
    let host = host(json!({"env": {"RUST_BACKTRACE": "1"}}));
    assert_eq!(host.get("/rpc/ordinary/failures/panic").outcome(), (500, "function_panicked"));
    for wanted in ["a_name_to_be_found_in_a_backtrace", "failures.rs:"] {
        host.logged(wanted, |line| {
            let is_frame =
                line["message"] == "stderr" && !line["line"].as_str().unwrap().contains("panicked at");
            is_frame && line["line"].as_str().unwrap().contains(wanted)
        });
    }
}

#[test]
fn panics_can_be_caught() {
    check_all(json!({}), &[("failures/catch", "true"), ("failures/catch-a-thread's", "true")]);
}

#[test]
fn every_kind_of_tokio_runtime_works() {
    let runtimes = ["of-fezz", "current-thread", "multi-thread", "default"];
    let cases = runtimes.map(|runtime| format!("runtimes/{runtime}"));
    let cases: Vec<_> = cases.iter().map(|path| (path.as_str(), "10 file 10")).collect();
    check_all(json!({"limits": {"scratch_bytes": 1 << 20}}), &cases);
}

#[test]
fn a_process_can_ask_what_it_is() {
    check_all(
        json!({"env": {"LOG": "info"}}),
        &[
            ("surroundings/env", r#"Ok("info") false"#),
            ("surroundings/folder", "/"),
            ("surroundings/processors", "true"),
            ("surroundings/pid", "true"),
            ("surroundings/kernel", "Linux"),
        ],
    );
}

#[test]
fn refused_operations_are_errors_that_can_be_handled() {
    check_all(
        json!({}),
        &[
            ("surroundings/missing", "NotFound"),
            ("surroundings/program", "PermissionDenied"),
            ("surroundings/datagrams", "PermissionDenied"),
            ("surroundings/streams", "PermissionDenied"),
            ("surroundings/listener", "PermissionDenied"),
        ],
    );
}

#[test]
fn pairs_of_sockets_and_pipes_work() {
    check_all(json!({}), &[("surroundings/pair", "ping"), ("surroundings/pipe", "through two pipes")]);
}
