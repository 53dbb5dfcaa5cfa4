//! The uids of functions where the host runs as root: different from those of every other host.

use crate::harness::{AUTHOR, Host, Site, binary, inside, is_root};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

fn site() -> Site {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    site
}

/// A function's uid, seen from outside its user namespace.
fn uid_of_function(host: &Host) -> u32 {
    let _request = host.client("GET", "/rpc/author/sleep?ms=20000").begin();
    host.logged("the function", |line| line["line"] == "sleeping");
    let status = fs::read_to_string(inside(host).join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// The base of a test's own range of uids, with space after it, so that several runs can share a machine.
pub(crate) fn base_of(test: u32) -> u32 {
    const BEYOND_THE_DEFAULT: u32 = 0x8000_0000;
    BEYOND_THE_DEFAULT + test * 0x2000_0000 + (std::process::id() % 0x1000) * 0x2_0000
}

/// Starts a host that must fail to start.
fn start(site: &Site, flags: &[&str]) -> Output {
    let host = Host::command(site);
    let mut command = Command::new("timeout");
    command.arg("20").arg(host.get_program()).args(host.get_args()).args(flags);
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn two_hosts_that_run_as_root_give_their_functions_different_uids() {
    if !is_root() {
        return;
    }
    let (first, second) = (Host::start(site()), Host::start(site()));
    let uids = [uid_of_function(&first), uid_of_function(&second)];
    assert_ne!(uids[0] / 0x1_0000, uids[1] / 0x1_0000, "{uids:?}");
}

#[test]
fn a_uid_range_of_another_host_is_refused_with_the_fix_until_that_host_is_killed() {
    if !is_root() {
        return;
    }
    let base = base_of(0);
    let mut first = Host::with_flags(site(), &["--uid-base", &base.to_string()]);
    // A range that begins within the other range.
    let overlapping = (base + 1).to_string();
    let second = start(&site(), &["--uid-base", &overlapping]);
    assert_eq!(second.status.code(), Some(1));
    let text = said(&second);
    assert!(text.contains("another host has them") && text.contains("leave out --uid-base"), "{text}");
    first.signal(Signal::KILL);
    first.ended();
    assert_eq!(uid_of_function(&Host::with_flags(site(), &["--uid-base", &overlapping])), base + 1);
    for lock in [base, base + 0x1_0000] {
        fs::remove_file(format!("/run/fezz/uids-{lock}")).unwrap();
    }
}

/// The error message of a host in a mount namespace whose `/run` the script `make` prepares. The host never serves: its
/// address is in use.
fn said_with_run(make: &str, flags: &str) -> String {
    let (site, taken) = (site(), TcpListener::bind("127.0.0.1:0").unwrap());
    let script = format!(
        "mount -t tmpfs none /run && {{ {make}; }} && exec timeout 20 {} --root {} --listen {} {flags}",
        binary("hhrf").display(),
        site.root().display(),
        taken.local_addr().unwrap(),
    );
    let output = Command::new("unshare").args(["--mount", "sh", "-c", &script]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{make}: {}", said(&output));
    said(&output)
}

#[test]
fn a_lock_folder_that_others_can_change_is_refused_with_the_fix() {
    if !is_root() {
        return;
    }
    for (make, part) in [
        ("mkdir -m 777 /run/fezz", "`chmod 700` it"),
        ("mkdir /run/fezz && chown 65534 /run/fezz", "`chown root` it"),
        ("ln -s /no/such/folder /run/fezz", "is no folder: remove it"),
        ("mount -o remount,ro /run", "RuntimeDirectory=fezz"),
    ] {
        let text = said_with_run(make, "");
        assert!(text.contains(part), "{make}: {text}");
    }
}

#[test]
fn a_requested_uid_range_is_used_with_a_warning_where_run_is_not_writable() {
    if !is_root() {
        return;
    }
    let text = said_with_run("mount -o remount,ro /run", "--uid-base 1000000000");
    assert!(
        text.contains("WARN failed to lock the uids in /run/fezz")
            && text.contains("choose another by --listen"),
        "{text}"
    );
}

#[test]
fn only_root_may_open_the_lock_files() {
    use std::os::unix::fs::MetadataExt;
    if !is_root() {
        return;
    }
    let base = base_of(1);
    let _host = Host::with_flags(site(), &["--uid-base", &base.to_string()]);
    let lock = format!("/run/fezz/uids-{base}");
    let modes =
        [Path::new("/run/fezz"), Path::new(&lock)].map(|path| fs::metadata(path).unwrap().mode() & 0o777);
    assert_eq!(modes, [0o700, 0o600], "another user could lock what it can open");
    fs::remove_file(lock).unwrap();
}
