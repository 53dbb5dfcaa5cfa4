//! Signals: handlers, masks, stacks, timers. To change any of them takes a system call.

use super::memory::missing;
use super::{killed, replaced, stub};
use crate::attempt::Attempt;
use crate::state::{self, Own, USER_SIGNAL, signal_mask};
use crate::sys;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

pub(super) const ATTEMPTS: &[Attempt] = &[
    replaced("keep-signal-mask", "keep a signal blocked", &state::SIGNAL_MASK),
    replaced("keep-signal-handler", "keep a signal ignored", &state::SIGNAL_HANDLER),
    killed(
        "keep-mask-of-handler",
        "keep a signal blocked by a handler that never returns, but parks",
        &Own {
            leave: in_handler,
            is_there: || match super::is_control()? {
                true => Ok(HANDLER_SAW_IT.load(Ordering::Relaxed)),
                false => (state::SIGNAL_MASK.is_there)(),
            },
        },
    ),
    replaced("keep-alternate-stack", "keep an alternate stack for handlers", &ALTERNATE_STACK),
    replaced("keep-pending-signal", "keep a signal pending", &PENDING),
    replaced("keep-timer", "keep a timer of processor time", &TIMER),
    replaced("keep-alarm", "keep an alarm clock", &ALARM),
];

static HANDLER_SAW_IT: AtomicBool = AtomicBool::new(false);

/// Has a handler run. The kernel blocks its signal meanwhile (sigaction(2)).
fn in_handler() -> io::Result<()> {
    extern "C" fn park(_: libc::c_int) {
        if super::is_control().unwrap_or(true) {
            let is_blocked = signal_mask(&0).is_ok_and(|mask| mask & USER_SIGNAL != 0);
            HANDLER_SAW_IT.store(is_blocked, Ordering::Relaxed);
        } else {
            let (address, length) = stub::response();
            stub::park(address, length).unwrap_or_default();
        }
    }
    // SAFETY: the handler runs in this thread, while it waits in `raise` below, and so may use everything.
    unsafe { libc::signal(libc::SIGUSR2, park as *const () as libc::sighandler_t) };
    sys::call(libc::SYS_kill, &[std::process::id() as usize, libc::SIGUSR2 as usize])?;
    if super::is_control()? { Ok(()) } else { Err(missing("the handler returned")) }
}

const STACK_BYTES: usize = 64 * 1024;

static STACK: [AtomicU8; STACK_BYTES] = [const { AtomicU8::new(0) }; STACK_BYTES];

const ALTERNATE_STACK: Own = Own {
    leave: || {
        let stack = libc::stack_t { ss_sp: sys::at(&STACK) as *mut _, ss_flags: 0, ss_size: STACK_BYTES };
        sys::call(libc::SYS_sigaltstack, &[sys::at(&stack), 0]).map(drop)
    },
    is_there: || {
        let none = std::ptr::null_mut();
        let mut stack = libc::stack_t { ss_sp: none, ss_flags: 0, ss_size: 0 };
        sys::call(libc::SYS_sigaltstack, &[0, sys::at_mut(&mut stack)])?;
        Ok(stack.ss_sp as usize == sys::at(&STACK))
    },
};

const PENDING: Own = Own {
    leave: || {
        signal_mask(&USER_SIGNAL)?;
        sys::call(libc::SYS_kill, &[std::process::id() as usize, libc::SIGUSR2 as usize]).map(drop)
    },
    is_there: || {
        let mut pending = 0_u64;
        let bytes = size_of_val(&pending);
        sys::call(libc::SYS_rt_sigpending, &[sys::at_mut(&mut pending), bytes])?;
        Ok(pending & USER_SIGNAL != 0)
    },
};

/// Far away, so that it never ends.
const SECONDS: usize = 1 << 20;

const TIMER: Own = Own {
    leave: || {
        let timer = [0, 0, SECONDS, 0];
        sys::call(libc::SYS_setitimer, &[libc::ITIMER_VIRTUAL as usize, sys::at(&timer), 0]).map(drop)
    },
    is_there: || {
        let mut timer = [0_usize; 4];
        sys::call(libc::SYS_getitimer, &[libc::ITIMER_VIRTUAL as usize, sys::at_mut(&mut timer)])?;
        Ok(timer[2] != 0)
    },
};

const ALARM: Own = Own {
    leave: || sys::call(libc::SYS_alarm, &[SECONDS]).map(drop),
    is_there: || sys::call(libc::SYS_alarm, &[0]).map(|seconds| seconds != 0),
};
