//! The first commands of a new user, from the README and older guides, run in a clean clone: a temporary folder with the
//! files that git would commit.
//!
//! Two things differ from a user's shell. The host listens on a free port (`HHRF_LISTEN`), since 3000 may be taken. And
//! Cargo shares this test's build folder (`CARGO_BUILD_BUILD_DIR`), so that it compiles no dependency again; linked
//! files go to the clone's `target/`.

use crate::harness::{Host, Site, binary, skip};
use std::path::Path;
use std::process::{Command, Stdio};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A clone, or `None` where there is no repository.
fn clone() -> Option<Site> {
    // git refuses a repository of another user without this setting.
    const GIT: &str = "git -c safe.directory='*'";
    let mut sh = Command::new("sh");
    sh.args(["-c", &format!("{GIT} rev-parse")]).current_dir(REPOSITORY).stderr(Stdio::null());
    if !sh.status().unwrap().success() {
        skip("git isn't installed, or this folder is no clone of a repository");
        return None;
    }
    let site = Site::new();
    // Copied by tar, which keeps the modification times: Cargo compares them.
    let copy = format!(
        "{GIT} ls-files -z --cached --others --exclude-standard --deduplicate \
         | xargs -0 sh -c 'for file; do [ ! -e \"$file\" ] || printf \"%s\\0\" \"$file\"; done' sh \
         | tar --null --files-from - --create | tar --extract --directory \"$CLONE\""
    );
    let mut sh = Command::new("sh");
    sh.args(["-c", &copy]).current_dir(REPOSITORY).env("CLONE", site.root());
    assert!(sh.status().unwrap().success());
    run(&site, "git init --quiet && git add --all");
    Some(site)
}

/// A shell in the clone.
fn shell(site: &Site, command: &str) -> Command {
    let built = binary("hhrf");
    let mut sh = Command::new("sh");
    sh.args(["-c", command])
        .current_dir(site.root())
        .env_remove("CARGO_TARGET_DIR")
        .env("CARGO_BUILD_BUILD_DIR", built.parent().and_then(Path::parent).unwrap())
        .env("HHRF_LISTEN", "127.0.0.1:0")
        .env("HHRF_LOG_FORMAT", "json")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    sh
}

fn run(site: &Site, command: &str) {
    let output = shell(site, command).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Starts the host by `cargo run` with these arguments, calls the function by its name and by its route, and returns the
/// clone. Everything must be compiled before: the wait for the host's start is short.
fn serve(site: Site, variables: &str, arguments: &str) -> Site {
    run(&site, &format!("cargo build {arguments}"));
    let host =
        Host::of_command(shell(&site, &format!("{variables} exec cargo run --quiet {arguments}")), site);
    let answers = ["/rpc/todos@latest", "/hello"].map(|path| (host.get(path).status, host.get(path).text()));
    assert_eq!(answers, [(); 2].map(|()| (200, "Hello from todos!\n".to_owned())));
    host.logged("its own jail", |line| line["jail"] == "strict");
    host.into_site()
}

/// Untracked and modified files.
fn changed(site: &Site) -> String {
    let status = "git diff --name-only; git ls-files --others --exclude-standard";
    String::from_utf8(shell(site, status).stdout(Stdio::piped()).output().unwrap().stdout).unwrap()
}

#[test]
fn the_first_commands_work_in_a_clean_clone_and_leave_it_clean() {
    let Some(site) = clone() else { return };
    run(&site, "cargo build --release -p example_todosapi -p fezz-runner -p hhrf");
    run(&site, "mkdir -p functions/todos@latest");
    run(&site, "cp target/release/libexample_todosapi.so functions/todos@latest/");
    let site = serve(site, "HHRF_ROOT=.", "-p hhrf --release");
    assert_eq!(changed(&site), "");

    run(&site, "make clean CARGO=:");
    assert_eq!(changed(&site), "");
    assert!(!site.function("todos@latest").join("libexample_todosapi.so").exists());

    run(&site, "cargo build -p example_todosapi -p fezz-runner -p hhrf");
    run(&site, "cp target/debug/libexample_todosapi.so functions/todos@latest/libexample_todosapi.dylib");
    let site = serve(site, "FEZZ_RUNNER=fezz-runner", "");
    let site = serve(site, "", "-p hhrf");
    assert_eq!(changed(&site), "");
}
