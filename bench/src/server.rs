//! What a server of a run is made of: a process that ends with the run, and a folder that is gone with it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::process::Child;
use tempfile::TempDir;

/// A process, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Server(pub(crate) Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It holds nothing worth a drain. Errors mean that it is gone already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Makes a temporary folder that others may read: under root, a jail gives up its user before it looks for its files.
///
/// # Errors
///
/// What mkdir(2) or chmod(2) says.
pub(crate) fn folder() -> io::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
    Ok(folder)
}
