//! Real servers of databases, each with a folder and a port of its own.

use super::{is_root, on_path, skip, wait_for};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A server, ended when it is dropped.
pub(crate) struct Database {
    process: Option<Child>,
    start: Box<dyn Fn() -> Command>,
    pub(crate) port: u16,
    _folder: TempDir,
}

impl Database {
    /// `None` where Redis isn't installed, which is told.
    pub(crate) fn redis() -> Option<Self> {
        installed("redis-server")?;
        Some(Self::start(None, |folder, port| {
            // By its name, not by the path of what it links to: the program looks at how it was called.
            let mut command = Command::new("redis-server");
            command.args(["--bind", "127.0.0.1", "--save", "", "--port", port, "--dir", folder]);
            command
        }))
    }

    /// `None` where memcached isn't installed, which is told.
    pub(crate) fn memcached() -> Option<Self> {
        installed("memcached")?;
        Some(Self::start(None, |_, port| {
            let mut command = Command::new("memcached");
            command.args(["-l", "127.0.0.1", "-u", "nobody", "-p", port]);
            command
        }))
    }

    /// `None` where Postgres isn't installed, which is told. Its user `postgres` needs no password.
    pub(crate) fn postgres() -> Option<Self> {
        let (initdb, server) = (postgres_program("initdb")?, postgres_program("postgres")?);
        let user = is_root().then(|| id_of("postgres"));
        Some(Self::start(user, move |folder, port| {
            let data = format!("{folder}/data");
            if !PathBuf::from(&data).exists() {
                let mut init = Command::new(&initdb);
                init.args(["--pgdata", &data, "--username", "postgres", "--auth", "trust", "--no-sync"]);
                let init = as_user(&mut init, user).current_dir(folder).stdout(Stdio::null()).status();
                assert!(init.unwrap().success(), "initdb failed");
            }
            let mut command = Command::new(&server);
            command.args(["-D", &data, "-p", port, "-k", folder, "-h", "127.0.0.1", "-F"]);
            as_user(&mut command, user).current_dir(folder);
            command
        }))
    }

    fn start(user: Option<u32>, command: impl Fn(&str, &str) -> Command + 'static) -> Self {
        let folder = TempDir::new().unwrap();
        if let Some(user) = user {
            chown(folder.path(), Some(user), None).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = folder.path().to_str().unwrap().to_owned();
        let start = Box::new(move || command(&path, &port.to_string()));
        let mut server = Self { process: None, start, port, _folder: folder };
        server.restart();
        server
    }

    /// Ends the server, and starts it again at its port.
    pub(crate) fn restart(&mut self) {
        self.stop();
        let process = (self.start)().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.process = Some(process.unwrap());
        wait_for("the server", || TcpStream::connect(("127.0.0.1", self.port)).ok());
    }

    /// Ends the server: at once, as a crash would.
    pub(crate) fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        // SIGQUIT: Postgres ends its own processes, too, and writes nothing.
        rustix::process::kill_process(
            rustix::process::Pid::from_child(&process),
            rustix::process::Signal::QUIT,
        )
        .ok();
        wait_for("the server's end", || process.try_wait().unwrap());
    }

    /// A number that Redis reports (its command INFO).
    pub(crate) fn redis_info(&self, name: &str) -> u64 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(b"INFO\r\nQUIT\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap().trim().parse().unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.stop();
    }
}

fn installed(program: &str) -> Option<PathBuf> {
    let found = on_path(program);
    if found.is_none() {
        skip(&format!("{program} isn't installed"));
    }
    found
}

/// Debian keeps the server's programs in a folder of their version.
fn postgres_program(name: &str) -> Option<PathBuf> {
    if let Some(found) = on_path(name) {
        return Some(found);
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> = versions.map(|version| version.path().join("bin").join(name)).collect();
    found.retain(|program| program.exists());
    found.sort();
    found.pop().or_else(|| installed(name))
}

/// The server refuses to run as root.
fn as_user(command: &mut Command, user: Option<u32>) -> &mut Command {
    match user {
        Some(user) => command.uid(user).gid(user_group()),
        None => command,
    }
}

fn id_of(user: &str) -> u32 {
    field_of(user, 2)
}

fn user_group() -> u32 {
    field_of("postgres", 3)
}

fn field_of(user: &str, field: usize) -> u32 {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.split(':').next() == Some(user)).unwrap();
    line.split(':').nth(field).unwrap().parse().unwrap()
}
