//! Functions as values: what an attribute says of one, and with the feature `server` what a host in the same program
//! serves.

pub use crate::manifest::{Function, FunctionManifest, FunctionRoute};

#[cfg(feature = "server")]
mod native;

#[cfg(feature = "server")]
pub use fezz_control_plane::OwnedFunctionManifest;
#[cfg(feature = "server")]
pub use native::FezzFunction;

/// The first route, with its first method.
#[cfg(feature = "server")]
impl From<&FunctionManifest> for OwnedFunctionManifest {
    fn from(manifest: &FunctionManifest) -> Self {
        let FunctionManifest { id, version, method, path, timeout, description, routes: _, deadline: _ } =
            *manifest;
        Self::new(id, version, method, path).timeout(timeout).description(description)
    }
}
