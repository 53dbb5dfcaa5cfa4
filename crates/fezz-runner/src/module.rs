//! The function's shared library. Everything that is called here is the author's code, and runs with the rights that
//! this process has left.

use fezz_wire::abi::{self, FezzOwned, FezzSlice, FreeFn, HandleFn, OnForkFn, OnLoadFn, OnUnloadFn};
use fezz_wire::frame::PAYLOAD_BYTES_MAX;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::ffi::{CStr, c_void};
use std::path::{Path, PathBuf};

/// What is wrong with a module.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// dlopen(3) refused.
    #[error("failed to load the module `{path}`")]
    NotLoaded { path: PathBuf, source: libloading::Error },
    /// A required symbol isn't there.
    #[error("the module `{path}` has no `{symbol}`: is it built with #[fezz_function], or against fezz.h?")]
    MissingSymbol { path: PathBuf, symbol: &'static str, source: libloading::Error },
    /// `fezz_on_load_v2` returned a text.
    #[error("the module's fezz_on_load_v2 failed: {message}")]
    OnLoad { message: String },
    /// `fezz_handle_v2` returned nothing.
    #[error("the module's fezz_handle_v2 returned an empty buffer")]
    EmptyBuffer,
    /// A worker's frame has a limit.
    #[error("the module's response has {bytes} bytes, the limit is {PAYLOAD_BYTES_MAX}")]
    TooLong { bytes: usize },
}

/// A loaded module. It is never unloaded: that would be unsound for a Rust library, whose threads and thread-locals
/// remain, and this process ends with it.
#[derive(Debug)]
pub(crate) struct Module {
    handle: HandleFn,
    free: FreeFn,
    on_load: Option<OnLoadFn>,
    on_fork: Option<OnForkFn>,
    on_unload: Option<OnUnloadFn>,
}

impl Module {
    /// Loads the library, which runs its constructors, and finds its functions.
    ///
    /// # Errors
    ///
    /// [`ModuleError::NotLoaded`] and [`ModuleError::MissingSymbol`].
    pub(crate) fn load(path: &Path) -> Result<Self, ModuleError> {
        // A name without a slash would be searched in the library path instead (dlopen(3)).
        let file = if path.components().count() > 1 { path.to_owned() } else { Path::new(".").join(path) };
        // SAFETY: constructors are arbitrary code, and so is all of a module: nothing here relies on its effects but
        // the two functions below, and what confines the process is in force already.
        let library = unsafe { Library::open(Some(&file), RTLD_NOW | RTLD_LOCAL) };
        let library = library.map_err(|source| ModuleError::NotLoaded { path: path.to_owned(), source })?;
        let missing = |symbol: &'static CStr| {
            let symbol = symbol.to_str().unwrap_or("?");
            move |source| ModuleError::MissingSymbol { path: path.to_owned(), symbol, source }
        };
        // SAFETY: the ABI, version 2, gives this symbol this type.
        let handle = unsafe { library.get::<HandleFn>(abi::HANDLE) }.map_err(missing(abi::HANDLE))?;
        // SAFETY: likewise. A process about to exit doesn't call it; a module without it is incomplete.
        let free = unsafe { library.get::<FreeFn>(abi::FREE) }.map_err(missing(abi::FREE))?;
        let (handle, free) = (*handle, *free);
        // Open for good from here on.
        let library = library.into_raw();
        let (on_load, on_fork) = (address(library, abi::ON_LOAD), address(library, abi::ON_FORK));
        let on_unload = address(library, abi::ON_UNLOAD);
        // SAFETY: null is None; else the ABI, version 2, gives this symbol this type.
        let on_load = unsafe { std::mem::transmute::<*mut c_void, Option<OnLoadFn>>(on_load) };
        // SAFETY: likewise.
        let on_fork = unsafe { std::mem::transmute::<*mut c_void, Option<OnForkFn>>(on_fork) };
        // SAFETY: likewise.
        let on_unload = unsafe { std::mem::transmute::<*mut c_void, Option<OnUnloadFn>>(on_unload) };
        Ok(Self { handle, free, on_load, on_fork, on_unload })
    }

    /// Calls `fezz_on_load_v2`, if the module has it, with the context of [`abi::encode_load_context`].
    ///
    /// # Errors
    ///
    /// [`ModuleError::OnLoad`] with what it returned.
    pub(crate) fn on_load(&self, context: &[u8]) -> Result<(), ModuleError> {
        let Some(on_load) = self.on_load else { return Ok(()) };
        // SAFETY: the context is borrowed for the call, as the ABI says.
        let complaint = unsafe { on_load(borrowed(context)) };
        match owned(&complaint) {
            None => Ok(()),
            Some(text) => Err(ModuleError::OnLoad { message: String::from_utf8_lossy(text).into_owned() }),
        }
    }

    /// Allocates the thread-local variables of all libraries. glibc would do so at the first use, again in each forked
    /// process, through its allocator, locks and loader, which takes 15 pages to map.
    pub(crate) fn make_thread_locals() {
        // SAFETY: the callback has the type that dl_iterate_phdr(3) calls, and needs no data.
        unsafe { libc::dl_iterate_phdr(Some(make_thread_locals_of), std::ptr::null_mut()) };
    }

    /// Calls `fezz_on_fork_v2`, if the module has it.
    pub(crate) fn on_fork(&self) {
        if let Some(on_fork) = self.on_fork {
            // SAFETY: the ABI says: in each forked process, before its request.
            unsafe { on_fork() };
        }
    }

    /// Calls `fezz_on_unload_v2`, if the module has it: before a process ends that has served many requests.
    pub(crate) fn on_unload(&self) {
        if let Some(on_unload) = self.on_unload {
            // SAFETY: the ABI says: before a long-lived process ends.
            unsafe { on_unload() };
        }
    }

    /// Calls `fezz_handle_v2`, lends the response to `send`, and gives it back by `fezz_free_v2`. For a process that
    /// lives on; on any thread.
    ///
    /// # Errors
    ///
    /// [`ModuleError::EmptyBuffer`].
    pub(crate) fn handle_and_free<T>(
        &self,
        request: &[u8],
        send: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, ModuleError> {
        // SAFETY: the request is borrowed for the call, as the ABI says.
        let response = unsafe { (self.handle)(borrowed(request)) };
        let sent = owned(&response).map(send);
        if !response.ptr.is_null() {
            // SAFETY: the ABI says: once for each buffer that isn't null. `send` has returned, and kept no part of it.
            unsafe { (self.free)(response) };
        }
        sent.ok_or(ModuleError::EmptyBuffer)
    }

    /// Calls `fezz_handle_v2`. The response is the module's memory, never given back: the process ends with it.
    ///
    /// # Errors
    ///
    /// [`ModuleError::EmptyBuffer`].
    pub(crate) fn handle(&self, request: &[u8]) -> Result<&'static [u8], ModuleError> {
        // SAFETY: the request is borrowed for the call, as the ABI says.
        let response = unsafe { (self.handle)(borrowed(request)) };
        owned(&response).ok_or(ModuleError::EmptyBuffer)
    }
}

