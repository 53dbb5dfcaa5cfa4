//! `--per-core`: a runtime for each processor, with the processes of `fork` and `rewind` on the processor of their request.

use crate::harness::{
    AUTHOR, Connection, HARMFUL, Host, Http2, Site, StreamOutcome, forked, of_requests, wait_for, zygotes,
};
use serde_json::json;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

const FLAG: [&str; 1] = ["--per-core"];

fn host_of(module: &str, execution: &str) -> Host {
    let site = Site::new();
    let mut manifest = json!({"execution": execution});
    if execution != "worker" {
        manifest["spare"] = 4.into();
    }
    site.install("counted@v1", module, manifest);
    Host::with_flags(site, &FLAG)
}

/// The processors that a process may use, as /proc/PID/status has them.
fn processors_of(process: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.unwrap_or_default().trim().to_owned()
}

/// How many requests each processor has executed.
fn executed(host: &Host) -> Vec<f64> {
    let text = host.get("/_metrics").text();
    let lines = text.lines().filter(|line| line.starts_with("fezz_core_requests_total{"));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn forked_and_rewound_processes_have_the_processor_of_their_request() {
    for execution in ["fork", "rewind"] {
        let host = host_of(AUTHOR, execution);
        let cores = executed(&host).len();
        assert_eq!(cores, std::thread::available_parallelism().unwrap().get());
        // Each new connection is one for the processor with the fewest.
        let mut connections: Vec<_> = (0..cores).map(|_| Connection::new(host.address)).collect();
        for _ in 0..20 {
            for connection in &mut connections {
                assert_eq!(connection.get("/rpc/counted@v1/sleep?ms=0").status, 200);
            }
        }
        assert!(executed(&host).iter().all(|requests| *requests >= 20.0), "{:?}", executed(&host));
        let own = zygotes(&host).into_iter().chain(forked(&host));
        let own: BTreeSet<String> = own.map(|pid| processors_of(&pid.as_raw_nonzero().to_string())).collect();
        // A process may have ended before it was looked at.
        let own: BTreeSet<String> = own.into_iter().filter(|processors| !processors.is_empty()).collect();
        assert_eq!(own.len(), cores, "{execution}: a processor each: {own:?}");
        assert!(own.iter().all(|processors| processors.parse::<usize>().is_ok()), "{execution}: {own:?}");
    }
}

#[test]
fn processes_of_the_other_executors_have_all_processors() {
    for execution in ["spawn", "worker"] {
        let host = host_of(AUTHOR, execution);
        let all = processors_of("self");
        let mut slow = host.client("GET", "/rpc/counted@v1/sleep?ms=500").begin();
        let processes = wait_for("a process", || {
            let processes = of_requests(&host);
            (!processes.is_empty()).then_some(processes)
        });
        for process in processes {
            let processors = processors_of(process.file_name().unwrap().to_str().unwrap());
            assert!(processors == all || processors.is_empty(), "{execution}: {processors} of {all}");
        }
        std::io::Read::read_exact(&mut slow, &mut [0; 12]).unwrap();
    }
}

/// By its streams, one connection can have more requests than its processor can do.
#[test]
fn the_requests_of_one_connection_are_executed_by_all_processors() {
    const STREAMS: usize = 40;
    for execution in ["fork", "rewind"] {
        let host = host_of(AUTHOR, execution);
        let mut connection = Http2::from(Ipv4Addr::LOCALHOST, host.address, 65_535);
        for _ in 0..STREAMS {
            let stream = connection.begin("GET", "/rpc/counted@v1/sleep?ms=300", 0);
            connection.end(stream, b"");
        }
        (0..STREAMS).for_each(|_| assert_eq!(connection.next_end(), StreamOutcome::Well));
        let executed = executed(&host);
        let share = STREAMS as f64 / executed.len() as f64;
        // One processor may have some more than the others before a request is moved.
        assert!(executed.iter().all(|requests| *requests >= share / 2.0), "{execution}: {executed:?}");
    }
}

#[test]
fn a_connection_without_requests_in_flight_keeps_its_processor() {
    for execution in ["fork", "rewind"] {
        let host = host_of(AUTHOR, execution);
        let mut connection = Connection::new(host.address);
        (0..30).for_each(|_| drop(connection.get("/rpc/counted@v1/sleep?ms=100")));
        let executed = executed(&host);
        assert_eq!(executed.iter().filter(|requests| **requests > 0.0).count(), 1, "{executed:?}");
        // The others, where nothing is called, have nothing to prepare.
        let warnings: Vec<_> = host.log().into_iter().filter(|line| line["level"] == "WARN").collect();
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(zygotes(&host).len(), 1, "{execution}");
    }
}

#[test]
fn crashes_deadlines_and_clients_that_leave_end_their_processes_alone() {
    let site = Site::new();
    for execution in ["fork", "rewind"] {
        let manifest = json!({"execution": execution, "spare": 2, "timeout_ms": 300});
        let harm = |harm: &str| {
            let mut manifest = manifest.clone();
            manifest["env"] = json!({"HARM": harm});
            site.install(&format!("{harm}-{execution}@v1"), HARMFUL, manifest);
        };
        harm("segfaults");
        harm("sleeps_for_ever");
        site.install(&format!("well-{execution}@v1"), AUTHOR, manifest.clone());
    }
    let host = Host::with_flags(site, &FLAG);
    for execution in ["fork", "rewind"] {
        for _ in 0..4 {
            assert_eq!(
                host.get(&format!("/rpc/segfaults-{execution}@v1")).outcome(),
                (502, "function_crashed")
            );
            let hung = host.get(&format!("/rpc/sleeps_for_ever-{execution}@v1"));
            assert_eq!(hung.outcome(), (504, "deadline_exceeded"));
            drop(host.client("GET", &format!("/rpc/sleeps_for_ever-{execution}@v1")).begin());
            assert_eq!(host.get(&format!("/rpc/well-{execution}@v1/sleep?ms=0")).status, 200);
        }
    }
    wait_for("nothing is in flight", || (host.metric("fezz_requests_in_flight") <= 1.0).then_some(()));
}

#[test]
fn the_host_drains_and_leaves_nothing() {
    for execution in ["spawn", "fork", "rewind", "worker"] {
        let host = host_of(AUTHOR, execution);
        host.assert_drains("/rpc/counted@v1/sleep?ms=300");
    }
}

/// A thread that a processor's own thread starts would stay on that processor.
#[test]
fn the_threads_of_functions_in_the_host_have_all_processors() {
    let site = Site::new();
    site.install("inside@v1", AUTHOR, json!({"execution": "in-process"}));
    let host = Host::with_flags(site, &["--per-core", "--allow-in-process=inside"]);
    for _ in 0..4 {
        assert_eq!(host.get("/rpc/inside@v1/sleep?ms=1").text(), "slept");
    }
    let all = processors_of("self");
    let threads = std::fs::read_dir(format!("/proc/{}/task", host.pid().as_raw_nonzero())).unwrap().flatten();
    let threads = threads.map(|thread| {
        let name = std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
        let process = thread.path().strip_prefix("/proc").unwrap().to_str().unwrap().to_owned();
        (name.trim().to_owned(), processors_of(&process))
    });
    let (of_cores, others): (Vec<_>, Vec<_>) = threads.partition(|(name, _)| name.starts_with("core "));
    for (name, processors) in &of_cores {
        assert_eq!(name.strip_prefix("core ").unwrap(), processors);
    }
    assert!(others.iter().any(|(name, _)| name.starts_with("fezz-call")), "{others:?}");
    assert!(others.iter().all(|(_, processors)| *processors == all || processors.is_empty()), "{others:?}");
}
