//! Attempts of a program to leave its jail: those of `hhrf check-jail`, made here by a program that was executed.

use super::{JAILS, Jail, Programs, Worker};
use crate::harness::binary;
use fezz_wire::frame::Kind;
use rustix::process::Signal;
use serde_json::Value;
use std::os::unix::process::ExitStatusExt;

fn start(jail: Jail, programs: &Programs) -> Option<Worker> {
    let attempts = std::fs::read(binary("fezz-attempts")).unwrap();
    let program = programs.file("attempts", &attempts, 0o755);
    Some(programs.start(jail, &["--threads", "16", "--memory-bytes", "67108864"], &program)?.ready())
}

/// The result of an attempt, with its detail; `None` if the program ended, or another one runs in its place.
fn attempt(worker: &mut Worker, id: &str) -> Option<(String, String)> {
    let report: Value =
        serde_json::from_str(&worker.ask(&format!("/{id}"), "execution=worker\nmarker=m\n")?).unwrap();
    let text = |key: &str| report[key].as_str().unwrap().to_owned();
    Some((text("result"), text("detail")))
}

const STARTS: [&str; 8] = [
    "clone",
    "clone3",
    "vfork",
    "start-shell",
    "execute-shell",
    "execute-loader",
    "execute-runner",
    "execute-by-descriptor",
];

#[test]
fn a_program_starts_no_process_and_executes_no_program() {
    for jail in JAILS {
        let programs = Programs::new();
        let Some(mut worker) = start(jail, &programs) else { continue };
        for id in STARTS {
            let (result, detail) = attempt(&mut worker, id).unwrap_or_else(|| panic!("{id} in {jail:?}"));
            assert_eq!(result, "refused", "{id} in {jail:?}: {detail}");
        }
    }
}

/// So the attempts above can fail.
#[test]
fn outside_of_a_jail_the_same_program_starts_processes_and_executes_programs() {
    for id in STARTS {
        let programs = Programs::new();
        let mut worker = start(Jail::Off, &programs).unwrap();
        worker.send(&format!("/{id}"), "execution=worker\nmarker=m\n").unwrap();
        // A program that was executed sends no response: a shell nothing, the same program again a hello.
        let report = worker.receive().filter(|(header, _)| header.kind == Kind::Response);
        let has_worked =
            |(_, payload): (_, Vec<u8>)| String::from_utf8_lossy(&payload).contains("\"worked\"");
        assert!(report.is_none_or(has_worked), "{id}");
    }
}

/// The groups that need no bait: those with baits need the host of `hhrf check-jail`.
const GROUPS: [&str; 8] =
    ["descriptors", "namespaces", "privileges", "kernel", "ipc", "processes", "devices", "x86"];

#[test]
fn nothing_that_a_program_attempts_works() {
    for jail in JAILS {
        let programs = Programs::new();
        let Some(mut worker) = start(jail, &programs) else { continue };
        let list: Value = serde_json::from_str(&worker.ask("/list", "").unwrap()).unwrap();
        let groups =
            list.as_array().unwrap().iter().filter(|group| GROUPS.contains(&group["name"].as_str().unwrap()));
        let attempts: Vec<&Value> = groups.flat_map(|group| group["attempts"].as_array().unwrap()).collect();
        assert!(attempts.len() > 150, "{}", attempts.len());
        for attempted in attempts.into_iter().filter(|attempt| attempt["variant"] == "plain") {
            let id = attempted["id"].as_str().unwrap();
            match attempt(&mut worker, id) {
                Some((result, detail)) => assert_ne!(result, "worked", "{id} in {jail:?}: {detail}"),
                None => {
                    check_end(worker, jail, id);
                    worker = start(jail, &programs).unwrap();
                }
            }
        }
    }
}

/// Checks that the program was killed by the filter: the one end that shows that an attempt was refused.
fn check_end(worker: Worker, jail: Jail, id: &str) {
    let of_shells = 128 + Signal::SYS.as_raw();
    let (status, said) = worker.ended();
    let is_filtered = status.signal() == Some(Signal::SYS.as_raw()) || status.code() == Some(of_shells);
    assert!(is_filtered, "{id} in {jail:?}: {status}: {said}");
}
