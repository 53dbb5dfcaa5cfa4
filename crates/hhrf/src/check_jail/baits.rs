//! Baits: files, sockets and a process that the attempts try to reach. If something arrives here, an attempt has
//! worked, whatever the module reports.

use super::sockets::Sockets;
use super::victim::Victim;
use crate::children::Children;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Baits {
    sockets: Sockets,
    open_folder: PathBuf,
    victim: Victim,
    children: Arc<Children>,
    lines: String,
    /// The name of everything that an attempt makes: files, queues, processes.
    pub marker: String,
}

/// Why a bait can't be set.
#[derive(Debug, thiserror::Error)]
pub enum BaitError {
    #[error("failed to make the bait `{}`", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("failed to open the bait sockets")]
    Sockets(#[source] io::Error),
    #[error("failed to start the bait process")]
    Victim(#[source] io::Error),
}

impl Baits {
    /// Sets up the baits in `folder`; `secret` is the one in the host's environment.
    ///
    /// # Errors
    ///
    /// See [`BaitError`].
    pub(super) fn set(folder: &Path, secret: &str, children: &Arc<Children>) -> Result<Self, BaitError> {
        let marker = format!("fezz-{:08x}", rand::random::<u32>());
        let open_folder = folder.join("open");
        let (private, public) = (folder.join("bait-0600"), folder.join("bait-0644"));
        let at = |path: &Path, source| BaitError::File { path: path.to_owned(), source };
        make_open_folder(&open_folder).map_err(|source| at(&open_folder, source))?;
        let inode = make_file(&private, 0o600).map_err(|source| at(&private, source))?;
        make_file(&public, 0o644).map_err(|source| at(&public, source))?;
        let root = fs::metadata("/").map_err(|source| at(Path::new("/"), source))?;
        let sockets = Sockets::open(folder, &marker).map_err(BaitError::Sockets)?;
        let lines = [
            ("secret", secret.to_owned()),
            ("marker", marker.clone()),
            // 0 would be `IPC_PRIVATE`.
            ("key", (rand::random::<u32>() >> 1 | 1).to_string()),
            ("folder", folder.display().to_string()),
            ("open_folder", open_folder.display().to_string()),
            ("bait_0600", private.display().to_string()),
            ("bait_0644", public.display().to_string()),
            ("bait_inode", inode.to_string()),
            ("root_device", root.dev().to_string()),
            ("root_inode", root.ino().to_string()),
            ("disk", disk().to_owned()),
            ("host", std::process::id().to_string()),
        ];
        let lines = lines.iter().map(|(name, value)| format!("{name}={value}\n")).collect::<String>();
        let lines = lines + &sockets.lines();
        let victim = Victim::start(children).map_err(BaitError::Victim)?;
        Ok(Self { sockets, open_folder, victim, children: Arc::clone(children), lines, marker })
    }

    /// Where the baits are, as lines `name=value` for the module.
    pub(super) fn lines(&self) -> String {
        format!("{}victim={}\n", self.lines, self.victim.pid())
    }

    /// What has reached a bait since the last call.
    ///
    /// # Errors
    ///
    /// A new victim is needed and can't be started.
    pub(super) fn reached(&mut self) -> Result<Option<String>, BaitError> {
        let mut seen: Vec<String> = self.sockets.arrivals().into_iter().map(str::to_owned).collect();
        if let Some(death) = self.victim.death() {
            seen.push(format!("the victim died: {death}"));
            self.renew_victim()?;
        }
        for left in fs::read_dir(&self.open_folder).into_iter().flatten().flatten() {
            seen.push(format!("a file was left: {}", left.file_name().display()));
            fs::remove_file(left.path()).ok();
        }
        Ok((!seen.is_empty()).then(|| seen.join(", ")))
    }

    /// Replaces the victim, which may be stopped or traced.
    ///
    /// # Errors
    ///
    /// Another can't be started.
    pub(super) fn renew_victim(&mut self) -> Result<(), BaitError> {
        self.victim = Victim::start(&self.children).map_err(BaitError::Victim)?;
        Ok(())
    }
}

fn make_open_folder(path: &Path) -> io::Result<()> {
    const FOR_ALL: u32 = 0o777;
    fs::create_dir(path)?;
    fs::set_permissions(path, Permissions::from_mode(FOR_ALL))
}

/// Makes a file with this mode, regardless of the umask; returns its inode number.
fn make_file(path: &Path, mode: u32) -> io::Result<u64> {
    fs::write(path, "a bait of hhrf check-jail\n")?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    fs::metadata(path).map(|metadata| metadata.ino())
}

/// The device of a disk of this machine; empty if none of the known ones exists.
fn disk() -> &'static str {
    const KNOWN: [&str; 4] = ["/dev/sda", "/dev/vda", "/dev/nvme0n1", "/dev/xvda"];
    KNOWN.into_iter().find(|path| Path::new(path).exists()).unwrap_or_default()
}
