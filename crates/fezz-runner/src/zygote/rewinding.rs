//! What a zygote does before it forks processes that can be put back to a snapshot: it finds out whether they can, and
//! takes from the kernel beforehand what requests would otherwise ask for.

use super::park::Park;
use super::syscalls::{alternate_stack, grow_heap, grow_stack, handling, unregister_rseq};
use crate::syscalls::buffer_stdout_in_place;
use fezz_wire::control::Separation;
use fezz_wire::rewind::Obstacle;
use rustix::io::Errno;

/// The state before the module is loaded.
#[derive(Debug)]
pub(crate) struct BeforeLoad {
    signals: Result<Signals, Errno>,
}

impl BeforeLoad {
    /// Records it, and gives C's stdout a buffer: before the module prints.
    pub(crate) fn record() -> Self {
        buffer_stdout_in_place();
        Self { signals: Signals::now() }
    }

    /// How the zygote's children can wait for the host. Call it when the module is loaded, before the zygote changes how
    /// it handles signals itself.
    ///
    /// # Errors
    ///
    /// They can't be put back to a snapshot.
    pub(super) fn check(self, separation: Separation) -> Result<Park, Obstacle> {
        let park = Park::choose()?;
        if separation != Separation::PidNamespace {
            return Err(Obstacle::Separation);
        }
        // A handler of the module's could run between two requests, and see both.
        match (self.signals, Signals::now()) {
            (Ok(before), Ok(now)) if before == now => {}
            _ => return Err(Obstacle::SignalHandlers),
        }
        unregister_rseq().map_err(|_| Obstacle::Rseq)?;
        grow_heap();
        grow_stack();
        Ok(park)
    }
}

/// The highest signal (signal(7)).
const SIGNAL_MAX: libc::c_int = 64;

/// How each signal is handled, but for SIGCHLD, which the zygote handles itself, and on which stack.
#[derive(Debug, PartialEq, Eq)]
struct Signals {
    handlings: Vec<[u64; 4]>,
    stack: (usize, libc::c_int, usize),
}

impl Signals {
    fn now() -> Result<Self, Errno> {
        let others = (1..=SIGNAL_MAX).filter(|signal| *signal != libc::SIGCHLD);
        Ok(Self { handlings: others.map(handling).collect::<Result<_, _>>()?, stack: alternate_stack()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscalls::on_signal;
    use nix::sys::signal::{SaFlags, Signal};

    #[test]
    fn a_module_that_handles_a_signal_is_noticed_unless_the_zygote_handles_it_anyway() {
        extern "C" fn handler(_signal: libc::c_int) {}
        let before = Signals::now().expect("signals can be asked for");
        on_signal(Signal::SIGCHLD, handler, SaFlags::empty()).expect("SIGCHLD can be handled");
        assert_eq!(Signals::now().as_ref(), Ok(&before));
        on_signal(Signal::SIGUSR1, handler, SaFlags::empty()).expect("SIGUSR1 can be handled");
        assert_ne!(Signals::now().as_ref(), Ok(&before));
    }
}
