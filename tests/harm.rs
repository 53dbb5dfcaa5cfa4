//! Every harm: its status and kind, in time, and no process or descriptor left.

use crate::harness::{AUTHOR, Host, Leftovers, Site, alone};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Long enough for a process to start on a busy machine, short enough to wait for.
const TIMEOUT_MS: u64 = 1500;
/// The time that killing a request may take after its deadline.
const LATE_MAX: Duration = Duration::from_millis(250);

/// In the default jail, and without a jail, where only the host ends the processes that a request leaves.
fn check(harm: &str, status: u16, kind: &str) {
    let _machine = alone();
    for jail in ["strict", "off"] {
        check_with(jail, harm, status, kind);
    }
}

fn check_with(jail: &str, harm: &str, status: u16, kind: &str) {
    let site = Site::new();
    let limits = json!({"memory_bytes": 64 << 20, "response_body_bytes": 1 << 20, "cpu_ms": 60_000});
    site.harm(harm, json!({"timeout_ms": TIMEOUT_MS, "limits": limits}));
    site.harm("answers_well", json!({}));
    let host = Host::without_machine(site, |command| {
        command.args(["--jail", jail]);
    });
    host.get("/rpc/answers_well");
    let before = Leftovers::settled(&host);

    for _ in 0..2 {
        let answer = host.get(&format!("/rpc/{harm}"));
        assert_eq!(answer.outcome(), (status, kind), "{jail}: {}", answer.text());
        let took_max = Duration::from_millis(TIMEOUT_MS) + LATE_MAX;
        assert!(answer.took < took_max, "{jail}: {:?}", answer.took);
        assert_eq!(host.get("/rpc/answers_well").text(), "well");
    }
    Leftovers::wait_for_no_more_than(&before, &host);
}

macro_rules! harms {
    ($($name:ident: $harm:literal, $status:literal, $kind:literal;)*) => {
        /// Every harm, with its status and kind.
        pub(crate) const HARMS: &[(&str, u16, &str)] = &[$(($harm, $status, $kind),)*];

        $(
            #[test]
            fn $name() {
                check($harm, $status, $kind);
            }
        )*
    };
}

harms! {
    a_segfault_is_a_crash: "segfaults", 502, "function_crashed";
    an_abort_is_a_crash: "aborts", 502, "function_crashed";
    a_stack_overflow_is_a_crash: "overflows_its_stack", 502, "function_crashed";
    exit_0_without_an_answer_is_a_crash: "exits_0_without_answering", 502, "function_crashed";
    exit_7_without_an_answer_is_a_crash: "exits_7_without_answering", 502, "function_crashed";
    an_exit_by_one_of_the_runners_codes_is_a_crash: "exits_66_without_answering", 502, "function_crashed";
    an_exit_by_a_jailers_code_is_a_crash: "exits_255_without_answering", 502, "function_crashed";
    exhausted_memory_has_a_kind_of_its_own: "exhausts_memory", 502, "out_of_memory";
    exhausted_memory_in_c_has_a_kind_of_its_own: "uses_a_null_pointer_of_malloc", 502, "out_of_memory";
    an_endless_loop_is_killed_at_its_deadline: "loops_for_ever", 504, "deadline_exceeded";
    an_endless_sleep_is_killed_at_its_deadline: "sleeps_for_ever", 504, "deadline_exceeded";
    ignoring_sigterm_does_not_help_at_the_deadline: "ignores_sigterm", 504, "deadline_exceeded";
    a_stopped_process_is_killed_at_its_deadline: "raises_sigstop", 504, "deadline_exceeded";
    a_flood_after_the_end_of_the_channel_does_not_wait_for_the_deadline: "closes_every_descriptor_but_stderr_and_floods_it", 502, "function_crashed";
    a_closed_stdout_is_no_answer: "closes_stdout_and_sleeps", 504, "deadline_exceeded";
    a_null_buffer_is_invalid: "returns_a_null_buffer", 502, "invalid_response";
    garbage_is_invalid: "returns_garbage", 502, "invalid_response";
    half_a_response_is_invalid: "returns_half_a_response", 502, "invalid_response";
    a_trailing_byte_is_invalid: "returns_a_trailing_byte", 502, "invalid_response";
    a_giant_response_is_invalid: "returns_a_giant_response", 502, "invalid_response";
    a_giant_response_is_invalid_once_announced: "announces_a_giant_response", 502, "invalid_response";
    a_header_with_crlf_is_invalid: "sets_a_header_with_crlf", 502, "invalid_response";
    status_99_is_invalid: "sets_status_99", 502, "invalid_response";
    writing_to_every_descriptor_makes_the_response_invalid: "writes_to_every_descriptor", 502, "invalid_response";
    closing_every_descriptor_makes_the_response_invalid: "closes_every_descriptor", 502, "invalid_response";
    printing_on_stdout_does_no_harm: "prints_on_stdout", 200, "";
    flooding_stderr_does_no_harm: "floods_stderr", 200, "";
    leaking_descriptors_does_no_harm: "leaks_descriptors", 200, "";
    a_child_that_keeps_stdout_open_does_no_harm: "forks_a_child_that_keeps_stdout_open", 200, "";
    a_daemon_left_behind_does_no_harm: "leaves_a_daemon_behind", 200, "";
    a_daemon_left_behind_by_a_crash_does_no_harm: "leaves_a_daemon_behind_and_crashes", 502, "function_crashed";
    a_chain_of_forks_left_behind_does_no_harm: "leaves_a_chain_of_forks_behind", 200, "";
    a_tracer_left_behind_does_no_harm: "leaves_a_tracer_behind", 200, "";
    a_brother_left_behind_does_no_harm: "leaves_a_brother_behind", 200, "";
    a_flood_of_stderr_ends_at_its_deadline: "floods_stderr_by_several_processes", 504, "deadline_exceeded";
    refusing_to_load_fails_the_module: "refuses_to_load", 503, "module_failed";
}

