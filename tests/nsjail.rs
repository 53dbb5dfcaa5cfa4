//! The wrapper for nsjail, tested without nsjail: a stub prints its arguments and starts the runner. `jail.rs` tests the
//! real nsjail, where it is installed.

use crate::harness::{AUTHOR, Host, Site, binary};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

const JAIL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../jail");

/// The stub confines nothing. It starts the runner from the path in `--bindmount_ro`.
const STAND_IN: &str = r#"#!/bin/sh
echo "nsjail $*" >&2
while [ "$1" != -- ]; do
    case $1 in *:/fezz-runner) runner=${1%:/fezz-runner} ;; esac
    shift
done
shift 2
exec "$runner" "$@"
"#;

/// The wrapper, its configuration, the stub and the runner in one folder, as an operator installs them.
fn installed() -> Site {
    let site = Site::new();
    for file in ["nsjail-fezz-runner", "nsjail.cfg"] {
        std::fs::copy(format!("{JAIL}/{file}"), site.root().join(file)).unwrap();
    }
    std::fs::copy(binary("fezz-runner"), site.root().join("fezz-runner")).unwrap();
    site.script("nsjail", STAND_IN);
    site
}

/// The command line of nsjail for a runner with these arguments.
fn call(site: &Site, arguments: &str) -> String {
    let output = Command::new(site.root().join("nsjail-fezz-runner"))
        .args(arguments.split_whitespace())
        .env_clear()
        .stdin(Stdio::null())
        .output();
    String::from_utf8(output.unwrap().stderr).unwrap()
}

#[test]
fn the_wrapper_is_a_shell_script() {
    let checked = Command::new("sh").args(["-n", &format!("{JAIL}/nsjail-fezz-runner")]).status();
    assert!(checked.unwrap().success());
}

#[test]
fn nsjail_is_found_regardless_of_path() {
    for path in ["", "/nowhere", "relative"] {
        let site = installed();
        let output = Command::new(site.root().join("nsjail-fezz-runner"))
            .args(["--jail", "inner", "--try", binary(AUTHOR).to_str().unwrap()])
            .env("PATH", path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn without_nsjail_the_wrapper_says_where_to_put_it() {
    let site = installed();
    std::fs::remove_file(site.root().join("nsjail")).unwrap();
    let folders = ["/usr/local/bin", "/usr/bin", "/usr/local/sbin", "/usr/sbin"];
    if folders.iter().any(|folder| Path::new(folder).join("nsjail").exists()) {
        return eprintln!("left out: nsjail is installed for all");
    }
    let said = call(&site, "--jail inner --try /m/libm.so");
    let expected = format!("there is no nsjail in {}, /usr/local/bin or /usr/bin", site.root().display());
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn a_warning_says_why_a_jail_cannot_be_made() {
    let config = std::fs::read_to_string(format!("{JAIL}/nsjail.cfg")).unwrap();
    assert!(config.contains("\nlog_level: WARNING\n"), "nsjail says by warnings which mount failed");
}

#[test]
fn settings_of_the_manifest_reach_nsjail() {
    let site = installed();
    let root = site.root().display();
    let said = call(&site, "--jail inner --cpu-ms 1000 --timeout-ms 4500 --scratch-bytes 65536 /m/libm.so");
    let expected = format!(
        "nsjail --config {root}/nsjail.cfg --nice_level 0 --time_limit 6 --mount none:/tmp:tmpfs:size=65536,nr_inodes=80 \
         --bindmount_ro {root}/fezz-runner:/fezz-runner --bindmount_ro /m/libm.so:/m/libm.so -- /fezz-runner --jail inner"
    );
    assert!(said.starts_with(&expected), "{said}");

    let said = call(&site, "--jail inner --connect 443 /m/libm.so");
    assert!(said.contains(" --disable_clone_newnet ") && !said.contains("tmpfs"), "{said}");
    let said = call(&site, "--jail inner /m:n/libm.so");
    assert!(said.contains("a colon in") && !said.contains("nsjail --config"), "{said}");
}

#[test]
fn a_request_goes_through_the_wrapper() {
    let site = installed();
    site.install("author@v1", AUTHOR, json!({"env": {"LOG": "info"}}));
    let wrapper = site.root().join("nsjail-fezz-runner");
    let host = Host::with_flags(site, &["--runner", wrapper.to_str().unwrap()]);
    assert_eq!(host.get("/rpc/author/env").text(), "LOG=info");
    assert_eq!(host.client("POST", "/rpc/author").body("body").send().text(), "body");
    host.logged("the call", |line| {
        line["line"].as_str().is_some_and(|text| text.starts_with("nsjail --config"))
    });
}

/// What only processes of `rewind` do: it needs PID namespaces, which this jail doesn't leave, so that `fork` serves its
/// functions.
const OF_REWIND: &str = "userfaultfd";

/// Kafel's own names of calls, and numbers of calls that its older tables lack.
const OTHERWISE: [(&str, &str); 14] = [
    ("stat", "newstat"),
    ("lstat", "newlstat"),
    ("fstat", "newfstat"),
    ("uname", "newuname"),
    ("sendfile", "sendfile64"),
    ("statx", "332"),
    ("rseq", "334"),
    ("io_uring_setup", "425"),
    ("clone3", "435"),
    ("close_range", "436"),
    ("openat2", "437"),
    ("faccessat2", "439"),
    ("epoll_pwait2", "441"),
    ("landlock_restrict_self", "446"),
];

#[test]
fn calls_that_the_runners_filter_allows_are_allowed_by_nsjails() {
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/fezz-runner/src/jail/policy.rs");
    let policy = std::fs::read_to_string(policy).unwrap();
    let config = std::fs::read_to_string(format!("{JAIL}/nsjail.cfg")).unwrap();
    let lines = config.lines().filter_map(|line| line.strip_prefix("seccomp_string:"));
    let words = lines.flat_map(|line| line.split(|char: char| !char.is_alphanumeric() && char != '_'));
    let listed: BTreeSet<&str> = words.collect();
    let wanted = policy.lines().filter_map(|line| line.trim().strip_prefix("SYS_")?.split(' ').next());
    let otherwise = BTreeMap::from(OTHERWISE);
    let as_listed = |name| otherwise.get(name).copied().unwrap_or(name);
    let wanted = wanted.filter(|name| *name != OF_REWIND);
    let missing: Vec<&str> = wanted.filter(|name| !listed.contains(as_listed(name))).collect();
    assert!(missing.is_empty(), "add to jail/nsjail.cfg: {missing:?}");
}
