//! An unprivileged uid for each function, if the host is root.

use crate::settings::UIDS;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Assigns [`UIDS`] uids, so that no function has any right over another's processes. Beyond that many, uids are reused,
/// with a warning in the log.
#[derive(Debug)]
pub(super) struct Uids {
    base: u32,
    given: Mutex<HashMap<String, u32>>,
}

impl Uids {
    /// Assigns uids from `base` on.
    pub(super) fn new(base: u32) -> Self {
        Self { base, given: Mutex::default() }
    }

    /// The function's uid. It stays the same while this host lives, even if the function is removed and comes back:
    /// nothing that the uid owns lives longer.
    pub(super) fn of(&self, function: &str) -> u32 {
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
