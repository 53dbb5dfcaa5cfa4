//! One release's module in the host's process: it is mapped, then loaded by its `on_load`; `on_unload` ends that, and a module
//! that stays mapped may be loaded again.

use super::Shared;
use super::load::ModuleFailure;
use crate::catalogue::Function;
use crate::execute::back_off::BackOff;
use crate::release::Code;
use fezz_inprocess::{Closed, Image};
use fezz_wire::abi::encode_load_context;
use std::sync::Arc;
use std::time::Instant;

/// Modules that may be mapped: each takes some 5 mappings, of which a process may have 65,530 (`vm.max_map_count`).
const MAPPED_MAX: usize = 4096;

/// The module, while no call has it.
#[derive(Debug)]
pub(super) struct Backing {
    function: Arc<Function>,
    /// Mapped, but not loaded: its `on_unload` was called, or it has none.
    kept: Option<Arc<Image>>,
    /// Whether its `on_load` was called, and no `on_unload` since.
    is_loaded: bool,
    back_off: BackOff,
    failure: Option<ModuleFailure>,
}

/// Why a module is unloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// There were no calls for long.
    Idle,
    /// Its release isn't served any more.
    Replaced,
}

impl Backing {
    pub(super) fn new(function: &Arc<Function>) -> Self {
        Self {
            function: Arc::clone(function),
            kept: None,
            is_loaded: false,
            back_off: BackOff::default(),
            failure: None,
        }
    }

    /// Maps the module, unless it is mapped, and calls its `on_load`, unless that was done. Runs code of the module: not
    /// on a thread of the runtime.
    pub(super) fn load(&mut self, shared: &Shared) -> Result<Arc<Image>, ModuleFailure> {
        if let Some(failure) = &self.failure
            && failure.retry().is_some_and(|retry| Instant::now() < retry.at)
        {
            return Err(failure.clone());
        }
        self.failure = None;
        let loaded = self.try_load(shared);
        match &loaded {
            Ok(_) => self.back_off = BackOff::default(),
            Err(failure) => {
                tracing::error!(
                    function = self.function.name(),
                    "module failed to load: {}",
                    crate::log::chain(failure)
                );
                self.failure = Some(failure.clone());
            }
        }
        loaded
    }

    fn try_load(&mut self, shared: &Shared) -> Result<Arc<Image>, ModuleFailure> {
        let begun = Instant::now();
        let image = match self.kept.take() {
            Some(image) => image,
            None => self.map(shared)?,
        };
        if !self.is_loaded {
            let release = &self.function.release;
            let env: Vec<_> =
                release.env.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let context = encode_load_context(&release.id, &release.version, &env);
            if let Err(cause) = image.on_load(&context) {
                self.kept = Some(image);
                return Err(ModuleFailure::OnLoad { cause, retry: self.back_off.failed() });
            }
            self.is_loaded = true;
        }
        shared.metrics.loaded();
        tracing::info!(
            function = self.function.name(),
            ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            "module loaded into this process"
        );
        Ok(image)
    }

    fn map(&mut self, shared: &Shared) -> Result<Arc<Image>, ModuleFailure> {
        let mapped = shared.metrics.mapped();
        if mapped >= MAPPED_MAX {
            return Err(ModuleFailure::TooMany { mapped, mapped_max: MAPPED_MAX });
        }
        let Code::Module { artifact, .. } = &self.function.release.code else {
            unreachable!("`Executors` brings only modules here")
        };
        let image = Image::load(artifact.path()).map_err(|cause| ModuleFailure::NotLoaded {
            cause: Arc::new(cause),
            retry: self.back_off.failed(),
        })?;
        shared.metrics.map(1);
        Ok(Arc::new(image))
    }

    /// Calls the module's `on_unload`, and unmaps it if its manifest says that it may be. `image` is the only reference, so
    /// that no call is running. Runs code of the module: not on a thread of the runtime.
    pub(super) fn unload(&mut self, image: Arc<Image>, reason: Reason, shared: &Shared) {
        if image.has_on_unload() {
            image.on_unload();
            self.is_loaded = false;
        }
        let may_close = matches!(self.function.release.code, Code::Module { unload: true, .. });
        let result = match Arc::try_unwrap(image) {
            Ok(image) if may_close => {
                self.is_loaded = false;
                match image.close() {
                    Closed::Unmapped => {
                        shared.metrics.map(-1);
                        "unmapped"
                    }
                    Closed::StillMapped => "still_mapped",
                }
            }
            Ok(image) => {
                self.kept = Some(Arc::new(image));
                "kept"
            }
            Err(_) => unreachable!("the pool gives up its only reference"),
        };
        let reason = reason.as_str();
        shared.metrics.unloaded(reason, result);
        tracing::info!(function = self.function.name(), reason, result, "module unloaded from this process");
    }
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Replaced => "replaced",
        }
    }
}
