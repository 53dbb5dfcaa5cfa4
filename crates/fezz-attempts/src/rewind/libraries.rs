//! What a request leaves in variables of the C library.

use super::restored;
use crate::attempt::Attempt;
use crate::state::{self, Own};
use std::io;

pub(super) const ATTEMPTS: &[Attempt] = &[
    restored("keep-random-seed", "keep the state of rand()", &SEED),
    restored("keep-random-seed-48", "keep the state of lrand48()", &SEED_48),
    restored("keep-errno", "keep the value of errno", &ERRNO),
    restored("keep-environment", "keep a variable of its environment", &state::ENVIRONMENT),
];

const OWN_SEED: u32 = 0xfe22;

const SEED: Own = Own {
    leave: || {
        // SAFETY: has no precondition.
        unsafe { libc::srand(OWN_SEED) };
        Ok(())
    },
    is_there: || {
        // SAFETY: has no precondition.
        let next = unsafe { libc::rand() };
        // SAFETY: has no precondition.
        unsafe { libc::srand(OWN_SEED) };
        // SAFETY: has no precondition.
        Ok(next == unsafe { libc::rand() })
    },
};

const SEED_48: Own = Own {
    leave: || {
        // SAFETY: has no precondition.
        unsafe { libc::srand48(OWN_SEED.into()) };
        Ok(())
    },
    is_there: || {
        // SAFETY: has no precondition.
        let next = unsafe { libc::lrand48() };
        // SAFETY: has no precondition.
        unsafe { libc::srand48(OWN_SEED.into()) };
        // SAFETY: has no precondition.
        Ok(next == unsafe { libc::lrand48() })
    },
};

/// An error that no call of a request's gives.
const OWN_ERROR: i32 = libc::EXDEV;

const ERRNO: Own = Own {
    leave: || {
        // SAFETY: has no precondition.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: it points to the thread's own variable (errno(3)).
        unsafe { errno.write(OWN_ERROR) };
        Ok(())
    },
    is_there: || Ok(io::Error::last_os_error().raw_os_error() == Some(OWN_ERROR)),
};
