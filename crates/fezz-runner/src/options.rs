//! The command line, which the host writes, or a person who replays a request. It is parsed by hand, because a parser
//! library would add its start-up time to every request.

use crate::jail::{Jail, Mode};
use crate::limits::Limits;
use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;
use std::str::FromStr;

/// What `--help` prints.
pub const HELP: &str = "\
fezz-runner: serve one request with a function's module, then exit

usage: fezz-runner [options] MODULE < request.cbor > response.cbor
       fezz-runner [options] --program PROGRAM

MODULE is a shared library with the symbols of fezz.h. The request is one CBOR map on stdin, up to end of file; the
response is one CBOR map on stdout; stderr is the function's log, where its stdout goes, too.

options:
  --function ID         the function's id, for the module's fezz_on_load_v2 (default: the module's file name)
  --function-version V  its version, likewise (default: unversioned)
  --env NAME[=VALUE]    a variable of the function's environment, which is otherwise empty; without =VALUE it is
                        taken from this process's FEZZ_ENV_NAME, so that no secret stands on a command line
  --jail MODE           strict: confine this process before the module is loaded (default)
                        inner: the same without namespaces and a root, which a wrapper has made
                        off: don't confine, for a debugger; only for modules that you trust
  --connect PORT        let the module connect to this TCP port, and look up names; may be repeated (default: no network)
  --scratch-bytes N     let it write to /tmp, in memory, up to N bytes (default: nowhere)
  --scratch-since NS    with --jail inner: the wrapper must have made that /tmp at this time or later, in nanoseconds since
                        1970; an older one may be shared by requests, and is refused
  --cgroup FOLDER       join this cgroup (version 2) first
  --uid N               the user to become, if this process is root (default: 65534, nobody)
  --descriptors N       the most open descriptors (default: 1024)
  --threads N           the most threads, with the first one; only in a jail (default: no limit)
  --memory-bytes N      the most private memory, in bytes (default: no limit)
  --cpu-ms N            the most processor time, in milliseconds, rounded up to seconds (default: no limit)
  --timeout-ms N        kill this process after N milliseconds (default: never)
  --join FD             enter the namespace at this descriptor first: so runners share the host's empty network
  --help, --version     print this, or the version

  --ahead               prewarm: load the module, then wait for the request on stdin
  --zygote N            instead of serving: load the module, then fork processes that serve a request each, up to N at a
                        time, as the host asks for them over stdin (a SOCK_SEQPACKET socket)
  --rewind              with --zygote: fork also processes that serve request after request, which the host puts back to a
                        snapshot after each
  --worker N            instead of serving one request: load the module, then serve request after request in this process,
                        N at a time by N threads, in frames over stdin (a SOCK_STREAM Unix socket; docs/wire.md), until
                        the host ends its stream
  --program             instead of serving: execute PROGRAM, a binary or a script that begins with `#!`, once. It serves the
                        host's requests over stdin, a socket, as docs/wire.md says; its stdout is stderr
  --try                 instead of serving: confine this process (with --zygote, as a zygote; with --program, for a program),
                        test the jail, report it on stdout with the text read from stdin, exit; MODULE may be any file
  --hold-network        instead of serving: make an empty network, report it on stdout, keep it until stdin ends

exit status: 0 and a response, or
  64 wrong command line      65 stdin holds no request      66 the module can't be loaded
  69 fezz_on_load_v2 failed  70 the module broke the ABI    71 out of memory
  72 a symbol is missing     73 the response can't be sent  74 the request can't be read
  67 PROGRAM can't be executed; once it runs, the exit status is its own (with --jail strict, 1 for one of these)
  77 a limit or the jail can't be put in force
  78 a variable named by --env is missing
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve one request.
    Run(Box<Options>),
    /// Make an empty network and keep it.
    HoldNetwork,
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// Read the request, load the module, answer.
    Serve,
    /// Load the module, read the request, answer.
    ServePrewarmed,
    /// Load the module, fork processes that answer.
    Zygote {
        /// The most of them at a time.
        children: u64,
        /// Which processes it forks.
        kind: ZygoteKind,
    },
    /// Execute a program, which answers.
    Program,
    /// Load the module, answer request after request.
    Worker {
        /// How many at a time.
        threads: NonZero<u32>,
    },
}

/// Which processes a zygote forks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ZygoteKind {
    /// Those that serve one request.
    Forking,
    /// Also those that the host puts back to a snapshot after each request.
    Rewinding,
}

