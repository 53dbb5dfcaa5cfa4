//! Several zygotes of one function.

use crate::harness::{Host, Site, alone, many, wait_for, zygotes};
use rustix::process::{Signal, kill_process};
use serde_json::json;
use std::time::{Duration, Instant};

/// A host with two zygotes of a function, for which forking is slow.
fn with_two_zygotes() -> Host {
    let site = Site::new();
    site.harm("makes_fork_slow", json!({"execution": "fork", "limits": {"memory_bytes": 256 << 20}}));
    let host = Host::without_machine(site, |command| {
        command.args(["--zygotes-per-function", "2"]);
    });
    assert_eq!(host.get("/rpc/makes_fork_slow").status, 200);
    assert_eq!(zygotes(&host).len(), 1);
    wait_for("another zygote", || {
        call(&host);
        (zygotes(&host).len() == 2).then_some(())
    });
    host
}

/// Requests that keep a zygote busy for about a second.
fn call(host: &Host) {
    for answer in many(host.address, "/rpc/makes_fork_slow", 400) {
        assert_eq!(answer.outcome(), (200, ""), "{}", answer.text());
    }
}

#[test]
fn a_function_whose_zygote_is_the_bottleneck_gets_another_up_to_the_limit() {
    let _machine = alone();
    let host = with_two_zygotes();
    for _ in 0..8 {
        call(&host);
    }
    assert_eq!(zygotes(&host).len(), 2);
}

#[test]
fn a_zygote_is_given_up_when_the_others_suffice() {
    /// It takes fifteen seconds of less load.
    const WAIT_MAX: Duration = Duration::from_secs(60);
    let _machine = alone();
    let (host, begun) = (with_two_zygotes(), Instant::now());
    while zygotes(&host).len() == 2 {
        assert_eq!(host.get("/rpc/makes_fork_slow").status, 200);
        assert!(begun.elapsed() < WAIT_MAX);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(zygotes(&host).len(), 1);
}

#[test]
fn the_end_of_one_zygote_leaves_requests_to_the_other() {
    let _machine = alone();
    let host = with_two_zygotes();
    for _ in 0..2 {
        // One that is being loaded may be another process a moment later.
        wait_for("a zygote to kill", || kill_process(*zygotes(&host).first()?, Signal::KILL).ok());
        wait_for("a request that another one serves", || {
            (host.get("/rpc/makes_fork_slow").status == 200).then_some(())
        });
    }
}
