//! `cargo fezz doctor`, `completions` and `man`.

use crate::harness::{Project, build_runner};
use serde_json::Value;

/// The verdicts of `doctor`, by check.
fn verdict(report: &Value, check: &str) -> String {
    let findings = report["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["check"] == check);
    finding.unwrap_or_else(|| panic!("{check}: {report}"))["verdict"].as_str().unwrap().to_owned()
}

#[test]
fn the_doctor_tries_each_jail_by_the_real_runner() {
    build_runner();
    let report = Project::empty("doctor").fezz("doctor --format json").result();
    for check in ["cargo", "runner", "spawn", "fork"] {
        assert_eq!(verdict(&report, check), "ok", "{report:#}");
    }
}

#[test]
fn the_doctor_tells_why_a_program_is_no_runner() {
    let done = Project::empty("doctor-no-runner").fezz("doctor --runner /bin/false --format json");
    assert_eq!(done.status, Some(3));
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        (verdict(&report, "spawn"), verdict(&report, "fork")),
        ("error".to_owned(), "warning".to_owned())
    );
    assert!(done.stdout.contains("exit status: 1") && done.stdout.contains("jail/README.md"), "{done:?}");
}

#[test]
fn each_shell_has_completions_of_every_subcommand() {
    let project = Project::empty("completions");
    for shell in ["bash", "zsh", "fish"] {
        let script = project.fezz(&format!("completions {shell}"));
        assert!(script.status == Some(0) && script.stdout.contains("deny-warnings"), "{shell}: {script:?}");
    }
}

#[test]
fn each_subcommand_has_a_man_page() {
    let project = Project::empty("man");
    assert_eq!(project.fezz("man man1").status, Some(0));
    assert!(project.read("man1/cargo-fezz.1").contains(".TH"));
    for name in ["new", "build", "check", "invoke", "watch", "logs", "deploy", "doctor"] {
        assert!(project.read(&format!("man1/cargo-fezz-{name}.1")).contains("\\-\\-"), "{name}");
    }
}

#[test]
fn cargo_finds_the_command_by_its_name() {
    let project = Project::empty("by-cargo");
    let path = std::path::Path::new(env!("CARGO_BIN_EXE_cargo-fezz")).parent().unwrap().to_owned();
    let paths = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>();
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo
        .args(["fezz", "new", "greet"])
        .env("PATH", std::env::join_paths([path].into_iter().chain(paths)).unwrap());
    let done = project.run(cargo, "");
    assert!(done.status == Some(0) && project.path("greet/src/lib.rs").exists(), "{done:?}");
}
