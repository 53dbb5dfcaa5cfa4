//! Full load with requests that crash or hang, while the test kills zygotes and installs new releases. No other request
//! is lost, and no resource leaks.

use crate::harness::{
    Connection, Host, Leftovers, Site, TAKEOVER, alone, resident_kib, wait_for, zombies, zygotes,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const CONCURRENCY: usize = 16;

#[test]
fn full_load_on_forked_processes_loses_nothing_and_leaves_nothing() {
    Load::run("fork", Duration::from_secs(5));
}

#[test]
fn full_load_on_prewarmed_runners_loses_nothing_and_leaves_nothing() {
    Load::run("spawn", Duration::from_secs(5));
}

#[test]
#[ignore = "takes minutes: `make soak`"]
fn full_load_for_minutes_loses_nothing_and_leaves_nothing() {
    const SECONDS: u64 = 180;
    let seconds = std::env::var("SOAK_SECONDS").map_or(SECONDS, |text| text.parse().unwrap());
    for execution in ["fork", "spawn"] {
        Load::run(execution, Duration::from_secs(seconds) / 2);
    }
}

/// The expected outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Served,
    Crashes,
    Hangs,
}

/// A host under load.
struct Load {
    execution: &'static str,
    host: Host,
    is_over: AtomicBool,
    requests: AtomicUsize,
    /// Counts of requests by outcome; `lost` counts the unexpected ones.
    outcomes: Mutex<BTreeMap<&'static str, usize>>,
    losses: Mutex<Vec<String>>,
    kills: Mutex<Vec<Instant>>,
    releases: AtomicUsize,
}

impl Load {
    fn run(execution: &'static str, time: Duration) {
        const WARM_UP: Duration = Duration::from_secs(1);
        const GROWTH_KIB_MAX: usize = 16 * 1024;
        let _machine = alone();
        let host = Host::without_machine(Site::new(), |_| {});
        // One run before counting: allocators and pools keep some memory.
        let (host, ..) = Self::new(execution, host).work(WARM_UP);
        let (before, before_kib) = (Leftovers::settled(&host), resident_kib(&host));
        let begun = Instant::now();
        let (host, load) = Self::new(execution, host).work(time);
        let (took, after_kib) = (begun.elapsed().as_secs_f64(), resident_kib(&host));
        println!(
            "{execution}: {} requests in {took:.0} s, {:.0}/s; {:?}; {} zygotes killed, {} releases; \
             {before_kib} KiB became {after_kib} KiB",
            load.requests,
            load.requests as f64 / took,
            load.outcomes,
            load.kills,
            load.releases,
        );
        assert!(load.losses.is_empty(), "{} lost: {:#?}", load.losses.len(), load.losses);
        assert!(load.outcomes["served"] > 0 && load.outcomes["crashed"] > 0 && load.outcomes["hung"] > 0);
        assert!(load.kills > 0 || execution == "spawn");
        wait_for("no zombie", || (zombies(&host) == 0).then_some(()));
        Leftovers::wait_for_no_more_than(&before, &host);
        assert!(after_kib < before_kib + GROWTH_KIB_MAX, "{before_kib} KiB became {after_kib} KiB");
    }

    fn new(execution: &'static str, host: Host) -> Self {
        let load = Self {
            execution,
            host,
            is_over: AtomicBool::new(false),
            requests: AtomicUsize::new(0),
            outcomes: Mutex::default(),
            losses: Mutex::default(),
            kills: Mutex::default(),
            releases: AtomicUsize::new(0),
        };
        load.deploy();
        let hangs = json!({"execution": execution, "spare": 4, "timeout_ms": 300});
        load.host.site.install("hangs@v1", TAKEOVER, hangs);
        for function in ["served", "hangs"] {
            let path = format!("/rpc/{function}/facts");
            wait_for("the functions", || (load.host.get(&path).status == 200).then_some(()));
        }
        load
    }

    /// Installs a new release of the function that most requests call.
    fn deploy(&self) {
        let release = self.releases.fetch_add(1, Ordering::Relaxed).to_string();
        let env = json!({"RELEASE": release});
        let manifest = json!({"execution": self.execution, "spare": 8, "timeout_ms": 20_000, "env": env});
        self.host.site.install("served@v1", TAKEOVER, manifest);
    }

