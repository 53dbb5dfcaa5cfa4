//! The runner as a worker, without a host: frames over its stdin.

use crate::harness::{AUTHOR, HARMFUL, WorkerProcess, binary, request};
use fezz_wire::ExitCode;
use fezz_wire::frame::{Format, HEADER_BYTES, Header, Kind};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

const JAILS: [&str; 3] = ["strict", "inner", "off"];

fn command(threads: u32, module: &str, more: &[&str]) -> Command {
    let mut command = Command::new(binary("fezz-runner"));
    command.args(["--worker", &threads.to_string()]).args(more).arg(binary(module));
    command
}

fn worker(threads: u32) -> WorkerProcess {
    WorkerProcess::ready(&mut command(threads, AUTHOR, &[]), Format::Cbor)
}

fn harmful(harm: &str, jail: &str) -> WorkerProcess {
    let harm = format!("HARM={harm}");
    WorkerProcess::ready(&mut command(1, HARMFUL, &["--jail", jail, "--env", &harm]), Format::Cbor)
}

#[test]
fn a_worker_serves_request_after_request_in_one_process() {
    for jail in JAILS {
        let command =
            &mut command(1, AUTHOR, &["--jail", jail, "--threads", "4", "--memory-bytes", "67108864"]);
        let mut worker = WorkerProcess::ready(command, Format::Cbor);
        let pids = [7, 8].map(|id| {
            worker.ask(id, "/pid");
            worker.answer()
        });
        assert_eq!((pids[0].0, pids[1].0, pids[0].1), (7, 8, 200), "{jail}");
        assert_eq!(pids[0].2, pids[1].2, "{jail}: one process");
        worker.drain();
        assert!(worker.receive().is_none() && worker.end().0.success(), "{jail}");
    }
}

#[test]
fn a_worker_serves_as_many_requests_at_a_time_as_it_has_threads() {
    for (threads, order) in [(1, [1, 2]), (2, [2, 1])] {
        let mut worker = worker(threads);
        worker.ask(1, "/sleep?ms=300");
        worker.ask(2, "/pid");
        assert_eq!([worker.answer().0, worker.answer().0], order, "{threads} threads");
    }
}

#[test]
fn a_worker_answers_pings_beside_its_requests_and_ignores_cancels() {
    let mut worker = worker(2);
    worker.ask(1, "/sleep?ms=300");
    worker.send(Kind::Cancel, Format::None, 1, b"");
    worker.send(Kind::Ping, Format::None, 1 << 60, b"");
    let pong = Header { length: 0, kind: Kind::Pong, format: Format::None, id: 1 << 60 };
    assert_eq!(worker.receive(), Some((pong, vec![])));
    assert_eq!(worker.answer(), (1, 200, "slept".to_owned()));
}

#[test]
fn a_worker_answers_what_it_has_frees_each_buffer_and_unloads_its_module_when_the_stream_ends() {
    let mut worker = harmful("counts_its_buffers", "strict");
    for id in 1..=3 {
        worker.ask(id, "/");
    }
    worker.drain();
    for id in 1..=3 {
        assert_eq!(worker.answer().0, id);
    }
    assert!(worker.receive().is_none());
    let (status, log) = worker.end();
    assert_eq!((status.code(), log.as_str()), (Some(0), "unloaded after 3 buffers, of which 3 are freed\n"));
}

#[test]
fn large_frames_of_several_threads_stay_whole_and_have_their_own_ids() {
    const BODY_BYTES: usize = 1 << 20;
    let mut worker = worker(4);
    let mut writer = worker.host().try_clone().unwrap();
    let bodies: Vec<Vec<u8>> = (0..16_u8).map(|id| vec![id; BODY_BYTES]).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (id, body) in (0..).zip(&bodies) {
                let payload = request("POST", "/echo", body);
                let length = payload.len().try_into().unwrap();
                let header = Header { length, kind: Kind::Request, format: Format::Cbor, id };
                writer.write_all(&[&header.encode()[..], &payload].concat()).unwrap();
            }
        });
        let mut ids: Vec<u64> = bodies.iter().map(|_| echoed(worker.answer(), &bodies)).collect();
        ids.sort_unstable();
        assert!(ids.into_iter().eq(0..16));
    });
}

fn echoed((id, status, body): (u64, u16, String), bodies: &[Vec<u8>]) -> u64 {
    assert!(status == 200 && body.as_bytes() == bodies[usize::try_from(id).unwrap()], "{id}: {status}");
    id
}

