//! How the end of a program is reported, and when it is ended.

use super::{JAILS, Jail, Programs};
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt;

const NOT_CONFINED: i32 = 77;

#[test]
fn in_a_strict_jail_no_program_can_exit_as_if_it_had_never_run() {
    for jail in [Jail::Strict, Jail::StrictOfNobody] {
        let programs = Programs::new();
        let Some(worker) = programs.start(jail, &[], &programs.python()) else { continue };
        let mut worker = worker.ready();
        assert_eq!(worker.ask("/exit", ""), None);
        let (status, said) = worker.ended();
        assert_eq!(status.code(), Some(1), "{jail:?}: {said}");
        assert!(said.contains("a status reserved for one that never ran, or for the runner"), "{said}");
    }
}

/// There is no supervisor. The host knows by the hello that the program ran.
#[test]
fn in_the_other_jails_the_exit_status_is_the_programs_own() {
    for jail in [Jail::Inner, Jail::Bwrap, Jail::Nsjail, Jail::Off] {
        let programs = Programs::new();
        let Some(worker) = programs.start(jail, &[], &programs.python()) else { continue };
        let mut worker = worker.ready();
        assert_eq!(worker.ask("/exit", ""), None);
        assert_eq!(worker.ended().0.code(), Some(NOT_CONFINED), "{jail:?}");
    }
}

#[test]
fn an_abort_is_reported_as_its_signal() {
    for jail in [Jail::Strict, Jail::StrictOfNobody, Jail::Inner, Jail::Off] {
        let programs = Programs::new();
        let Some(worker) = programs.start(jail, &[], &programs.python()) else { continue };
        let mut worker = worker.ready();
        assert_eq!(worker.ask("/abort", ""), None);
        assert_eq!(worker.ended().0.signal(), Some(Signal::ABORT.as_raw()), "{jail:?}");
    }
}

#[test]
fn memory_beyond_the_limit_is_refused_to_a_program_which_may_go_on() {
    for jail in JAILS {
        let programs = Programs::new();
        let limit = ["--memory-bytes", "67108864", "--threads", "8"];
        let Some(worker) = programs.start(jail, &limit, &programs.python()) else { continue };
        let mut worker = worker.ready();
        assert_eq!(worker.ask("/allocate", "").as_deref(), Some("MemoryError"), "{jail:?}");
        assert_eq!(worker.ask("/threads", "").as_deref(), Some("1998000"), "{jail:?}");
    }
}

#[test]
fn a_program_that_ignores_its_host_ends_when_the_host_is_gone() {
    for jail in [Jail::Strict, Jail::StrictOfNobody] {
        let programs = Programs::new();
        let Some(worker) = programs.start(jail, &[], &programs.python()) else { continue };
        let mut worker = worker.ready();
        worker.send("/stay", "").unwrap();
        worker.host = std::os::unix::net::UnixStream::pair().unwrap().0;
        assert_eq!(worker.ended().0.signal(), Some(Signal::KILL.as_raw()), "{jail:?}");
    }
}

/// The kernel sends the signal of PR_SET_PDEATHSIG when the thread ends that started the process.
#[test]
fn a_program_ends_with_the_process_that_started_the_runner() {
    for jail in [Jail::Strict, Jail::StrictOfNobody, Jail::Inner, Jail::InnerOfNobody, Jail::Off] {
        let programs = Programs::new();
        let (python, programs) = (programs.python(), &programs);
        let start = || programs.start(jail, &[], &python).map(super::Worker::ready);
        let Some(worker) = std::thread::scope(|scope| scope.spawn(start).join().unwrap()) else { continue };
        assert_eq!(worker.ended().0.signal(), Some(Signal::KILL.as_raw()), "{jail:?}");
    }
}

#[test]
fn a_program_that_is_drained_ends_by_itself() {
    for jail in JAILS {
        let programs = Programs::new();
        let Some(worker) = programs.start(jail, &[], &programs.python()) else { continue };
        let (status, said) = worker.ready().drained();
        assert!(status.success(), "{jail:?}: {status} {said}");
    }
}
