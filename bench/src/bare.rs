//! The floor: the runner started by nothing but posix_spawn(3), with the arguments, the environment and the pipes that
//! the host gives it (`crates/hhrf/src/execute/process.rs`), by a program that does nothing else.

use crate::build::Build;
use crate::contender::{Client, Contender, ContenderError};
use crate::function::Function;
use fezz_wire::{FezzWireRequest, FezzWireResponse, Meta};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// Spawns the runner for each request.
#[derive(Debug)]
pub struct Bare {
    name: String,
    runner: PathBuf,
    module: PathBuf,
    function: Function,
    request: Vec<u8>,
}

/// Why the runner gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum BareError {
    /// It can't be started, or its pipes broke.
    #[error("failed to talk to the runner")]
    Pipe(#[source] io::Error),
    /// It answered something else than expected.
    #[error("the runner ended with {status} and wrote {bytes} bytes instead of an answer: {stderr}")]
    Answer {
        /// How it ended.
        status: ExitStatus,
        /// The length of what it wrote on stdout.
        bytes: usize,
        /// What it wrote on stderr.
        stderr: String,
    },
}

/// The defaults of a manifest's limits, which the host passes on; and no jail, whose price is another bench's.
const OPTIONS: [&str; 6] = ["--memory-bytes", "134217728", "--cpu-ms", "10000", "--jail", "off"];

impl Bare {
    /// The runner of `build` with `module`, which is a file of the host's root: both contenders map the same pages.
    pub fn new(build: &Build, module: PathBuf, function: Function) -> Self {
        let name = format!("bare {}", build.name).trim_end().to_owned();
        Self { name, runner: build.runner(), module, function, request: request(function) }
    }
}

impl Contender for Bare {
    fn name(&self) -> &str {
        &self.name
    }

    fn client(&self) -> Result<Client, ContenderError> {
        let (runner, module, function) = (self.runner.clone(), self.module.clone(), self.function);
        let request = self.request.clone();
        Ok(Box::new(move || Ok(answer(&runner, &module, function, &request)?)))
    }
}

fn answer(runner: &Path, module: &Path, function: Function, request: &[u8]) -> Result<(), BareError> {
    let (stdout, stderr, status) = spawn(runner, module, function, request).map_err(BareError::Pipe)?;
    let is_answer = |response: FezzWireResponse<'_>| {
        response.status == 200 && String::from_utf8_lossy(response.body).contains(function.expected())
    };
    if status.success() && FezzWireResponse::decode(&stdout).is_ok_and(is_answer) {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&stderr).trim_end().to_owned();
    Err(BareError::Answer { status, bytes: stdout.len(), stderr })
}

fn spawn(
    runner: &Path,
    module: &Path,
    function: Function,
    request: &[u8],
) -> io::Result<(Vec<u8>, Vec<u8>, ExitStatus)> {
    let mut child = Command::new(runner)
        .args(["--function", function.id(), "--function-version", Function::VERSION])
        .args(OPTIONS)
        .env_clear()
        .arg(module)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .current_dir("/")
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(request)?;
    }
    // One after the other, for the examples write next to nothing on stderr.
    let (mut stdout, mut stderr) = (Vec::with_capacity(8 * 1024), Vec::new());
    if let Some(mut pipe) = child.stdout.take() {
        pipe.read_to_end(&mut stdout)?;
    }
    if let Some(mut pipe) = child.stderr.take() {
        pipe.read_to_end(&mut stderr)?;
    }
    Ok((stdout, stderr, child.wait()?))
}

/// What the host would write for the request that `host.rs` sends.
fn request(function: Function) -> Vec<u8> {
    let path = function.path();
    let request = FezzWireRequest {
        method: "GET",
        uri: &path,
        authority: Some("127.0.0.1:3000"),
        scheme: Some("http"),
        headers: vec![
            ("host", b"127.0.0.1:3000"),
            ("x-name", b"Ada"),
            ("x-request-id", b"0123456789abcdef0123456789abcdef"),
            ("traceparent", b"00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"),
        ],
        params: Default::default(),
        body: b"",
        meta: Meta {
            request_id: "0123456789abcdef0123456789abcdef",
            function: function.id(),
            version: Function::VERSION,
            deadline_ms: 30_000,
            client_ip: Some("127.0.0.1"),
        },
    };
    request.encode()
}