#[test]
fn a_panic_is_a_response_and_the_worker_serves_on() {
    let mut worker = worker(1);
    worker.ask(1, "/panic");
    let (_, payload) = worker.receive().unwrap();
    assert!(fezz_wire::FezzWireResponse::decode(&payload).unwrap().error.is_some());
    worker.ask(2, "/pid");
    assert_eq!(worker.answer().1, 200);
}

#[test]
fn a_crash_ends_a_worker() {
    const SIGSEGV: i32 = 11;
    for jail in JAILS {
        let mut worker = harmful("segfaults", jail);
        worker.ask(1, "/");
        assert!(worker.receive().is_none(), "{jail}");
        assert_eq!(worker.end().0.signal(), Some(SIGSEGV), "{jail}");
    }
}

#[test]
fn a_module_that_refuses_to_load_says_no_hello() {
    for jail in JAILS {
        let more = ["--jail", jail, "--env", "HARM=refuses_to_load"];
        let mut worker = WorkerProcess::start(&mut command(2, HARMFUL, &more));
        assert!(worker.receive().is_none(), "{jail}");
        let (status, log) = worker.end();
        assert_eq!(status.code(), Some(ExitCode::OnLoadFailed.as_u8().into()), "{jail}: {log}");
        assert!(log.contains("no license for this"), "{jail}: {log}");
    }
}

#[test]
fn a_worker_whose_threads_do_not_fit_its_limit_says_which_limit() {
    let mut worker = WorkerProcess::start(&mut command(8, AUTHOR, &["--threads", "4"]));
    let (status, log) = worker.end();
    assert_eq!(status.code(), Some(ExitCode::OnLoadFailed.as_u8().into()), "{log}");
    assert!(log.contains("failed to start thread 5 of 8: raise `limits.threads`"), "{log}");
}

#[test]
fn a_worker_ends_when_its_host_is_gone_though_no_thread_reads() {
    for jail in JAILS {
        for is_begun in [false, true] {
            let mut worker = WorkerProcess::ready(&mut command(1, AUTHOR, &["--jail", jail]), Format::Cbor);
            worker.ask(1, "/sleep?ms=3600000");
            if is_begun {
                worker.wait_for_log("sleeping\n");
            }
            worker.leave();
            assert!(!worker.end().0.success(), "{jail}");
        }
    }
}

#[test]
fn a_worker_ends_when_its_host_is_gone_though_another_thread_is_at_work() {
    for jail in JAILS {
        let mut worker = WorkerProcess::ready(&mut command(2, AUTHOR, &["--jail", jail]), Format::Cbor);
        worker.ask(1, "/sleep?ms=3600000");
        worker.wait_for_log("sleeping\n");
        worker.leave();
        assert!(!worker.end().0.success(), "{jail}");
    }
}

#[test]
fn a_connection_that_its_other_end_has_closed_does_not_end_a_worker() {
    for jail in JAILS {
        let mut worker = harmful("writes_to_a_broken_pipe", jail);
        worker.ask(1, "/");
        assert_eq!(worker.answer(), (1, 200, "well".to_owned()), "{jail}");
    }
}

#[test]
fn a_worker_ends_with_a_reason_at_frames_that_break_a_rule() {
    let head = |kind: u8, format: u8, length: u32| {
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&length.to_le_bytes());
        (header[4], header[5]) = (kind, format);
        header
    };
    for (bytes, code, words) in [
        (head(9, 0, 0), ExitCode::BadRequest, "a frame has the kind 9"),
        (head(2, 2, 0), ExitCode::BadRequest, "the host sent Request in the format Json"),
        (head(1, 1, 0), ExitCode::BadRequest, "the host sent Hello"),
        (head(2, 1, u32::MAX), ExitCode::BadRequest, "a frame's length is 4294967295 bytes, the limit is"),
        (head(2, 1, 1000), ExitCode::Io, "the host's stream ends within a frame"),
    ] {
        let mut worker = WorkerProcess::ready(&mut command(1, AUTHOR, &["--jail", "off"]), Format::Cbor);
        worker.host().write_all(&bytes).unwrap();
        worker.drain();
        let (status, log) = worker.end();
        assert_eq!(status.code(), Some(code.as_u8().into()), "{log}");
        assert!(log.contains(words) && log.lines().count() == 1, "{log}");
    }
}

#[test]
fn an_empty_buffer_ends_a_worker() {
    let mut worker = harmful("returns_a_null_buffer", "strict");
    worker.ask(1, "/");
    let (status, log) = worker.end();
    assert_eq!(status.code(), Some(ExitCode::AbiViolation.as_u8().into()), "{log}");
}