/// Checks all harms, several at a time, on a new host, with `more` in their manifests. `instead` lists harms with
/// another outcome there; `left_out` lists harms to skip.
pub(crate) fn check_all(
    more: &Value,
    flags: &[&str],
    instead: &[(&str, u16, &str)],
    left_out: &[&str],
) -> Host {
    const AT_A_TIME: usize = 6;
    const LONGER_TIMEOUT_MS: u64 = 2 * TIMEOUT_MS;
    let site = Site::new();
    let limits = json!({"memory_bytes": 64 << 20, "response_body_bytes": 1 << 20, "cpu_ms": 60_000});
    for (harm, ..) in HARMS.iter().chain(&[("answers_well", 200, "")]) {
        let mut manifest = more.clone();
        (manifest["timeout_ms"], manifest["limits"]) = (LONGER_TIMEOUT_MS.into(), limits.clone());
        site.harm(harm, manifest);
    }
    let host = Host::without_machine(site, |command| {
        command.args(flags);
    });
    host.get("/rpc/answers_well");
    let next = AtomicUsize::new(0);
    let check = || {
        while let Some(usual) = HARMS.get(next.fetch_add(1, Ordering::Relaxed)) {
            if left_out.contains(&usual.0) {
                continue;
            }
            let (harm, status, kind) = *instead.iter().find(|(known, ..)| *known == usual.0).unwrap_or(usual);
            for _ in 0..2 {
                let answer = host.get(&format!("/rpc/{harm}"));
                assert_eq!(answer.outcome(), (status, kind), "{flags:?}, {harm}: {}", answer.text());
                let took_max = Duration::from_millis(LONGER_TIMEOUT_MS) + 2 * LATE_MAX;
                assert!(answer.took < took_max, "{flags:?}, {harm}: {:?}", answer.took);
            }
        }
    };
    std::thread::scope(|scope| (0..AT_A_TIME).for_each(|_| drop(scope.spawn(check))));
    assert_eq!(host.get("/rpc/answers_well").text(), "well");
    host
}

#[test]
fn a_module_that_claims_that_it_never_ran_is_not_believed() {
    let site = Site::new();
    site.harm("exits_77_at_once", json!({}));
    let host = Host::start(site);
    assert_eq!(host.get("/rpc/exits_77_at_once").outcome(), (502, "function_crashed"));
    host.logged("the reason", |line| {
        line["line"].as_str().is_some_and(|text| text.contains("a status reserved for one that never ran"))
    });
}

#[test]
fn a_panic_and_a_returned_error_reach_the_log_and_not_the_client() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = Host::start(site);
    for (path, kind, secret) in [
        ("panic", "function_panicked", "the secret is 12345"),
        ("error", "function_error", "the secret is 67890"),
        ("io-error", "function_error", "No such file"),
    ] {
        let answer = host.get(&format!("/rpc/author/{path}"));
        assert_eq!(answer.outcome(), (500, kind));
        assert!(!answer.text().contains(secret), "{}", answer.text());
        host.logged("the message in the log", |line| {
            line["kind"] == kind && line["error"].as_str().is_some_and(|error| error.contains(secret))
        });
    }
}

#[test]
fn cpu_time_over_the_limit_is_a_crash_before_the_deadline() {
    let site = Site::new();
    site.harm("loops_for_ever", json!({"timeout_ms": 20_000, "limits": {"cpu_ms": 1}}));
    let host = Host::start(site);
    assert_eq!(host.get("/rpc/loops_for_ever").outcome(), (502, "function_crashed"));
    host.logged("the limit's name", |line| {
        line["error"].as_str().is_some_and(|error| error.contains("limits.cpu_ms"))
    });
}
