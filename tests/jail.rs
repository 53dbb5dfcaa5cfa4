//! The wrappers of `jail/`: each restriction is tried inside, where it must hold, and outside, where it must not.

use crate::harness::{AUTHOR, Census, HARMFUL, Host, Site, binary, skip, wait_for};
use serde_json::json;
use std::net::TcpListener;

const BWRAP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../jail/bwrap-fezz-runner");

fn site() -> Site {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"env": {"LOG": "info"}}));
    site.install("hello-c@v1", "libhello_c.so", json!({}));
    site.harm("segfaults", json!({})).harm("sleeps_for_ever", json!({"timeout_ms": 1000}));
    site.install("forks@v1", HARMFUL, json!({"env": {"HARM": "leaves_a_daemon_behind"}}));
    site
}

/// A host with the wrapper, or nothing where its program isn't installed.
fn jailed() -> Option<Host> {
    let found = std::process::Command::new("bwrap").arg("--version").output();
    if found.is_err() {
        skip("bwrap isn't installed: apt-get install bubblewrap");
        return None;
    }
    // As it is installed: the wrapper and the runner beside each other.
    let site = site();
    let wrapper = site.root().join("bwrap-fezz-runner");
    std::fs::copy(BWRAP, &wrapper).unwrap();
    std::fs::copy(binary("fezz-runner"), site.root().join("fezz-runner")).unwrap();
    Some(Host::with_flags(site, &["--runner", wrapper.to_str().unwrap()]))
}

/// `probe` answers 200 outside the jail, and a failure of the function itself inside.
fn check(probe: &str) {
    let Some(inside) = jailed() else { return };
    let outside = Host::start(site());
    let path = format!("/rpc/author/{probe}");
    assert_eq!(outside.get(&path).outcome(), (200, ""), "{probe} outside");
    assert_eq!(inside.get(&path).outcome(), (500, "function_error"), "{probe} inside");
}

#[test]
fn functions_work_inside_bwrap() {
    let Some(host) = jailed() else { return };
    assert_eq!(host.get("/rpc/author/env").text(), "LOG=info");
    assert_eq!(host.client("POST", "/rpc/author").body("body").send().text(), "body");
    assert_eq!(
        host.client("GET", "/rpc/hello-c").header("x-name", "Ada").send().text(),
        "Hello, Ada, from C!\n"
    );
}

#[test]
fn harm_inside_bwrap_has_its_status_and_leaves_nothing() {
    let Some(host) = jailed() else { return };
    assert_eq!(host.get("/rpc/segfaults").outcome(), (502, "function_crashed"));
    host.logged("the signal", |line| line["error"].as_str().is_some_and(|error| error.contains("SIGSEGV")));
    assert_eq!(host.get("/rpc/sleeps_for_ever").outcome(), (504, "deadline_exceeded"));
    assert_eq!(host.get("/rpc/forks").outcome(), (200, ""));
    wait_for("the end of every process", || Some(Census::of(&host)).filter(Census::is_quiet));
}

#[test]
fn a_host_killed_by_sigkill_leaves_no_jail() {
    let Some(mut host) = jailed() else { return };
    let _running = host.client("GET", "/rpc/sleeps_for_ever").begin();
    wait_for("the process", || (Census::of(&host).processes > 0).then_some(()));
    host.signal(rustix::process::Signal::KILL);
    host.ended();
    wait_for("the end of every process", || (Census::of_dead(&host) == 0).then_some(()));
}

#[test]
fn the_hosts_files_cannot_be_read_inside_bwrap() {
    check("read?at=/etc/passwd");
}

#[test]
fn nothing_can_be_written_inside_bwrap() {
    let folder = tempfile::tempdir().unwrap();
    check(&format!("write?at={}/file", folder.path().display()));
    check("write?at=/dev/shm/fezz-test-probe");
    std::fs::remove_file("/dev/shm/fezz-test-probe").unwrap();
}

#[test]
fn the_network_cannot_be_reached_inside_bwrap() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    check(&format!("connect?at={}", listener.local_addr().unwrap()));
}

#[test]
fn no_program_can_be_started_inside_bwrap() {
    check("run?at=/usr/bin/env");
}

#[test]
fn no_other_process_can_be_seen_inside_bwrap() {
    check("processes");
}