/// How to serve one request.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    pub(crate) module: PathBuf,
    pub(crate) function: String,
    pub(crate) version: String,
    /// The variables of the function's environment; `None`: its value is in `FEZZ_ENV_<NAME>`.
    pub(crate) env: Vec<(String, Option<String>)>,
    pub(crate) cgroup: Option<PathBuf>,
    pub(crate) jail: Jail,
    pub(crate) limits: Limits,
    /// What to do once it is confined.
    pub(crate) task: Task,
    /// Whether it only reports that it is confined, and exits.
    pub(crate) is_trial: bool,
    /// The time after which the process is killed, in milliseconds.
    pub(crate) timeout_ms: Option<u64>,
}

/// Why a command line is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} (see fezz-runner --help)")]
pub struct UsageError(String);

/// Reads the arguments, without the program's name.
///
/// # Errors
///
/// An unknown option, a value that is missing or no number, no module or two of them.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command, UsageError> {
    let mut arguments = arguments;
    let mut module = None;
    let (mut function, mut version, mut env) = (None, None, Vec::new());
    let mut jail = Jail {
        mode: Mode::Strict,
        uid: None,
        join: Vec::new(),
        connect: Vec::new(),
        scratch_bytes: 0,
        scratch_since_ns: None,
    };
    let (mut cgroup, mut limits, mut timeout_ms) = (None, Limits::default(), None);
    let (mut task, mut rewinds, mut is_trial) = (Task::Serve, false, false);
    while let Some(argument) = arguments.next() {
        let mut value = || text_after(&argument, arguments.next());
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(Command::Help),
            Some("--version" | "-V") => return Ok(Command::Version),
            Some("--function") => function = Some(value()?),
            Some("--function-version") => version = Some(value()?),
            Some("--env") => env.push(variable(value()?)?),
            Some("--jail") => jail.mode = mode(&value()?)?,
            Some("--hold-network") => return Ok(Command::HoldNetwork),
            Some("--cgroup") => cgroup = Some(PathBuf::from(value()?)),
            Some("--try") => is_trial = true,
            Some("--ahead") => task = Task::ServePrewarmed,
            Some("--zygote") => task = zygote(&value()?)?,
            Some("--rewind") => rewinds = true,
            Some("--program") => task = Task::Program,
            Some("--worker") => task = Task::Worker { threads: threads(&value()?)? },
            Some("--join") => jail.join.push(number("--join", &value()?)?),
            Some("--connect") => jail.connect.push(number("--connect", &value()?)?),
            Some("--scratch-bytes") => jail.scratch_bytes = number("--scratch-bytes", &value()?)?,
            Some("--scratch-since") => jail.scratch_since_ns = Some(number("--scratch-since", &value()?)?),
            Some("--uid") => jail.uid = Some(unprivileged(number("--uid", &value()?)?)?),
            Some("--descriptors") => limits.descriptors = Some(number("--descriptors", &value()?)?),
            Some("--threads") => limits.threads = Some(number("--threads", &value()?)?),
            Some("--memory-bytes") => limits.memory_bytes = Some(number("--memory-bytes", &value()?)?),
            Some("--cpu-ms") => limits.cpu_ms = Some(number("--cpu-ms", &value()?)?),
            Some("--timeout-ms") => timeout_ms = Some(number("--timeout-ms", &value()?)?),
            Some(unknown) if unknown.starts_with("--") => {
                return Err(UsageError(format!("unknown option `{unknown}`")));
            }
            _ if module.is_some() => return Err(UsageError("more than one MODULE is given".to_owned())),
            _ => module = Some(PathBuf::from(argument)),
        }
    }
    let module = module.ok_or_else(|| UsageError("no MODULE is given".to_owned()))?;
    if task == Task::Program && (timeout_ms.is_some() || limits.cpu_ms.is_some()) {
        // The first would end with the execve(2), the second add up over all requests.
        return Err(UsageError("`--program` takes no `--timeout-ms` and no `--cpu-ms`".to_owned()));
    }
    if rewinds {
        task = rewinding(task)?;
    }
    let file_name = || module.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Command::Run(Box::new(Options {
        function: function.unwrap_or_else(file_name),
        version: version.unwrap_or_else(|| "unversioned".to_owned()),
        module,
        env,
        cgroup,
        jail,
        limits,
        task,
        is_trial,
        timeout_ms,
    })))
}

fn text_after(option: &OsString, value: Option<OsString>) -> Result<String, UsageError> {
    let option = option.to_string_lossy();
    let value = value.ok_or_else(|| UsageError(format!("`{option}` lacks its value")))?;
    value.into_string().map_err(|_| UsageError(format!("the value of `{option}` is not UTF-8")))
}