/// The address of a function that a module may leave out, or null. Not by libloading, which has dlerror(3) format a
/// message that isn't used: formatting and translation map four more pages of libc for each request.
fn address(library: *mut c_void, name: &CStr) -> *mut c_void {
    // SAFETY: the library is open for good, and the name ends in NUL.
    unsafe { libc::dlsym(library, name.as_ptr()) }
}

/// Allocates those of one library (dl_iterate_phdr(3)).
unsafe extern "C" fn make_thread_locals_of(
    library: *mut libc::dl_phdr_info,
    size: usize,
    _: *mut c_void,
) -> libc::c_int {
    /// How compilers address a thread-local variable: its library, by number, and its offset there (ELF Handling For
    /// Thread-Local Storage, 3.4.2).
    #[repr(C)]
    struct Index {
        library: usize,
        offset: usize,
    }
    unsafe extern "C" {
        fn __tls_get_addr(index: *const Index) -> *mut c_void;
    }
    if size < size_of::<libc::dl_phdr_info>() {
        return 0;
    }
    // SAFETY: glibc passes a valid one, as large as it says.
    let library = unsafe { (*library).dlpi_tls_modid };
    if library != 0 {
        let index = Index { library, offset: 0 };
        // SAFETY: the library is loaded, and has such variables, the first of them at 0.
        unsafe { __tls_get_addr(&raw const index) };
    }
    0
}

fn borrowed(bytes: &[u8]) -> FezzSlice {
    FezzSlice { ptr: bytes.as_ptr(), len: bytes.len() }
}

/// The bytes of a buffer that the module made, until it is freed; `None` where it is empty.
fn owned(buffer: &FezzOwned) -> Option<&'static [u8]> {
    if buffer.ptr.is_null() || buffer.len == 0 || buffer.len > isize::MAX as usize {
        return None;
    }
    // SAFETY: `len` bytes at `ptr` must stay readable while the result is in use. The ABI says that they are until
    // fezz_free_v2, which only `handle_and_free` calls, after the last use. A module that breaks the ABI harms its own
    // process alone.
    Some(unsafe { std::slice::from_raw_parts(buffer.ptr, buffer.len) })
}
