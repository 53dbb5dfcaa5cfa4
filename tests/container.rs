//! A plain container: Docker's default capabilities and filter, no right to make namespaces. There `--jail inner` works
//! without a wrapper.

use crate::harness::{AUTHOR, Host, ORDINARY, Site, User, folder_of, in_container, wait_for};
use serde_json::{Value, json};
use std::path::Path;

/// A site with a function for each executor.
fn site(more: &Value) -> Site {
    fill(Site::new(), more)
}

fn fill(site: Site, more: &Value) -> Site {
    for execution in ["spawn", "fork"] {
        let mut manifest = json!({"env": {"LOG": "info"}, "execution": execution});
        manifest.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        site.install(&format!("{execution}@v1"), AUTHOR, manifest);
    }
    site
}

/// Exit status, stdout and stderr of a program in a container.
fn output(site: &Site, user: User, arguments: &[&str]) -> Option<(Option<i32>, String, String)> {
    let mut command = in_container(site, user, "hhrf", &[])?;
    let temporary = folder_of(site, user, "tmp");
    let output = command.args(arguments).env_clear().env("TMPDIR", temporary).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some((output.status.code(), text(&output.stdout), text(&output.stderr)))
}

#[test]
fn in_a_plain_container_both_executors_answer() {
    for user in User::BOTH {
        let Some(host) = Host::in_container(site(&json!({})), user, &[], &["--jail", "inner"]) else {
            return;
        };
        for function in ["spawn", "fork"] {
            let answers = host.inside(|host| {
                let env = host.get(&format!("/rpc/{function}/env")).text();
                let outcome = |probe| host.get(&format!("/rpc/{function}/{probe}")).outcome().0;
                (env, outcome("read?at=/etc/passwd"), outcome("processes"), outcome("run?at=/usr/bin/env"))
            });
            assert_eq!(answers, ("LOG=info".to_owned(), 500, 500, 500), "{function}, {user:?}");
        }
    }
}

#[test]
fn a_scratch_that_the_host_shares_is_refused() {
    let scratch = json!({"limits": {"scratch_bytes": 1 << 20}});
    // The container's /tmp is the scratch folder itself.
    let site = Site::below(Path::new("/var/tmp"));
    site.install("writes@v1", AUTHOR, scratch.clone()).install("reads@v1", AUTHOR, scratch);
    let flags = ["--jail", "inner"];
    let Some(host) = Host::in_container(site, User::Root, &["--tmpfs", "/tmp"], &flags) else { return };
    let outcomes = host.inside(|host| {
        ["writes/write", "reads/read"].map(|call| {
            let answer = host.get(&format!("/rpc/{call}?at=/tmp/file"));
            (answer.status, answer.outcome().1.to_owned())
        })
    });
    assert_eq!(outcomes, [(); 2].map(|()| (503, "jail_failed".to_owned())));
    host.logged("the fix", |line| {
        line["line"].as_str().is_some_and(|text| text.contains("mount a new tmpfs for each request"))
    });
}

#[test]
fn inner_in_a_plain_container_warns_what_is_missing() {
    let Some(host) = Host::in_container(site(&json!({})), User::Root, &[], &["--jail", "inner"]) else {
        return;
    };
    let warned = host.logged("the warning", |line| {
        line["level"] == "WARN"
            && line["message"].as_str().is_some_and(|text| text.starts_with("no wrapper makes"))
    });
    let text = warned["message"].as_str().unwrap();
    for missing in ["can see that those exist", "limits.scratch_bytes", "limits.threads", "jail/README.md"] {
        assert!(text.contains(missing), "{text}");
    }
}

#[test]
fn strict_in_a_plain_container_fails_and_the_message_names_inner() {
    for user in User::BOTH {
        let Some((status, _, said)) = output(&site(&json!({})), user, &[]) else { return };
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains("In a plain container start hhrf with --jail inner"), "{said}");
        assert!(said.contains("jail/README.md") && !said.contains("wrapper"), "{said}");
    }
}

/// The manifest's limit holds although no user namespace counts the threads.
#[test]
fn in_a_plain_container_threads_are_limited() {
    let site = Site::new();
    site.install("ordinary@v1", ORDINARY, json!({"limits": {"threads": 8}}));
    // The kernel counts threads by uid. No function of another test has these uids.
    let flags = ["--jail", "inner", "--uid-base", "1200000000"];
    let Some(host) = Host::in_container(site, User::Root, &[], &flags) else { return };
    let said = host.inside(|host| host.get("/rpc/ordinary/threads/as-many-as-there-may-be").text());
    assert_eq!(said, "7 more, then WouldBlock");
}

/// No attempt succeeds, with uids that root gives and with the host's own uid.
#[test]
fn in_a_plain_container_every_attempt_is_held() {
    for user in User::BOTH {
        let site = Site::new();
        let flags = ["check-jail", "--jail", "inner", "--format", "json"];
        let Some((_, report, said)) = output(&site, user, &flags) else { return };
        let report: Value = serde_json::from_str(&report).unwrap_or_else(|error| panic!("{error}: {said}"));
        let rows = report["attempts"].as_array().unwrap().iter();
        let bad: Vec<_> =
            rows.filter(|row| row["verdict"] == "unclear" || row["verdict"] == "worked").collect();
        assert!(bad.is_empty(), "{user:?}: {bad:#?}");
        let [spawn, fork, rewind, worker] = &report["executors"].as_array().unwrap()[..] else {
            panic!("{report:#}")
        };
        assert_eq!(fork["separation"], "Landlock scopes");
        assert_eq!(rewind["counts"]["not_tried"], rewind["counts"]["attempts"], "without namespaces");
        for executor in [spawn, fork, worker] {
            assert!(executor["counts"]["held"].as_u64().unwrap() > 330, "{executor}");
        }
    }
}

#[test]
fn a_container_that_is_killed_leaves_no_host() {
    for user in User::BOTH {
        let Some(host) = Host::in_container(site(&json!({})), user, &[], &["--jail", "inner"]) else {
            return;
        };
        let pid = host.pid();
        let inside = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        drop(host);
        let program = format!("/proc/{}/exe", inside.trim());
        wait_for("the host's end", || std::fs::read_link(&program).is_err().then_some(()));
    }
}
