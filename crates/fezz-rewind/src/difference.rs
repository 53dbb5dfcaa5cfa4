//! Compares a restored process whole with its snapshot. This finds what a restore misses; the restore doesn't need it.
//!
//! It also compares `struct rseq`, which the kernel writes when it resumes the process (rseq(2)). A parked process doesn't
//! run, so after its restore that memory stays as it was at the snapshot.

use crate::PAGE_BYTES;
use crate::maps;
use crate::process::Files;
use crate::snapshot::{self, Content, Extent, Snapshot};
use std::io;
use std::os::fd::RawFd;

/// The lines of /proc/PID/status that stay the same (proc_pid_status(5)). The others are about use (of memory, of the
/// CPU), or can be changed from outside (its parent, its CPUs). `SigQ` counts the signals of all processes of its user.
const STATUS: [&str; 24] = [
    "Name",
    "Umask",
    "Tgid",
    "Uid",
    "Gid",
    "FDSize",
    "Groups",
    "NSpid",
    "Kthread",
    "Threads",
    "SigPnd",
    "ShdPnd",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
    "Seccomp_filters",
    "x86_Thread_features",
];

/// What of a process isn't as it was. It never holds contents of memory.
#[derive(Debug, thiserror::Error)]
pub enum Difference {
    /// A page has other contents.
    #[error("the memory at {address:#x} differs, in `{mapping}`")]
    Memory {
        /// The first byte that differs.
        address: u64,
        /// The mapping that it is in: its line in /proc/PID/maps.
        mapping: String,
    },
    /// Its stack is larger. This is no defect of the restore, but it can't be undone: the process must be replaced. A
    /// request that only read there has written no page, so that nothing else shows it.
    #[error("the stack of the process has grown")]
    StackGrew,
    /// A file in /proc has another line.
    #[error("`{file}` in /proc has the line `{found}`, and had `{expected}`")]
    Line {
        /// Which file.
        file: &'static str,
        /// What it was; empty if there was none.
        expected: String,
        /// What it is; empty if there is none.
        found: String,
    },
    /// It has other descriptors open.
    #[error("the process has the descriptors {found:?} open, and had {expected:?}")]
    Descriptors {
        /// What it had.
        expected: Vec<RawFd>,
        /// What it has.
        found: Vec<RawFd>,
    },
    /// It couldn't be compared.
    #[error("failed to read `{file}` of the process in /proc")]
    Unreadable {
        /// Which file.
        file: &'static str,
        /// The kernel's reason.
        source: io::Error,
    },
}

/// What the kernel says of a process.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) maps: String,
    status: String,
    limits: String,
    descriptors: Vec<RawFd>,
}

impl State {
    /// As it is now. An error comes with the name of its file.
    pub(crate) fn read(files: &Files) -> Result<Self, (&'static str, io::Error)> {
        let named = |file| move |error| (file, error);
        let status = files.status().map_err(named("status"))?;
        let kept =
            status.lines().filter(|line| line.split(':').next().is_some_and(|name| STATUS.contains(&name)));
        Ok(Self {
            maps: files.maps().map_err(named("maps"))?,
            status: kept.flat_map(|line| [line, "\n"]).collect(),
            limits: files.limits().map_err(named("limits"))?,
            descriptors: files.descriptors().map_err(named("fd"))?,
        })
    }

    /// Whether no other thread could run while the first is parked.
    pub(crate) fn has_one_thread(&self) -> bool {
        self.status.lines().any(|line| line == "Threads:\t1")
    }
}

/// Whether a process is as when its snapshot and its state were taken.
pub(crate) fn compare(files: &Files, snapshot: &Snapshot, expected: &State) -> Result<(), Difference> {
    let found = State::read(files).map_err(|(file, source)| Difference::Unreadable { file, source })?;
    if found.maps != expected.maps && without_stack(&found.maps) == without_stack(&expected.maps) {
        return Err(Difference::StackGrew);
    }
    compare_lines("maps", &expected.maps, &found.maps)?;
    compare_lines("status", &expected.status, &found.status)?;
    compare_lines("limits", &expected.limits, &found.limits)?;
    if found.descriptors != expected.descriptors {
        let expected = expected.descriptors.clone();
        return Err(Difference::Descriptors { expected, found: found.descriptors });
    }
    match compare_memory(files, snapshot)? {
        Some(address) => Err(Difference::Memory { address, mapping: mapping_at(address, &found.maps) }),
        None => Ok(()),
    }
}

/// All mappings but the stack.
fn without_stack(maps: &str) -> Vec<&str> {
    maps.lines().filter(|line| !line.ends_with("[stack]")).collect()
}

fn compare_lines(file: &'static str, expected: &str, found: &str) -> Result<(), Difference> {
    let (mut expected, mut found) = (expected.lines(), found.lines());
    loop {
        match (expected.next(), found.next()) {
            (None, None) => return Ok(()),
            (expected, found) if expected != found => {
                let line = |line: Option<&str>| line.unwrap_or_default().to_owned();
                return Err(Difference::Line { file, expected: line(expected), found: line(found) });
            }
            _ => {}
        }
    }
}

/// The address of the first byte that differs.
fn compare_memory(files: &Files, snapshot: &Snapshot) -> Result<Option<u64>, Difference> {
    let (mut extents, mut buffer) = (Vec::new(), Vec::new());
    for area in snapshot.areas() {
        area.extents(files, &mut extents)
            .map_err(|source| Difference::Unreadable { file: "pagemap", source })?;
    }
    for Extent { range, is_populated } in extents {
        if !is_populated {
            // Not read: that would populate it.
            if let Some(address) = first_not_zero(snapshot, range) {
                return Ok(Some(address));
            }
            continue;
        }
        for range in snapshot::chunks(&range) {
            let chunk = snapshot::read(files, &range, &mut buffer)
                .map_err(|source| Difference::Unreadable { file: "mem", source })?;
            if let Some(address) = compare_chunk(snapshot, range.start, chunk) {
                return Ok(Some(address));
            }
        }
    }
    Ok(None)
}

/// Where in a range the snapshot has a page of something else than zeros.
fn first_not_zero(snapshot: &Snapshot, mut range: std::ops::Range<u64>) -> Option<u64> {
    while !range.is_empty() {
        match snapshot.content(&range) {
            Content::Zeros(length) => range.start += length,
            Content::Bytes(_) => return Some(range.start),
        }
    }
    None
}

/// The address of the first byte in which a chunk of memory isn't as in the snapshot.
fn compare_chunk(snapshot: &Snapshot, start: u64, chunk: &[u8]) -> Option<u64> {
    let mut address = start;
    let mut rest = chunk;
    while !rest.is_empty() {
        let (expected, length) = match snapshot.content(&(address..address + rest.len() as u64)) {
            Content::Bytes(bytes) => (bytes, bytes.len()),
            Content::Zeros(length) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX).min(PAGE_BYTES);
                (&snapshot::ZEROS[..length], length)
            }
        };
        let (found, after) = rest.split_at(length);
        if found != expected {
            let differs = |(found, expected): (&u8, &u8)| found != expected;
            return Some(address + found.iter().zip(expected).position(differs).unwrap_or(0) as u64);
        }
        (address, rest) = (address + length as u64, after);
    }
    None
}

fn mapping_at(address: u64, maps: &str) -> String {
    let mappings = maps::parse(maps).unwrap_or_default();
    let mapping = mappings.iter().find(|mapping| (mapping.start..mapping.end).contains(&address));
    mapping.map(ToString::to_string).unwrap_or_default()
}
