//! What a function's manifest may say: `fezz.json`, which the host reads, and the ELF section `.fezz.manifest`, which
//! `#[fezz_function]` writes into a module. Types, rules, and one sentence for each way to break a rule.
//!
//! Nothing here opens a file or a socket: bytes come in, types or errors go out. Host, macro and tools share these
//! rules, so that the compiler, the host's log and a tool agree on what is wrong.
//!
//! The rules of single values, which every user of the crate has:
//!
//! 1. [`names`]: ids, versions, environment variables. [`version`]: which of two versions is later.
//! 2. [`nearest`](mod@nearest): the known name that a misspelt one most likely meant.
//! 3. [`duration`]: `30s` in milliseconds. [`range`]: each number of a manifest with its minimum and maximum.
//! 4. [`path`]: the path of a route, in either notation. [`method`]: the methods of a route. [`rpc`]: targets that name
//!    their function.
//!
//! With the feature `routing`:
//!
//! 5. [`routing`]: which route a request takes.
//!
//! The files, with the feature `file`:
//!
//! 6. `route`: one route, as it is written and as it is checked. [`secret`] and [`resource`]: what their values may be.
//!    `variables`: names and values, of which `Debug` shows the names.
//! 7. `manifest`: `fezz.json` as types, with the defaults. [`schema`](fn@schema): the same for editors.
//! 8. [`header`]: headers that a manifest may add to responses. `error`: all that can be wrong with one. `check` has the rules that go beyond types, `explain` turns serde's
//!    errors into sentences, and `parse` reads a manifest: [`Manifest::parse`].
//!    `resolve` gives a function the values of its secrets and resources: [`Manifest::resolve`].
//! 9. `metadata`: the JSON of a module's section, [`Metadata::parse`], and which of the two counts.
//!
//!    [`gateway`], with the feature of that name: many functions in one YAML file.
//!
//! The module, with the feature `module`:
//!
//! 10. [`module`]: an ELF file is checked, its section found and its libraries listed, without running any of its code. `program`: the
//!     same for a program: [`check_program`].
//!
//! A module of this list uses only those above it.

pub mod names;
pub mod version;

pub mod nearest;

pub mod duration;
pub mod range;

pub mod method;
pub mod path;
pub mod rpc;

#[cfg(feature = "routing")]
pub mod routing;

#[cfg(feature = "file")]
mod route;

#[cfg(feature = "file")]
pub mod secret;

#[cfg(feature = "file")]
pub mod resource;

#[cfg(feature = "file")]
mod variables;

#[cfg(feature = "file")]
mod once;

#[cfg(feature = "file")]
mod manifest;

#[cfg(feature = "file")]
pub mod header;

#[cfg(feature = "file")]
mod error;

#[cfg(feature = "file")]
mod check;

#[cfg(feature = "file")]
mod explain;

#[cfg(feature = "file")]
mod parse;

#[cfg(feature = "file")]
mod resolve;

#[cfg(feature = "file")]
mod metadata;

#[cfg(feature = "gateway")]
pub mod gateway;

#[cfg(feature = "module")]
pub mod module;

#[cfg(feature = "module")]
mod program;

#[cfg(feature = "file")]
pub use {
    error::ManifestError,
    manifest::{Execution, Limits, Manifest, Network, TIMEOUT_MS_DEFAULT, Worker, schema},
    metadata::{Metadata, MetadataError},
    resolve::ResolveError,
    route::{Domain, Methods, PatternError, Route, RoutePattern},
    variables::Variables,
};

#[cfg(feature = "module")]
pub use module::{Module, ModuleError};

#[cfg(feature = "module")]
pub use program::{ProgramError, check_program};

pub use nearest::nearest;
