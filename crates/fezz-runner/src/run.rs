//! The life of the process: one straight list of steps.

use crate::channel::{self, ChannelError, ResponseChannel};
use crate::ends::{self, Tie};
use crate::environment::{self, EnvironmentError};
use crate::jail::{self, Entered, JailError, namespaces, root::RootError, separation::Forks};
use crate::limits::{self, ChildLimits, LimitError};
use crate::module::{Module, ModuleError};
use crate::options::{Options, Task};
use crate::zygote::{Control, Threads, Zygote, ZygoteError};
use crate::{crash, syscalls};
use fezz_wire::{ExitCode, FezzWireRequest, NETWORK_MADE, TrialAnswer, WireError, abi};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::process::getpid;
use rustix::stdio::stdin;
use std::path::PathBuf;
use std::time::Duration;

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Stdin, stdout or their descriptors.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// A variable is missing.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// A restriction can't be put in force.
    #[error(transparent)]
    Jail(#[from] JailError),
    /// A limit can't be set.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The cgroup can't be joined.
    #[error("failed to go into the cgroup by writing to `{}`", file.display())]
    Cgroup {
        /// The file that processes are moved by.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system refuses to tie this process to its parent.
    #[error("failed to ask for a signal at the parent's end")]
    DieWithParent(#[source] rustix::io::Errno),
    /// The system refuses a timer.
    #[error("failed to set the timer that ends this process")]
    Timeout(#[source] rustix::io::Errno),
    /// The system refuses to tie this process to its host.
    #[error("failed to ask for a signal at the host's end")]
    DieWithHost(#[source] rustix::io::Errno),
    /// The zygote.
    #[error(transparent)]
    Zygote(#[from] ZygoteError),
    /// Stdin holds something else than a request.
    #[error("stdin holds no request")]
    Request(#[source] WireError),
    /// The module.
    #[error(transparent)]
    Module(#[from] ModuleError),
}

impl Failure {
    /// What the process exits with.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Channel(ChannelError::Write(_)) => ExitCode::ResponseNotWritten,
            Self::Channel(_) => ExitCode::Io,
            Self::Environment(_) => ExitCode::EnvironmentIncomplete,
            Self::Jail(JailError::Root(RootError::Module { .. })) => ExitCode::ModuleNotLoaded,
            Self::Cgroup { .. }
            | Self::Jail(_)
            | Self::Limit(_)
            | Self::DieWithParent(_)
            | Self::DieWithHost(_)
            | Self::Timeout(_)
            | Self::Zygote(ZygoteError::Uncountable(_)) => ExitCode::NotConfined,
            Self::Request(_) => ExitCode::BadRequest,
            Self::Zygote(
                ZygoteError::Threads | ZygoteError::NotCounted(_) | ZygoteError::Descriptors { .. },
            ) => ExitCode::OnLoadFailed,
            Self::Zygote(_) => ExitCode::Io,
            Self::Module(ModuleError::NotLoaded { .. }) => ExitCode::ModuleNotLoaded,
            Self::Module(ModuleError::MissingSymbol { .. }) => ExitCode::MissingSymbol,
            Self::Module(ModuleError::OnLoad { .. }) => ExitCode::OnLoadFailed,
            Self::Module(ModuleError::EmptyBuffer) => ExitCode::AbiViolation,
        }
    }
}

/// Serves the request on stdin and writes the response to what was stdout. On success the caller has nothing left to
/// do but to exit, without running any more of the module's code.
///
/// # Errors
///
/// The first step that failed; the steps behind it were not taken.
///
/// # Safety
///
/// This process is there for nothing else: it has one thread, nobody in it uses a descriptor beyond stderr, nor has taken
/// a pointer to its environment.
pub unsafe fn run(options: &Options) -> Result<(), Failure> {
    // First of all, so that a host killed by SIGKILL leaves no runner behind. The signal follows the thread that
    // started this process (prctl(2)); the host's workers live as long as it does.
    syscalls::die_with_parent().map_err(Failure::DieWithParent)?;

    // For the host that is gone before the step above, and for a jailer between the two: nothing outlives its deadline
    // for long, whoever is left to see to it.
    if let Some(timeout_ms) = options.timeout_ms {
        ends::after(Duration::from_millis(timeout_ms)).map_err(Failure::Timeout)?;
    }

    // Before there is any other process, so that all that follow are counted; as the one whom the cgroup was given to.
    if let Some(cgroup) = &options.cgroup {
        let file = cgroup.join("cgroup.procs");
        std::fs::write(&file, "0").map_err(|source| Failure::Cgroup { file, source })?;
    }

    // Where memory runs short, be it the machine's or that of the cgroup that all requests share: the kernel is to kill
    // this process, not the host. Anyone may raise it; whoever can't (no /proc) is no worse off than before.
    std::fs::write("/proc/self/oom_score_adj", "1000").ok();

    // While its descriptors are open: the next step closes all that it doesn't know.
    namespaces::join(&options.jail.join).map_err(JailError::from)?;

    // Before any module code: from here on neither printf nor a guess at descriptor 1 reaches the response.
    let response = channel::take()?;
    let env = environment::replace(&options.env, options.jail.has_network())?;

    // From here on this is another process, in strict mode; the one that the host started waits for its end.
    let line = line_to_host(options, &response);
    let entered = jail::enter(&options.jail, &options.module, line)?;
    crash::watch_for_memory()?;
    crash::keep_exit_codes_apart()?;
    if getpid().is_init() || matches!(options.task, Task::Zygote { .. }) {
        crash::watch_for_processor_time()?;
    }
    let process = Process { options, env, entered };
    if options.is_trial {
        return process.answer_trial(&response);
    }
    match options.task {
        Task::Serve => process.serve(&response),
        Task::ServeAhead => process.serve_ahead(&response),
        Task::Zygote { children } => {
            // Its children answer over sockets of their own, and must share nothing.
            response.close();
            process.be_zygote(children)
        }
    }
}

/// What tells of the host's end: where this process sends its answer, or where a zygote has its orders from. Not stderr,
/// which is read from and written to all the time.
fn line_to_host<'a>(options: &Options, response: &'a ResponseChannel) -> BorrowedFd<'a> {
    match options.task {
        Task::Zygote { .. } if !options.is_trial => stdin(),
        Task::Serve | Task::ServeAhead | Task::Zygote { .. } => response.as_fd(),
    }
}

/// A process in the right surroundings, which still has its rights.
struct Process<'a> {
    options: &'a Options,
    env: Vec<(String, String)>,
    entered: Entered,
}

impl Process<'_> {
    fn serve(mut self, response: &ResponseChannel) -> Result<(), Failure> {
        let tie = self.tie_to_host(response.as_fd())?;
        self.confine()?;
        // Inside, since a stranger wrote it; before the module is loaded, so that a bad request is never taken for a bad
        // module.
        let request = channel::read_request(stdin())?;
        FezzWireRequest::decode(&request).map_err(Failure::Request)?;
        let module = self.load()?;
        Self::answer(&module, &request, response, tie)
    }

    fn serve_ahead(mut self, response: &ResponseChannel) -> Result<(), Failure> {
        let tie = self.tie_to_host(response.as_fd())?;
        self.confine()?;
        let stdin = channel::take_stdin()?;
        let module = self.load()?;
        let request = channel::read_request(stdin)?;
        if request.is_empty() {
            // It isn't needed any more.
            return Ok(());
        }
        FezzWireRequest::decode(&request).map_err(Failure::Request)?;
        Self::answer(&module, &request, response, tie)
    }

    /// What it reads from stdin is a word of the host's, by which this answer is known from any other program's.
    fn answer_trial(self, response: &ResponseChannel) -> Result<(), Failure> {
        match self.options.task {
            Task::Serve | Task::ServeAhead => self.confine()?,
            Task::Zygote { children } => drop(self.confine_zygote(children)?),
        }
        let token = channel::read_request(stdin())?;
        let token = String::from_utf8_lossy(&token);
        let jail = self.options.jail.mode.as_str();
        let answer = TrialAnswer { version: env!("CARGO_PKG_VERSION"), jail, token: token.trim() };
        Ok(channel::write_response(response, answer.encode().as_bytes())?)
    }

    fn be_zygote(mut self, children: u64) -> Result<(), Failure> {
        let control = Control::new(channel::take_stdin()?);
        let tie = self.tie_to_host(control.as_fd())?;
        let threads = Threads::prepare().map_err(ZygoteError::from)?;
        let (forks, limits) = self.confine_zygote(children)?;
        let zygote = Zygote::new(self.load()?, control, forks, limits, threads)?;
        // From here on it waits for nothing but the host. No order comes before it says that it is ready.
        tie.take_back(zygote.line_to_host());
        Ok(zygote.run()?)
    }

    fn confine_zygote(&self, children: u64) -> Result<(Forks, ChildLimits), Failure> {
        let limits = limits::apply_to_zygote(&self.options.limits, self.entered.others, children)?;
        let forks = Forks::prepare(&self.options.jail).map_err(JailError::from)?;
        jail::confine(&self.options.jail, &self.entered.module, Some(&forks))?;
        Ok((forks, limits))
    }

    /// As the one who this process is from here on, and while no filter forbids it. A supervisor does it better.
    fn tie_to_host(&self, line: BorrowedFd<'_>) -> Result<Tie, Failure> {
        let has_supervisor = self.entered.mark.is_some();
        if has_supervisor { Ok(Tie::none()) } else { Tie::to_host(line).map_err(Failure::DieWithHost) }
    }

    fn confine(&self) -> Result<(), Failure> {
        limits::apply(&self.options.limits, self.entered.others)?;
        Ok(jail::confine(&self.options.jail, &self.entered.module, None)?)
    }

    /// The first step of module code.
    fn load(&mut self) -> Result<Module, Failure> {
        // Closed by that: it is nothing of the module's.
        if let Some(mark) = self.entered.mark.take() {
            mark.set().map_err(JailError::from)?;
        }
        let module = Module::load(&self.entered.module)?;
        let Options { function, version, .. } = self.options;
        module.on_load(&abi::encode_load_context(function, version, &self.env))?;
        Ok(module)
    }

    fn answer(module: &Module, request: &[u8], response: &ResponseChannel, tie: Tie) -> Result<(), Failure> {
        let answer = module.handle(request)?;
        // From here on the response itself tells whether it is read.
        tie.take_back(response.as_fd());
        channel::write_response(response, answer)?;
        // Behind the response, which shouldn't wait for a stream that a thread may have locked for ever.
        syscalls::flush_stdout();
        Ok(())
    }
}

/// Makes an empty network for other runners to join, says so on stdout, and keeps it until stdin ends.
///
/// # Errors
///
/// It can't be made.
pub fn hold_network() -> Result<(), Failure> {
    syscalls::die_with_parent().map_err(Failure::DieWithParent)?;
    namespaces::make_network()?;
    rustix::io::write(rustix::stdio::stdout(), NETWORK_MADE).map_err(ChannelError::Write)?;
    channel::read_request(stdin()).map(drop)?;
    Ok(())
}
