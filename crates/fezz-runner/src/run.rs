//! The steps of the process, in order.

use crate::channel::{self, ChannelError, ResponseChannel};
use crate::environment::{self, EnvironmentError};
use crate::exec::Call;
use crate::jail::{
    self, Code, Entered, JailError, Mark, Mode, Next, namespaces, root::RootError, separation::Forks,
};
use crate::limits::{self, ChildLimits, LimitError, NO_CORE_AT_ALL, NO_CORE_FILE};
use crate::module::{Module, ModuleError};
use crate::options::{Options, Task, ZygoteKind};
use crate::program::{self, Obstacle, ProgramError};
use crate::termination::{self, HostWatch};
use crate::worker::{self, WorkerError};
use crate::zygote::{BeforeLoad, Control, Threads, Zygote, ZygoteError};
use crate::{crash, syscalls};
use fezz_wire::{ExitCode, FezzWireRequest, NETWORK_MADE, TrialAnswer, WireError, abi};
use nix::sys::signal::Signal;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::process::getpid;
use rustix::stdio::stdin;
use std::io;
use std::num::NonZero;
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
    #[error("failed to join the cgroup by writing to `{}`", file.display())]
    Cgroup {
        /// The file that processes are moved by.
        file: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The system refuses to signal the parent's exit.
    #[error("failed to ask for a signal at the parent's exit")]
    DieWithParent(#[source] rustix::io::Errno),
    /// The system refuses a timer.
    #[error("failed to set the timer that ends this process")]
    Timeout(#[source] rustix::io::Errno),
    /// The system refuses to signal the host's exit.
    #[error("failed to ask for a signal at the host's exit")]
    DieWithHost(#[source] rustix::io::Errno),
    /// The system refuses the thread that waits for the host's exit.
    #[error("failed to start the thread that waits for the host's exit")]
    WatchHost(#[source] std::io::Error),
    /// The zygote.
    #[error(transparent)]
    Zygote(#[from] ZygoteError),
    /// The system refuses to ignore a signal.
    #[error("failed to ignore SIGPIPE")]
    BrokenPipes(#[source] rustix::io::Errno),
    /// The worker.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// Stdin holds something other than a request.
    #[error("stdin holds no request")]
    Request(#[source] WireError),
    /// The module.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// The program.
    #[error(transparent)]
    Program(#[from] ProgramError),
}

impl Failure {
    /// What the process exits with.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Channel(ChannelError::Write(_)) => ExitCode::ResponseNotWritten,
            Self::Channel(_) => ExitCode::Io,
            Self::Environment(_) => ExitCode::EnvironmentIncomplete,
            Self::Jail(JailError::Root(RootError::Module { .. })) => ExitCode::ModuleNotLoaded,
            Self::Program(_) | Self::Jail(JailError::Program(_)) => ExitCode::ProgramNotExecuted,
            Self::Cgroup { .. }
            | Self::Jail(_)
            | Self::Limit(_)
            | Self::DieWithParent(_)
            | Self::DieWithHost(_)
            | Self::Timeout(_)
            | Self::WatchHost(_)
            | Self::BrokenPipes(_)
            | Self::Zygote(ZygoteError::Uncountable(_)) => ExitCode::NotConfined,
            Self::Request(_) => ExitCode::BadRequest,
            Self::Zygote(
                ZygoteError::Threads | ZygoteError::NotCounted(_) | ZygoteError::Descriptors { .. },
            ) => ExitCode::OnLoadFailed,
            Self::Zygote(_) => ExitCode::Io,
            Self::Worker(error) => error.exit_code(),
            Self::Module(ModuleError::NotLoaded { .. }) => ExitCode::ModuleNotLoaded,
            Self::Module(ModuleError::MissingSymbol { .. }) => ExitCode::MissingSymbol,
            Self::Module(ModuleError::OnLoad { .. }) => ExitCode::OnLoadFailed,
            Self::Module(ModuleError::EmptyBuffer | ModuleError::TooLong { .. }) => ExitCode::AbiViolation,
        }
    }
}

/// Serves the request on stdin and writes the response to the original stdout. Afterwards the caller exits, without
/// running any more of the module's code.
///
/// # Errors
///
/// The first step that failed; the later steps were not taken.
///
/// # Safety
///
/// This process does nothing else: it has one thread, uses no descriptor beyond stderr, and holds no pointer into its
/// environment.
pub unsafe fn run(options: &Options) -> Result<(), Failure> {
    // First of all, so that no runner outlives a host that was killed by SIGKILL. The signal comes when the thread ends
    // that started this process (prctl(2)); the host's worker threads live as long as the host.
    syscalls::die_with_parent().map_err(Failure::DieWithParent)?;

    // If the host is gone before the step above, or a jailer stands between the two, no signal comes. The timer makes
    // sure that no process outlives its deadline for long.
    if let Some(timeout_ms) = options.timeout_ms {
        termination::kill_after(Duration::from_millis(timeout_ms)).map_err(Failure::Timeout)?;
    }

    // Before there is any other process, so that the cgroup counts all; and as the user that owns the cgroup.
    if let Some(cgroup) = &options.cgroup {
        let file = cgroup.join("cgroup.procs");
        std::fs::write(&file, "0").map_err(|source| Failure::Cgroup { file, source })?;
    }

    // If memory runs out, on the machine or in the cgroup of all requests, the kernel should kill this process, not the
    // host. Every process may raise its own score; without /proc it can't, and nothing is lost.
    std::fs::write("/proc/self/oom_score_adj", "1000").ok();

    // If a program crashes, a core has none of its memory, wherever the kernel sends it. execve(2) keeps this (core(5)).
    // In a wrapper without /proc, `NO_CORE_AT_ALL` alone holds; it doesn't where a hard limit of 0 was inherited.
    if matches!(options.task, Task::Program) {
        std::fs::write("/proc/self/coredump_filter", "0").ok();
    }

    // While its descriptors are open: the next step closes all but the standard ones.
    namespaces::join(&options.jail.join).map_err(JailError::from)?;

    // Before any module code: from here on, output to stdout or descriptor 1 goes to the log, not into the response.
    let response = channel::take()?;
    let env = environment::replace(&options.env, options.jail.has_network())?;

    // In strict mode this is another process from here on; the one that the host started waits for its end.
    let host = host_channel(options, &response);
    let code = Code { file: &options.module, is_program: matches!(options.task, Task::Program) };
    let entered = jail::enter(&options.jail, code, host)?;
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
        Task::ServePrewarmed => process.serve_prewarmed(&response),
        Task::Zygote { children, kind } => {
            // Its children answer over sockets of their own, and must share no descriptor.
            response.close();
            process.run_zygote(children, kind)
        }
        Task::Program => {
            // It answers over stdin.
            response.close();
            process.execute()
        }
        Task::Worker { threads } => {
            // Its responses go where its requests come from.
            response.close();
            process.run_worker(threads)
        }
    }
}

/// The descriptor that shows the host's exit: of the response, of a zygote's orders, or of a worker's requests. Not
/// stderr, on which reads and writes would cause signals all the time.
fn host_channel<'a>(options: &Options, response: &'a ResponseChannel) -> BorrowedFd<'a> {
    match options.task {
        Task::Zygote { .. } | Task::Worker { .. } | Task::Program if !options.is_trial => stdin(),
        Task::Serve | Task::ServePrewarmed | Task::Zygote { .. } | Task::Worker { .. } | Task::Program => {
            response.as_fd()
        }
    }
}

/// A process in its namespaces and root, before it gives up its privileges.
struct Process<'a> {
    options: &'a Options,
    env: Vec<(String, String)>,
    entered: Entered,
}

impl Process<'_> {
    fn serve(mut self, response: &ResponseChannel) -> Result<(), Failure> {
        let watch = self.watch_host(response.as_fd())?;
        self.confine()?;
        // In the jail, since the request is untrusted; before the module is loaded, so that a bad request is never
        // taken for a bad module.
        let request = channel::read_request(stdin())?;
        FezzWireRequest::decode(&request).map_err(Failure::Request)?;
        let module = self.load()?;
        Self::answer(&module, &request, response, watch)
    }

    fn serve_prewarmed(mut self, response: &ResponseChannel) -> Result<(), Failure> {
        let watch = self.watch_host(response.as_fd())?;
        self.confine()?;
        let stdin = channel::take_stdin()?;
        let module = self.load()?;
        let request = channel::read_request(stdin)?;
        if request.is_empty() {
            // The host doesn't need this process any more.
            return Ok(());
        }
        FezzWireRequest::decode(&request).map_err(Failure::Request)?;
        Self::answer(&module, &request, response, watch)
    }

    /// Returns the token that the host sent on stdin, by which the host recognises the answer as this program's.
    fn answer_trial(self, response: &ResponseChannel) -> Result<(), Failure> {
        match self.options.task {
            Task::Serve | Task::ServePrewarmed | Task::Worker { .. } => self.confine()?,
            Task::Zygote { children, kind } => drop(self.confine_zygote(children, kind)?),
            Task::Program => self.confine_program().map(|_call| ())?,
        }
        let token = channel::read_request(stdin())?;
        let token = String::from_utf8_lossy(&token);
        let jail = self.options.jail.mode.as_str();
        let answer = TrialAnswer { version: env!("CARGO_PKG_VERSION"), jail, token: token.trim() };
        Ok(channel::write_response(response, answer.encode().as_bytes())?)
    }

    fn run_zygote(mut self, children: u64, kind: ZygoteKind) -> Result<(), Failure> {
        let control = Control::new(channel::take_stdin()?);
        let watch = self.watch_host(control.as_fd())?;
        let threads = Threads::prepare().map_err(ZygoteError::from)?;
        let (forks, limits) = self.confine_zygote(children, kind)?;
        let before_load = match kind {
            ZygoteKind::Forking => None,
            ZygoteKind::Rewinding => Some(BeforeLoad::record()),
        };
        let zygote = Zygote::new(self.load()?, control, forks, limits, threads, before_load)?;
        // From here on it waits for the host alone. No order comes before it has reported that it is ready.
        watch.stop(zygote.host_channel());
        Ok(zygote.run()?)
    }

    fn run_worker(mut self, threads: NonZero<u32>) -> Result<(), Failure> {
        let socket = channel::take_stdin()?;
        // A host may have made both of its ends so that they don't block.
        rustix::io::ioctl_fionbio(&socket, false).map_err(ChannelError::MoveStdin)?;
        let watch = self.watch_host(socket.as_fd())?;
        let has_supervisor = self.entered.mark.is_some();
        if !has_supervisor {
            // The thread below doesn't count as one of the function's.
            self.entered.others = self.entered.others.map(|others| others + 1);
        }
        self.confine()?;
        if !has_supervisor {
            // While all threads call the module, none of them reads that the host is gone.
            match termination::end_with_host(socket.as_fd()) {
                Ok(()) => watch.stop(socket.as_fd()),
                // In a plain container the user's other processes may have used up the limit of threads. There the signal
                // has to do, which comes with most requests, and not while a thread reads: that one sees the end itself.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(Failure::WatchHost(error)),
            }
        }
        // A connection to a database that was closed mustn't end a process that would make a new one.
        syscalls::ignore_signal(Signal::SIGPIPE).map_err(Failure::BrokenPipes)?;
        Ok(worker::run(self.load()?, socket, threads)?)
    }

    fn confine_zygote(&self, children: u64, kind: ZygoteKind) -> Result<(Forks, ChildLimits), Failure> {
        let core_bytes = match kind {
            ZygoteKind::Forking => NO_CORE_FILE,
            // Its children are dumpable until the host has opened their memory.
            ZygoteKind::Rewinding => NO_CORE_AT_ALL,
        };
        let others = self.entered.others;
        let limits = limits::apply_to_zygote(&self.options.limits, others, children, core_bytes)?;
        let forks = Forks::prepare(&self.options.jail, kind).map_err(JailError::from)?;
        jail::confine(&self.options.jail, &self.entered, Next::Fork(&forks))?;
        Ok((forks, limits))
    }

    /// Becomes the program. Nothing in this process watches the host: what could (a signal's handler, a timer) would end
    /// with the execve(2). In strict mode the supervisor does. In the other modes the kernel kills the process when its
    /// parent ends, which execve(2) doesn't change, and the program finds the end of its stdin.
    fn execute(mut self) -> Result<(), Failure> {
        let call = self.confine_program()?;
        syscalls::reset_signals();
        let mark = self.entered.mark.take();
        // It stays open until the execve(2), which closes all but the standard descriptors: each was opened so.
        mark.as_ref().map_or(Ok(()), Mark::set_for_program).map_err(JailError::from)?;
        let error = call.make();
        mark.map_or(Ok(()), Mark::withdraw).map_err(JailError::from)?;
        Err(ProgramError::Execute(error, Obstacle::Unknown).into())
    }

    fn confine_program(&self) -> Result<Call, Failure> {
        if !self.options.is_trial {
            program::check(&self.entered.module)?;
        }
        if self.options.jail.mode != Mode::Off {
            syscalls::use_random_addresses();
        }
        let call = Call::prepare(&self.entered.module, &self.env)?;
        limits::apply(&self.options.limits, self.entered.others, NO_CORE_AT_ALL)?;
        jail::confine(&self.options.jail, &self.entered, Next::Execute(&call))?;
        Ok(call)
    }

    /// Call it after the last change of user, and before the filter, which forbids it. Where there is a supervisor,
    /// that one watches the host.
    fn watch_host(&self, channel: BorrowedFd<'_>) -> Result<HostWatch, Failure> {
        let has_supervisor = self.entered.mark.is_some();
        if has_supervisor {
            return Ok(HostWatch::none());
        }
        HostWatch::start(channel).map_err(Failure::DieWithHost)
    }

    fn confine(&self) -> Result<(), Failure> {
        limits::apply(&self.options.limits, self.entered.others, NO_CORE_FILE)?;
        Ok(jail::confine(&self.options.jail, &self.entered, Next::Load)?)
    }

    /// Loads the module: the first step that runs module code.
    fn load(&mut self) -> Result<Module, Failure> {
        // This also closes its pipe, which the module mustn't have.
        if let Some(mark) = self.entered.mark.take() {
            mark.set().map_err(JailError::from)?;
        }
        let module = Module::load(&self.entered.module)?;
        let Options { function, version, .. } = self.options;
        let env = &self.env;
        let context = if let Task::Worker { threads } = self.options.task {
            abi::encode_lasting_load_context(function, version, env, threads.get())
        } else {
            abi::encode_load_context(function, version, env)
        };
        module.on_load(&context)?;
        Ok(module)
    }

    fn answer(
        module: &Module,
        request: &[u8],
        response: &ResponseChannel,
        watch: HostWatch,
    ) -> Result<(), Failure> {
        let answer = module.handle(request)?;
        // From here on, writing the response fails if the host is gone.
        watch.stop(response.as_fd());
        channel::write_response(response, answer)?;
        // After the response, which mustn't wait for a stream that a thread may have locked for ever.
        syscalls::flush_stdout();
        Ok(())
    }
}

/// Makes an empty network for other runners to join, reports it on stdout, and keeps it until stdin ends.
///
/// # Errors
///
/// It can't be made.
pub fn hold_network() -> Result<(), Failure> {
    syscalls::die_with_parent().map_err(Failure::DieWithParent)?;
    namespaces::make_network().map_err(JailError::from)?;
    rustix::io::write(rustix::stdio::stdout(), NETWORK_MADE).map_err(ChannelError::Write)?;
    channel::read_request(stdin()).map(drop)?;
    Ok(())
}
