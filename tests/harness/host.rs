//! The host's program, started for one test.

use super::machine::together;
use super::{Answer, Client, Leftovers, PATIENCE, Site, binary, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, RwLockReadGuard};
use std::time::Instant;

/// A running host. Dropped, it is killed.
pub(crate) struct Host {
    child: Child,
    log: Arc<Mutex<Vec<Value>>>,
    pub(crate) address: SocketAddr,
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) site: Site,
    _machine: Option<RwLockReadGuard<'static, ()>>,
}

impl Host {
    /// Starts a host that serves `site` while other tests run.
    pub(crate) fn start(site: Site) -> Self {
        Self::with(site, |_| {})
    }

    /// The same with additional flags.
    pub(crate) fn with_flags(site: Site, flags: &[&str]) -> Self {
        Self::with(site, |command| {
            command.args(flags);
        })
    }

    /// The same with changes to the command.
    pub(crate) fn with(site: Site, more: impl FnOnce(&mut Command)) -> Self {
        let machine = together();
        let mut host = Self::without_machine(site, more);
        host._machine = Some(machine);
        host
    }

    /// The same with another program than the one that was built.
    pub(crate) fn of_program(program: &Path, site: Site, more: impl FnOnce(&mut Command)) -> Self {
        let mut command = command_of(Command::new(program), &site);
        more(&mut command);
        Self::of_command(command, site)
    }

    /// The same with a command that becomes a host, which logs JSON to a pipe.
    pub(crate) fn of_command(command: Command, site: Site) -> Self {
        let machine = together();
        let mut host = Self::spawn(site, command);
        host._machine = Some(machine);
        host
    }

    /// SIGTERM lets a request finish that has begun. Then the host exits with 0 and leaves no process. `path` is that of
    /// a function that logs `sleeping`, sleeps and answers `slept`.
    pub(crate) fn assert_drains(mut self, path: &str) {
        let begun = Instant::now();
        let running = self.client("GET", path).begin();
        self.logged("the function", |line| line["line"] == "sleeping");
        self.signal(Signal::TERM);
        assert_eq!(Answer::read(running, begun).text(), "slept");
        assert_eq!(self.ended().code(), Some(0));
        wait_for("the end of every process", || (Leftovers::of_dead(&self) == 0).then_some(()));
    }

    /// A host that runs as the user `nobody` if the test runs as root; else as the test's user.
    pub(crate) fn unprivileged(site: Site, flags: &[&str]) -> Self {
        const NOBODY: u32 = 65534;
        if !is_root() {
            return Self::with_flags(site, flags);
        }
        // In folders that the user `nobody` can read, and write copies of modules to.
        for program in ["hhrf", "fezz-runner"] {
            std::fs::copy(binary(program), site.root().join(program)).unwrap();
        }
        let modules = site.root().join("modules-of-nobody");
        std::fs::create_dir(&modules).unwrap();
        std::os::unix::fs::chown(&modules, Some(NOBODY), Some(NOBODY)).unwrap();
        let mut command = command_of(Command::new(site.root().join("hhrf")), &site);
        command.args(flags).arg("--modules").arg(modules).uid(NOBODY).gid(NOBODY);
        Self::of_command(command, site)
    }

    /// A host whose runners are in bubblewrap, without any capability; `None` where bubblewrap isn't installed.
    pub(crate) fn in_bwrap(site: Site, flags: &[&str]) -> Option<Self> {
        const WRAPPER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../jail/bwrap-fezz-runner");
        if Command::new("bwrap").arg("--version").output().is_err() {
            super::skip("bwrap isn't installed: apt-get install bubblewrap");
            return None;
        }
        // Wrapper and runner in one folder, as an operator installs them.
        let wrapper = site.root().join("bwrap-fezz-runner");
        std::fs::copy(WRAPPER, &wrapper).unwrap();
        std::fs::copy(binary("fezz-runner"), site.root().join("fezz-runner")).unwrap();
        Some(Self::with_flags(site, &[&["--runner", wrapper.to_str().unwrap()], flags].concat()))
    }

    /// For a test that already holds the machine's lock.
    pub(crate) fn without_machine(site: Site, more: impl FnOnce(&mut Command)) -> Self {
        let mut command = Self::command(&site);
        more(&mut command);
        Self::spawn(site, command)
    }

    fn spawn(site: Site, mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let log = follow(child.stderr.take().unwrap());
        let listening = wait_for("listening", || {
            let log = log.lock().unwrap();
            log.iter().find(|line| line["listen"].is_string()).cloned()
        });
        let address = |key: &str| listening[key].as_str().map(|text| text.parse().unwrap());
        let (main, admin) = (address("listen").unwrap(), address("admin"));
        Self { child, log, address: main, admin, site, _machine: None }
    }

    /// The command that starts the host.
    pub(crate) fn command(site: &Site) -> Command {
        command_of(Command::new(binary("hhrf")), site)
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.client("GET", path).send()
    }

    pub(crate) fn client<'a>(&self, method: &'a str, path: &'a str) -> Client<'a> {
        Client::new(self.address, method, path)
    }

    /// Waits for a line in the log for which `wanted` holds.
    pub(crate) fn logged(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, || self.log().into_iter().find(|line| wanted(line)))
    }

    /// All lines of the log.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.log.lock().unwrap().clone()
    }

    /// Drops the collected log, for a test with millions of log lines that it doesn't read.
    pub(crate) fn forget_log(&self) {
        self.log.lock().unwrap().clear();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// The value of the metric line that begins with `name`; 0 where there is none.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.get("/_metrics").text();
        let line = text.lines().find(|line| line.starts_with(name));
        line.map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    /// Shuts the host down and returns its site.
    pub(crate) fn into_site(mut self) -> Site {
        self.signal(Signal::TERM);
        assert_eq!(self.ended().code(), Some(0));
        std::mem::replace(&mut self.site, Site::new())
    }

    /// The host's exit status, if it has ended.
    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for the host to end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        wait_for("the host's end", || self.has_ended())
    }
}

/// The arguments and the environment of a host that `command` starts.
pub(super) fn command_of(mut command: Command, site: &Site) -> Command {
    command
        .env_clear()
        .env("HHRF_DRAIN_WAIT_MS", "0")
        // Without prewarmed processes, which the leftover scan would count.
        .env("HHRF_SPARE", "0")
        .env("A_SECRET_OF_THE_HOST", "never to be seen")
        .args(["--listen", "127.0.0.1:0", "--log-format", "json", "--root"])
        .arg(site.root())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

impl Drop for Host {
    fn drop(&mut self) {
        let ended = self.child.try_wait();
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("the host had ended by itself: {ended:?}");
            let log = self.log();
            for line in log.iter().rev().take(30).rev() {
                eprintln!("host: {line}");
            }
        }
    }
}

/// Whether the test runs as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Collects the log lines, in a thread that ends with the host.
fn follow(stderr: ChildStderr) -> Arc<Mutex<Vec<Value>>> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&log);
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
            lines.lock().unwrap().push(line);
        }
    });
    log
}

const _: () = assert!(PATIENCE.as_secs() > 5, "a host needs a moment to start");
