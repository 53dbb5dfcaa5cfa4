//! `cargo fezz invoke`.

use crate::exit::Exit;
use crate::installed::{self, InstalledError};
use crate::request::{Flags, RequestError};
use crate::terminal;
use clap::Args;
use fezz_sandbox::routes::{self, Found, NotText, Params};
use fezz_sandbox::{Fault, Jail, Log, Request, Sandbox, SandboxError};
use fezz_wire::FezzWireResponse;
use std::io::{self, Write};
use std::path::PathBuf;

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
    /// The built function, for instance functions/hello@v1; else the only one in `functions/`.
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// Print the body alone.
    #[arg(long)]
    body: bool,
    /// The program fezz-runner, if it isn't beside this one or on PATH.
    #[arg(long, value_name = "FILE")]
    runner: Option<PathBuf>,
    /// How the function is confined.
    #[arg(long, value_enum, default_value_t)]
    jail: Jail,
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
}

impl Invoke {
    pub(crate) fn run(&self) -> Result<Exit, InvokeError> {
        let folder = installed::folder(self.from.as_deref())?;
        let sandbox = Sandbox::load(&folder, self.runner.as_deref(), self.jail)?;
        let message = match &self.message {
            Some(path) => {
                std::fs::read(path).map_err(|source| InvokeError::Message { path: path.clone(), source })?
            }
            None => {
                let request = self.request.request()?;
                sandbox.message(&request, &params(&request, &sandbox)?)
            }
        };
        let served = sandbox.serve(&message, Log::Inherited)?;
        match served.response() {
            Ok(response) => print(&response, self.body).map(|()| Exit::Done).map_err(InvokeError::Print),
            Err(fault) => Ok(report(&fault)),
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
        "no route of {} leads here, a host answers {status}: {} {} (its routes: {})",
        sandbox.release().name,
        request.method,
        request.path(),
        routes.join("; ").trim()
    ));
    Ok(Params::new())
}

/// In the form of HTTP/1.1, but headers with any bytes.
fn print(response: &FezzWireResponse<'_>, is_body_alone: bool) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    if !is_body_alone {
        writeln!(stdout, "HTTP/1.1 {}", response.status)?;
        for (name, value) in &response.headers {
            writeln!(stdout, "{name}: {}", String::from_utf8_lossy(value).escape_debug())?;
        }
        writeln!(stdout)?;
    }
    stdout.write_all(response.body)?;
    stdout.flush()
}

fn report(fault: &Fault) -> Exit {
    terminal::error(&fault.to_string());
    if fault.is_before_the_function() { Exit::Failed } else { Exit::Faulty }
}
