//! The lower bound for `spawn`: a program that only starts the runner by posix_spawn(3), with the arguments, the
//! environment and the pipes of the host (`crates/hhrf/src/execute/process.rs`).

use crate::build::Build;
use crate::function::Function;
use crate::target::{Interval, MeasureError, Slice, Target};
use crate::wire;
use fezz_wire::FezzWireResponse;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

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

impl From<BareError> for MeasureError {
    fn from(error: BareError) -> Self {
        Self::Target(Box::new(error))
    }
}

/// The default limits of a manifest, as the host passes them on, and no jail. Another bench measures the jail.
const OPTIONS: [&str; 6] = ["--memory-bytes", "134217728", "--cpu-ms", "10000", "--jail", "off"];

impl Bare {
    /// The runner of `build` with `module`, which is a file of the host's root: both targets map the same pages.
    pub fn new(build: &Build, module: PathBuf, function: Function) -> Self {
        let name = format!("bare {}", build.name).trim_end().to_owned();
        Self { name, runner: build.runner(), module, function, request: wire::request(function) }
    }
}

impl Target for Bare {
    fn name(&self) -> &str {
        &self.name
    }

    /// A thread for each client: its cost is negligible compared to the start of a process.
    fn measure(&self, interval: Interval) -> Result<Slice, MeasureError> {
        let begun = Instant::now();
        let results: Vec<Result<Vec<Duration>, BareError>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..interval.concurrency).map(|_| scope.spawn(|| self.client(begun, interval))).collect();
            threads.into_iter().map(|thread| thread.join().expect("a client never panics")).collect()
        });
        let elapsed = begun.elapsed();
        Ok(Slice::new(results.into_iter().collect::<Result<Vec<_>, _>>()?.concat(), elapsed))
    }
}

impl Bare {
    fn client(&self, begun: Instant, interval: Interval) -> Result<Vec<Duration>, BareError> {
        let mut latencies = Vec::new();
        loop {
            let sent = Instant::now();
            answer(&self.runner, &self.module, self.function, &self.request)?;
            latencies.push(sent.elapsed());
            std::thread::sleep(interval.pause);
            if begun.elapsed() >= interval.duration {
                return Ok(latencies);
            }
        }
    }
}

fn answer(runner: &Path, module: &Path, function: Function, request: &[u8]) -> Result<(), BareError> {
    let (stdout, stderr, status) = spawn(runner, module, function, request).map_err(BareError::Pipe)?;
    let is_answer = |response: FezzWireResponse<'_>| {
        let expected = function.expected();
        response.status == 200 && response.body.windows(expected.len()).any(|window| window == expected)
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
    // stdout first, then stderr: the examples write almost nothing to stderr, so this can't block.
    let (mut stdout, mut stderr) = (Vec::with_capacity(8 * 1024), Vec::new());
    if let Some(mut pipe) = child.stdout.take() {
        pipe.read_to_end(&mut stdout)?;
    }
    if let Some(mut pipe) = child.stderr.take() {
        pipe.read_to_end(&mut stderr)?;
    }
    Ok((stdout, stderr, child.wait()?))
}
