//! One release's module in the host's process: it is mapped, then loaded by its `on_load`; `on_unload` ends that, and a module
//! that stays mapped may be loaded again.

use super::Shared;
use super::load::ModuleFailure;
use crate::execute::back_off::BackOff;
use crate::release::{Code, Release};
use fezz_inprocess::{Closed, Image};
use fezz_wire::abi::{encode_lasting_load_context, encode_load_context};
use std::sync::Arc;
use std::time::Instant;

/// Modules that may be mapped: each takes some 5 mappings, of which a process may have 65,530 (`vm.max_map_count`).
const MAPPED_MAX: usize = 4096;

/// The module, while no call has it.
#[derive(Debug)]
pub(super) struct Backing {
    release: Arc<Release>,
    /// Mapped, while no call has it: evicted, or its `on_load` failed.
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
    pub(super) fn new(release: &Arc<Release>) -> Self {
        Self {
            release: Arc::clone(release),
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
            && Instant::now() < failure.retry().at
        {
            return Err(failure.clone());
        }
        self.failure = None;
        let loaded = self.try_load(shared);
        match &loaded {
            Ok(_) => self.back_off = BackOff::default(),
            Err(failure) => {
                tracing::error!(
                    function = self.release.name(),
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
            let release = &self.release;
            let env: Vec<_> =
                release.env.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let context = if self.may_close() {
                // No runtime of the module's may outlive its code.
                encode_load_context(&release.id, &release.version, &env)
            } else {
                // As many as there are permits, on any of the host's threads.
                encode_lasting_load_context(&release.id, &release.version, &env, u32::MAX)
            };
            if let Err(cause) = image.on_load(&context) {
                self.kept = Some(image);
                return Err(ModuleFailure::OnLoad { cause, retry: self.back_off.failed() });
            }
            self.is_loaded = true;
        }
        shared.metrics.loaded();
        tracing::info!(
            function = self.release.name(),
            ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            "module loaded into this process"
        );
        Ok(image)
    }

    fn map(&mut self, shared: &Shared) -> Result<Arc<Image>, ModuleFailure> {
        let mapped = shared.metrics.mapped();
        if mapped >= MAPPED_MAX {
            let retry = self.back_off.failed();
            return Err(ModuleFailure::TooMany { mapped, mapped_max: MAPPED_MAX, retry });
        }
        let Code::Module { artifact, .. } = &self.release.code else {
            unreachable!("`Executors` brings only modules here")
        };
        let image = Image::load(artifact.path()).map_err(|cause| ModuleFailure::NotLoaded {
            cause: Arc::new(cause),
            retry: self.back_off.failed(),
        })?;
        shared.metrics.map(1);
        Ok(Arc::new(image))
    }

    /// Whether a module is mapped that nothing calls, though its manifest says that it may be unmapped.
    pub(super) fn has_left(&self) -> bool {
        self.kept.is_some() && self.may_close()
    }

    fn may_close(&self) -> bool {
        matches!(self.release.code, Code::Module { unload: true, .. })
    }

    /// Calls the `on_unload` of a loaded module, if one is given, and unmaps it, or what is left of it, if its manifest says
    /// that it may be. `image` is the only reference, so that no call is running. Runs code of the module: not on a thread
    /// of the runtime.
    pub(super) fn unload(&mut self, image: Option<Arc<Image>>, reason: Reason, shared: &Shared) {
        if let Some(image) = &image
            && image.has_on_unload()
        {
            image.on_unload();
            self.is_loaded = false;
        }
        let Some(image) = image.or_else(|| self.kept.take()) else { return };
        let result = if self.may_close() { self.close(image, shared) } else { self.keep(image, "kept") };
        if reason == Reason::Replaced {
            // Never loaded again. What is mapped stays so.
            self.kept = None;
        }
        let reason = reason.as_str();
        shared.metrics.unloaded(reason, result);
        tracing::info!(function = self.release.name(), reason, result, "module unloaded from this process");
    }

    fn close(&mut self, image: Arc<Image>, shared: &Shared) -> &'static str {
        let image = Arc::into_inner(image).expect("the pool gives up its only reference");
        match image.close() {
            Closed::Unmapped => {
                self.is_loaded = false;
                shared.metrics.map(-1);
                "unmapped"
            }
            // As a module that may not be unmapped: its next life has the same mapping.
            Closed::StillMapped(image) => self.keep(Arc::new(image), "still_mapped"),
        }
    }

    fn keep(&mut self, image: Arc<Image>, result: &'static str) -> &'static str {
        self.kept = Some(image);
        result
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
