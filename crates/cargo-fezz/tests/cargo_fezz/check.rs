//! `cargo fezz check`.

use crate::harness::Project;
use serde_json::Value;
use std::process::Command;

/// The findings of `check` in a project, that aren't "ok".
fn faults(report: &str) -> Vec<(String, String, String, String)> {
    let report: Value = serde_json::from_str(report).unwrap_or_else(|error| panic!("{error}: {report}"));
    let faults = report["findings"].as_array().unwrap().iter().filter(|finding| finding["verdict"] != "ok");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    faults.map(|f| (text(&f["check"]), text(&f["verdict"]), text(&f["message"]), text(&f["fix"]))).collect()
}

#[test]
fn a_plain_function_has_no_fault_and_its_table_says_what_was_checked() {
    let project = Project::function("check-plain", r#"path = "/plain", method = "GET""#, "");
    let checked = project.fezz("check");
    assert_eq!(checked.status, Some(0), "{checked:?}");
    for words in
        ["fezz_handle_v2, fezz_free_v2", "check-plain@v1 at /plain", "libc.so.6", "the host has 2.", " KiB"]
    {
        assert!(checked.stdout.contains(words), "`{words}` isn't in:\n{}", checked.stdout);
    }
    assert!(!checked.stdout.contains('\x1b'), "colours without a terminal");
    assert_eq!(faults(&project.fezz("check --format json").stdout), []);
}

#[test]
fn a_module_for_a_newer_glibc_is_told_which_symbol_and_what_to_do() {
    let project = Project::c("check-glibc", "getpid();", &[]);
    let checked = project.fezz("check module.so --glibc 2.1 --format json");
    let (check, verdict, message, fix) = faults(&checked.stdout).remove(0);
    assert_eq!((checked.status, check.as_str(), verdict.as_str()), (Some(3), "glibc", "error"));
    assert!(message.contains("`getpid`") && message.contains("the host has 2.1"), "{message}");
    assert!(fix.contains("with glibc 2.1 or older"), "{fix}");
    assert_eq!(project.fezz("check module.so --glibc 9.9").status, Some(0));
    assert_eq!(project.fezz("check module.so --glibc new").status, Some(2));
}

#[test]
fn calls_that_the_jail_refuses_are_warned_of_with_the_fix() {
    let project = Project::c("check-refused", "if (fork() == 0) system(\"date\");", &[]);
    let checked = project.fezz("check check-refused@v1 --format json");
    let (check, verdict, message, fix) = faults(&checked.stdout).remove(0);
    assert_eq!((checked.status, check.as_str(), verdict.as_str()), (Some(0), "imports", "warning"));
    assert!(
        message.contains("`fork`") && message.contains("`system`") && message.contains("starts a process"),
        "{message}"
    );
    assert!(fix.contains("a thread"), "{fix}");
    assert_eq!(project.fezz("check check-refused@v1 --deny-warnings").status, Some(3));
}

#[test]
fn a_library_that_the_jail_lacks_is_an_error() {
    let project = Project::empty("check-library-own");
    project.write("own.c", "int own(void) { return 7; }\n");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o", "libown.so", "own.c"]).current_dir(project.path(""));
    assert!(cc.status().unwrap().success());
    let folder = format!("-L{}", project.path("").display());
    let project = Project::c("check-library", "int own(void); own();", &[&folder, "-lown"]);
    let checked = project.fezz("check module.so");
    assert_eq!(checked.status, Some(3));
    assert!(
        checked.stdout.contains("needs `libown.so`") && checked.stdout.contains("link it statically"),
        "{checked:?}"
    );
}

#[test]
fn an_undeclared_network_is_warned_of() {
    let body = "extern int connect(int, const void *, unsigned); connect(0, NULL, 0);";
    let project = Project::c("check-network", body, &[]);
    let (check, verdict, _, fix) =
        faults(&project.fezz("check check-network@v1 --format json").stdout).remove(0);
    assert_eq!((check.as_str(), verdict.as_str()), ("network", "warning"));
    assert!(fix.contains("network = { connect = [443] }"), "{fix}");
}

#[test]
fn a_file_that_is_no_module_is_told_what_to_do() {
    let project = Project::empty("check-nonsense");
    project.write("module.so", "nonsense");
    let checked = project.fezz("check module.so");
    assert_eq!(checked.status, Some(3));
    assert!(
        checked.stdout.contains("is not a complete 64-bit ELF file: build the module as a cdylib"),
        "{checked:?}"
    );
    project.fezz("check missing.so").failed_with(&["failed to read `missing.so`"]);
}

#[test]
fn a_function_without_a_route_is_told_how_it_is_called() {
    let project = Project::c("check-no-route", "", &[]);
    project.write(
        "check-no-route@v1/fezz.json",
        r#"{"id": "check-no-route", "version": "v1", "entry": "module.so"}"#,
    );
    let (check, verdict, message, _) =
        faults(&project.fezz_in("check-no-route@v1", "check . --format json").stdout).remove(0);
    assert_eq!((check.as_str(), verdict.as_str()), ("manifest", "warning"));
    assert!(message.contains("only /rpc/check-no-route leads to it"), "{message}");
}
