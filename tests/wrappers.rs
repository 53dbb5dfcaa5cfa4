//! The wrappers of `jail/`, called as operators call them: from a shell, from any folder, through links.

use crate::harness::{AUTHOR, Site, binary, on_path, skip};
use fezz_wire::TrialAnswer;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

const JAIL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../jail");

/// Each wrapper with the program that it needs. `nsjail.rs` tests what needs no nsjail.
const WRAPPERS: [(&str, &str); 3] =
    [("bwrap-fezz-runner", "bwrap"), ("firejail-fezz-runner", "firejail"), ("nsjail-fezz-runner", "nsjail")];

/// Installs all wrappers and the runner in the folder `installed`. Returns the wrappers whose programs exist.
fn installed() -> (Site, Vec<&'static str>) {
    let site = Site::new();
    let folder = site.root().join("installed");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(binary("fezz-runner"), folder.join("fezz-runner")).unwrap();
    std::fs::copy(format!("{JAIL}/nsjail.cfg"), folder.join("nsjail.cfg")).unwrap();
    if let Some(nsjail) = on_path("nsjail") {
        symlink(nsjail, folder.join("nsjail")).unwrap();
    }
    let mut wrappers = Vec::new();
    for (wrapper, program) in WRAPPERS {
        std::fs::copy(format!("{JAIL}/{wrapper}"), folder.join(wrapper)).unwrap();
        match on_path(program) {
            Some(_) => wrappers.push(wrapper),
            None => skip(&format!("{program} isn't installed: jail/README.md says how")),
        }
    }
    (site, wrappers)
}

/// Runs a wrapper around a module, from the folder `from`.
fn try_jail(from: &Path, program: &str, arguments: &[&str]) -> Output {
    let module = binary(AUTHOR);
    let mut command = Command::new(program);
    command.args(arguments).args(["--jail", "inner", "--try"]).arg(module).current_dir(from);
    command.output().unwrap()
}

fn assert_holds(output: &Output, how: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    // stdin was empty, so stdout has only the runner's own answer to an empty request.
    let answer = TrialAnswer { version: env!("CARGO_PKG_VERSION"), jail: "inner", token: "" }.encode();
    let is_answered = output.status.success() && output.stdout == answer.as_bytes();
    assert!(is_answered && said.is_empty(), "{how}: {said}");
}

#[test]
fn a_wrapper_works_by_a_relative_path_and_by_its_name_alone() {
    let (site, wrappers) = installed();
    let folder = site.root().join("installed");
    for wrapper in wrappers {
        assert_holds(&try_jail(&folder, "sh", &[wrapper]), wrapper);
        assert_holds(&try_jail(&folder, "sh", &["-c", "\"$0\" \"$@\"", &format!("./{wrapper}")]), wrapper);
        assert_holds(&try_jail(site.root(), "sh", &[&format!("installed/{wrapper}")]), wrapper);
    }
}

#[test]
fn a_wrapper_works_through_links() {
    let (site, wrappers) = installed();
    for wrapper in wrappers {
        // A relative link, and an absolute link to it.
        let (first, second) = (site.root().join("first"), site.root().join("second"));
        symlink(format!("installed/{wrapper}"), &first).unwrap();
        symlink(&first, &second).unwrap();
        assert_holds(&try_jail(site.root(), "./second", &[]), wrapper);
        assert_holds(&try_jail(Path::new("/"), second.to_str().unwrap(), &[]), wrapper);
        for link in [first, second] {
            std::fs::remove_file(link).unwrap();
        }
    }
}

/// In a container or under another firejail, firejail would start the runner without a sandbox and without a message.
#[test]
fn a_firejail_that_makes_no_sandbox_is_refused() {
    let (site, wrappers) = installed();
    if !wrappers.contains(&"firejail-fezz-runner") || !crate::harness::is_root() {
        return skip("needs firejail, and root for a PID namespace");
    }
    let wrapper = site.root().join("installed/firejail-fezz-runner");
    let inside = ["--pid", "--fork", "--mount-proc", wrapper.to_str().unwrap()];
    let output = try_jail(site.root(), "unshare", &inside);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(77), "{said}");
    assert!(said.contains("firejail makes no sandbox here"), "{said}");
}

/// bash takes a socket on stdin, as a zygote has, for a remote login and runs its start-up file.
#[test]
fn no_start_up_file_of_a_shell_is_run_for_a_zygote() {
    let (site, wrappers) = installed();
    if !wrappers.contains(&"firejail-fezz-runner") {
        return;
    }
    let home = site.root().join("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::write(home.join(".bashrc"), "echo the start-up file ran >&2\n").unwrap();
    let (stdin, host) = std::os::unix::net::UnixStream::pair().unwrap();
    host.shutdown(std::net::Shutdown::Write).unwrap();
    let output = Command::new(site.root().join("installed/firejail-fezz-runner"))
        .args(["--jail", "inner", "--try"])
        .arg(binary(AUTHOR))
        .env("HOME", &home)
        .stdin(std::os::fd::OwnedFd::from(stdin))
        .output()
        .unwrap();
    assert_holds(&output, "firejail");
}
