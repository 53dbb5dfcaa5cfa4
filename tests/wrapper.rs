//! `FEZZ_RUNNER`: whatever passes stdin, stdout, stderr and arguments through.

use crate::harness::{AUTHOR, Census, Host, Site, binary, wait_for};
use serde_json::json;

fn wrapped(site: Site, script: &str) -> Host {
    let runner = binary("fezz-runner");
    let script = script.replace("RUNNER", runner.to_str().unwrap());
    let wrapper = site.script("wrapper", &script);
    Host::with_flags(site, &["--runner", wrapper.to_str().unwrap()])
}

/// The same without a jail, which a host would try at its start.
fn wrapped_without_a_jail(site: Site, script: &str) -> Host {
    let wrapper = site.script("wrapper", script);
    Host::with_flags(site, &["--jail", "off", "--runner", wrapper.to_str().unwrap()])
}

#[test]
fn a_wrapper_that_cannot_confine_ends_the_start_with_its_words() {
    let site = Site::new();
    let wrapper = site.script("wrapper", "#!/bin/sh\necho no namespaces today >&2\nexit 3\n");
    let output = Host::command(&site).arg("--runner").arg(wrapper).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("modules can't be confined here") && said.contains("no namespaces today"),
        "{said}"
    );
}

#[test]
fn a_two_line_wrapper_takes_the_runners_place() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"env": {"LOG": "info"}}));
    let host = wrapped(site, "#!/bin/sh\nexec RUNNER \"$@\"\n");
    assert_eq!(host.get("/rpc/author/env").text(), "LOG=info");
    assert_eq!(host.get("/rpc/author/panic").outcome(), (500, "function_panicked"));
}

#[test]
fn a_wrapper_that_stays_is_killed_with_the_runner() {
    let site = Site::new();
    site.harm("sleeps_for_ever", json!({"timeout_ms": 500}));
    let host = wrapped(site, "#!/bin/sh\nRUNNER \"$@\"\nexit $?\n");
    assert_eq!(host.get("/rpc/sleeps_for_ever").outcome(), (504, "deadline_exceeded"));
    wait_for("the end of both", || Some(Census::of(&host)).filter(Census::is_quiet));
}

#[test]
fn a_wrapper_is_asked_to_end_before_it_is_killed() {
    let site = Site::new();
    site.harm("sleeps_for_ever", json!({"timeout_ms": 500}));
    let tidied = site.root().join("tidied");
    let script = format!(
        "#!/bin/sh\ntrap 'touch {}; exit 1' TERM\nexec 3<&0\nRUNNER \"$@\" <&3 &\nwait\n",
        tidied.display()
    );
    let host = wrapped(site, &script);
    assert_eq!(host.get("/rpc/sleeps_for_ever").outcome(), (504, "deadline_exceeded"));
    wait_for("the wrapper's last act", || tidied.exists().then_some(()));
    wait_for("the end of both", || Some(Census::of(&host)).filter(Census::is_quiet));
}

#[test]
fn a_wrapper_that_fails_is_a_crash_with_its_words_in_the_log() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = wrapped_without_a_jail(site, "#!/bin/sh\necho no namespaces today >&2\nexit 3\n");
    assert_eq!(host.get("/rpc/author").outcome(), (502, "function_crashed"));
    host.logged("its words", |line| line["line"] == "no namespaces today");
}

#[test]
fn a_wrapper_that_cannot_execute_the_runner_is_the_runners_failure() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = wrapped_without_a_jail(site, "#!/bin/sh\nexec /no/such/fezz-runner \"$@\"\n");
    assert_eq!(host.get("/rpc/author").outcome(), (503, "runner_failed"));
    host.logged("the hint", |line| {
        line["error"].as_str().is_some_and(|error| error.contains("can't execute the runner"))
    });
}

/// At the start, by `trial.rs`; and of a request, where the wrapper does it later.
#[test]
fn a_wrapper_that_drops_the_environment_fails_with_the_mend() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"env": {"LOG": "info"}}));
    let script = "#!/bin/sh\ncase $* in *--try*) exec RUNNER \"$@\";; esac\nexec env -i RUNNER \"$@\"\n";
    let host = wrapped(site, script);
    assert_eq!(host.get("/rpc/author").outcome(), (503, "runner_failed"));
    host.logged("the mend", |line| {
        line["line"].as_str().is_some_and(|text| text.contains("let the wrapper pass on variables"))
    });
}

#[test]
fn a_runner_that_vanishes_is_a_failure_that_is_safe_to_retry() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = wrapped(site, "#!/bin/sh\nexec RUNNER \"$@\"\n");
    assert_eq!(host.get("/rpc/author").status, 200);
    std::fs::rename(host.site.root().join("wrapper"), host.site.root().join("away")).unwrap();
    assert_eq!(host.get("/rpc/author").outcome(), (503, "runner_failed"));
    std::fs::rename(host.site.root().join("away"), host.site.root().join("wrapper")).unwrap();
    assert_eq!(host.get("/rpc/author").status, 200);
}
