//! A module in this process.

use crate::response::{EmptyBuffer, Response};
use fezz_wire::abi::{self, FezzOwned, FezzSlice, FreeFn, HandleFn, OnLoadFn, OnUnloadFn};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::ffi::{CStr, c_int};
use std::path::{Path, PathBuf};

/// A module that is mapped into this process. Dropping it leaves it mapped: [`close`](Self::close) is the way to unmap it.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    handle: HandleFn,
    free: FreeFn,
    on_load: Option<OnLoadFn>,
    on_unload: Option<OnUnloadFn>,
    /// Closed by `close` alone.
    library: std::mem::ManuallyDrop<Library>,
}

/// Why a file can't be loaded as a module.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// dlopen(3) refused.
    #[error("failed to load the module `{path}`")]
    NotLoaded {
        /// The file.
        path: PathBuf,
        /// The loader's reason.
        source: libloading::Error,
    },
    /// A required symbol isn't there.
    #[error("the module `{path}` has no `{symbol}`: is it built with #[fezz_function], or against fezz.h?")]
    MissingSymbol {
        /// The file.
        path: PathBuf,
        /// The C function.
        symbol: &'static str,
        /// The loader's reason.
        source: libloading::Error,
    },
}

/// `fezz_on_load_v2` failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the module's fezz_on_load_v2 failed: {message}")]
pub struct OnLoadError {
    /// What it returned.
    pub message: String,
}

/// What dlclose(3) did.
#[derive(Debug)]
pub enum Closed {
    /// The module is unmapped.
    Unmapped,
    /// It is still mapped, and can be called as before: something in it, or of a thread, still refers to it, such as a
    /// thread-local value with a destructor; or it is linked with `-z nodelete`.
    StillMapped(Image),
}

/// Returns only a library that is loaded already (dlopen(3)).
const RTLD_NOLOAD: c_int = 0x4;

impl Image {
    /// Maps the module, binds all of its symbols and runs its constructors. A file that is mapped already is the same
    /// image, with its variables as they are.
    ///
    /// # Errors
    ///
    /// See [`LoadError`].
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        // A name without a slash would be searched in the library path instead (dlopen(3)).
        let file = if path.components().count() > 1 { path.to_owned() } else { Path::new(".").join(path) };
        // SAFETY: constructors are arbitrary code. The caller trusts it as the program.
        let library = unsafe { Library::open(Some(&file), RTLD_NOW | RTLD_LOCAL) };
        let library = library.map_err(|source| LoadError::NotLoaded { path: path.to_owned(), source })?;
        // Not dropped on an error either: constructors may have left threads.
        let library = std::mem::ManuallyDrop::new(library);
        // SAFETY: the ABI, version 2, gives this symbol this type.
        let handle = unsafe { library.get::<HandleFn>(abi::HANDLE) }.map_err(missing(path, abi::HANDLE))?;
        // SAFETY: likewise.
        let free = unsafe { library.get::<FreeFn>(abi::FREE) }.map_err(missing(path, abi::FREE))?;
        // SAFETY: likewise, and the module may leave it out.
        let on_load = unsafe { library.get::<OnLoadFn>(abi::ON_LOAD) }.ok();
        // SAFETY: likewise.
        let on_unload = unsafe { library.get::<OnUnloadFn>(abi::ON_UNLOAD) }.ok();
        let (handle, free) = (*handle, *free);
        let (on_load, on_unload) = (on_load.as_deref().copied(), on_unload.as_deref().copied());
        Ok(Self { path: file, handle, free, on_load, on_unload, library })
    }

    /// Calls `fezz_on_load_v2`, if the module has it, with the context of [`abi::encode_load_context`].
    ///
    /// # Errors
    ///
    /// What it returned.
    pub fn on_load(&self, context: &[u8]) -> Result<(), OnLoadError> {
        let Some(on_load) = self.on_load else { return Ok(()) };
        // SAFETY: the context is borrowed for the call, as the ABI says.
        let complaint = unsafe { on_load(borrowed(context)) };
        let bytes = complaint.len;
        let message = match Response::new(complaint, self) {
            // Given back by now.
            Err(EmptyBuffer) if bytes == 0 => return Ok(()),
            Err(EmptyBuffer) => format!("it returned a text of {bytes} bytes that can't be read"),
            Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        };
        Err(OnLoadError { message })
    }

    /// Calls `fezz_handle_v2` with a request of the wire. May be called by several threads at the same time.
    ///
    /// # Errors
    ///
    /// The module returned nothing.
    pub fn handle(&self, request: &[u8]) -> Result<Response<'_>, EmptyBuffer> {
        // SAFETY: the request is borrowed for the call, as the ABI says.
        let response = unsafe { (self.handle)(borrowed(request)) };
        Response::new(response, self)
    }

    /// Whether the module has `fezz_on_unload_v2`.
    pub fn has_on_unload(&self) -> bool {
        self.on_unload.is_some()
    }

    /// Calls `fezz_on_unload_v2`, if the module has it. No other call of it may be running.
    pub fn on_unload(&self) {
        if let Some(on_unload) = self.on_unload {
            // SAFETY: the ABI says: when no more requests come. The caller's pool has none.
            unsafe { on_unload() };
        }
    }

    /// Closes the library by dlclose(3), which runs its destructors and unmaps it, unless something still refers to it.
    /// Only for a module whose author says that none of its code is needed later: threads, handlers and thread-local values
    /// would call into nothing.
    pub fn close(self) -> Closed {
        let Self { path, library, .. } = self;
        drop(std::mem::ManuallyDrop::into_inner(library));
        // SAFETY: a library that is loaded already runs no constructor.
        match unsafe { Library::open(Some(&path), RTLD_NOLOAD | RTLD_NOW | RTLD_LOCAL) } {
            // The same mapping, and so the same functions; this reference keeps it.
            Ok(library) => {
                let library = std::mem::ManuallyDrop::new(library);
                Closed::StillMapped(Self { path, library, ..self })
            }
            Err(_) => Closed::Unmapped,
        }
    }

    pub(crate) fn free(&self, buffer: FezzOwned) {
        if !buffer.ptr.is_null() {
            // SAFETY: the ABI asks for a buffer of this module that wasn't freed before: `Response` has taken it from a call,
            // and gives it back once.
            unsafe { (self.free)(buffer) };
        }
    }
}

fn missing(path: &Path, symbol: &'static CStr) -> impl FnOnce(libloading::Error) -> LoadError {
    let symbol = symbol.to_str().unwrap_or("?");
    move |source| LoadError::MissingSymbol { path: path.to_owned(), symbol, source }
}

fn borrowed(bytes: &[u8]) -> FezzSlice {
    FezzSlice { ptr: bytes.as_ptr(), len: bytes.len() }
}
