//! `FEZZ_RUNNER`: any wrapper that passes stdin, stdout, stderr and arguments on.

use crate::harness::{AUTHOR, Host, Leftovers, Site, binary, is_root, wait_for};
use serde_json::{Value, json};

fn wrapped(site: Site, script: &str) -> Host {
    let runner = binary("fezz-runner");
    let script = script.replace("RUNNER", runner.to_str().unwrap());
    let wrapper = site.script("wrapper", &script);
    Host::with_flags(site, &["--runner", wrapper.to_str().unwrap()])
}

/// The same without a jail, for a wrapper that would fail the host's trial of the jail at the start.
fn wrapped_without_a_jail(site: Site, script: &str) -> Host {
    let wrapper = site.script("wrapper", script);
    Host::with_flags(site, &["--jail", "off", "--runner", wrapper.to_str().unwrap()])
}

#[test]
fn a_wrapper_that_cannot_confine_fails_the_start_with_its_message() {
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
fn a_two_line_wrapper_works() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"env": {"LOG": "info"}}));
    let host = wrapped(site, "#!/bin/sh\nexec RUNNER \"$@\"\n");
    assert_eq!(host.get("/rpc/author/env").text(), "LOG=info");
    assert_eq!(host.get("/rpc/author/panic").outcome(), (500, "function_panicked"));
}

#[test]
fn a_wrapper_that_stays_as_the_parent_is_killed_with_the_runner() {
    let site = Site::new();
    site.harm("sleeps_for_ever", json!({"timeout_ms": 500}));
    let host = wrapped(site, "#!/bin/sh\nRUNNER \"$@\"\nexit $?\n");
    assert_eq!(host.get("/rpc/sleeps_for_ever").outcome(), (504, "deadline_exceeded"));
    wait_for("the end of both", || Some(Leftovers::of(&host)).filter(Leftovers::is_quiet));
}

#[test]
fn a_wrapper_gets_sigterm_before_it_is_killed() {
    let site = Site::new();
    site.harm("sleeps_for_ever", json!({"timeout_ms": 500}));
    let tidied = site.root().join("tidied");
    let script = format!(
        // Without a program of its own (`touch`): the host waits 100 ms.
        "#!/bin/sh\ntrap ': > {}; exit 1' TERM\nexec 3<&0\nRUNNER \"$@\" <&3 &\nwait\n",
        tidied.display()
    );
    let host = wrapped(site, &script);
    // A busy machine may leave the shell without a processor for longer than that, so another request tries again.
    wait_for("the clean-up of the wrapper", || {
        assert_eq!(host.get("/rpc/sleeps_for_ever").outcome(), (504, "deadline_exceeded"));
        tidied.exists().then_some(())
    });
    wait_for("the end of both", || Some(Leftovers::of(&host)).filter(Leftovers::is_quiet));
}

#[test]
fn a_wrapper_that_fails_is_a_crash_with_its_message_in_the_log() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = wrapped_without_a_jail(site, "#!/bin/sh\necho no namespaces today >&2\nexit 3\n");
    assert_eq!(host.get("/rpc/author").outcome(), (502, "function_crashed"));
    host.logged("its words", |line| line["line"] == "no namespaces today");
}

#[test]
fn a_wrapper_that_cannot_execute_the_runner_is_reported_as_runner_failed() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = wrapped_without_a_jail(site, "#!/bin/sh\nexec /no/such/fezz-runner \"$@\"\n");
    assert_eq!(host.get("/rpc/author").outcome(), (503, "runner_failed"));
    host.logged("the hint", |line| {
        line["error"].as_str().is_some_and(|error| error.contains("can't execute the runner"))
    });
}

/// `trial.rs` tests the same failure at the start. Here the wrapper fails at a request.
#[test]
fn a_jailer_that_cannot_make_its_jail_is_reported_as_jail_failed_under_each_executor() {
    let site = Site::new();
    site.install("spawned@v1", AUTHOR, json!({})).install("forked@v1", AUTHOR, json!({"execution": "fork"}));
    // 255 is nsjail's exit status. The trial at the start succeeds; only later starts fail, as when a mount fails.
    let script =
        "#!/bin/sh\ncase $* in *--try*) exec RUNNER \"$@\";; esac\necho no mounts today >&2\nexit 255\n";
    let host = wrapped(site, script);
    assert_eq!(host.get("/rpc/spawned").outcome(), (503, "jail_failed"));
    assert_eq!(host.get("/rpc/forked").outcome(), (503, "jail_failed"));
    for function in ["spawned@v1", "forked@v1"] {
        let is_it = |line: &Value| line["function"] == function && line["line"] == "no mounts today";
        host.logged("its words", is_it);
    }
}

/// nsjail makes the runner PID 1, for which the kernel ignores signals without a handler (pid_namespaces(7)).
#[test]
fn the_log_names_the_end_where_the_wrapper_makes_the_function_the_first_process() {
    let site = Site::new();
    site.harm("aborts", json!({})).harm("loops_for_ever", json!({"limits": {"cpu_ms": 1}}));
    let users = if is_root() { "" } else { "--user --map-current-user" };
    let script = format!("#!/bin/sh\nexec unshare {users} --pid --fork --kill-child RUNNER \"$@\"\n");
    let host = wrapped(site, &script);
    for (harm, cause) in [("aborts", "SIGABRT"), ("loops_for_ever", "limits.cpu_ms) was used up")] {
        assert_eq!(host.get(&format!("/rpc/{harm}")).outcome(), (502, "function_crashed"), "{harm}");
        host.logged(cause, |line| line["error"].as_str().is_some_and(|error| error.contains(cause)));
    }
}

#[test]
fn a_wrapper_that_drops_the_environment_fails_with_the_fix() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"env": {"LOG": "info"}}));
    let script = "#!/bin/sh\ncase $* in *--try*) exec RUNNER \"$@\";; esac\nexec env -i RUNNER \"$@\"\n";
    let host = wrapped(site, script);
    assert_eq!(host.get("/rpc/author").outcome(), (503, "runner_failed"));
    host.logged("the fix", |line| {
        line["line"].as_str().is_some_and(|text| text.contains("let the wrapper pass on variables"))
    });
}

#[test]
fn a_missing_runner_fails_the_request_as_safe_to_retry() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = wrapped(site, "#!/bin/sh\nexec RUNNER \"$@\"\n");
    assert_eq!(host.get("/rpc/author").status, 200);
    std::fs::rename(host.site.root().join("wrapper"), host.site.root().join("away")).unwrap();
    assert_eq!(host.get("/rpc/author").outcome(), (503, "runner_failed"));
    std::fs::rename(host.site.root().join("away"), host.site.root().join("wrapper")).unwrap();
    assert_eq!(host.get("/rpc/author").status, 200);
}
