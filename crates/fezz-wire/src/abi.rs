//! The C functions of a module, version 2. `include/fezz.h` declares the same for C; a test compares the two.
//! `include/fezz_cbor.h` is the C counterpart of this crate's decoder and encoder.

use crate::WireError;
use crate::cbor::Writer;
use crate::reader::Reader;
use crate::request::{read_map, read_texts};
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fmt;

/// Bytes that the callee borrows for the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct FezzSlice {
    /// First byte; not null, even where `len` is 0.
    pub ptr: *const u8,
    /// How many bytes.
    pub len: usize,
}

/// Bytes that the module owns until its `fezz_free_v2` gets them back.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct FezzOwned {
    /// First byte, or null for an empty buffer, which is never freed.
    pub ptr: *mut u8,
    /// How many bytes.
    pub len: usize,
}

impl FezzOwned {
    /// The empty buffer.
    pub const EMPTY: Self = Self { ptr: std::ptr::null_mut(), len: 0 };
}

/// `fezz_handle_v2`: one [`FezzWireRequest`](crate::FezzWireRequest) in, one
/// [`FezzWireResponse`](crate::FezzWireResponse) out. Required. It must not unwind.
pub type HandleFn = unsafe extern "C" fn(request: FezzSlice) -> FezzOwned;

/// `fezz_free_v2`: required. A worker, and the host's own process, call it once for each buffer that isn't null. A process
/// about to exit, or to be put back to its snapshot (`rewind`), need not call it.
pub type FreeFn = unsafe extern "C" fn(buffer: FezzOwned);

/// `fezz_on_load_v2`: optional, called once per process image before the first request. A module in the host's own process
/// whose `fezz_on_unload_v2` was called may be loaded again, with its variables as they are. `context` is the CBOR map that
/// [`encode_load_context`] makes and [`decode_load_context`] reads. It returns the empty buffer on success, else an
/// error message in UTF-8.
pub type OnLoadFn = unsafe extern "C" fn(context: FezzSlice) -> FezzOwned;

/// `fezz_on_fork_v2`: optional, called in each forked process before its request; with `rewind` before each. It must not unwind; if it fails, it
/// aborts the process.
pub type OnForkFn = unsafe extern "C" fn();

/// `fezz_on_unload_v2`: optional, called before a worker ends, or the host's own process unloads the module.
pub type OnUnloadFn = unsafe extern "C" fn();

/// Name of [`HandleFn`].
pub const HANDLE: &CStr = c"fezz_handle_v2";
/// Name of [`FreeFn`].
pub const FREE: &CStr = c"fezz_free_v2";
/// Name of [`OnLoadFn`].
pub const ON_LOAD: &CStr = c"fezz_on_load_v2";
/// Name of [`OnForkFn`].
pub const ON_FORK: &CStr = c"fezz_on_fork_v2";
/// Name of [`OnUnloadFn`].
pub const ON_UNLOAD: &CStr = c"fezz_on_unload_v2";

/// The ELF section that holds a module's metadata as JSON, readable without running any of its code.
pub const MANIFEST_SECTION: &str = ".fezz.manifest";

const _: () = {
    assert!(size_of::<FezzSlice>() == 2 * size_of::<usize>());
    assert!(std::mem::offset_of!(FezzSlice, len) == size_of::<usize>());
    assert!(size_of::<FezzOwned>() == 2 * size_of::<usize>());
    assert!(std::mem::offset_of!(FezzOwned, len) == size_of::<usize>());
};

/// The context of [`OnLoadFn`], for a process of one request: a CBOR map of `function` and `version` (text) and `env` (a
/// map of text to text).
pub fn encode_load_context(function: &str, version: &str, env: &[(String, String)]) -> Vec<u8> {
    encode(function, version, env, None)
}

/// The same for a worker, with the key `concurrency` (unsigned): the most calls of
/// [`HandleFn`] at a time, each on a thread of its own.
pub fn encode_lasting_load_context(
    function: &str,
    version: &str,
    env: &[(String, String)],
    concurrency: u32,
) -> Vec<u8> {
    encode(function, version, env, Some(concurrency))
}

fn encode(function: &str, version: &str, env: &[(String, String)], concurrency: Option<u32>) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.map(3 + usize::from(concurrency.is_some()));
    if let Some(concurrency) = concurrency {
        writer.text("concurrency");
        writer.unsigned(concurrency.into());
    }
    writer.text("function");
    writer.text(function);
    writer.text("version");
    writer.text(version);
    writer.text("env");
    writer.map(env.len());
    for (name, value) in env {
        writer.text(name);
        writer.text(value);
    }
    writer.into_bytes()
}

/// The argument of [`OnLoadFn`], borrowed from the message.
#[derive(Clone, PartialEq, Eq)]
pub struct LoadContext<'a> {
    /// The function's id.
    pub function: &'a str,
    /// The function's version.
    pub version: &'a str,
    /// The process's environment variables, by name.
    pub env: BTreeMap<&'a str, &'a str>,
    /// The most calls of [`HandleFn`] at a time, in a worker; `None` in any other process.
    pub concurrency: Option<u64>,
}

/// With the names of variables alone: a value may be a secret.
impl fmt::Debug for LoadContext<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, version, env, concurrency } = self;
        let mut shown = formatter.debug_struct("LoadContext");
        let names: Vec<_> = env.keys().collect();
        shown.field("function", function).field("version", version).field("env", &names);
        shown.field("concurrency", concurrency).finish()
    }
}

/// Decodes the context of [`OnLoadFn`], by the rules of the wire (see the crate's page).
///
/// # Errors
///
/// The rule that the context breaks, with the key or offset.
pub fn decode_load_context(context: &[u8]) -> Result<LoadContext<'_>, WireError> {
    let mut reader = Reader::new(context)?;
    let (mut function, mut version, mut env, mut concurrency) = (None, None, None, None);
    read_map(&mut reader, "the message", |reader, key| {
        match key {
            "function" => function = Some(reader.text()?),
            "version" => version = Some(reader.text()?),
            "env" => env = Some(read_texts(reader, "env")?),
            "concurrency" => concurrency = Some(reader.unsigned()?),
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    Ok(LoadContext {
        function: function.ok_or(WireError::MissingKey { key: "function" })?,
        version: version.ok_or(WireError::MissingKey { key: "version" })?,
        env: env.ok_or(WireError::MissingKey { key: "env" })?,
        concurrency,
    })
}
