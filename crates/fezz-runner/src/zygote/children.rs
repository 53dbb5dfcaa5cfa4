//! The living children of a zygote.

use crate::crash;
use fezz_wire::control::{Report, Separation};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, wait};

/// Those that aren't reaped yet: a few, rarely more than a hundred.
#[derive(Debug)]
pub(super) struct Children {
    living: Vec<(u64, Pid)>,
    separation: Separation,
}

impl Children {
    pub(super) fn new(separation: Separation) -> Self {
        Self { living: Vec::new(), separation }
    }

    /// Adds a child that was forked, or reports that it wasn't.
    pub(super) fn add_or_report(
        &mut self,
        number: u64,
        forked: Result<Option<Pid>, Errno>,
        reports: &mut Vec<Report>,
    ) {
        match forked {
            Ok(process) => self.living.extend(process.map(|process| (number, process))),
            Err(error) => reports.push(Report::NotForked { child: number, error: error.raw_os_error() }),
        }
    }

    /// Kills one; one that is gone already was reported.
    pub(super) fn kill(&self, number: u64) {
        let Some((_, process)) = self.living.iter().find(|(child, _)| *child == number) else { return };
        // It isn't reaped yet, so no other process has its id.
        match self.separation {
            // With the processes that it has started: without a jail it can.
            Separation::None => kill_process_group(*process, Signal::KILL).ok(),
            // The kernel kills the rest of its namespace; and in a Landlock scope it can't have started a process.
            Separation::PidNamespace | Separation::LandlockScope => kill_process(*process, Signal::KILL).ok(),
        };
        if self.separation == Separation::None {
            // It may not have made its own group yet.
            kill_process(*process, Signal::KILL).ok();
        }
    }

    /// Reaps those that have ended.
    pub(super) fn reap(&mut self, reports: &mut Vec<Report>) {
        while !self.living.is_empty()
            && let Ok(Some((process, status))) = wait(WaitOptions::NOHANG)
        {
            let Some(at) = self.living.iter().position(|(_, living)| *living == process) else { continue };
            let (child, _) = self.living.swap_remove(at);
            if self.separation == Separation::None {
                kill_process_group(process, Signal::KILL).ok();
            }
            reports.push(Report::Ended { child, status: reported_status(status) });
        }
    }
}

/// The status to report of a child's end: the signal, if the child exited with a status that stands for one.
fn reported_status(status: WaitStatus) -> i32 {
    let signal = status.exit_status().and_then(crash::signal_of_status);
    signal.unwrap_or_else(|| status.as_raw())
}
