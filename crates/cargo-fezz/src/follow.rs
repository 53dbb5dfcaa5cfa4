//! Reads a log's file to its end and then as it grows, like `tail -F`: also when the file is rotated.

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};

/// A file that is followed. It may be absent for a while.
#[derive(Debug)]
pub(crate) struct Follower {
    path: PathBuf,
    reader: Option<BufReader<File>>,
    /// A line whose end hasn't been written yet.
    begun: Vec<u8>,
    changes: Receiver<()>,
    _watcher: RecommendedWatcher,
}

/// Which file has the name of the one that is open.
enum Place {
    Same,
    Truncated,
    Other,
}

/// Why a file can't be followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    #[error("failed to watch the folder of `{}`", path.display())]
    NotWatched { path: PathBuf, source: notify::Error },
    #[error("failed to read `{}`", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
}

impl Follower {
    /// Follows the file at `path`. Its folder is watched, so that a file is noticed that takes its place.
    pub(crate) fn new(path: &Path) -> Result<Self, FollowError> {
        // One slot is enough to say that there are changes.
        let (sender, changes) = mpsc::sync_channel(1);
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        let watch = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if !matches!(event, Ok(notify::Event { kind: EventKind::Access(_), .. })) {
                sender.try_send(()).ok();
            }
        });
        let watch = watch.and_then(|mut watcher| {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        let not_watched = |source| FollowError::NotWatched { path: path.to_owned(), source };
        let watcher = watch.map_err(not_watched)?;
        Ok(Self { path: path.to_owned(), reader: None, begun: Vec::new(), changes, _watcher: watcher })
    }

    /// Waits until there may be more.
    pub(crate) fn wait(&self) {
        self.changes.recv().ok();
    }

    /// The lines that were written since the last call.
    pub(crate) fn read(&mut self, mut take: impl FnMut(&str)) -> Result<(), FollowError> {
        self.read_all(&mut take).map_err(|source| FollowError::Unreadable { path: self.path.clone(), source })
    }

    fn read_all(&mut self, take: &mut dyn FnMut(&str)) -> io::Result<()> {
        loop {
            self.read_open(take)?;
            let now = match std::fs::metadata(&self.path) {
                Ok(now) => now,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            };
            match self.compare(&now)? {
                Place::Same => return Ok(()),
                Place::Truncated => self.start_again()?,
                Place::Other => {
                    // What was written to the old file after the read above.
                    self.read_open(take)?;
                    self.begun.clear();
                    self.reader = Some(BufReader::new(File::open(&self.path)?));
                }
            }
        }
    }

    /// Compares the open file to the one of `now`, which has its name.
    fn compare(&mut self, now: &Metadata) -> io::Result<Place> {
        let Some(reader) = &mut self.reader else { return Ok(Place::Other) };
        let open = reader.get_ref().metadata()?;
        if (open.dev(), open.ino()) != (now.dev(), now.ino()) {
            return Ok(Place::Other);
        }
        Ok(if reader.stream_position()? > now.len() { Place::Truncated } else { Place::Same })
    }

    /// The file was emptied in place, as logrotate's copytruncate does.
    fn start_again(&mut self) -> io::Result<()> {
        self.begun.clear();
        self.reader.as_mut().map_or(Ok(0), |reader| reader.seek(SeekFrom::Start(0))).map(drop)
    }

    fn read_open(&mut self, take: &mut dyn FnMut(&str)) -> io::Result<()> {
        let Some(reader) = &mut self.reader else { return Ok(()) };
        while reader.read_until(b'\n', &mut self.begun)? > 0 {
            if let Some(line) = self.begun.strip_suffix(b"\n") {
                take(&String::from_utf8_lossy(line));
                self.begun.clear();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn lines(follower: &mut Follower) -> Vec<String> {
        let mut lines = Vec::new();
        follower.read(|line| lines.push(line.to_owned())).unwrap();
        lines
    }

    #[test]
    fn a_file_is_followed_through_rotation_and_truncation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut follower = Follower::new(&path).unwrap();
        assert!(lines(&mut follower).is_empty(), "it isn't there yet");
        let mut file = File::options().create(true).append(true).open(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        assert_eq!(lines(&mut follower), ["one"]);
        file.write_all(b"o\n").unwrap();
        assert_eq!(lines(&mut follower), ["two"]);
        std::fs::rename(&path, folder.path().join("log.1")).unwrap();
        file.write_all(b"last\n").unwrap();
        std::fs::write(&path, "first\n").unwrap();
        assert_eq!(lines(&mut follower), ["last", "first"]);
        std::fs::write(&path, "new\n").unwrap();
        assert_eq!(lines(&mut follower), ["new"], "shorter than before: truncated");
        follower.wait();
    }
}
