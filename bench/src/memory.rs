//! The memory of a server's processes.

use crate::build::Build;
use crate::function::Function;
use crate::server::Server;
use crate::target::{Interval, MeasureError, Target};
use crate::target_specs::{StartError, TargetSpec};
use std::fs;
use std::time::{Duration, Instant};

/// The memory of an idle server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// The proportional set size (PSS, proc_pid_smaps(5)) of all its processes: a page that several map counts as a
    /// share for each. `None` where the kernel doesn't show it: only root may read it of jailed processes.
    pub bytes: Option<u64>,
    /// How many processes it has.
    pub processes: usize,
}

/// The memory of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Footprint {
    /// With one function, called once.
    pub bytes: Option<u64>,
    /// The memory of each further function, if the target keeps functions in memory.
    pub further_bytes: Option<u64>,
}

/// The memory can't be measured.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The target can't be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A request failed.
    #[error(transparent)]
    Measure(#[from] MeasureError),
}

/// Starts only this target, calls each of its functions once and measures it when it is idle.
///
/// # Errors
///
/// See [`MemoryError`].
pub fn footprint(spec: &TargetSpec, build: &Build, function: Function) -> Result<Footprint, MemoryError> {
    /// Enough functions that their memory exceeds the variation of the server's own.
    const FURTHER: usize = 8;
    let bytes = called_once(spec, build, function, 0)?;
    if !spec.holds_functions() {
        return Ok(Footprint { bytes, further_bytes: None });
    }
    let with_further = called_once(spec, build, function, FURTHER)?;
    let share = |(all, one): (u64, u64)| all.saturating_sub(one) / FURTHER as u64;
    Ok(Footprint { bytes, further_bytes: with_further.zip(bytes).map(share) })
}

fn called_once(
    spec: &TargetSpec,
    build: &Build,
    function: Function,
    further: usize,
) -> Result<Option<u64>, MemoryError> {
    let running = spec.start(build, function, further)?;
    running.target().measure(Interval::ONE)?;
    for page in (0..further).filter_map(|at| running.further(function, at)) {
        page.measure(Interval::ONE)?;
    }
    Ok(at_rest(running.server()).bytes)
}

/// Waits until the server is idle, and measures it.
pub fn at_rest(server: &Server) -> Memory {
    /// Longer than a process takes to start or to end, so that two equal measurements mean that it is idle.
    const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
    /// The limit for a server that never becomes idle.
    const REST_MAX: Duration = Duration::from_secs(3);
    let begun = Instant::now();
    let mut before = look(server.process_id());
    loop {
        std::thread::sleep(BETWEEN_LOOKS);
        let now = look(server.process_id());
        if now == before || begun.elapsed() > REST_MAX {
            return now;
        }
        before = now;
    }
}

fn look(root: u32) -> Memory {
    let processes = descendants(root);
    let bytes = processes.iter().map(|process| proportional_bytes(*process)).sum();
    Memory { bytes, processes: processes.len() }
}

/// The process and all that descend from it.
fn descendants(root: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<(u32, u32)> =
        processes.filter_map(|process| Some((process, parent(process)?))).collect();
    let mut found = vec![root];
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        found.extend(parents.iter().filter(|(_, its)| *its == parent).map(|(process, _)| process));
        at += 1;
    }
    found
}

/// The parent's id: the field after the name, which may contain spaces and brackets, and the state (proc_pid_stat(5)).
fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

fn proportional_bytes(process: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_with_its_children_and_its_memory() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("there is a sleep(1)");
        let memory = look(std::process::id());
        child.kill().expect("it runs");
        child.wait().expect("it was started here");
        assert!(memory.processes >= 2);
        assert!(memory.bytes.is_some_and(|bytes| bytes > 100_000));
    }
}