fn number<N: FromStr>(option: &str, value: &str) -> Result<N, UsageError> {
    let bits = 8 * size_of::<N>();
    value.parse().map_err(|_| UsageError(format!("`{option} {value}` is not a number of {bits} bits")))
}

fn zygote(value: &str) -> Result<Task, UsageError> {
    Ok(Task::Zygote { children: number("--zygote", value)?, kind: ZygoteKind::Forking })
}

fn rewinding(task: Task) -> Result<Task, UsageError> {
    match task {
        Task::Zygote { children, .. } => Ok(Task::Zygote { children, kind: ZygoteKind::Rewinding }),
        _ => Err(UsageError("`--rewind` works only with `--zygote`".to_owned())),
    }
}

fn threads(value: &str) -> Result<NonZero<u32>, UsageError> {
    let threads = NonZero::new(number("--worker", value)?);
    threads.ok_or_else(|| UsageError("`--worker 0` would serve no request: give 1 or more".to_owned()))
}

fn mode(value: &str) -> Result<Mode, UsageError> {
    match value {
        "strict" => Ok(Mode::Strict),
        "inner" => Ok(Mode::Inner),
        "off" => Ok(Mode::Off),
        _ => Err(UsageError(format!("`--jail {value}` is not one of strict, inner, off"))),
    }
}

fn unprivileged(uid: u32) -> Result<u32, UsageError> {
    // The last one is -1, which means "leave it as it is" (setresuid(2)).
    match uid {
        0 | u32::MAX => Err(UsageError(format!("`--uid {uid}` is not an unprivileged user"))),
        uid => Ok(uid),
    }
}

fn variable(text: String) -> Result<(String, Option<String>), UsageError> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text, None),
    };
    if name.is_empty() {
        return Err(UsageError("`--env` lacks the variable's name".to_owned()));
    }
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<Command, &str>) {
        let arguments = line.split_whitespace().map(OsString::from);
        assert_eq!(parse(arguments).map_err(|error| error.0), expected.map_err(str::to_owned), "{line}");
    }

    #[test]
    fn options_come_in_any_order_and_wrong_ones_are_named() {
        let options = Options {
            module: "/m/libm.so".into(),
            function: "f".to_owned(),
            version: "v1".to_owned(),
            env: vec![("A".to_owned(), None), ("B".to_owned(), Some("c=d".to_owned()))],
            jail: Jail {
                mode: Mode::Inner,
                uid: Some(7),
                join: vec![5],
                connect: vec![53, 443],
                scratch_bytes: 9,
                scratch_since_ns: Some(1),
            },
            limits: Limits { memory_bytes: Some(1024), cpu_ms: None, descriptors: Some(6), threads: Some(3) },
            task: Task::Zygote { children: 8, kind: ZygoteKind::Rewinding },
            is_trial: true,
            cgroup: None,
            timeout_ms: None,
        };
        check(
            "--function f --env A /m/libm.so --function-version v1 --memory-bytes 1024 --env B=c=d --jail inner \
             --rewind --zygote 8 --uid 7 --join 5 --connect 53 --connect 443 --scratch-bytes 9 --scratch-since 1 --threads 3 --descriptors 6 \
             --try",
            Ok(Command::Run(Box::new(options))),
        );
        check("--nonsense m.so", Err("unknown option `--nonsense`"));
        check("m.so --cpu-ms", Err("`--cpu-ms` lacks its value"));
        check("m.so --cpu-ms soon", Err("`--cpu-ms soon` is not a number of 64 bits"));
        check("m.so --connect 65536", Err("`--connect 65536` is not a number of 16 bits"));
        check("m.so --zygote", Err("`--zygote` lacks its value"));
        check("m.so --worker 0", Err("`--worker 0` would serve no request: give 1 or more"));
        check("m.so --rewind", Err("`--rewind` works only with `--zygote`"));
        check("m.so --rewind --worker 1", Err("`--rewind` works only with `--zygote`"));
        check("m.so --jail on", Err("`--jail on` is not one of strict, inner, off"));
        check("--program --cpu-ms 1 p", Err("`--program` takes no `--timeout-ms` and no `--cpu-ms`"));
        check("m.so --uid 0", Err("`--uid 0` is not an unprivileged user"));
        check("m.so --env =x", Err("`--env` lacks the variable's name"));
        check("a.so b.so", Err("more than one MODULE is given"));
        check("", Err("no MODULE is given"));
    }

    #[test]
    fn the_help_lists_every_exit_code() {
        use fezz_wire::ExitCode;
        for code in (0..=255).filter_map(ExitCode::from_status) {
            assert!(HELP.contains(&format!("  {} ", code.as_u8())), "{code:?}");
        }
    }
}
