//! A host that is killed by SIGKILL leaves no process, whichever wrapper runs between the host and its runners.

use crate::harness::{
    AUTHOR, HARMFUL, Host, Site, binary, is_root, of_requests, prewarmed_processes, skip, wait_for,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::process::Command;
use std::time::{Duration, Instant};

/// The time after which no process may be left.
const LIMIT: Duration = Duration::from_secs(3);

/// Functions of each executor that sleep, loop, wait for a request, or never finish loading.
fn site() -> Site {
    let site = Site::new();
    for execution in ["spawn", "fork"] {
        let with = |more: &[(&str, serde_json::Value)]| {
            let mut manifest = json!({"execution": execution});
            for (key, value) in more {
                manifest[*key] = value.clone();
            }
            manifest
        };
        let harm = |harm: &str| with(&[("env", json!({"HARM": harm}))]);
        site.install(&format!("sleeps-{execution}@v1"), AUTHOR, with(&[]));
        site.install(&format!("loops-{execution}@v1"), HARMFUL, harm("loops_for_ever"));
        site.install(&format!("loads-{execution}@v1"), HARMFUL, harm("hangs_in_on_load"));
        site.install(&format!("waits-{execution}@v1"), AUTHOR, with(&[("spare", 2.into())]));
    }
    site
}

/// Kills a host while all of its functions run.
fn check(mut host: Host, wrapper: &str) {
    let mut busy = Vec::new();
    for execution in ["spawn", "fork"] {
        assert_eq!(host.client("POST", &format!("/rpc/waits-{execution}")).body("b").send().text(), "b");
        let paths = ["sleeps-EXECUTION/sleep?ms=60000", "loops-EXECUTION", "loads-EXECUTION"];
        for path in paths.map(|path| format!("/rpc/{}", path.replace("EXECUTION", execution))) {
            busy.push(host.client("GET", &path).begin());
        }
        let function = format!("sleeps-{execution}");
        host.logged("its sleep", |line| {
            line["line"] == "sleeping"
                && line["function"].as_str().is_some_and(|name| name.contains(&function))
        });
    }
    wait_for("a runner that waits", || (!prewarmed_processes(&host).is_empty()).then_some(()));
    host.signal(Signal::KILL);
    host.ended();
    let killed = Instant::now();
    while killed.elapsed() < LIMIT && !of_requests(&host).is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let left = of_requests(&host);
    let names: Vec<_> = left.iter().map(|process| std::fs::read_to_string(process.join("cmdline"))).collect();
    for process in &left {
        let pid = process.file_name().unwrap().to_str().unwrap().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).ok();
    }
    assert!(left.is_empty(), "{wrapper} left {names:?}");
}

/// A wrapper that doesn't notice the host's end.
fn check_wrapper(command: &str, flags: &[&str]) {
    let program = command.split(' ').next().unwrap();
    if Command::new(program).arg("--version").output().is_err() {
        return skip(&format!("{program} isn't installed"));
    }
    let site = site();
    let text = format!("#!/bin/sh\nexec {command} {} \"$@\"\n", binary("fezz-runner").display());
    let wrapper = site.script("wrapper", &text);
    check(Host::with_flags(site, &[&["--runner", wrapper.to_str().unwrap()], flags].concat()), command);
}

#[test]
fn nothing_is_left_under_tini() {
    check_wrapper("tini -s --", &[]);
}

#[test]
fn nothing_is_left_under_tini_without_a_jail() {
    check_wrapper("tini -s --", &["--jail", "off"]);
}

#[test]
fn nothing_is_left_under_catatonit() {
    check_wrapper("catatonit --", &[]);
}

#[test]
fn nothing_is_left_under_timeout() {
    check_wrapper("timeout 60", &[]);
}

#[test]
fn nothing_is_left_under_unshare() {
    check_wrapper("unshare --fork --kill-child", &[]);
}

#[test]
fn nothing_is_left_where_the_runner_is_the_first_process_of_a_namespace() {
    let user = if is_root() { "" } else { "--user --map-current-user " };
    check_wrapper(&format!("unshare {user}--pid --kill-child"), &[]);
}

#[test]
fn nothing_is_left_under_firejail() {
    check_wrapper("firejail --quiet --noprofile --net=none --private-dev --noroot", &[]);
}

#[test]
fn nothing_is_left_without_a_wrapper() {
    for jail in ["strict", "inner", "off"] {
        check(Host::with_flags(site(), &["--jail", jail]), jail);
    }
}
