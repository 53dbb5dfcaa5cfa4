//! Each restriction is tested inside every kind of jail, where it must hold, and outside, where it must not.

use crate::harness::{AUTHOR, HARMFUL, Host, Leftovers, Site, binary, is_root, on_path, skip, wait_for};
use serde_json::{Value, json};
use std::net::TcpListener;

const WRAPPERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../jail");

/// A kind of jail.
#[derive(Debug, Clone, Copy)]
enum Jail {
    /// The runner's own.
    Strict,
    /// The runner's own, with a host that runs as an ordinary user.
    StrictOfNobody,
    /// bubblewrap's, and the runner's inside.
    Bwrap,
    /// nsjail's, and the runner's inside.
    Nsjail,
    /// firejail's, and the runner's inside.
    Firejail,
    /// A wrapper that confines nothing, with the runner's `inner` jail.
    Inner,
}

const JAILS: [Jail; 6] =
    [Jail::Strict, Jail::StrictOfNobody, Jail::Bwrap, Jail::Nsjail, Jail::Firejail, Jail::Inner];

fn site(more: &Value) -> Site {
    let mut author = json!({"env": {"LOG": "info"}});
    author.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let site = Site::new();
    site.install("author@v1", AUTHOR, author);
    site.install("hello-c@v1", "libhello_c.so", json!({}));
    site.harm("segfaults", json!({})).harm("sleeps_for_ever", json!({"timeout_ms": 1000}));
    site.harm("exits_255_at_once", json!({})).harm("loops_for_ever", json!({"limits": {"cpu_ms": 1}}));
    site.install("forks@v1", HARMFUL, json!({"env": {"HARM": "leaves_a_daemon_behind"}}));
    site
}

impl Jail {
    /// A host with this jail; `None` where the jail's program isn't installed.
    fn host(self, more: &Value) -> Option<Host> {
        let site = site(more);
        match self {
            Self::Strict => Some(Host::start(site)),
            Self::StrictOfNobody => is_root().then(|| Host::unprivileged(site, &[])),
            Self::Bwrap => bwrapped(site),
            Self::Nsjail => nsjailed(site),
            Self::Firejail => firejailed(site),
            Self::Inner => {
                let text = format!("#!/bin/sh\nexec {} \"$@\"\n", binary("fezz-runner").display());
                let wrapper = site.script("wrapper", &text);
                Some(Host::with_flags(site, &["--runner", wrapper.to_str().unwrap()]))
            }
        }
    }
}

fn bwrapped(site: Site) -> Option<Host> {
    if std::process::Command::new("bwrap").arg("--version").output().is_err() {
        skip("bwrap isn't installed: apt-get install bubblewrap");
        return None;
    }
    Some(wrapped(site, &["bwrap-fezz-runner"]))
}

/// Puts a link to the nsjail on PATH beside the wrapper, since a host doesn't pass PATH on.
fn nsjailed(site: Site) -> Option<Host> {
    let Some(nsjail) = on_path("nsjail") else {
        skip("nsjail isn't on PATH: jail/README.md says how to build it");
        return None;
    };
    std::os::unix::fs::symlink(nsjail, site.root().join("nsjail")).unwrap();
    Some(wrapped(site, &["nsjail-fezz-runner", "nsjail.cfg"]))
}

fn firejailed(site: Site) -> Option<Host> {
    if on_path("firejail").is_none() {
        skip("firejail isn't installed: apt-get install firejail");
        return None;
    }
    Some(wrapped(site, &["firejail-fezz-runner"]))
}

/// Wrapper (the first of `files`) and runner in one folder, as an operator installs them.
fn wrapped(site: Site, files: &[&str]) -> Host {
    for file in files {
        std::fs::copy(format!("{WRAPPERS}/{file}"), site.root().join(file)).unwrap();
    }
    std::fs::copy(binary("fezz-runner"), site.root().join("fezz-runner")).unwrap();
    let wrapper = site.root().join(files[0]);
    Host::with_flags(site, &["--runner", wrapper.to_str().unwrap()])
}

fn each_jail(more: &Value, look: impl Fn(Jail, &Host)) {
    for jail in JAILS {
        if let Some(host) = jail.host(more) {
            look(jail, &host);
        }
    }
}

/// Checks that `probe` answers 200 outside and an error of the function inside: the operation is refused and the
/// function continues.
fn check(probe: &str) {
    let outside = Host::with_flags(site(&json!({})), &["--jail", "off"]);
    let path = format!("/rpc/author/{probe}");
    assert_eq!(outside.get(&path).outcome(), (200, ""), "{probe} outside");
    each_jail(&json!({}), |jail, inside| {
        assert_eq!(inside.get(&path).outcome(), (500, "function_error"), "{probe} in {jail:?}");
    });
}

#[test]
fn functions_work_inside() {
    each_jail(&json!({}), |jail, host| {
        assert_eq!(host.get("/rpc/author/env").text(), "LOG=info", "{jail:?}");
        assert_eq!(host.client("POST", "/rpc/author").body("body").send().text(), "body", "{jail:?}");
        let hello = host.client("GET", "/rpc/hello-c").header("x-name", "Ada").send();
        assert_eq!(hello.text(), "Hello, Ada, from C!\n", "{jail:?}");
    });
}

