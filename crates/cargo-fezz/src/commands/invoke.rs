//! `cargo fezz invoke`.

use crate::answer::{self, Ended, Fault};
use crate::debugger::{self, DebuggerError};
use crate::exit::Exit;
use crate::failures::{self, FailuresError, Recorded};
use crate::installed::{self, InstalledError};
use crate::log_line;
use crate::outcome::{self, Report};
use crate::project;
use crate::release::{Release, ReleaseError};
use crate::request::{Flags, Request, RequestError};
use crate::routes::{self, NotText, Params};
use crate::runner::{self, Jail, NoRunner};
use crate::terminal::{self, Format};
use clap::Args;
use fezz_manifest::{Metadata, MetadataError, Module, RoutePattern};
use fezz_wire::{FezzWireRequest, FezzWireResponse, Meta};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

/// Send one request to a built function, through the real runner and its jail, without a host
///
/// Prints the response's head and body; the function's log goes to stderr. Exit status 3 if the function gives no
/// response: it panics, crashes, returns an error or exceeds its deadline.
#[derive(Debug, Args)]
pub(crate) struct Invoke {
    #[command(flatten)]
    request: Flags,
    /// The CBOR message of a request instead, for instance a recorded one.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["path", "method", "headers", "data", "json"])]
    message: Option<PathBuf>,
    /// A request that failed, as a host has recorded it: the newest, or the one whose id begins so. Its function is found,
    /// too, where `watch` or `build` has made it.
    #[arg(
        long, value_name = "REQUEST_ID", num_args = 0..=1, default_missing_value = "",
        conflicts_with_all = ["message", "path", "method", "headers", "data", "json"]
    )]
    failure: Option<String>,
    /// The folder of recorded requests; else target/fezz/failures of the workspace.
    #[arg(long, value_name = "FOLDER", requires = "failure")]
    failures: Option<PathBuf>,
    /// The built function, for instance functions/hello@v1; else the only one in `functions/`.
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// Print the body alone.
    #[arg(long, conflicts_with = "format")]
    body: bool,
    /// How to print the response.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The program fezz-runner, if it isn't beside this one or on PATH.
    #[arg(long, value_name = "FILE")]
    runner: Option<PathBuf>,
    /// How the function is confined.
    #[arg(long, value_enum, default_value_t)]
    jail: Jail,
    /// Run it under gdb, without a jail and with an hour for the deadline: only for code that you trust.
    #[arg(long, conflicts_with_all = ["body", "format", "jail"])]
    gdb: bool,
}

