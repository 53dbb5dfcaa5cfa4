//! In place of `park` on processors for which there is no stub.

use fezz_wire::rewind::{Obstacle, Resume};

/// No way to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Park {}

impl Park {
    /// # Errors
    ///
    /// Always.
    pub(super) fn choose() -> Result<Self, Obstacle> {
        Err(Obstacle::Architecture)
    }

    pub(super) fn prepare(self) {
        match self {}
    }

    pub(super) fn wait(self, _address: *const u8, _bytes: usize) -> Option<Resume> {
        match self {}
    }
}
