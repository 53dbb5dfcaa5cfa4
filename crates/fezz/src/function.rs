//! Functions as values: what an attribute says of one, and with the feature `server` what a host in the same program
//! serves.

pub use crate::manifest::{Function, FunctionManifest, FunctionRoute};

#[cfg(feature = "server")]
mod native;

#[cfg(feature = "server")]
pub use native::FezzFunction;
