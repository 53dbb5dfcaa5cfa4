//! The upper bound of the executor `fork`: the loop of `c/prefork.c`, which has neither HTTP nor a jail. In place of
//! the host, this file makes a socket for each request, passes it to the loop and reads the answer.

use crate::compile::{CompileError, Product, compile};
use crate::function::Function;
use crate::load::{self, Client};
use crate::program::{MissingProgram, Program};
use crate::server::{self, Server};
use crate::target::{Interval, MeasureError, Slice, Target};
use crate::wire;
use fezz_wire::FezzWireResponse;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg,
    socketpair,
};
use std::fs;
use std::io::{self, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

/// The running loop; ended when this is dropped.
#[derive(Debug)]
pub struct Prefork {
    name: String,
    server: Server,
    /// Sockets with requests are passed over it.
    control: OwnedFd,
    request: Vec<u8>,
    expected: Vec<u8>,
}

/// A request to the loop failed.
#[derive(Debug, thiserror::Error)]
pub enum PreforkError {
    /// There is no compiler.
    #[error(transparent)]
    Missing(#[from] MissingProgram),
    /// It can't be built.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It can't be started.
    #[error("failed to start the prefork loop")]
    Start(#[source] io::Error),
    /// A socket can't be made, passed on or read.
    #[error("failed to talk to the prefork loop, which logged: {log}")]
    Talk {
        /// What it wrote on stderr.
        log: String,
        /// The cause.
        source: io::Error,
    },
    /// It answered something else than expected.
    #[error("the prefork loop wrote {bytes} bytes instead of an answer, and logged: {log}")]
    Answer {
        /// The length of what it wrote.
        bytes: usize,
        /// What it wrote on stderr.
        log: String,
    },
}

impl From<PreforkError> for MeasureError {
    fn from(error: PreforkError) -> Self {
        Self::Target(Box::new(error))
    }
}

/// Twice the usual number of clients, since a child counts until it is reaped. With 16 children, the loop answers some
/// 10 % fewer requests per second, with 4 a quarter as many.
const CHILDREN: &str = "32";

impl Prefork {
    /// Starts the loop with the module of `function`.
    ///
    /// # Errors
    ///
    /// See [`PreforkError`].
    pub fn start(name: &str, module: &Path, function: Function) -> Result<Self, PreforkError> {
        let cc = Program::Cc.find()?;
        let folder = server::folder().map_err(PreforkError::Start)?;
        let program = compile(&cc, "prefork.c", Product::Program, folder.path().join("prefork"), &[])?;
        let (control, stdin) = control_sockets().map_err(PreforkError::Start)?;
        let mut command = Command::new(program);
        command.arg(module).arg(CHILDREN).env_clear().stdin(stdin);
        let server = Server::start(&mut command, folder).map_err(PreforkError::Start)?;
        let (request, expected) = (wire::request(function), function.expected());
        Ok(Self { name: name.to_owned(), server, control, request, expected })
    }

    /// Its process.
    pub fn server(&self) -> &Server {
        &self.server
    }

    fn broken(&self, source: io::Error) -> PreforkError {
        PreforkError::Talk { log: self.log(), source }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.server.log()).unwrap_or_default()
    }

    /// Whether the answer is complete; an error if it is a wrong one.
    fn check(&self, response: &[u8]) -> Result<bool, PreforkError> {
        match FezzWireResponse::decode(response) {
            Ok(whole) if whole.status == 200 && whole.body.starts_with(&self.expected) => Ok(true),
            Ok(_) => Err(PreforkError::Answer { bytes: response.len(), log: self.log() }),
            // The rest, or end of file, arrives with the next read.
            Err(_) => Ok(false),
        }
    }
}

/// One end for this process, one for the loop. Message sockets, so that each message goes to one child.
fn control_sockets() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

impl Target for Prefork {
    fn name(&self) -> &str {
        &self.name
    }

    fn measure(&self, interval: Interval) -> Result<Slice, MeasureError> {
        let sender = || Sender { prefork: self, socket: None, response: Vec::new() };
        load::run(interval, (0..interval.concurrency).map(|_| sender()).collect())
    }
}

/// A client that sends one request at a time, each over a new socket.
struct Sender<'a> {
    prefork: &'a Prefork,
    socket: Option<UnixStream>,
    response: Vec<u8>,
}

impl Client for Sender<'_> {
    fn send(&mut self) -> Result<Option<BorrowedFd<'_>>, MeasureError> {
        self.response.clear();
        let sent = send(self.prefork.control.as_fd(), &self.prefork.request);
        let socket = self.socket.insert(sent.map_err(|source| self.prefork.broken(source))?);
        Ok(Some(UnixStream::as_fd(socket)))
    }

    fn resume(&mut self) -> Result<bool, MeasureError> {
        let Some(socket) = &mut self.socket else { return Ok(false) };
        let mut buffer = [0; 4 * 1024];
        match socket.read(&mut buffer) {
            Ok(0) => Err(self.prefork.broken(io::ErrorKind::UnexpectedEof.into()).into()),
            Ok(bytes) => {
                self.response.extend_from_slice(&buffer[..bytes]);
                Ok(self.prefork.check(&self.response)?)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(self.prefork.broken(error).into()),
        }
    }
}

/// Puts a request into a new socket, up to end of file, and passes its other end to the loop.
fn send(control: BorrowedFd<'_>, request: &[u8]) -> io::Result<UnixStream> {
    let (mut ours, theirs) = UnixStream::pair()?;
    ours.write_all(request)?;
    ours.shutdown(Shutdown::Write)?;
    ours.set_nonblocking(true)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut passed = SendAncillaryBuffer::new(&mut space);
    let theirs = [theirs.as_fd()];
    // Cannot fail: the space is that of one descriptor.
    passed.push(SendAncillaryMessage::ScmRights(&theirs));
    // A message has to have a byte (unix(7)).
    sendmsg(control, &[IoSlice::new(&[0])], &mut passed, SendFlags::NOSIGNAL)?;
    Ok(ours)
}
