//! The scratch: a `/tmp` of each request.

use super::{check, check_all, host};
use serde_json::json;

const SCRATCH_BYTES: usize = 1 << 20;

#[test]
fn all_file_operations_work_in_the_scratch() {
    check_all(
        json!({"limits": {"scratch_bytes": SCRATCH_BYTES}}),
        &[
            ("scratch/life", "written and appended to"),
            ("scratch/tempfile", "named, nameless"),
            ("scratch/map", "mapped"),
            ("scratch/copy", "copied"),
        ],
    );
}

#[test]
fn a_file_larger_than_the_scratch_is_an_error_that_can_be_handled() {
    let host = host(json!({"limits": {"scratch_bytes": SCRATCH_BYTES}}));
    check(&host, &format!("scratch/fill?at={}", SCRATCH_BYTES + 1), "StorageFull");
    check(&host, &format!("scratch/fill?at={SCRATCH_BYTES}"), "it works");
}

#[test]
fn the_next_request_finds_the_scratch_empty() {
    let host = host(json!({"limits": {"scratch_bytes": SCRATCH_BYTES}}));
    check(&host, "scratch/write", "it works");
    check(&host, "scratch/list", "0");
}

/// Locks are granted to every open file of the process. No other process sees the scratch.
#[test]
fn locks_in_the_scratch_are_granted_and_not_held() {
    check_all(
        json!({"limits": {"scratch_bytes": SCRATCH_BYTES}}),
        &[("scratch/lock", "granted, free: true")],
    );
}

#[test]
fn without_a_scratch_nothing_can_be_written() {
    check_all(json!({}), &[("scratch/write", "NotFound")]);
}
