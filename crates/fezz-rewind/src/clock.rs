//! The processor time of another process.

use rustix::process::Pid;
use std::io;
use std::time::Duration;

/// What a process has used of the processors so far, all of its threads together (clock_getcpuclockid(3)).
///
/// # Errors
///
/// `EINVAL` if there is no such process.
pub fn processor_time(process: Pid) -> io::Result<Duration> {
    // The kernel's clock of a process: its number with all bits inverted, shifted by three, and the kind of clock
    // (include/linux/posix-timers_types.h, CPUCLOCK_SCHED).
    const SCHEDULED: libc::clockid_t = 2;
    let clock = (!process.as_raw_nonzero().get() << 3) | SCHEDULED;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec, or nothing; it checks the number.
    match unsafe { libc::clock_gettime(clock, &raw mut time) } {
        0 => {
            let [seconds, nanoseconds] =
                [time.tv_sec, time.tv_nsec].map(|part| u64::try_from(part).unwrap_or_default());
            Ok(Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds))
        }
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computing_uses_processor_time_and_sleeping_does_not() {
        let own = || processor_time(rustix::process::getpid()).unwrap();
        let before = own();
        let mut sum = 0_u64;
        while own() - before < Duration::from_millis(5) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(own() > before);
    }

    #[test]
    fn a_process_that_is_not_there_has_no_clock() {
        let none = Pid::from_raw(i32::MAX - 1).unwrap();
        assert!(processor_time(none).is_err());
    }
}
