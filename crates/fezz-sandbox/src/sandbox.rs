//! A built function, and the runner that serves its requests.

use crate::fault::{Ended, Fault};
use crate::release::{Release, ReleaseError};
use crate::request::{Addressee, Request};
use crate::routes::Params;
use crate::runner::{self, Jail, NoRunner};
use crate::secrets::{self, SecretError};
use crate::worker::{self, Line, NoResponse};
use fezz_manifest::resource::Resource;
use fezz_manifest::{Metadata, MetadataError, Module, ResolveError, RoutePattern};
use fezz_wire::{FezzWireRequest, FezzWireResponse, WireError};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Room for a response's headers and keys, beside its body.
const HEAD_BYTES_MAX: u64 = 1 << 20;

/// The most bytes that JSON takes for one byte of text: `\u0000`.
const TEXT_EXPANSION: u64 = 6;

/// The longest piece of a log in one line: a function that writes without end lets nothing grow.
const LINE_BYTES_MAX: u64 = 1 << 16;

/// A release with what its module says, and the runner.
#[derive(Debug)]
pub struct Sandbox {
    program: PathBuf,
    jail: Jail,
    release: Release,
    /// The folder of secrets.
    secrets: Option<PathBuf>,
    module: PathBuf,
    timeout: Duration,
    routes: Vec<RoutePattern>,
}

