//! What can be wrong with a `fezz.json`: one sentence for each.

use crate::header;
use crate::manifest::Execution;
use crate::names::{NAME_CHARS_MAX, VARIABLE_BYTES_MAX};
use crate::range::OutOfRange;
use crate::resource::{RESOURCE_PREFIX, ResourceError};

/// What is wrong with a manifest. One sentence each, naming the key and the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON at all.
    #[error("line {line}, column {column} is not JSON: {message}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// As serde_json words it.
        message: String,
    },
    /// JSON, but no object.
    #[error("the manifest is not a JSON object: write {{\"id\": ..., \"version\": ..., \"entry\": ...}}")]
    NotAnObject,
    /// A gateway file that is empty, a list or a value.
    #[error("the gateway file is no map: write `functions:` and the functions below it")]
    NotAGateway,
    /// A required key is absent.
    #[error("key `{key}` is missing: add it")]
    MissingKey {
        /// With a dot before each inner key.
        key: String,
    },
    /// A key that no manifest has.
    #[error("key `{key}` is unknown: {}", match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("remove it, or use one of {known}"),
    })]
    UnknownKey {
        /// The key, with the path to it.
        key: String,
        /// The known key nearest to it, where one is near.
        nearest: Option<String>,
        /// All known keys there.
        known: String,
    },
    /// A key is given twice.
    #[error("key `{key}` is given twice: remove one")]
    DuplicateKey {
        /// The key, with the path to it.
        key: String,
    },
    /// A value has the wrong type.
    #[error("key `{key}` is {found}, it must be {expected}")]
    WrongType {
        /// The key, with the path to it.
        key: String,
        /// Its type, as JSON names it.
        found: String,
        /// The types that are allowed, likewise.
        expected: String,
    },
    /// A name has characters or a length that it may not have.
    #[error(
        "key `{key}` is `{value}`: use letters, digits, `_`, `.` and `-`, beginning with a letter or digit, \
         up to {NAME_CHARS_MAX}"
    )]
    BadName {
        /// `id` or `version`.
        key: &'static str,
        /// The value.
        value: String,
    },
    /// The folder is another function's.
    #[error("the folder is named `{folder}`: rename it to `{expected}`, or change `id` and `version`")]
    FolderDisagrees {
        /// The folder's name.
        folder: String,
        /// `<id>@<version>`.
        expected: String,
    },
    /// The module's file could lie outside the manifest's folder.
    #[error("key `entry` is `{entry}`: name a file in the manifest's own folder, without a path")]
    NotAFileName {
        /// The value.
        entry: String,
    },
    /// There is nothing to execute.
    #[error("key `entry` is missing: add it with the module's file name, or `binary` with a program's path")]
    NoCode,
    /// There are two things to execute.
    #[error(
        "keys `entry` and `binary` are both there: leave out `entry` to run the program as a worker, else `binary`"
    )]
    TwoCodes,
    /// The program's file could lie outside the manifest's folder.
    #[error(
        "key `binary` is `{binary}`: name a file below the manifest's own folder, such as `bin/items`, without `.` and `..`"
    )]
    NotBelow {
        /// The value.
        binary: String,
    },
    /// A program can't be executed in another way.
    #[error("key `execution` is `{}`, but `binary` names a program, which is always a `worker`: leave `execution` out", .0.as_str())]
    ProgramExecution(Execution),
    /// Only workers have its settings.
    #[error("key `worker` goes with `execution` `worker` alone: set it, or leave `worker` out")]
    Worker,
    /// A key that has no meaning for workers.
    #[error("key `{key}` has no meaning for a worker: leave it out; {instead}")]
    NotForWorkers {
        /// The key.
        key: &'static str,
        /// What does the same for workers.
        instead: &'static str,
    },
    /// The minimum is above the maximum.
    #[error(
        "key `worker.min` is {min}, above `worker.max`, which is {max}: raise `worker.max` or lower `worker.min`"
    )]
    WorkerMin {
        /// The minimum.
        min: u32,
        /// The maximum.
        max: u32,
    },
    /// A module's threads don't fit into its limit.
    #[error(
        "key `worker.concurrency` is {concurrency}, a thread of the module for each, while `limits.threads` is {threads}: \
         raise `limits.threads` or lower `worker.concurrency`"
    )]
    WorkerThreads {
        /// Requests at a time.
        concurrency: u32,
        /// The limit of threads.
        threads: u64,
    },
    /// A number is out of range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// Forked processes have their zygote's files, and the host's process has the system's.
    #[error(
        "key `limits.scratch_bytes` goes with `execution` `spawn` or `worker` alone: with `{}` requests would share the folder; leave one \
         of them out", .0.as_str()
    )]
    Scratch(Execution),
    /// Only a module in the host's process can be unloaded.
    #[error("key `unload` goes with `execution` `in-process` alone: leave it out")]
    Unload,
    /// An environment variable can't be set.
    #[error(
        "key `env` holds the name `{name}`: use letters, digits and `_`, not beginning with a digit, up to {NAME_CHARS_MAX}"
    )]
    BadVariable {
        /// The variable's name.
        name: String,
    },
    /// A variable's value is too long.
    #[error("key `env.{name}` holds {bytes} bytes: it must be up to {VARIABLE_BYTES_MAX}")]
    LongVariable {
        /// The variable's name.
        name: String,
        /// The value's length.
        bytes: usize,
    },
    /// A variable's value can't be set.
    #[error("key `env.{name}` holds a NUL character: remove it")]
    NulInVariable {
        /// The variable's name.
        name: String,
    },
    /// The file of a secret could lie outside the folder of secrets.
    #[error(
        "key `{key}` names the file `{file}`: name a file in the host's folder of secrets, without a path"
    )]
    NotASecretsFile {
        /// With the variable or the resource.
        key: String,
        /// The value.
        file: String,
    },
    /// A variable of a secret can't be set.
    #[error(
        "key `secrets` holds the name `{name}`: use letters, digits and `_`, not beginning with a digit, up to \
         {NAME_CHARS_MAX}"
    )]
    BadSecret {
        /// The variable's name.
        name: String,
    },
    /// A variable has two values.
    #[error("key `{key}` sets a variable that `{other}` sets, too: rename one of them, or remove it")]
    SameVariable {
        /// The second one.
        key: String,
        /// The first one.
        other: String,
    },
    /// A resource has no variable's name.
    #[error(
        "key `resources` holds the name `{name}`: use lower-case letters, digits and `_`, up to {}",
        NAME_CHARS_MAX - RESOURCE_PREFIX.len()
    )]
    BadResource {
        /// The name.
        name: String,
    },
    /// A resource's URL leads to no port.
    #[error("key `resources.{name}` {cause}")]
    ResourceUrl {
        /// The resource's name.
        name: String,
        /// What is wrong with it.
        cause: ResourceError,
    },
    /// A header's name is none.
    #[error(
        "key `response_headers` holds the name `{name}`, which is no header's (RFC 9110, section 5.1): use letters, digits and `-`"
    )]
    BadHeader {
        /// The name.
        name: String,
    },
    /// A header is not a function's to set.
    #[error(
        "key `response_headers` holds the name `{name}`, which is the connection's or the host's own: leave it out"
    )]
    HostsHeader {
        /// The name.
        name: String,
    },
    /// A header is true of one body alone.
    #[error(
        "key `response_headers` holds the name `{name}`, which is true of one body alone: let the function send it"
    )]
    BodysHeader {
        /// The name.
        name: String,
    },
    /// Two names are the same to HTTP.
    #[error(
        "key `response_headers` holds the names `{one}` and `{other}`, which are the same in HTTP: remove one"
    )]
    SameHeader {
        /// The name that stands first.
        one: String,
        /// The other.
        other: String,
    },
    /// A header's value can't be sent.
    #[error("key `response_headers.{name}` is no header's value: use visible ASCII, spaces and tabs")]
    BadHeaderValue {
        /// The header's name.
        name: String,
    },
    /// A header's value begins or ends with what HTTP doesn't count as part of it.
    #[error("key `response_headers.{name}` begins or ends with a space or a tab: remove it")]
    PaddedHeaderValue {
        /// The header's name.
        name: String,
    },
    /// The headers are too long.
    #[error(
        "key `response_headers` holds {bytes} bytes: names and values must be up to {}",
        header::BYTES_MAX
    )]
    LongHeaders {
        /// Of names and values together.
        bytes: usize,
    },
}
