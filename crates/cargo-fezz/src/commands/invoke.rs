//! `cargo fezz invoke`.

use crate::debugger::{self, DebuggerError};
use crate::exit::Exit;
use crate::failures::{self, FailuresError, Recorded};
use crate::installed::{self, InstalledError};
use crate::log_line;
use crate::outcome::{self, Report};
use crate::project;
use crate::request::{Flags, RequestError};
use crate::terminal::{self, Format};
use clap::Args;
use fezz_sandbox::routes::{self, Found, NotText, Params};
use fezz_sandbox::{Fault, Jail, Request, Sandbox, SandboxError};
use fezz_wire::FezzWireResponse;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    /// Send a request again that failed under a host and was recorded: the newest, or the newest whose id begins with
    /// REQUEST_ID. Without --from, it goes to the newest build of its function, by `watch` or in `functions/`.
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
    /// The folder of secrets, a file each, which `secrets` and `resources` of the manifest name.
    #[arg(long, value_name = "FOLDER", env = "HHRF_SECRETS")]
    secrets: Option<PathBuf>,
    /// The program fezz-runner; else the one beside this program, or on PATH.
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
    Sandbox(#[from] SandboxError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Param(#[from] NotText),
    #[error("failed to read the message `{}`", path.display())]
    Message { path: PathBuf, source: io::Error },
    #[error("failed to print the response")]
    Print(#[source] io::Error),
    #[error(transparent)]
    Failures(#[from] FailuresError),
    #[error(transparent)]
    Debugger(#[from] DebuggerError),
    #[error(
        "`{name}` is a program of its own (`binary`), and --gdb takes modules: run `cargo fezz watch`, then \
         `gdb -p` with the process id of the worker"
    )]
    NotDebugged { name: String },
}

/// The most of a log that is shown: a host, too, logs no more of a request.
const LOG_BYTES_MAX: usize = 1 << 20;

/// The deadline under a debugger, in which a person reads and thinks.
const DEBUGGER_TIMEOUT: Duration = Duration::from_secs(3600);

impl Invoke {
    pub(crate) fn run(&self) -> Result<Exit, InvokeError> {
        let recorded = self.recorded()?;
        let folder = match (&self.from, &recorded) {
            (None, Some(recorded)) => installed::of_request(recorded)?,
            (from, _) => installed::folder(from.as_deref())?,
        };
        let sandbox =
            Sandbox::load(&folder, self.runner.as_deref(), self.jail)?.with_secrets(self.secrets.clone());
        if let Some(recorded) = &recorded {
            tell_of_replay(recorded, &folder, &sandbox.release().name);
        }
        let message = match (recorded, &self.message) {
            (Some(recorded), _) => recorded.message,
            (None, Some(path)) => {
                std::fs::read(path).map_err(|source| InvokeError::Message { path: path.clone(), source })?
            }
            (None, None) => {
                let request = self.request.request()?;
                sandbox.message(&request, &params(&request, &sandbox)?)
            }
        };
        if self.gdb {
            if sandbox.release().manifest.binary.is_some() {
                return Err(InvokeError::NotDebugged { name: sandbox.release().name.clone() });
            }
            debugger::debug(&sandbox.unconfined(DEBUGGER_TIMEOUT).command()?, &message)?;
            return Ok(Exit::Done);
        }
        let mut log = Log::default();
        let served = sandbox.serve(&message, |line| log.take(line, self.format))?;
        self.report(&served.response(), &log.kept)
    }

    /// The recorded request that is asked for.
    fn recorded(&self) -> Result<Option<Recorded>, InvokeError> {
        let Some(id) = &self.failure else { return Ok(None) };
        let folder = self.failures.clone().unwrap_or_else(|| project::fezz_folder().join(project::FAILURES));
        Ok(Some(failures::newest(&folder, Some(id.as_str()).filter(|id| !id.is_empty()))?))
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

/// Which request is sent, and to which function: there may be several of its name.
fn tell_of_replay(recorded: &Recorded, folder: &Path, name: &str) {
    terminal::status("Replaying", &recorded.path.display().to_string());
    terminal::status("With", &folder.display().to_string());
    if name != recorded.function {
        terminal::warning(&format!("the request was sent to {}, not to {name}", recorded.function));
    }
}

/// A function's log: what has come of it, up to [`LOG_BYTES_MAX`].
#[derive(Debug, Default)]
struct Log {
    bytes: usize,
    /// For a script.
    kept: String,
}

impl Log {
    /// Prints a line for a person, or keeps it for a script.
    fn take(&mut self, line: &[u8], format: Format) {
        let before = self.bytes;
        self.bytes = before.saturating_add(line.len());
        let text = String::from_utf8_lossy(line);
        match format {
            _ if before >= LOG_BYTES_MAX => {}
            Format::Json => self.kept.push_str(&text),
            Format::Human => {
                match log_line::event(&text) {
                    Some(event) => terminal::styled(&event),
                    None => terminal::foreign(text.trim_end()),
                }
                if self.bytes >= LOG_BYTES_MAX {
                    terminal::warning("the log is longer than 1 MiB: the rest of it is left out");
                }
            }
        }
    }
}

/// Those of the route that the request takes. Where it takes none, the author is told, and the function is asked.
fn params(request: &Request, sandbox: &Sandbox) -> Result<Params, NotText> {
    let status = match routes::of_request(sandbox.routes(), request)? {
        Found::Route(params) => return Ok(params),
        Found::OtherMethods(_) => 405,
        Found::Nothing => 404,
    };
    let routes = sandbox.routes().iter();
    let routes: Vec<String> =
        routes.map(|route| format!("{} {}", route.methods.join(","), route.path)).collect();
    terminal::warning(&format!(
        "no route of {} leads here, a host answers {status}: {} {} (its routes: {}); the function is called without a route",
        sandbox.release().name,
        request.method,
        request.path(),
        routes.join("; ").trim()
    ));
    Ok(Params::new())
}
