//! Why a module can't be loaded into the host's process.

use crate::execute::back_off::Retry;
use fezz_inprocess::{LoadError, OnLoadError};
use std::sync::Arc;

/// Why a module can't be loaded. All requests get this error until the next try.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ModuleFailure {
    /// The loader refuses it, or it lacks a symbol.
    #[error("the module can't be loaded into the host's process; {retry}")]
    NotLoaded {
        /// The reason.
        #[source]
        cause: Arc<LoadError>,
        /// When it is tried again.
        retry: Retry,
    },
    /// Its `on_load` failed.
    #[error("{cause}; {retry}")]
    OnLoad {
        /// What it returned.
        cause: OnLoadError,
        /// When it is tried again.
        retry: Retry,
    },
    /// Too many modules are mapped.
    #[error(
        "{mapped} modules are mapped into the host's process, the limit is {mapped_max}: replaced releases stay there unless \
         their manifest has `\"unload\": true`; restart the host; {retry}"
    )]
    TooMany {
        /// How many are.
        mapped: usize,
        /// The limit.
        mapped_max: usize,
        /// When it is tried again: evicted modules may have been unmapped by then.
        retry: Retry,
    },
}

impl ModuleFailure {
    /// When to try again.
    pub(super) fn retry(&self) -> Retry {
        match self {
            Self::NotLoaded { retry, .. } | Self::OnLoad { retry, .. } | Self::TooMany { retry, .. } => {
                *retry
            }
        }
    }
}
