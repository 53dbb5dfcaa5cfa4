//! A program that can't be executed: the exit status, and the message with the fix.

use super::{JAILS, Jail, Programs};
use crate::harness::{binary, is_root, wait_for};
use fezz_wire::ExitCode;
use std::process::Command;

const CODE: Option<i32> = Some(ExitCode::ProgramNotExecuted as i32);

/// The header of a binary, with another machine's number.
fn for_another_processor() -> Vec<u8> {
    let mut header = std::fs::read("/proc/self/exe").unwrap()[..4096].to_vec();
    header[18..20].copy_from_slice(&[0xf3, 0]);
    header
}

#[test]
fn each_reason_why_a_program_cannot_be_executed_has_its_message() {
    for jail in JAILS.into_iter().chain([Jail::Off]) {
        for (content, mode, words) in [
            (&b"#!/usr/bin/python3\n"[..], 0o644, "it isn't executable"),
            (b"text", 0o755, "neither a binary for this system nor a script"),
            (b"#!/usr/bin/no-such-program\n", 0o755, "its interpreter isn't in the jail"),
            (b"#!/home/ada/secret\n", 0o755, "name a program of /usr/bin"),
            (b"#!/usr/bin/env python3\n", 0o755, "it would execute a second program"),
            (&for_another_processor(), 0o755, "it is for another processor"),
        ] {
            let programs = Programs::new();
            let program = programs.file("program", content, mode);
            // Without a jail, the kernel alone decides.
            let is_decided_by_the_jail = words.contains("name a") || words.contains("second");
            if jail == Jail::Off && (is_decided_by_the_jail || words.contains("processor")) {
                continue;
            }
            let Some(worker) = programs.start(jail, &[], &program) else { continue };
            let (status, said) = worker.ended();
            assert_eq!(status.code(), CODE, "{jail:?} {words}: {said}");
            assert!(said.contains(words) && said.lines().count() == 1, "{jail:?} {words}: {said}");
        }
    }
}

#[test]
fn a_program_on_a_noexec_mount_has_a_message_of_its_own() {
    if !is_root() {
        return;
    }
    for mode in ["strict", "inner"] {
        let programs = Programs::new();
        let program = programs.python();
        let script = r#"mount --bind "$1" "$1" && mount -o remount,bind,noexec "$1" && exec "$2" --jail "$3" --program "$4""#;
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(programs.folder());
        command.arg(binary("fezz-runner")).arg(mode).arg(program);
        let (status, said) = super::Worker::start(command).ended();
        assert_eq!(status.code(), CODE, "{mode}: {said}");
        assert!(said.contains("mounted noexec: choose a folder on another one"), "{mode}: {said}");
    }
}

#[test]
fn an_interpreter_that_the_hosts_user_cannot_read_is_not_shown() {
    // As a script's interpreter, any file could be shown in the jail: it is opened by the user of the jail.
    if !is_root() {
        return;
    }
    let secret = format!("/usr/local/bin/fezz-test-{}", std::process::id());
    std::fs::write(&secret, "secret").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let programs = Programs::new();
    let program = programs.file("program", format!("#!{secret}\n").as_bytes(), 0o755);
    let ended = [Jail::Strict, Jail::Inner].map(|jail| programs.start(jail, &[], &program).unwrap().ended());
    std::fs::remove_file(secret).unwrap();
    for (status, said) in ended {
        assert_eq!(status.code(), CODE, "{said}");
        assert!(said.contains("or its interpreter isn't"), "{said}");
    }
}

#[test]
fn a_program_takes_no_limit_that_would_end_a_worker_that_works() {
    let output =
        Command::new(binary("fezz-runner")).args(["--program", "--timeout-ms", "1", "p"]).output().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(ExitCode::Usage.as_u8())));
}

#[test]
fn a_program_that_stays_open_for_writing_has_a_message_of_its_own() {
    let programs = Programs::new();
    let program = programs.python();
    let _writer = std::fs::OpenOptions::new().append(true).open(&program).unwrap();
    let (status, said) = programs.start(Jail::Strict, &[], &program).unwrap().ended();
    assert_eq!(status.code(), CODE, "{said}");
    assert!(said.contains("a process has it open for writing"), "{said}");
}

#[test]
fn a_program_that_is_open_for_writing_for_another_moment_is_executed() {
    let programs = Programs::new();
    let program = programs.python();
    let writer = std::fs::OpenOptions::new().append(true).open(&program).unwrap();
    let worker = programs.start(Jail::Off, &[], &program).unwrap();
    // In this jail the runner waits for nothing else.
    let call = format!("/proc/{}/syscall", worker.process.id());
    let is_pausing = || std::fs::read_to_string(&call).ok().filter(|call| call.starts_with(PAUSE)).map(drop);
    wait_for("a first try", is_pausing);
    drop(writer);
    assert!(worker.ready().drained().0.success());
}

/// The number of clock_nanosleep(2), as /proc/PID/syscall shows it.
const PAUSE: &str = "230 ";
