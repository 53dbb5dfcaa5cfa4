//! The host's trial of the runner before it serves, and its error messages when the trial fails.

use crate::harness::{AUTHOR, Host, Site, binary, is_root, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// The error message of a host that refuses to start with this runner. A host that serves is killed.
fn refusal(site: &Site, more: impl FnOnce(&mut Command)) -> String {
    let mut command = Host::command(site);
    more(&mut command);
    let mut host = command.spawn().unwrap();
    let mut said = String::new();
    let first = BufReader::new(host.stderr.take().unwrap()).read_line(&mut said);
    let refuses = first.is_ok() && said.starts_with("hhrf: ");
    if !refuses {
        host.kill().unwrap();
    }
    let status = host.wait().unwrap();
    assert_eq!((refuses, status.code()), (true, Some(1)), "{said}");
    said
}

/// The same with a wrapper script.
fn refusal_of(script: &str, flags: &[&str]) -> String {
    let site = Site::new();
    let script = script.replace("RUNNER", binary("fezz-runner").to_str().unwrap());
    let wrapper = site.script("wrapper", &script);
    refusal(&site, |command| {
        command.args(flags).arg("--runner").arg(wrapper);
    })
}

#[test]
fn a_program_that_is_no_runner_is_named() {
    for flags in [&["--jail", "inner"][..], &["--jail", "strict"]] {
        for program in ["/bin/true", "/bin/echo"] {
            let said = refusal(&Site::new(), |command| {
                command.args(flags).args(["--runner", program]);
            });
            let expected = format!("`{program}` ended without an answer of fezz-runner");
            assert!(said.contains(&expected), "{flags:?}: {said}");
        }
    }
}

#[test]
fn arguments_and_streams_that_a_wrapper_does_not_pass_on_are_named() {
    for (script, expected) in [
        ("#!/bin/sh\nexec RUNNER \"$@\" < /dev/null\n", "doesn't pass stdin on"),
        ("#!/bin/sh\nexec RUNNER \"$@\" > /dev/null\n", "ended without an answer of fezz-runner"),
        ("#!/bin/sh\necho starting\nexec RUNNER \"$@\"\n", "wrote to stdout beside the runner's answer"),
        (
            "#!/bin/sh\nshift 2\nexec RUNNER --jail off \"$@\"\n",
            "confined by `--jail off` instead of `--jail inner`",
        ),
        ("#!/bin/sh\nexec RUNNER\n", "no MODULE is given"),
        ("#!/bin/sh\nexec env -i RUNNER \"$@\"\n", "let the wrapper pass on variables"),
    ] {
        let said = refusal_of(script, &[]);
        assert!(said.contains(expected), "{script}: {said}");
    }
}

#[test]
fn a_runner_of_another_version_is_refused() {
    let script = "#!/bin/sh\nread -r token\necho \"fezz-runner 0.0.1 inner $token\"\n";
    let said = refusal_of(script, &[]);
    assert!(said.contains("is version 0.0.1") && said.contains("install the same version of both"), "{said}");
}

#[test]
fn errors_of_the_wrapper_and_of_the_runner_are_distinguished() {
    let said = refusal_of("#!/bin/sh\necho no config file >&2\nexit 255\n", &[]);
    assert!(said.contains("ended (exit status: 255) before fezz-runner answered: no config file"), "{said}");
    assert!(!said.contains("--jail inner:"), "{said}");
    // An error of the runner itself: no text about wrappers follows.
    let said = refusal_of("#!/bin/sh\nexec RUNNER --uid 0 \"$@\"\n", &[]);
    assert!(said.trim_end().ends_with("is not an unprivileged user (see fezz-runner --help)"), "{said}");
}

#[test]
fn strict_with_a_wrapper_fails_and_the_message_names_inner() {
    let said =
        refusal_of("#!/bin/sh\necho cannot find --hold-network >&2\nexit 255\n", &["--jail", "strict"]);
    assert!(said.contains("cannot find --hold-network"), "{said}");
    assert!(said.contains("`wrapper` is taken for a wrapper, which needs --jail inner"), "{said}");
}

#[test]
fn a_script_with_a_missing_interpreter_is_refused_with_the_reason() {
    let said = refusal_of("#!/no/such/shell\n", &[]);
    assert!(said.contains("failed to start the runner") && said.contains("first line"), "{said}");
}

#[test]
fn root_of_a_user_namespace_with_one_user_fails_with_the_fix() {
    for flags in [&["-Ur"][..], &["-Urm"]] {
        let site = Site::new();
        for program in ["hhrf", "fezz-runner"] {
            std::fs::copy(binary(program), site.root().join(program)).unwrap();
        }
        let mut command = match is_root() {
            true => Command::new("setpriv"),
            false => Command::new("env"),
        };
        if is_root() {
            command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        }
        command.arg("unshare").args(flags).arg(site.root().join("hhrf")).arg("--root").arg(site.root());
        let output = command.env_clear().output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("start hhrf without it, as the user that you are"), "{said}");
        assert!(!said.contains("ordinary user") && !said.contains("--uid-base"), "{said}");
    }
}

#[test]
fn a_host_that_is_stopped_while_it_tries_the_jail_leaves_no_wrapper() {
    let site = Site::new();
    let wrapper = site.script("wrapper", "#!/bin/sh\necho $$ > \"${0%/*}/hangs\"\nexec sleep 1000\n");
    let mut command = Host::command(&site);
    let mut host = command.arg("--runner").arg(&wrapper).stderr(Stdio::null()).spawn().unwrap();
    let hangs = wait_for("the wrapper's number", || {
        let number = std::fs::read_to_string(site.root().join("hangs")).ok()?;
        Pid::from_raw(number.trim().parse().ok()?)
    });
    kill_process(Pid::from_child(&host), Signal::TERM).unwrap();
    let status = wait_for("the host's end", || host.try_wait().unwrap());
    assert!(status.success(), "nothing had begun: {status}");
    wait_for("the wrapper's end", || rustix::process::test_kill_process(hangs).is_err().then_some(()));
}

/// A wrapper under which zygotes can't be confined.
#[test]
fn without_fork_the_start_warns_and_spawn_still_works() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"env": {"LOG": "info"}}));
    let text =
        "#!/bin/sh\ncase $* in *--zygote*) echo no scopes here >&2; exit 77;; esac\nexec RUNNER \"$@\"\n";
    let text = text.replace("RUNNER", binary("fezz-runner").to_str().unwrap());
    let wrapper = site.script("wrapper", &text);
    let host = Host::with_flags(site, &["--runner", wrapper.to_str().unwrap()]);
    host.logged("the warning", |line| {
        let text = line["message"].as_str().unwrap_or_default();
        let reason = line["reason"].as_str().unwrap_or_default();
        line["level"] == "WARN" && text.contains("`fork`") && reason.ends_with("no scopes here")
    });
    assert_eq!(host.get("/rpc/author/env").text(), "LOG=info");
    let said = refusal(&host.site, |command| {
        command.args(["--execution", "fork", "--runner"]).arg(wrapper);
    });
    assert!(said.contains("no scopes here"), "{said}");
}
