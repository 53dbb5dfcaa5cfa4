//! What execve(2) changes: a process whose file can be read may be traced again, as far as nothing else forbids it.

use super::{Jail, NOBODY, Programs, Worker};
use crate::harness::{is_root, wait_for};
use rustix::io::Errno;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// The program's process: the runner's own, or in a strict jail one of its children, beside the one that reaps.
fn process_of(worker: &Worker) -> PathBuf {
    let own = worker.process.id();
    let is_runner =
        |pid: &String| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap() == "fezz-runner\n";
    wait_for("the program's process", || {
        let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap();
        let mut all = children.split_whitespace().map(str::to_owned).chain([own.to_string()]);
        all.find(|pid| !is_runner(pid)).map(|pid| PathBuf::from("/proc").join(pid))
    })
}

/// Whether the files of /proc/PID belong to root though the process doesn't (proc(5), PR_SET_DUMPABLE).
fn is_closed_to_tracers(mode: u32, jail: Jail) -> bool {
    let programs = Programs::new();
    let program = programs.compiled(&[]);
    std::fs::set_permissions(&program, PermissionsExt::from_mode(mode)).unwrap();
    let mut worker = programs.start(jail, &["--env", "STAY=1"], &program).unwrap();
    BufReader::new(worker.process.stderr.as_mut().unwrap()).read_line(&mut String::new()).unwrap();
    let owner = std::fs::metadata(process_of(&worker).join("environ")).unwrap().uid();
    worker.process.kill().unwrap();
    worker.process.wait().unwrap();
    assert!([0, NOBODY].contains(&owner), "{owner}");
    owner == 0
}

#[test]
fn a_binary_that_can_only_be_executed_cannot_be_traced() {
    if !is_root() {
        return;
    }
    const EXECUTE_ONLY: u32 = 0o111;
    const ALSO_READ: u32 = 0o755;
    for jail in [Jail::Strict, Jail::StrictOfNobody, Jail::Inner, Jail::InnerOfNobody] {
        assert!(is_closed_to_tracers(EXECUTE_ONLY, jail), "{jail:?}");
        assert!(!is_closed_to_tracers(ALSO_READ, jail), "{jail:?}: so the line above can fail");
    }
}

#[test]
fn a_core_of_a_program_would_have_none_of_its_memory() {
    for jail in [Jail::Strict, Jail::StrictOfNobody, Jail::Inner, Jail::InnerOfNobody, Jail::Off] {
        let programs = Programs::new();
        let Some(worker) = programs.start(jail, &[], &programs.python()) else { continue };
        let worker = worker.ready();
        let filter = std::fs::read_to_string(process_of(&worker).join("coredump_filter")).unwrap();
        assert_eq!(filter, "00000000\n", "{jail:?}");
    }
}

/// Traces a process as another one of the same user, in a Landlock domain or in none; returns errno.
const TRACER: &str = "
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
if sys.argv[2] == 'confined':
    execute, create_ruleset, restrict_self, no_new_privs = ctypes.c_uint64(1), 444, 446, 38
    rules = libc.syscall(create_ruleset, ctypes.byref(execute), 8, 0)
    assert libc.prctl(no_new_privs, 1, 0, 0, 0) == 0 and libc.syscall(restrict_self, rules, 0) == 0
seize = 0x4206
libc.ptrace(seize, int(sys.argv[1]), 0, 0)
print(ctypes.get_errno())
";

#[test]
fn a_script_can_be_traced_by_its_own_user_and_by_no_process_in_another_jail() {
    if !is_root() {
        return;
    }
    let programs = Programs::new();
    let worker = programs.start(Jail::InnerOfNobody, &[], &programs.python()).unwrap().ready();
    let trace = |how: &str| {
        let mut tracer = Command::new("/usr/bin/python3");
        let output = tracer.args(["-c", TRACER, &worker.process.id().to_string(), how]).uid(NOBODY).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    assert_eq!(trace("confined"), format!("{}\n", Errno::PERM.raw_os_error()));
    assert_eq!(trace("free"), "0\n");
}