    /// Sends requests until the time is over, removes the functions, and waits until all that they used is released.
    fn work(self, time: Duration) -> (Host, Done) {
        std::thread::scope(|scope| {
            (0..CONCURRENCY).for_each(|_| drop(scope.spawn(|| self.send_requests())));
            self.disturb(time);
            self.is_over.store(true, Ordering::Relaxed);
        });
        for function in ["served@v1", "hangs@v1"] {
            fs::remove_dir_all(self.host.site.function(function)).unwrap();
        }
        wait_for("the end of every process", || Some(Leftovers::of(&self.host)).filter(Leftovers::is_quiet));
        let done = Done {
            requests: self.requests.into_inner(),
            outcomes: self.outcomes.into_inner().unwrap(),
            losses: self.losses.into_inner().unwrap(),
            kills: self.kills.into_inner().unwrap().len(),
            releases: self.releases.into_inner(),
        };
        (self.host, done)
    }

    /// Kills a zygote every few seconds, and installs a new release every few seconds.
    fn disturb(&self, time: Duration) {
        const EVERY: Duration = Duration::from_millis(1900);
        let end = Instant::now() + time;
        for step in 0.. {
            let pause = end.saturating_duration_since(Instant::now()).min(EVERY);
            std::thread::sleep(pause);
            self.host.forget_log();
            if Instant::now() >= end {
                return;
            }
            match step % 2 {
                0 => self.kill_zygotes(),
                _ => self.deploy(),
            }
        }
    }

    fn kill_zygotes(&self) {
        let is_of_served = |zygote: &Pid| {
            let line = fs::read(format!("/proc/{zygote}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains("served@v1")
        };
        for zygote in zygotes(&self.host).into_iter().filter(is_of_served) {
            // Recorded before the kill, since a request may be lost at once.
            self.kills.lock().unwrap().push(Instant::now());
            kill_process(zygote, Signal::KILL).ok();
        }
    }

    fn send_requests(&self) {
        let mut connection = Connection::new(self.host.address);
        while !self.is_over.load(Ordering::Relaxed) {
            let (kind, path) = match self.requests.fetch_add(1, Ordering::Relaxed) % 100 {
                0 | 20 | 40 | 60 | 80 => (Kind::Crashes, "/rpc/served/overwrites_its_memory"),
                // With its socket open: the host pauses a function whose requests all close it, like one that crashes.
                10 | 50 => (Kind::Hangs, "/rpc/hangs/never_returns"),
                _ => (Kind::Served, "/rpc/served/facts"),
            };
            let begun = Instant::now();
            let answer = connection.get(path);
            let is_clean = || {
                let forks = if self.execution == "fork" { 1 } else { 0 };
                answer.text().starts_with(&format!("loads=1 forks={forks} requests=1 modified=0 "))
            };
            let outcome = match (kind, answer.outcome()) {
                (Kind::Served, (200, "")) if is_clean() => "served",
                (Kind::Crashes, (502, "function_crashed")) => "crashed",
                (Kind::Hangs, (504, "deadline_exceeded")) => "hung",
                (Kind::Served, (502, "function_crashed")) if self.was_killed_since(begun) => "killed",
                (_, outcome) => {
                    let loss = format!("{kind:?}, {outcome:?}, {:?}: {}", answer.took, answer.text());
                    self.losses.lock().unwrap().push(loss);
                    "lost"
                }
            };
            *self.outcomes.lock().unwrap().entry(outcome).or_default() += 1;
        }
    }

    /// Whether the test killed a zygote during the request, or so shortly before it that the host didn't know yet.
    fn was_killed_since(&self, begun: Instant) -> bool {
        const A_MOMENT: Duration = Duration::from_millis(100);
        self.kills.lock().unwrap().iter().any(|kill| *kill + A_MOMENT >= begun)
    }
}

/// The counts of a finished load.
struct Done {
    requests: usize,
    outcomes: BTreeMap<&'static str, usize>,
    losses: Vec<String>,
    kills: usize,
    releases: usize,
}
