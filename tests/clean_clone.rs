//! The first commands of a new user who builds for debugging, in a clean clone: what git would commit of this folder, in a
//! temporary one. Those of the README are in `documents/commands.rs`.
//!
//! Two things differ from a user's shell. The host listens on a free port (`HHRF_LISTEN`), since 3000 may be taken. And
//! Cargo shares this test's build folder (`CARGO_BUILD_BUILD_DIR`), so that it compiles no dependency again; linked
//! files go to the clone's `target/`.

use crate::harness::{Host, Site, binary, skip};
use std::path::Path;
use std::process::{Command, Stdio};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A clone in a folder of its own below `parent`, or nothing where there is no repository to clone.
pub(crate) fn clone_below(parent: &Path) -> Option<Site> {
    // Also of a repository that belongs to another user, which git refuses to look at otherwise.
    const GIT: &str = "git -c safe.directory='*'";
    let mut sh = Command::new("sh");
    sh.args(["-c", &format!("{GIT} rev-parse")]).current_dir(REPOSITORY).stderr(Stdio::null());
    if !sh.status().unwrap().success() {
        skip("git isn't installed, or this folder is no clone of a repository");
        return None;
    }
    let site = Site::below(parent);
    // By tar, which keeps the files' times, by which Cargo knows what it has compiled.
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
pub(crate) fn shell(site: &Site, command: &str) -> Command {
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

/// Files that git doesn't know, or that aren't as it knows them.
pub(crate) fn changed(site: &Site) -> String {
    let status = "git diff --name-only; git ls-files --others --exclude-standard";
    String::from_utf8(shell(site, status).stdout(Stdio::piped()).output().unwrap().stdout).unwrap()
}

#[test]
fn the_first_commands_work_in_a_clean_clone_and_leave_it_clean() {
    let Some(site) = clone_below(&std::env::temp_dir()) else { return };
    run(&site, "cargo build -p example_todosapi -p fezz-runner -p hhrf");
    run(&site, "cp target/debug/libexample_todosapi.so functions/todos@latest/libexample_todosapi.dylib");
    let site = serve(site, "FEZZ_RUNNER=fezz-runner", "");
    let site = serve(site, "", "-p hhrf");
    assert_eq!(changed(&site), "");

    run(&site, "make clean CARGO=:");
    assert_eq!(changed(&site), "");
    assert!(!site.function("todos@latest").join("libexample_todosapi.dylib").exists());
}