#[test]
fn harm_inside_has_its_status_and_leaves_nothing() {
    each_jail(&json!({}), |jail, host| {
        assert_eq!(host.get("/rpc/segfaults").outcome(), (502, "function_crashed"), "{jail:?}");
        host.logged("the signal", |line| {
            line["error"].as_str().is_some_and(|error| error.contains("SIGSEGV"))
        });
        assert_eq!(host.get("/rpc/sleeps_for_ever").outcome(), (504, "deadline_exceeded"), "{jail:?}");
        assert_eq!(host.get("/rpc/forks").outcome(), (200, ""), "{jail:?}");
        wait_for("the end of every process", || Some(Leftovers::of(host)).filter(Leftovers::is_quiet));
    });
}

#[test]
fn the_log_names_each_kind_of_end_inside() {
    each_jail(&json!({}), |jail, host| {
        assert_eq!(host.get("/rpc/loops_for_ever").outcome(), (502, "function_crashed"), "{jail:?}");
        host.logged("the limit", |line| {
            line["error"].as_str().is_some_and(|error| error.contains("limits.cpu_ms) was used up"))
        });
    });
}

/// nsjail exits with 255 when it can't make its jail. The runner's own code, 77, can be protected only in `strict`.
#[test]
fn no_module_inside_can_claim_that_it_never_ran() {
    each_jail(&json!({}), |jail, host| {
        assert_eq!(host.get("/rpc/exits_255_at_once").outcome(), (502, "function_crashed"), "{jail:?}");
    });
}

#[test]
fn a_host_killed_by_sigkill_leaves_no_jail() {
    for jail in JAILS {
        let Some(mut host) = jail.host(&json!({})) else { continue };
        let _running = host.client("GET", "/rpc/sleeps_for_ever").begin();
        wait_for("the process", || (Leftovers::of(&host).processes > 0).then_some(()));
        host.signal(rustix::process::Signal::KILL);
        host.ended();
        wait_for("the end of every process", || (Leftovers::of_dead(&host) == 0).then_some(()));
    }
}

#[test]
fn the_hosts_files_cannot_be_read_inside() {
    check("read?at=/etc/passwd");
}

#[test]
fn nothing_can_be_written_inside() {
    let folder = tempfile::tempdir().unwrap();
    check(&format!("write?at={}/file", folder.path().display()));
    check("write?at=/dev/shm/fezz-test-probe");
    std::fs::remove_file("/dev/shm/fezz-test-probe").unwrap();
}

#[test]
fn a_scratch_can_be_written_to_inside_and_is_gone_with_the_request() {
    let scratch = json!({"limits": {"scratch_bytes": 1 << 20}});
    for jail in [Jail::Strict, Jail::StrictOfNobody, Jail::Bwrap, Jail::Nsjail] {
        let Some(host) = jail.host(&scratch) else { continue };
        assert_eq!(host.get("/rpc/author/write?at=/tmp/file").outcome(), (200, ""), "{jail:?}");
        assert_eq!(host.get("/rpc/author/read?at=/tmp/file").outcome(), (500, "function_error"), "{jail:?}");
        assert_eq!(host.get("/rpc/author/write?at=/file").outcome(), (500, "function_error"), "{jail:?}");
    }
}

#[test]
fn a_wrapper_that_gives_no_scratch_fails_with_the_fix() {
    for jail in [Jail::Inner, Jail::Firejail] {
        let Some(host) = jail.host(&json!({"limits": {"scratch_bytes": 1 << 20}})) else { continue };
        assert_eq!(host.get("/rpc/author/env").outcome(), (503, "jail_failed"), "{jail:?}");
        host.logged("the fix", |line| {
            line["line"]
                .as_str()
                .is_some_and(|text| text.contains("let the wrapper mount a tmpfs of at most"))
        });
    }
}

#[test]
fn the_network_cannot_be_reached_inside() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    check(&format!("connect?at={}", listener.local_addr().unwrap()));
}

#[test]
fn a_port_that_the_manifest_names_can_be_reached_inside_and_no_other() {
    let [allowed, other] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let port = allowed.local_addr().unwrap().port();
    let other = other.local_addr().unwrap();
    each_jail(&json!({"network": {"connect": [port]}}), |jail, host| {
        let path = format!("/rpc/author/connect?at=127.0.0.1:{port}");
        assert_eq!(host.get(&path).outcome(), (200, ""), "{jail:?}");
        let path = format!("/rpc/author/connect?at={other}");
        assert_eq!(host.get(&path).outcome(), (500, "function_error"), "{jail:?}");
    });
}

#[test]
fn no_program_can_be_started_inside() {
    check("run?at=/usr/bin/env");
}

#[test]
fn no_other_process_can_be_seen_inside() {
    check("processes");
}

#[test]
fn a_wrapper_that_shares_the_hosts_network_has_no_empty_network() {
    let site = site(&json!({}));
    let text = format!("#!/bin/sh\n{} \"$@\"\nexit $?\n", binary("fezz-runner").display());
    let wrapper = site.script("wrapper", &text);
    let mut command = Host::command(&site);
    let output = command.args(["--jail", "strict", "--runner"]).arg(wrapper).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the runner's empty network isn't its own"), "{said}");
}

#[test]
fn a_jail_that_cannot_be_made_fails_the_start_with_the_reason() {
    // Root of a user namespace that has no other user and may not make another namespace.
    let site = site(&json!({}));
    let text = format!(
        "#!/bin/sh\necho 0 > /proc/sys/user/max_user_namespaces 2> /dev/null\nexec {} --listen 127.0.0.1:0 --root {}\n",
        binary("hhrf").display(),
        site.root().display()
    );
    let script = site.script("start", &text);
    // The limit is set inside a user namespace, so that it doesn't apply to the machine.
    let output = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount"])
        .arg(script)
        .output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("modules can't be confined here")
            && said.contains("the only user of its user namespace"),
        "{said}"
    );
}
