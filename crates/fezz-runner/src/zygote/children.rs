//! The living children of a zygote.

use crate::crash;
use fezz_wire::control::{Report, Separation};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, wait};

/// Those that aren't reaped yet: a few, seldom more than hundred.
#[derive(Debug)]
pub(super) struct Children {
    living: Vec<(u64, Pid)>,
    separation: Separation,
}

impl Children {
    pub(super) fn new(separation: Separation) -> Self {
        Self { living: Vec::new(), separation }
    }

    pub(super) fn add(&mut self, number: u64, process: Pid) {
        self.living.push((number, process));
    }

    /// Kills one; one that is gone already was reported.
    pub(super) fn kill(&self, number: u64) {
        let Some((_, process)) = self.living.iter().find(|(child, _)| *child == number) else { return };
        // Not reaped yet, its id is nobody else's.
        match self.separation {
            // With whatever it has started, which nothing hinders it to.
            Separation::None => kill_process_group(*process, Signal::KILL).ok(),
            // With its namespace, or it can't have started anything.
            Separation::PidNamespace | Separation::LandlockScope => kill_process(*process, Signal::KILL).ok(),
        };
        if self.separation == Separation::None {
            // In the moment before it has a group of its own.
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
            reports.push(Report::Ended { child, status: told(status) });
        }
    }
}

/// What is told of a child's end: the signal that it exited for, where it couldn't be killed by it.
fn told(status: WaitStatus) -> i32 {
    let signal = status.exit_status().and_then(crash::signal_behind);
    signal.unwrap_or_else(|| status.as_raw())
}
