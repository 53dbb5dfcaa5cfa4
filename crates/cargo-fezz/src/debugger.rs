//! Runs the runner under gdb.

use signal_hook::consts::{SIGINT, SIGQUIT};
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Arc;

/// Why there is no debugger.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DebuggerError {
    #[error("gdb isn't on PATH: install it, for instance by `apt install gdb`")]
    NotInstalled,
    #[error("failed to start gdb")]
    NotStarted(#[source] io::Error),
    #[error("failed to keep the request for gdb")]
    Request(#[source] io::Error),
}

/// Runs `runner` with `message` as its stdin. Returns when gdb has ended.
pub(crate) fn debug(runner: &Command, message: &[u8]) -> Result<ExitStatus, DebuggerError> {
    let mut request = tempfile::NamedTempFile::new().map_err(DebuggerError::Request)?;
    request.write_all(message).map_err(DebuggerError::Request)?;
    // Ctrl-C is for gdb, which is in the same process group, and not for this program.
    for signal in [SIGINT, SIGQUIT] {
        let flag = signal_hook::flag::register(signal, Arc::default());
        flag.map_err(DebuggerError::NotStarted)?;
    }
    let mut gdb = Command::new("gdb");
    // The module is loaded by the runner, after breakpoints are set.
    gdb.args(["--quiet", "-ex", "set breakpoint pending on", "-ex"]);
    gdb.arg(arguments(runner, request.path())).args(["-ex", "run"]).arg(runner.get_program());
    // The runner keeps none of them for the function, but what its options name.
    gdb.envs(runner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    gdb.status().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => DebuggerError::NotInstalled,
        _ => DebuggerError::NotStarted(error),
    })
}

/// gdb's command for the arguments, which a shell reads. `run < FILE` would take the place of them all. The response isn't
/// for a terminal.
fn arguments(runner: &Command, request: &Path) -> OsString {
    let mut line = b"set args".to_vec();
    for argument in runner.get_args() {
        line.push(b' ');
        line.extend(quoted(argument));
    }
    line.extend(b" < ");
    line.extend(quoted(request.as_os_str()));
    line.extend(b" > /dev/null");
    OsString::from_vec(line)
}

fn quoted(word: &OsStr) -> Vec<u8> {
    let inner = word.as_bytes().split(|byte| *byte == b'\'').collect::<Vec<_>>().join(&br"'\''"[..]);
    [b"'", &inner[..], b"'"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_each_argument_as_it_is() {
        let mut runner = Command::new("runner");
        runner.args(["--function", "it's", "a b"]);
        let expected = r"set args '--function' 'it'\''s' 'a b' < '/r q' > /dev/null";
        assert_eq!(arguments(&runner, Path::new("/r q")), expected);
    }
}
