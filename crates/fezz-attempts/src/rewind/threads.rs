//! Threads that go on when the request has ended.

use super::memory::missing;
use super::{killed, replaced, stub};
use crate::attempt::Attempt;
use crate::state::Own;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

pub(super) const ATTEMPTS: &[Attempt] = &[
    killed(
        "park-from-thread",
        "park from a second thread",
        &Own { leave: park_from_thread, is_there: super::is_control },
    ),
    replaced(
        "write-while-parked",
        "write to memory by a second thread while the process is parked",
        &Own { leave: || write_on(Duration::from_millis(1)), is_there: has_written },
    ),
    replaced(
        "race-host",
        "write to memory by a second thread while the host looks for changes",
        &Own { leave: || write_on(Duration::ZERO), is_there: has_written },
    ),
];

const STACK_BYTES: usize = 64 * 1024;

/// How long a thread goes on, at most: until well after the next request.
const TIME_MAX: Duration = Duration::from_millis(500);

fn park_from_thread() -> io::Result<()> {
    let is_control = super::is_control()?;
    if !is_control {
        stub::instructions()?;
    }
    let thread = Builder::new().stack_size(STACK_BYTES).spawn(move || {
        let (address, length) = stub::response();
        if is_control { Ok(()) } else { stub::park(address, length) }
    })?;
    if is_control {
        return thread.join().unwrap_or_else(|_| Err(missing("the thread panicked")));
    }
    thread::sleep(TIME_MAX);
    Ok(())
}

const PAGE_BYTES: usize = 4096;
const PAGES: usize = 32;

/// One variable on each page.
#[repr(align(4096))]
struct Page {
    written: AtomicU64,
    _rest: [u8; PAGE_BYTES - 64],
}

static WRITTEN: [Page; PAGES] =
    [const { Page { written: AtomicU64::new(0), _rest: [0; PAGE_BYTES - 64] } }; PAGES];

/// Starts a thread that writes, and waits for its first writing.
fn write_on(pause: Duration) -> io::Result<()> {
    Builder::new().stack_size(STACK_BYTES).spawn(move || {
        let start = Instant::now();
        while start.elapsed() < TIME_MAX {
            WRITTEN.iter().for_each(|page| page.written.store(1, Ordering::Relaxed));
            if !pause.is_zero() {
                thread::sleep(pause);
            }
        }
    })?;
    while !has_written()? {
        thread::yield_now();
    }
    Ok(())
}

fn has_written() -> io::Result<bool> {
    Ok(WRITTEN.iter().any(|page| page.written.load(Ordering::Relaxed) != 0))
}
