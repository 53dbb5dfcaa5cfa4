//! Secrets: files that the host alone reads, and that no one sees but their function.

use crate::harness::{AUTHOR, Host, Site, is_root, wait_for};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

/// A value that is nowhere by chance.
const VALUE: &str = "hunter2-9d1c5e7a";

/// The folder of secrets of a site.
fn folder(site: &Site) -> PathBuf {
    let folder = site.root().join("secrets");
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn write(site: &Site, file: &str, value: impl AsRef<[u8]>) -> PathBuf {
    let path = folder(site).join(file);
    fs::write(&path, value).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

/// A host that serves `keyed@v1`, whose variable KEY is the secret in the file `key`.
fn host(site: Site, more: Value, flags: &[&str]) -> Host {
    let mut keys = json!({"secrets": {"KEY": "key"}});
    keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    site.install("keyed@v1", AUTHOR, keys);
    let folder = folder(&site);
    Host::with_flags(site, &[&["--secrets", folder.to_str().unwrap()], flags].concat())
}

fn key(host: &Host) -> String {
    host.get("/rpc/keyed/variable?at=KEY").text()
}

fn refusal(host: &Host) -> String {
    host.logged("the refusal", |line| {
        line["message"].as_str().is_some_and(|text| text.starts_with("not served"))
    })["message"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_secret_reaches_its_function_under_each_executor() {
    for execution in ["spawn", "fork", "in-process"] {
        let site = Site::new();
        write(&site, "key", format!("{VALUE}\n"));
        let host = host(site, json!({"execution": execution}), &["--allow-in-process"]);
        assert_eq!(key(&host), VALUE, "{execution}");
    }
}

#[test]
fn a_secret_is_on_no_command_line_in_no_log_and_on_no_page() {
    for execution in ["spawn", "fork"] {
        let site = Site::new();
        write(&site, "key", VALUE);
        write(&site, "url", format!("redis://:{VALUE}@127.0.0.1:1"));
        let failures = site.root().join("failures");
        let more =
            json!({"execution": execution, "resources": {"redis": "secret:url"}, "timeout_ms": 20_000});
        let host = host(site, more, &["--record-failures", failures.to_str().unwrap()]);
        let running = host.client("GET", "/rpc/keyed/sleep?ms=15000").begin();
        host.logged("the function", |line| line["line"] == "sleeping");
        assert!(!commands().contains(VALUE), "{execution}");
        let problem = host.get("/rpc/keyed/panic");
        assert_eq!(problem.status, 500);
        host.signal(Signal::HUP);
        host.logged("the reload", |line| line["asked_for"] == true);
        let recorded = wait_for("the record", || contents(&failures));
        let log: Vec<String> = host.log().iter().map(Value::to_string).collect();
        let pages = ["/_metrics", "/_health", "/_ready"].map(|page| host.get(page).text());
        for text in [problem.text(), recorded, log.concat(), pages.concat()] {
            assert!(!text.contains(VALUE), "{execution}: {text}");
        }
        drop(running);
    }
}

/// The command lines of all processes.
fn commands() -> String {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok()).collect()
}

/// All files of a folder, once there is one.
fn contents(folder: &Path) -> Option<String> {
    let files = fs::read_dir(folder).ok()?.flatten();
    let files: Vec<Vec<u8>> = files.filter_map(|file| fs::read(file.path()).ok()).collect();
    (!files.is_empty()).then(|| String::from_utf8_lossy(&files.concat()).into_owned())
}

#[test]
fn a_changed_secret_is_there_after_a_reload() {
    for execution in ["spawn", "fork"] {
        let site = Site::new();
        let file = write(&site, "key", "before");
        let host = host(site, json!({"execution": execution}), &[]);
        assert_eq!(key(&host), "before");
        fs::write(file, "after").unwrap();
        host.signal(Signal::HUP);
        wait_for("the new value", || (key(&host) == "after").then_some(()));
    }
}

#[test]
fn a_release_whose_secret_is_gone_is_still_served() {
    let site = Site::new();
    let file = write(&site, "key", VALUE);
    let host = host(site, json!({}), &[]);
    fs::remove_file(file).unwrap();
    host.signal(Signal::HUP);
    assert!(refusal(&host).contains("its previous release is still served"));
    assert_eq!(key(&host), VALUE);
}

#[test]
fn a_secret_that_is_being_written_leaves_the_release_with_the_value_before() {
    let site = Site::new();
    let file = write(&site, "key", VALUE);
    let host = host(site, json!({}), &[]);
    fs::write(file, "").unwrap();
    host.signal(Signal::HUP);
    let sentence = refusal(&host);
    assert!(sentence.contains("is empty: write") && sentence.contains("previous release is still served"));
    assert_eq!(key(&host), VALUE);
}

#[test]
fn the_folder_of_systemd_is_the_default() {
    let site = Site::new();
    write(&site, "key", VALUE);
    site.install("keyed@v1", AUTHOR, json!({"secrets": {"KEY": "key"}}));
    let credentials = folder(&site);
    let host = Host::with(site, |command| {
        command.env("CREDENTIALS_DIRECTORY", credentials);
    });
    assert_eq!(key(&host), VALUE);
}

#[test]
fn without_a_folder_the_refusal_says_how_to_give_one() {
    let site = Site::new();
    site.install("keyed@v1", AUTHOR, json!({"secrets": {"KEY": "key"}}));
    let sentence = refusal(&Host::start(site));
    for part in
        ["key `secrets.KEY` names the file `key`", "no folder of secrets", "--secrets", "LoadCredential="]
    {
        assert!(sentence.contains(part), "`{part}` is not in: {sentence}");
    }
}

/// Checks that the secret that `make` makes is refused with all of `parts`, and without its value.
fn check(make: impl FnOnce(&Site), parts: &[&str]) {
    let site = Site::new();
    make(&site);
    let sentence = refusal(&host(site, json!({}), &[]));
    for part in ["key `secrets.KEY` names `", "/secrets/key`"].iter().chain(parts) {
        assert!(sentence.contains(part), "`{part}` is not in: {sentence}");
    }
    assert!(!sentence.contains("hunter2"), "{sentence}");
}

#[test]
fn a_secret_that_cannot_be_read_is_refused_with_the_fix() {
    check(|_| {}, &["doesn't exist: put the file there"]);
    check(|site| fs::create_dir(folder(site).join("key")).unwrap(), &["is no regular file"]);
    check(|site| drop(write(site, "key", b"hunter2\xff")), &["is not UTF-8"]);
    check(|site| drop(write(site, "key", b"hunter2\0")), &["holds a NUL character"]);
    check(
        |site| drop(write(site, "key", "hunter2".repeat(10_000))),
        &["is 70000 bytes", "the limit is 65536"],
    );
}

#[test]
fn a_secret_that_others_can_change_is_refused() {
    let mode = |mode| move |path: PathBuf| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    check(|site| mode(0o606)(write(site, "key", VALUE)), &["every user can write: `chmod o-w` it"]);
    if is_root() {
        check(
            |site| chown(write(site, "key", VALUE), Some(65534), None).unwrap(),
            &["belongs to user 65534"],
        );
    }
}

#[test]
fn a_folder_of_secrets_that_others_can_change_is_refused() {
    let site = Site::new();
    write(&site, "key", VALUE);
    fs::set_permissions(folder(&site), Permissions::from_mode(0o777)).unwrap();
    let sentence = refusal(&host(site, json!({}), &[]));
    assert!(sentence.contains("/secrets`, which every user can write: `chmod o-w` it"), "{sentence}");
}

#[test]
fn a_link_out_of_the_folder_is_refused_and_one_within_is_followed() {
    check(
        |site| {
            fs::write(site.root().join("outside"), VALUE).unwrap();
            symlink("../outside", folder(site).join("key")).unwrap();
        },
        &["is a link that leads out of its folder"],
    );
    // As Kubernetes mounts secrets, to replace them all at once.
    let site = Site::new();
    fs::create_dir(folder(&site).join("..2026")).unwrap();
    write(&site, "..2026/key", VALUE);
    symlink("..2026", folder(&site).join("..data")).unwrap();
    symlink("..data/key", folder(&site).join("key")).unwrap();
    assert_eq!(key(&host(site, json!({}), &[])), VALUE);
}
