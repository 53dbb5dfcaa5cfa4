//! A wrapper whose system call filter refuses to make namespaces, as Docker's default filter does. The tests use
//! bubblewrap, which installs any filter.

use crate::harness::{AUTHOR, HARMFUL, Host, Site, binary, skip};
use serde_json::json;
use std::process::Command;

/// unshare(2) and setns(2), on this architecture.
const REFUSED: [u32; 2] = if cfg!(target_arch = "x86_64") { [272, 308] } else { [97, 268] };

/// A seccomp(2) filter as classic BPF instructions: `EPERM` for the refused calls; all others are allowed.
fn filter() -> Vec<u8> {
    const LOAD_NUMBER: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const EPERM: u32 = 0x0005_0001;
    let step = |code: u16, if_not: u8, value: u32| {
        [&code.to_ne_bytes()[..], &[0, if_not], &value.to_ne_bytes()].concat()
    };
    let mut steps = step(LOAD_NUMBER, 0, 0);
    for call in REFUSED {
        steps.extend([step(JUMP_IF_EQUAL, 1, call), step(RETURN, 0, EPERM)].concat());
    }
    steps.extend(step(RETURN, 0, ALLOW));
    steps
}

/// A host whose runners have that filter, with `more` flags of bubblewrap; `None` where bubblewrap isn't installed.
fn host(more: &str) -> Option<Host> {
    if Command::new("bwrap").arg("--version").output().is_err() {
        skip("bwrap isn't installed: apt-get install bubblewrap");
        return None;
    }
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"execution": "fork"}));
    let leaves_a_thread = json!({"execution": "fork", "env": {"HARM": "leaves_a_thread_in_on_load"}});
    site.install("leaves-a-thread@v1", HARMFUL, leaves_a_thread);
    let (steps, runner) = (site.root().join("filter"), binary("fezz-runner"));
    std::fs::write(&steps, filter()).unwrap();
    let text = format!(
        "#!/bin/sh\nexec 9< {}\nexec bwrap --dev-bind / / {more} --seccomp 9 -- {} \"$@\"\n",
        steps.display(),
        runner.display()
    );
    let wrapper = site.script("wrapper", &text);
    Some(Host::with_flags(site, &["--runner", wrapper.to_str().unwrap()]))
}

#[test]
fn forks_where_a_filter_refuses_to_unshare() {
    let Some(host) = host("") else { return };
    assert_eq!(host.client("POST", "/rpc/author").body("body").send().text(), "body");
}

#[test]
fn threads_are_counted_where_a_filter_refuses_to_unshare() {
    let Some(host) = host("") else { return };
    assert_eq!(host.get("/rpc/leaves-a-thread").outcome(), (503, "module_failed"));
    host.logged("the reason", |line| {
        line["line"].as_str().is_some_and(|text| text.contains("fezz_on_load_v2 left threads running"))
    });
}

#[test]
fn if_threads_cannot_be_counted_the_error_names_the_filter() {
    let Some(host) = host("--tmpfs /proc") else { return };
    assert_eq!(host.get("/rpc/author").outcome(), (503, "jail_failed"));
    host.logged("the reason", |line| {
        line["line"].as_str().is_some_and(|text| text.contains("let the filter allow unshare(CLONE_THREAD)"))
    });
}
