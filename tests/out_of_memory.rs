//! A crash that a failed allocation causes is reported as `out_of_memory`; other crashes aren't.

use crate::harness::{HARMFUL, Host, ORDINARY_C, Site};
use serde_json::json;

/// Checks the problem kind of `call`, with each executor, with and without backtraces, which overwrite errno.
fn check(module: &str, variable: &str, call: &str, kind: &str) {
    // Enough that a backtrace fits into the memory that is left when a vector can't grow.
    let limits = json!({"memory_bytes": 256 << 20});
    let site = Site::new();
    for execution in ["spawn", "fork"] {
        let plain = json!({variable: call});
        let backtraces = json!({variable: call, "RUST_BACKTRACE": "1"});
        for (name, env) in [("plain", plain), ("backtraces", backtraces)] {
            let manifest = json!({"execution": execution, "env": env, "limits": limits});
            site.install(&format!("{execution}-{name}@v1"), module, manifest);
        }
    }
    let host = Host::start(site);
    for function in ["spawn-plain", "spawn-backtraces", "fork-plain", "fork-backtraces"] {
        let answer = host.get(&format!("/rpc/{function}"));
        assert_eq!(answer.outcome(), (502, kind), "{call}, {function}");
    }
}

#[test]
fn a_vector_that_cannot_grow_is_out_of_memory() {
    check(HARMFUL, "HARM", "exhausts_memory", "out_of_memory");
}

#[test]
fn a_null_pointer_that_malloc_gave_is_out_of_memory_when_it_is_used() {
    check(HARMFUL, "HARM", "uses_a_null_pointer_of_malloc", "out_of_memory");
}

#[test]
fn a_c_program_that_reports_it_before_it_aborts_is_out_of_memory() {
    check(ORDINARY_C, "DO", "gives_up_without_memory", "out_of_memory");
}

#[test]
fn a_crash_after_a_failed_allocation_that_was_handled_is_a_crash() {
    check(HARMFUL, "HARM", "survives_a_failed_allocation_and_segfaults", "function_crashed");
    check(HARMFUL, "HARM", "survives_a_failed_allocation_and_aborts", "function_crashed");
}
