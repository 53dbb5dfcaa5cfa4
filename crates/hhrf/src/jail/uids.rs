//! An unprivileged uid for each function, if the host is root.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Assigns uids, so that no function has any right over another's processes.
#[derive(Debug)]
pub struct Uids {
    base: u32,
    given: Mutex<HashMap<String, u32>>,
}

/// More functions than a host is likely to serve in its life. Beyond that, uids are reused, with a warning in the log.
pub const UIDS: u32 = 1 << 16;

impl Uids {
    /// Assigns uids from `base` on.
    pub fn new(base: u32) -> Self {
        Self { base, given: Mutex::default() }
    }

    /// The first of them, which the trial uses, too.
    pub fn base(&self) -> u32 {
        self.base
    }

    /// The function's uid. It stays the same while this host lives: nothing that the uid owns lives longer.
    pub fn of(&self, function: &str) -> u32 {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(uid) = given.get(function) {
            return *uid;
        }
        let number = u32::try_from(given.len()).unwrap_or_default();
        let uid = self.base + number % UIDS;
        if number >= UIDS {
            tracing::warn!(
                function,
                uid,
                "out of uids: this function shares its uid with another; restart the host"
            );
        }
        given.insert(function.to_owned(), uid);
        uid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_keeps_a_uid_of_its_own() {
        let uids = Uids::new(1000);
        assert_eq!([uids.of("a@v1"), uids.of("a@v2"), uids.of("a@v1")], [1000, 1001, 1000]);
    }
}
