//! A root for the check: the module, installed once for each manifest and executor.

use super::attempt::Variant;
use crate::catalogue::Execution;
use crate::execute::fork::children_max;
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const MODULE: &str = "libfezz_attempts.so";

/// The memory limit of the functions: small, so that the attempts do no harm on a machine without a jail.
pub(super) const MEMORY_BYTES: u64 = 64 << 20;
pub(super) const THREADS: u64 = 16;

/// Requests come one after the other.
const CONCURRENCY: u32 = 1;

/// Prewarmed processes: two, so that another one is idle while one makes its attempt.
pub(super) const SPARE: u32 = 2;

pub(super) const SCRATCH_BYTES: u64 = 1 << 20;

/// A folder that is removed after the check.
#[derive(Debug)]
pub(super) struct Site {
    folder: TempDir,
    /// Holds the port that `Variant::Network` is granted.
    _granted: GrantedPort,
}

/// Why the root can't be made.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// The module isn't where it is looked for.
    #[error(
        "failed to find `{MODULE}` in {}: build it with `cargo build --release -p fezz-attempts` and put it beside this \
         program, or name it by --module",
        looked.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(" or ")
    )]
    NoModule { looked: Vec<PathBuf> },
    /// The module that was named isn't there.
    #[error("the module `{}` is not a file: correct --module", path.display())]
    BadModule { path: PathBuf },
    /// The folder can't be written.
    #[error("failed to make a root for the check in `{}`: let this user write there, or set TMPDIR", path.display())]
    NoRoot { path: PathBuf, source: io::Error },
}

impl Site {
    /// Makes a root in the system's folder for temporary files.
    ///
    /// # Errors
    ///
    /// See [`SiteError`].
    pub(super) fn new(module: Option<&Path>) -> Result<Self, SiteError> {
        let module = find_module(module)?;
        let parent = std::env::temp_dir();
        fill(&module, &parent).map_err(|source| SiteError::NoRoot { path: parent, source })
    }

    pub(super) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// A file of another function.
    pub(super) fn other_function(&self) -> PathBuf {
        function_folder(self.root(), Variant::Network, Execution::Spawn).join("fezz.json")
    }
}

/// The limit of threads as the kernel counts them: those of all children of a zygote together.
pub(super) fn threads_counted(execution: Execution) -> u64 {
    match execution {
        Execution::Spawn | Execution::Worker | Execution::InProcess => THREADS,
        Execution::Fork => THREADS * children_max(CONCURRENCY, SPARE),
        // Half of them serve once, half of them again and again.
        Execution::Rewind => THREADS * 2 * children_max(CONCURRENCY, SPARE),
    }
}

fn find_module(named: Option<&Path>) -> Result<PathBuf, SiteError> {
    if let Some(path) = named {
        return if path.is_file() {
            Ok(path.to_owned())
        } else {
            Err(SiteError::BadModule { path: path.to_owned() })
        };
    }
    let program = std::env::current_exe().unwrap_or_default();
    let beside = program.with_file_name(MODULE);
    let installed =
        program.parent().and_then(Path::parent).map(|prefix| prefix.join("lib/fezz").join(MODULE));
    let looked: Vec<PathBuf> = [beside].into_iter().chain(installed).collect();
    match looked.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => Err(SiteError::NoModule { looked }),
    }
}

fn fill(module: &Path, parent: &Path) -> io::Result<Site> {
    // A jailed process may run as another user, and must reach its module.
    const FOR_ALL: u32 = 0o755;
    let folder = tempfile::Builder::new().prefix("hhrf-check-jail-").tempdir_in(parent)?;
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(FOR_ALL))?;
    let granted = GrantedPort::hold()?;
    let all =
        Variant::ALL.into_iter().flat_map(|variant| Execution::JAILED.map(|execution| (variant, execution)));
    for (variant, execution) in all.filter(|(variant, execution)| variant.is_supported_by(*execution)) {
        let function = function_folder(folder.path(), variant, execution);
        fs::create_dir_all(&function)?;
        fs::copy(module, function.join(MODULE))?;
        fs::set_permissions(function.join(MODULE), PermissionsExt::from_mode(FOR_ALL))?;
        let manifest = manifest(variant, execution, granted.number);
        fs::write(function.join("fezz.json"), manifest.to_string())?;
    }
    Ok(Site { folder, _granted: granted })
}

/// A TCP port that no other socket has, by IPv4 or by IPv6: a bait with the number of a granted port could be reached.
#[derive(Debug)]
struct GrantedPort {
    number: u16,
    _sockets: [Option<TcpListener>; 2],
}

impl GrantedPort {
    fn hold() -> io::Result<Self> {
        // Kept, so that the kernel gives another number each time.
        let mut taken = Vec::new();
        loop {
            let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let number = v4.local_addr()?.port();
            let v6 = match TcpListener::bind((Ipv6Addr::LOCALHOST, number)) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    taken.push(v4);
                    continue;
                }
                // Without IPv6 there is no such bait either.
                v6 => v6.ok(),
            };
            return Ok(Self { number, _sockets: [Some(v4), v6] });
        }
    }
}

fn function_folder(root: &Path, variant: Variant, execution: Execution) -> PathBuf {
    root.join("functions").join(format!("{}@v1", variant.function(execution)))
}

fn manifest(variant: Variant, execution: Execution, granted_port: u16) -> Value {
    let mut manifest = json!({
        "id": variant.function(execution), "version": "v1", "entry": MODULE, "routes": [],
        "execution": execution,
        "limits": {"memory_bytes": MEMORY_BYTES, "threads": THREADS, "concurrency": CONCURRENCY},
    });
    match execution {
        // One attempt may use up what its process has: the next one needs another.
        Execution::Worker => manifest["worker"] = json!({"max": 1, "max_requests": 1}),
        Execution::Spawn | Execution::Fork | Execution::Rewind | Execution::InProcess => {
            manifest["spare"] = json!(SPARE)
        }
    }
    match variant {
        Variant::Plain => {}
        Variant::Brief => manifest["timeout_ms"] = json!(1000),
        Variant::Scratch => manifest["limits"]["scratch_bytes"] = json!(SCRATCH_BYTES),
        Variant::Network => manifest["network"] = json!({"connect": [granted_port]}),
    }
    manifest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_granted_port_is_no_other_sockets_by_ipv6() {
        let granted = GrantedPort::hold().unwrap();
        let other = TcpListener::bind((Ipv6Addr::LOCALHOST, granted.number));
        assert!(other.is_err(), "a bait could have the number {}", granted.number);
    }
}