/// Why there was no request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvokeError {
    #[error(transparent)]
    Installed(#[from] InstalledError),
    #[error(transparent)]
    Release(#[from] ReleaseError),
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Param(#[from] NotText),
    #[error("failed to read the message `{}`", path.display())]
    Message { path: PathBuf, source: io::Error },
    #[error(transparent)]
    NoRunner(#[from] NoRunner),
    #[error("failed to start the runner `{}`", program.display())]
    NotStarted { program: PathBuf, source: io::Error },
    #[error("failed to wait for the runner")]
    NotReaped(#[source] io::Error),
    #[error("failed to print the response")]
    Print(#[source] io::Error),
    #[error(transparent)]
    Failures(#[from] FailuresError),
    #[error(transparent)]
    Debugger(#[from] DebuggerError),
}

/// The most of a log that a script gets: a host, too, logs no more of a request.
const LOG_BYTES_MAX: usize = 1 << 20;

/// Room for a response's headers and keys, beside its body.
const HEAD_BYTES_MAX: u64 = 1 << 20;

/// The deadline under a debugger, in which a person reads and thinks.
const DEBUGGER_TIMEOUT: Duration = Duration::from_secs(3600);

/// What the runner has made of a request.
struct Served {
    response: Vec<u8>,
    log: String,
    ended: Ended,
}

impl Invoke {
    pub(crate) fn run(&self) -> Result<Exit, InvokeError> {
        let recorded = self.recorded()?;
        let folder = match (&self.from, &recorded) {
            (None, Some(recorded)) => installed::of_request(recorded)?,
            (from, _) => installed::folder(from.as_deref())?,
        };
        let release = Release::read(&folder)?;
        let metadata = Module::check(&release.module).ok().and_then(|module| module.metadata);
        let metadata = metadata.map(Metadata::parse).transpose()?.unwrap_or_default();
        let timeout = release.manifest.timeout(&metadata)?;
        let message = match self.message.as_ref().or(recorded.as_ref().map(|recorded| &recorded.path)) {
            Some(path) => {
                std::fs::read(path).map_err(|source| InvokeError::Message { path: path.clone(), source })?
            }
            None => {
                message(&self.request.request()?, &release, &release.manifest.routes(&metadata)?, timeout)?
            }
        };
        if self.gdb {
            debugger::debug(&self.command(&release, &folder, Jail::Off, DEBUGGER_TIMEOUT)?, &message)?;
            return Ok(Exit::Done);
        }
        let served = self.serve(&release, &folder, timeout, &message)?;
        let limit = release.manifest.limits.response_body_bytes;
        self.report(&answer::read(&served.response, &served.ended, limit), &served.log)
    }

    /// The recorded request that is asked for.
    fn recorded(&self) -> Result<Option<Recorded>, InvokeError> {
        let Some(id) = &self.failure else { return Ok(None) };
        let folder = self.failures.clone().unwrap_or_else(|| project::fezz_folder().join(project::FAILURES));
        let recorded = failures::newest(&folder, Some(id.as_str()).filter(|id| !id.is_empty()))?;
        terminal::status("Replaying", &recorded.path.display().to_string());
        Ok(Some(recorded))
    }

    fn command(
        &self,
        release: &Release,
        folder: &Path,
        jail: Jail,
        timeout: Duration,
    ) -> Result<Command, InvokeError> {
        let program = runner::find(self.runner.as_deref())?;
        // The runner changes its root: no relative path leads to the module from there.
        let module = folder.join(&release.manifest.entry);
        let module = module.canonicalize().unwrap_or(module);
        Ok(runner::command(&program, jail, release, &module, timeout))
    }

    /// Has the runner serve the request.
    fn serve(
        &self,
        release: &Release,
        folder: &Path,
        timeout: Duration,
        message: &[u8],
    ) -> Result<Served, InvokeError> {
        let mut command = self.command(release, folder, self.jail, timeout)?;
        let start = Instant::now();
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let program = || PathBuf::from(command.get_program());
        let mut child = child.map_err(|source| InvokeError::NotStarted { program: program(), source })?;
        let (input, output, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let bytes_max = release.manifest.limits.response_body_bytes.saturating_add(HEAD_BYTES_MAX);
        let (mut response, mut log) = (Vec::new(), String::new());
        std::thread::scope(|scope| {
            // While the other side is read: otherwise both sides could wait. A runner that reads no request says why by its status.
            scope.spawn(|| input.map(|mut input| input.write_all(message)));
            scope.spawn(|| stderr.map(|stderr| self.follow(stderr, &mut log)));
            output.map(|output| output.take(bytes_max).read_to_end(&mut response))
        });
        let status = child.wait().map_err(InvokeError::NotReaped)?;
        Ok(Served { response, log, ended: Ended { status, took: start.elapsed(), timeout } })
    }

    /// Prints the function's log line by line, or keeps it for a script.
    fn follow(&self, stderr: ChildStderr, log: &mut String) {
        let mut stderr = BufReader::new(stderr);
        let mut line = Vec::new();
        while stderr.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
            let text = String::from_utf8_lossy(&line);
            match self.format {
                Format::Human => {
                    terminal::foreign(&log_line::event(&text).unwrap_or_else(|| text.trim_end().to_owned()))
                }
                Format::Json if log.len() < LOG_BYTES_MAX => log.push_str(&text),
                Format::Json => {}
            }
            line.clear();
        }
    }

    fn report(&self, outcome: &Result<FezzWireResponse<'_>, Fault>, log: &str) -> Result<Exit, InvokeError> {
        match (self.format, outcome) {
            (Format::Json, _) => {
                terminal::json(&Report::of(outcome, log))
                    .map_err(|error| InvokeError::Print(error.into()))?;
            }
            (Format::Human, Ok(response)) => {
                outcome::print(response, self.body).map_err(InvokeError::Print)?;
            }
            (Format::Human, Err(fault)) => terminal::error(&fault.to_string()),
        }
        Ok(match outcome {
            Ok(_) => Exit::Done,
            Err(fault) if fault.is_before_the_function() => Exit::Failed,
            Err(_) => Exit::Faulty,
        })
    }
}

/// The message that a host would send.
fn message(
    request: &Request,
    release: &Release,
    routes: &[RoutePattern],
    timeout: Duration,
) -> Result<Vec<u8>, InvokeError> {
    let params = params(request, release, routes)?;
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let message = FezzWireRequest {
        method: &request.method,
        uri: &request.uri,
        authority: Some("localhost"),
        scheme: Some("http"),
        headers: headers.collect(),
        params: params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        body: &request.body,
        meta: Meta {
            request_id: "invoke",
            function: &release.manifest.id,
            version: &release.manifest.version,
            deadline_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
            client_ip: Some("127.0.0.1"),
        },
    };
    Ok(message.encode())
}

fn params(request: &Request, release: &Release, routes: &[RoutePattern]) -> Result<Params, NotText> {
    let path = request.uri.split('?').next().unwrap_or_default();
    let found = routes::find(routes, &request.method, path)?;
    if found.is_none() && !path.starts_with("/rpc/") {
        let routes: Vec<String> =
            routes.iter().map(|route| format!("{} {}", route.methods.join(","), route.path)).collect();
        terminal::warning(&format!(
            "no route of {} leads here, a host answers 404 or 405: {} {path} (its routes: {})",
            release.name,
            request.method,
            routes.join("; ").trim()
        ));
    }
    Ok(found.unwrap_or_default())
}
