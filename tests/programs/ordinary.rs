//! What ordinary programs do works.

use super::{JAILS, Jail, Programs, Worker};
use crate::harness::binary;
use std::process::Command;

#[test]
fn a_python_script_serves_requests_by_its_standard_library_alone() {
    for jail in JAILS {
        let programs = Programs::new();
        let Some(worker) = programs.start(jail, &[], &programs.python()) else { continue };
        let mut worker = worker.ready();
        for (path, expected) in
            [("/threads", "1998000"), ("/ping-itself", "worked: None"), ("/signals", "[]")]
        {
            assert_eq!(worker.ask(path, "").as_deref(), Some(expected), "{path} in {jail:?}");
        }
        let year: u32 = worker.ask("/year", "").unwrap().parse().unwrap();
        assert!(year > 2025, "{year}");
        let (status, said) = worker.drained();
        assert!(status.success(), "{jail:?}: {status}: {said}");
        assert_eq!(said, "a line on stdout\n", "{jail:?}");
    }
}

#[test]
fn a_script_may_name_the_shell_by_each_of_its_names() {
    for jail in JAILS {
        for shell in ["/bin/sh", "/usr/bin/sh"] {
            let programs = Programs::new();
            let script = programs.file("script", format!("#!{shell}\necho runs\nexit 3\n").as_bytes(), 0o755);
            let Some(worker) = programs.start(jail, &[], &script) else { continue };
            let (status, said) = worker.ended();
            assert_eq!((status.code(), said.as_str()), (Some(3), "runs\n"), "{shell} in {jail:?}");
        }
    }
}

#[test]
fn a_program_writes_to_its_scratch_and_nowhere_without() {
    for jail in [Jail::Strict, Jail::StrictOfNobody] {
        let programs = Programs::new();
        let scratch = ["--scratch-bytes", "1048576"];
        let Some(worker) = programs.start(jail, &scratch, &programs.python()) else { continue };
        let mut worker = worker.ready();
        assert_eq!(worker.ask("/scratch", "").as_deref(), Some("kept"), "{jail:?}");
        let without = programs.start(jail, &[], &programs.python()).unwrap();
        let mut without = without.ready();
        assert_eq!(without.ask("/scratch", ""), None, "{jail:?}");
        let (_, said) = without.ended();
        assert!(said.contains("No usable temporary directory"), "{jail:?}: {said}");
    }
}

#[test]
fn a_binary_runs_however_it_is_linked() {
    for jail in JAILS {
        for flags in [&[][..], &["-static"], &["-static-pie"]] {
            let programs = Programs::new();
            let program = programs.compiled(flags);
            let Some(worker) = programs.start(jail, &["--env", "STATUS=3"], &program) else { continue };
            let (status, said) = worker.ended();
            assert_eq!(status.code(), Some(3), "{jail:?} {flags:?}: {said}");
            let name = program.file_name().unwrap().to_str().unwrap();
            assert!(said.starts_with(name) && said.ends_with(" 1 0 0\n"), "{jail:?}: {said}");
        }
    }
}

#[test]
fn a_program_learns_nothing_of_the_host_from_how_it_was_started() {
    for jail in [Jail::Strict, Jail::StrictOfNobody] {
        let programs = Programs::new();
        let env = ["--env", "GIVEN", "--env", "SAID=3"];
        let Some(worker) = programs.start(jail, &env, &programs.python()) else { continue };
        let mut worker = worker.ready();
        // Python adds LC_CTYPE itself (PEP 538).
        let env = r#"{"GIVEN": "2", "LC_CTYPE": "C.UTF-8", "SAID": "3"}"#;
        assert_eq!(worker.ask("/env", "").unwrap(), env, "{jail:?}");
        let arguments = "['/module/ordinary.py'] /usr/bin/python3 /module/ordinary.py";
        assert_eq!(worker.ask("/arguments", "").unwrap(), arguments, "{jail:?}");
        assert_eq!(worker.ask("/folder", "").unwrap(), "/", "{jail:?}");
        assert_eq!(worker.ask("/read", "").unwrap(), "FileNotFoundError", "{jail:?}");
    }
}

#[test]
fn a_program_has_the_three_standard_descriptors_and_no_others() {
    for jail in JAILS {
        let programs = Programs::new();
        let Some(worker) = programs.start(jail, &[], &programs.python()) else { continue };
        assert_eq!(worker.ready().ask("/descriptors", "").unwrap(), "[0, 1, 2]", "{jail:?}");
    }
}

#[test]
fn signals_that_the_host_ignores_have_their_usual_effect_in_a_program() {
    for mode in ["strict", "inner", "off"] {
        let programs = Programs::new();
        let text = format!("#!/bin/sh\ntrap '' HUP\nexec {} \"$@\"\n", binary("fezz-runner").display());
        let mut command = Command::new(programs.file("nohup", text.as_bytes(), 0o755));
        command.args(["--jail", mode, "--program"]).arg(programs.python());
        assert_eq!(Worker::start(command).ready().ask("/hangup", "").unwrap(), "SIG_DFL", "{mode}");
    }
}

#[test]
fn no_core_of_a_program_is_written_or_piped() {
    for jail in JAILS {
        let programs = Programs::new();
        let Some(worker) = programs.start(jail, &[], &programs.python()) else { continue };
        assert_eq!(worker.ready().ask("/core", "").unwrap(), "(1, 1)", "{jail:?}");
    }
}
