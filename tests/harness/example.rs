//! An example that isn't Rust, as it is shipped: its source, its manifest, its Makefile.

use super::site::{binary, make};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub(crate) struct Example {
    folder: PathBuf,
    pub(crate) manifest: Value,
}

impl Example {
    /// Of the folder `name` below `examples/`.
    pub(crate) fn read(name: &str) -> Self {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples")).join(name);
        let manifest = std::fs::read_to_string(folder.join("fezz.json")).unwrap();
        Self { manifest: serde_json::from_str(&manifest).unwrap(), folder }
    }

    pub(crate) fn source(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.join(file)).unwrap()
    }

    /// Builds the module where the workspace's are, and returns its name.
    pub(crate) fn build(&self) -> &str {
        // One test at a time: another may copy the module.
        static BUILDING: Mutex<()> = Mutex::new(());
        let module = self.manifest["entry"].as_str().unwrap();
        let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        make(binary(module).parent().unwrap(), self.folder.to_str().unwrap());
        module
    }
}
