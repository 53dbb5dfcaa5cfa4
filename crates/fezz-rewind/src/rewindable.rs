//! A process that can be put back.

use crate::difference::{Difference, State};
use crate::maps::{self, Mapping};
use crate::pages::Pages;
use crate::process::{Files, MemoryReader};
use crate::snapshot::{Area, Snapshot, SnapshotError};
use crate::stickiness::Stickiness;
use crate::tracker::{Region, Tracker};
use crate::write_back::write_back;
use std::io::{self, IoSlice};
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;

/// What a process may have open when its snapshot is taken: its log, and what stands for input and errors.
const DESCRIPTORS: [RawFd; 3] = [0, 1, 2];

/// A module with many libraries has some hundred.
const MAPPINGS_MAX: usize = 2000;

/// A list of more regions than this is not kept until the next restore.
const REGIONS_KEPT_MAX: usize = 4096;

/// A parked process with its snapshot. It must be parked during each call.
#[derive(Debug)]
pub struct Rewindable {
    files: Files,
    tracker: Tracker,
    snapshot: Snapshot,
    state: State,
    stickiness: Stickiness,
    /// Space for the next list of what was written.
    spare: Vec<Region>,
}

/// The pages that a process may have written since its last restore. All of them are in its snapshot.
#[derive(Debug)]
pub struct Written {
    pub(crate) regions: Vec<Region>,
    /// Their number.
    pub pages: u64,
}