/// Why no request could be served. What a function does wrong is a [`Fault`].
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The release can't be read.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// What the module says about itself is wrong.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The function has no value for a secret or a resource.
    #[error(transparent)]
    Secrets(#[from] ResolveError<SecretError>),
    /// There is no runner.
    #[error(transparent)]
    NoRunner(#[from] NoRunner),
    /// The runner didn't start.
    #[error("failed to start the runner `{}`", program.display())]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The message isn't that of a request.
    #[error("the message is no request")]
    Message(#[source] WireError),
    /// There is no socket for a worker.
    #[error("failed to make a pair of sockets")]
    Socket(#[source] io::Error),
    /// The runner's end isn't known.
    #[error("failed to wait for the runner")]
    NotReaped(#[source] io::Error),
}

/// What a runner has made of a request.
#[derive(Debug)]
pub struct Served {
    message: Vec<u8>,
    /// What a worker did instead of answering.
    fault: Option<Fault>,
    ended: Ended,
    body_bytes_max: u64,
}

impl Sandbox {
    /// Reads a release: the folder `<id>@<version>` with its `fezz.json`, or a module alone, which then has the limits of
    /// an empty manifest. `runner` is the program, else it is looked for.
    pub fn load(path: &Path, runner: Option<&Path>, jail: Jail) -> Result<Self, SandboxError> {
        let (release, module) = if path.is_dir() {
            let release = Release::read(path)?;
            let module = path.join(release.manifest.file());
            (release, module)
        } else {
            (Release::of_module(path)?, path.to_owned())
        };
        let section = Module::check(&release.module).ok().and_then(|module| module.metadata);
        let metadata = section.map(Metadata::parse).transpose()?.unwrap_or_default();
        let timeout = release.manifest.timeout(&metadata)?;
        let routes = release.manifest.routes(&metadata)?;
        let program = runner::find(runner)?;
        // The runner changes its root: no relative path leads to the module from there.
        let module = module.canonicalize().unwrap_or(module);
        Ok(Self { program, jail, release, secrets: None, module, timeout, routes })
    }

    /// The release.
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// The function's routes: those of the manifest, else those of the module.
    pub fn routes(&self) -> &[RoutePattern] {
        &self.routes
    }

    /// Sets a variable, over the manifest's `env` and `secrets`.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.release.manifest.secrets.remove(name);
        self.release.manifest.env.set(name, value);
    }

    /// Sets the URL of a resource, over the manifest's `resources`.
    pub fn set_resource(&mut self, name: &str, url: &str) {
        self.release.manifest.resources.insert(name.to_owned(), Resource::new(url));
    }

    /// Has the values of secrets read from this folder, when a request is served.
    #[must_use]
    pub fn with_secrets(self, folder: Option<PathBuf>) -> Self {
        Self { secrets: folder, ..self }
    }

    /// The message of a request to this function.
    pub fn message(&self, request: &Request, params: &Params) -> Vec<u8> {
        let manifest = &self.release.manifest;
        let addressee =
            Addressee { function: &manifest.id, version: &manifest.version, timeout: self.timeout };
        request.encode(addressee, params)
    }

    /// The same without a jail and with another deadline: for a debugger.
    #[must_use]
    pub fn unconfined(self, timeout: Duration) -> Self {
        Self { jail: Jail::Off, timeout, ..self }
    }

    /// The runner's command line, which reads a message from stdin.
    pub fn command(&self) -> Result<Command, SandboxError> {
        let manifest = &self.release.manifest;
        let manifest = manifest.clone().resolve(|file| secrets::read(self.secrets.as_deref(), file))?;
        Ok(runner::command(&self.program, self.jail, &manifest, &self.module, self.timeout))
    }

    /// Has a new runner serve a request. `log` gets each line that the function or the runner writes to stderr, with its
    /// end.
    pub fn serve(&self, message: &[u8], log: impl FnMut(&[u8]) + Send) -> Result<Served, SandboxError> {
        if self.release.manifest.binary.is_some() {
            return self.serve_by_program(message, log);
        }
        let mut command = self.command()?;
        let start = Instant::now();
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let not_started = |source| SandboxError::NotStarted { program: self.program.clone(), source };
        let mut child = child.map_err(not_started)?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let body_bytes_max = self.release.manifest.limits.response_body_bytes;
        let mut response = Vec::new();
        std::thread::scope(|scope| {
            // At the same time as the response is read: otherwise both sides could wait. If the runner reads no
            // request, its exit status says why, so that these errors say nothing new.
            scope.spawn(|| input.map(|mut input| input.write_all(message)));
            scope.spawn(|| errors.map(|errors| read_lines(errors, log)));
            output.map(|output| {
                output.take(body_bytes_max.saturating_add(HEAD_BYTES_MAX)).read_to_end(&mut response)
            })
        });
        let status = child.wait().map_err(SandboxError::NotReaped)?;
        let ended = Ended { status, took: start.elapsed(), timeout: self.timeout, is_program: false };
        Ok(Served { message: response, fault: None, ended, body_bytes_max })
    }

    /// The same for a program, which gets this one request.
    fn serve_by_program(
        &self,
        message: &[u8],
        log: impl FnMut(&[u8]) + Send,
    ) -> Result<Served, SandboxError> {
        let request = FezzWireRequest::decode(message).map_err(SandboxError::Message)?;
        let mut command = self.command()?;
        let (socket, its_stdin) = UnixStream::pair().map_err(SandboxError::Socket)?;
        let start = Instant::now();
        let deadline = start + self.timeout;
        command.stdin(OwnedFd::from(its_stdin)).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn();
        // With it goes this process's copy of the worker's end, without which its end would not be noticed.
        drop(command);
        let mut child =
            child.map_err(|source| SandboxError::NotStarted { program: self.program.clone(), source })?;
        let errors = child.stderr.take();
        let body_bytes_max = self.release.manifest.limits.response_body_bytes;
        let bytes_max = body_bytes_max.saturating_add(HEAD_BYTES_MAX).saturating_mul(TEXT_EXPANSION);
        let (answer, status) = std::thread::scope(|scope| {
            scope.spawn(|| errors.map(|errors| read_lines(errors, log)));
            let mut line = Line::new(socket, deadline, bytes_max);
            let answer = line.ask(&request);
            line.close();
            let status = worker::end(&mut child, &answer, deadline);
            (answer, status)
        });
        let status = status.map_err(SandboxError::NotReaped)?;
        let ended = Ended { status, took: start.elapsed(), timeout: self.timeout, is_program: true };
        let fault = answer.as_ref().err().and_then(NoResponse::fault);
        Ok(Served { message: answer.unwrap_or_default(), fault, ended, body_bytes_max })
    }
}

fn read_lines(errors: impl Read, mut log: impl FnMut(&[u8])) {
    let mut errors = BufReader::new(errors);
    let mut line = Vec::new();
    while errors.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
        log(&line);
        line.clear();
    }
}

impl Served {
    /// The response, or why there is none.
    pub fn response(&self) -> Result<FezzWireResponse<'_>, Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        Fault::or_response_of(&self.ended, &self.message, self.body_bytes_max)
    }
}
