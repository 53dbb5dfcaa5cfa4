//! `cargo fezz invoke`.

use crate::answer::{self, Ended, Fault};
use crate::exit::Exit;
use crate::installed::{self, InstalledError};
use crate::release::{Release, ReleaseError};
use crate::request::{Flags, Request, RequestError};
use crate::routes::{self, NotText, Params};
use crate::runner::{self, Jail, NoRunner};
use crate::terminal;
use clap::Args;
use fezz_manifest::rpc::CallByName;
use fezz_manifest::{Metadata, MetadataError, Module, RoutePattern};
use fezz_wire::{FezzWireRequest, FezzWireResponse, Meta};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
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
}

/// Room for a response's headers and keys, beside its body.
const HEAD_BYTES_MAX: u64 = 1 << 20;

impl Invoke {
    pub(crate) fn run(&self) -> Result<Exit, InvokeError> {
        let folder = installed::folder(self.from.as_deref())?;
        let release = Release::read(&folder)?;
        let metadata = Module::check(&release.module).ok().and_then(|module| module.metadata);
        let metadata = metadata.map(Metadata::parse).transpose()?.unwrap_or_default();
        let timeout = release.manifest.timeout(&metadata)?;
        let message = match &self.message {
            Some(path) => {
                std::fs::read(path).map_err(|source| InvokeError::Message { path: path.clone(), source })?
            }
            None => {
                message(&self.request.request()?, &release, &release.manifest.routes(&metadata)?, timeout)?
            }
        };
        let (response, ended) = self.serve(&release, &folder, timeout, &message)?;
        match answer::read(&response, &ended, release.manifest.limits.response_body_bytes) {
            Ok(response) => print(&response, self.body).map(|()| Exit::Done).map_err(InvokeError::Print),
            Err(fault) => Ok(report(&fault)),
        }
    }

    /// Has the runner serve the request. Returns what it wrote, and how it ended.
    fn serve(
        &self,
        release: &Release,
        folder: &Path,
        timeout: Duration,
        message: &[u8],
    ) -> Result<(Vec<u8>, Ended), InvokeError> {
        let program = runner::find(self.runner.as_deref())?;
        // The runner changes its root: no relative path leads to the module from there.
        let module = folder.join(&release.manifest.entry);
        let module = module.canonicalize().unwrap_or(module);
        let mut command = runner::command(&program, self.jail, release, &module, timeout);
        let start = Instant::now();
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|source| InvokeError::NotStarted { program, source })?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let bytes_max = release.manifest.limits.response_body_bytes.saturating_add(HEAD_BYTES_MAX);
        let mut response = Vec::new();
        std::thread::scope(|scope| {
            // While the other side is read: otherwise both sides could wait. A runner that reads no request says why by its status.
            scope.spawn(|| input.map(|mut input| input.write_all(message)));
            output.map(|output| output.take(bytes_max).read_to_end(&mut response))
        });
        let status = child.wait().map_err(InvokeError::NotReaped)?;
        Ok((response, Ended { status, took: start.elapsed(), timeout }))
    }
}

/// The message that a host would send.
fn message(
    request: &Request,
    release: &Release,
    routes: &[RoutePattern],
    timeout: Duration,
) -> Result<Vec<u8>, InvokeError> {
    let by_name = CallByName::parse(&request.uri);
    let (uri, params) = match &by_name {
        Some(call) => (&*call.uri, routes::find_by_name(routes, &request.method, path(&call.uri))?),
        None => (&*request.uri, params(request, release, routes)?),
    };
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let message = FezzWireRequest {
        method: &request.method,
        uri,
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
            original_uri: by_name.is_some().then_some(&*request.uri),
        },
    };
    Ok(message.encode())
}

fn params(request: &Request, release: &Release, routes: &[RoutePattern]) -> Result<Params, NotText> {
    let path = path(&request.uri);
    let found = routes::find(routes, &request.method, path)?;
    if found.is_none() {
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

fn path(uri: &str) -> &str {
    uri.split('?').next().unwrap_or_default()
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