/// A process can't be put back.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// One of its files in /proc can't be read.
    #[error("failed to read `{file}` of the process in /proc")]
    Unreadable {
        /// Which.
        file: &'static str,
        /// The kernel's reason.
        source: io::Error,
    },
    /// Its mappings aren't understood.
    #[error("failed to parse the mappings of the process")]
    Maps(#[from] maps::ParseError),
    /// Descriptors have a state in the kernel, as an offset.
    #[error("the process has the descriptors {found:?} open; it must have 0, 1 and 2 open and no others")]
    Descriptors {
        /// All that are open.
        found: Vec<RawFd>,
    },
    /// Another thread could write at any time.
    #[error("the process has threads beside its first")]
    Threads,
    /// Each restore has to look at all of them.
    #[error("the process has {mappings} mappings, the limit is {MAPPINGS_MAX}")]
    TooManyMappings {
        /// Their number.
        mappings: usize,
    },
    /// What it writes there, others see.
    #[error("the process has a shared writable mapping: `{mapping}`")]
    SharedMapping {
        /// Its line in /proc/PID/maps.
        mapping: String,
    },
    /// The userfaultfd refused.
    #[error("failed to set up the userfaultfd")]
    Userfaultfd(#[source] io::Error),
    /// Writes to a mapping can't be tracked.
    #[error("failed to track what is written to `{mapping}`")]
    Untrackable {
        /// Its line in /proc/PID/maps.
        mapping: String,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The snapshot couldn't be taken.
    #[error("failed to take a snapshot of the process")]
    Snapshot(#[from] SnapshotError),
}

/// A process couldn't be put back. It must be killed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It wrote where it had no memory when the snapshot was taken: its stack has grown.
    #[error("the process has written to new memory at {address:#x}, as when its stack grows")]
    NewMemory {
        /// The first page of it.
        address: u64,
    },
    /// The written pages couldn't be found.
    #[error("failed to find the pages that the process has written")]
    Scan(#[source] io::Error),
    /// A page couldn't be restored.
    #[error("failed to write the process's memory at {address:#x}")]
    Write {
        /// Where.
        address: u64,
        /// The kernel's reason.
        source: io::Error,
    },
    /// Pages couldn't be protected anew.
    #[error("failed to protect the process's pages")]
    Protect(#[source] io::Error),
}

impl Rewindable {
    /// Takes the snapshot of a process that is parked, and begins to track what it writes. `userfaultfd` is new, and the
    /// process has closed its own descriptor of it. `base` is that of the first process of the same zygote, if this
    /// isn't the first.
    ///
    /// # Errors
    ///
    /// See [`PrepareError`]. The snapshot is of at most `bytes_max` bytes.
    pub fn prepare(
        files: Files,
        userfaultfd: OwnedFd,
        base: Option<&Arc<Pages>>,
        bytes_max: u64,
    ) -> Result<Self, PrepareError> {
        check_descriptors(&files)?;
        let tracker = Tracker::new(userfaultfd).map_err(PrepareError::Userfaultfd)?;
        for mapping in trackable(&maps_of(&files)?)? {
            let range = mapping.start..mapping.end;
            tracker
                .register(&range)
                .map_err(|source| PrepareError::Untrackable { mapping: mapping.to_string(), source })?;
        }
        // Registering may have joined or split mappings.
        let state =
            State::read(&files).map_err(|(file, source)| PrepareError::Unreadable { file, source })?;
        if !state.has_one_thread() {
            return Err(PrepareError::Threads);
        }
        let mappings = trackable(&state.maps)?;
        let areas = mappings.iter().map(Area::from).collect();
        let snapshot = Snapshot::take(&files, areas, base, bytes_max)?;
        // After the snapshot: reading it populates pages that come from files.
        for mapping in mappings {
            tracker
                .protect(files.pagemap(), &(mapping.start..mapping.end))
                .map_err(|source| PrepareError::Untrackable { mapping: mapping.to_string(), source })?;
        }
        Ok(Self { files, tracker, snapshot, state, stickiness: Stickiness::default(), spare: Vec::new() })
    }

    /// The snapshot, for its [`base`](Snapshot::base) and its size.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Writes `parts` one after the other into the process's memory at `address`, which must be in its snapshot.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] if the address isn't in the snapshot; see also [`Files::read`].
    pub fn write(&self, address: u64, parts: &[&[u8]]) -> io::Result<()> {
        let length = parts.iter().map(|part| part.len() as u64).sum();
        let end = address.checked_add(length).ok_or(io::ErrorKind::InvalidInput)?;
        if !self.snapshot.covers(&(address..end)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let parts: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        self.files.write_all(address, &parts)
    }

    /// Fills `bytes` from the process's memory at `address`, which the process may have chosen.
    ///
    /// # Errors
    ///
    /// See [`Files::read`].
    pub fn read(&self, address: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.files.read(address, bytes)
    }

    /// A second way to the process's memory, for another thread.
    ///
    /// # Errors
    ///
    /// No descriptor is left.
    pub fn reader(&self) -> io::Result<MemoryReader> {
        self.files.memory_reader()
    }

    /// The pages to restore. A process that was killed may seem to have written none; then resuming it fails.
    ///
    /// # Errors
    ///
    /// [`RestoreError::NewMemory`] and [`RestoreError::Scan`].
    pub fn written(&mut self) -> Result<Written, RestoreError> {
        let mut regions = std::mem::take(&mut self.spare);
        let dense = self.snapshot.dense();
        self.tracker.written(self.files.pagemap(), dense, &mut regions).map_err(RestoreError::Scan)?;
        let bytes: u64 = regions.iter().map(|region| region.end - region.start).sum();
        match regions.iter().find(|region| !self.snapshot.covers(&region.range())) {
            Some(outside) => Err(RestoreError::NewMemory { address: outside.start }),
            None => Ok(Written { regions, pages: bytes / crate::PAGE_BYTES as u64 }),
        }
    }

    /// Puts the written pages back.
    ///
    /// # Errors
    ///
    /// [`RestoreError::Write`] and [`RestoreError::Protect`]; part of the pages may have been restored.
    pub fn restore(&mut self, written: Written) -> Result<(), RestoreError> {
        let Written { regions, pages } = written;
        write_back(&self.snapshot, &regions, &self.files)
            .map_err(|(address, source)| RestoreError::Write { address, source })?;
        if self.stickiness.is_over(pages) {
            self.tracker.protect_all(self.files.pagemap()).map_err(RestoreError::Protect)?;
        }
        if regions.capacity() <= REGIONS_KEPT_MAX {
            self.spare = regions;
        }
        Ok(())
    }

    /// Compares a restored process whole with its snapshot: its memory, mappings, descriptors, limits and status.
    ///
    /// # Errors
    ///
    /// The first difference.
    pub fn compare(&self) -> Result<(), Difference> {
        crate::difference::compare(&self.files, &self.snapshot, &self.state)
    }
}

impl From<&Mapping> for Area {
    fn from(mapping: &Mapping) -> Self {
        Self { range: mapping.start..mapping.end, has_file: mapping.inode != 0 }
    }
}

fn check_descriptors(files: &Files) -> Result<(), PrepareError> {
    let found = files.descriptors().map_err(|source| PrepareError::Unreadable { file: "fd", source })?;
    if found != DESCRIPTORS {
        return Err(PrepareError::Descriptors { found });
    }
    Ok(())
}

fn maps_of(files: &Files) -> Result<String, PrepareError> {
    files.maps().map_err(|source| PrepareError::Unreadable { file: "maps", source })
}

/// The mappings that a snapshot covers: what is writable.
fn trackable(text: &str) -> Result<Vec<Mapping>, PrepareError> {
    let mut mappings = maps::parse(text)?;
    if mappings.len() > MAPPINGS_MAX {
        return Err(PrepareError::TooManyMappings { mappings: mappings.len() });
    }
    mappings.retain(|mapping| mapping.permissions.write);
    match mappings.iter().find(|mapping| mapping.permissions.is_shared) {
        Some(shared) => Err(PrepareError::SharedMapping { mapping: shared.to_string() }),
        None => Ok(mappings),
    }
}
