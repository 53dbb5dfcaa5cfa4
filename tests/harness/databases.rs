//! Real servers of databases, each with a folder, a log and a port of its own.

use super::{Certificates, is_root, on_path, skip, wait_for};
use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Far longer than a server needs that can be told to end: a test that was started with SIGQUIT ignored, as by a shell in the
/// background, passes that on.
const STOPPED_MAX: Duration = Duration::from_secs(5);

/// A server, ended when it is dropped.
pub(crate) struct Database {
    process: Option<Child>,
    start: Box<dyn Fn() -> Command>,
    pub(crate) port: u16,
    folder: TempDir,
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

    /// The same, reached by TLS alone.
    pub(crate) fn redis_by_tls(certificates: &Certificates) -> Option<Self> {
        installed("redis-server")?;
        let certificates = certificates.clone();
        Some(Self::start(None, move |folder, port| {
            let files = Files::write(folder, &certificates, None);
            let mut command = Command::new("redis-server");
            command.args([
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--port",
                "0",
                "--tls-port",
                port,
                "--dir",
                folder,
            ]);
            command.args(["--tls-cert-file", &files.certificate, "--tls-key-file", &files.key]);
            command.args(["--tls-ca-cert-file", &files.certificate, "--tls-auth-clients", "no"]);
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
        Self::postgres_with(None)
    }

    /// The same, which can also be reached by TLS.
    pub(crate) fn postgres_by_tls(certificates: &Certificates) -> Option<Self> {
        Self::postgres_with(Some(certificates.clone()))
    }

    fn postgres_with(certificates: Option<Certificates>) -> Option<Self> {
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
            // Counted by `connections_made`.
            command.args(["-c", "log_connections=on", "-c", "lc_messages=C"]);
            if let Some(certificates) = &certificates {
                let files = Files::write(folder, certificates, user);
                command.args(["-c", "ssl=on", "-c", &format!("ssl_cert_file={}", files.certificate)]);
                command.args(["-c", &format!("ssl_key_file={}", files.key)]);
            }
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
        let mut server = Self { process: None, start, port, folder };
        server.restart();
        server
    }

    /// Ends the server, and starts it again at its port.
    pub(crate) fn restart(&mut self) {
        self.stop();
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let process = (self.start)().stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
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
        let begun = Instant::now();
        while process.try_wait().unwrap().is_none() {
            if begun.elapsed() > STOPPED_MAX {
                // Postgres' own processes notice it and end.
                process.kill().ok();
                process.wait().unwrap();
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// How many connections Postgres has accepted since its folder was made: those that got as far as a session.
    pub(crate) fn postgres_sessions(&self) -> u64 {
        self.lines_with("connection authorized: ")
    }

    fn lines_with(&self, words: &str) -> u64 {
        let log = std::fs::read_to_string(self.log()).unwrap();
        log.lines().filter(|line| line.contains(words)).count() as u64
    }

    /// How many of them were by TLS.
    pub(crate) fn postgres_sessions_by_tls(&self) -> u64 {
        self.lines_with("SSL enabled")
    }

    /// A number that Redis reports (its command INFO).
    pub(crate) fn redis_info(&self, name: &str) -> u64 {
        let text = self.ask("INFO\r\nQUIT\r\n");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap().trim().parse().unwrap()
    }

    /// A number that memcached reports (its command `stats`).
    pub(crate) fn memcached_stat(&self, name: &str) -> u64 {
        let text = self.ask("stats\r\nquit\r\n");
        let line = text.lines().find_map(|line| line.strip_prefix("STAT ")?.strip_prefix(name));
        line.unwrap().trim().parse().unwrap()
    }

    /// What the server answers to these commands, the last of which ends the connection.
    fn ask(&self, commands: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(commands.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A server's certificate and its key, as files.
struct Files {
    certificate: String,
    key: String,
}

impl Files {
    /// Which only `user` may read, as Postgres demands for a key.
    fn write(folder: &str, certificates: &Certificates, user: Option<u32>) -> Self {
        let write = |name: &str, text: &str| {
            let path = format!("{folder}/{name}");
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            chown(&path, user, None).unwrap();
            path
        };
        Self {
            certificate: write("certificate", &certificates.certificate),
            key: write("key", &certificates.key),
        }
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
