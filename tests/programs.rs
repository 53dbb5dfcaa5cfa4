//! Programs of an author's own, executed by the runner without a host: in every kind of jail, and outside.

mod attempts;
mod ends;
mod failures;
mod ordinary;
mod tracing;

use crate::harness::{binary, is_root, on_path, skip, wait_for};
use fezz_wire::frame::{Format, HEADER_BYTES, Header, Kind};
use fezz_wire::{FezzWireRequest, FezzWireResponse, Meta};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use tempfile::TempDir;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/fixtures");
const WRAPPERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../jail");
const NOBODY: u32 = 65534;

/// A kind of jail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Jail {
    Strict,
    /// The same, started by an ordinary user.
    StrictOfNobody,
    Inner,
    InnerOfNobody,
    Bwrap,
    Nsjail,
    Firejail,
    Off,
}

const JAILS: [Jail; 7] = [
    Jail::Strict,
    Jail::StrictOfNobody,
    Jail::Inner,
    Jail::InnerOfNobody,
    Jail::Bwrap,
    Jail::Nsjail,
    Jail::Firejail,
];

impl Jail {
    /// The runner with this jail, in `folder`, where a wrapper finds it; `None` if it can't be had here.
    fn command(self, folder: &Path) -> Option<Command> {
        let mode = match self {
            Self::Strict | Self::StrictOfNobody => "strict",
            Self::Inner | Self::InnerOfNobody | Self::Bwrap | Self::Nsjail | Self::Firejail => "inner",
            Self::Off => "off",
        };
        let mut command = match self {
            Self::Bwrap if on_path("bwrap").is_some() => wrapped(folder, &["bwrap-fezz-runner"]),
            Self::Nsjail if on_path("nsjail").is_some() => {
                std::os::unix::fs::symlink(on_path("nsjail").unwrap(), folder.join("nsjail")).ok();
                wrapped(folder, &["nsjail-fezz-runner", "nsjail.cfg"])
            }
            Self::Firejail if on_path("firejail").is_some() => wrapped(folder, &["firejail-fezz-runner"]),
            Self::Bwrap | Self::Nsjail | Self::Firejail => {
                skip("bwrap, nsjail or firejail isn't installed: jail/README.md says how");
                return None;
            }
            _ => Command::new(binary("fezz-runner")),
        };
        if matches!(self, Self::StrictOfNobody | Self::InnerOfNobody) {
            if !is_root() {
                return None;
            }
            command.uid(NOBODY).gid(NOBODY);
        }
        command.args(["--jail", mode]);
        Some(command)
    }
}

/// Wrapper (the first of `files`) and runner in one folder, as an operator installs them.
fn wrapped(folder: &Path, files: &[&str]) -> Command {
    for file in files {
        std::fs::copy(format!("{WRAPPERS}/{file}"), folder.join(file)).unwrap();
    }
    std::fs::copy(binary("fezz-runner"), folder.join("fezz-runner")).unwrap();
    Command::new(folder.join(files[0]))
}

/// A folder of programs that every user can reach.
struct Programs(TempDir);

impl Programs {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("fezz-test-").tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        Self(folder)
    }

    fn folder(&self) -> &Path {
        self.0.path()
    }

    /// A file of this text and mode.
    fn file(&self, name: &str, content: &[u8], mode: u32) -> PathBuf {
        let path = self.folder().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path
    }

    fn python(&self) -> PathBuf {
        let text = std::fs::read(format!("{FIXTURES}/ordinary.py")).unwrap();
        self.file("ordinary.py", &text, 0o755)
    }

    /// The C program, linked by `flags`. It can be executed, and not read.
    fn compiled(&self, flags: &[&str]) -> PathBuf {
        let path = self.folder().join(format!("plain{}", flags.concat()));
        let source = format!("{FIXTURES}/plain.c");
        let status = Command::new("cc").args(flags).args(["-pthread", "-o"]).arg(&path).arg(source).status();
        assert!(status.unwrap().success());
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o111)).unwrap();
        path
    }

    /// Starts the runner with `program`; `None` if this kind of jail can't be had here.
    fn start(&self, jail: Jail, arguments: &[&str], program: &Path) -> Option<Worker> {
        let mut command = jail.command(self.folder())?;
        command.args(arguments).arg("--program").arg(program);
        Some(Worker::start(command))
    }
}

/// A program that the runner has executed, or will.
struct Worker {
    process: Child,
    host: UnixStream,
    format: Format,
    requests: u64,
}

impl Worker {
    fn start(mut command: Command) -> Self {
        let (host, socket) = UnixStream::pair().unwrap();
        command.env_clear().env("A_SECRET_OF_THE_HOST", "1").env("FEZZ_ENV_GIVEN", "2");
        command.stdin(OwnedFd::from(socket)).stdout(Stdio::null()).stderr(Stdio::piped());
        Self { process: command.spawn().unwrap(), host, format: Format::None, requests: 0 }
    }

    /// Waits until the program is ready.
    fn ready(mut self) -> Self {
        let Some((hello, _)) = self.receive() else { panic!("no hello: {:?}", self.ended()) };
        assert_eq!(hello.kind, Kind::Hello);
        self.format = hello.format;
        self
    }

    /// The body of the response to a request; `None` where the program has ended instead.
    fn ask(&mut self, uri: &str, body: &str) -> Option<String> {
        self.send(uri, body).ok()?;
        let (header, payload) = self.receive()?;
        assert_eq!((header.kind, header.id), (Kind::Response, self.requests));
        Some(match self.format {
            Format::Cbor => {
                String::from_utf8(FezzWireResponse::decode(&payload).unwrap().body.to_vec()).unwrap()
            }
            _ => serde_json::from_slice::<Value>(&payload).unwrap()["body"].as_str().unwrap().to_owned(),
        })
    }

    fn send(&mut self, uri: &str, body: &str) -> std::io::Result<()> {
        self.requests += 1;
        let payload = match self.format {
            Format::Cbor => cbor(uri, body),
            _ => json!({"method": "GET", "uri": uri, "body": body, "meta": {}}).to_string().into_bytes(),
        };
        let length = payload.len().try_into().unwrap();
        let header = Header { length, kind: Kind::Request, format: self.format, id: self.requests };
        self.host.write_all(&[&header.encode()[..], &payload].concat())
    }

    fn receive(&mut self) -> Option<(Header, Vec<u8>)> {
        let mut header = [0; HEADER_BYTES];
        self.host.read_exact(&mut header).ok()?;
        let header = Header::decode(&header).unwrap();
        let mut payload = vec![0; header.length as usize];
        self.host.read_exact(&mut payload).ok()?;
        Some((header, payload))
    }

    /// Tells the program that no more requests come, and waits for its end.
    fn drained(self) -> (ExitStatus, String) {
        self.host.shutdown(Shutdown::Write).unwrap();
        self.ended()
    }

    /// Its exit status, and what it said.
    fn ended(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        let status = wait_for("its end", || self.process.try_wait().unwrap());
        self.process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status, said)
    }
}

fn cbor(uri: &str, body: &str) -> Vec<u8> {
    let (client_ip, original_uri) = (None, None);
    let meta =
        Meta { request_id: "r", function: "f", version: "v1", deadline_ms: 1000, client_ip, original_uri };
    let (headers, params) = (Vec::new(), Default::default());
    let (authority, scheme, body) = (None, None, body.as_bytes());
    FezzWireRequest { method: "GET", uri, authority, scheme, headers, params, body, meta }.encode()
}
