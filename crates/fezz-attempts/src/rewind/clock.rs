//! Whether two requests ran in one process: the first uses processor time, and the second asks how much the process has
//! used. No later state of the process hides that, and no memory has to hold it.

use crate::sys;
use std::time::Duration;

/// Uses processor time: for `multiplications` that depend on each other, some 3 cycles each.
pub(super) fn burn(multiplications: usize) {
    if multiplications == 0 {
        return;
    }
    // SAFETY: only the registers that are named change.
    unsafe {
        std::arch::asm!(
            "2: imul {product}, {product}",
            "dec {count}",
            "jnz 2b",
            product = inout(reg) 3_u64 => _,
            count = inout(reg) multiplications => _,
            options(nomem, nostack),
        );
    }
}

/// Whether this process has already used the time of [`burn`]. To know how much that is on this machine, it burns again.
pub(super) fn has_burnt(multiplications: usize) -> bool {
    let before = used();
    burn(multiplications);
    // Of a forked process nearly nothing, else twice the time: the clock may differ by a third between the two.
    const PART: u32 = 2;
    before * PART >= used().saturating_sub(before)
}

/// The process's processor time. The vDSO doesn't have it, so this is always a system call.
fn used() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let arguments = [libc::CLOCK_PROCESS_CPUTIME_ID as usize, sys::at_mut(&mut time)];
    match sys::call(libc::SYS_clock_gettime, &arguments) {
        Ok(_) => Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32),
        Err(_) => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_has_burnt_is_known_by_its_time() {
        const MULTIPLICATIONS: usize = 10_000_000;
        burn(MULTIPLICATIONS);
        assert!(has_burnt(MULTIPLICATIONS));
        assert!(!has_burnt(100 * MULTIPLICATIONS));
    }
}
