//! `fezz.json` as types, each key with its meaning and default. The doc comments are the schema's descriptions, too.

use crate::once;
use crate::range;
use crate::resource::Resource;
use crate::route::Route;
use crate::variables::Variables;
use schemars::JsonSchema;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The manifest of one version of a function: `functions/<id>@<version>/fezz.json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "fezz.json")]
pub struct Manifest {
    /// Where editors find the schema; the host doesn't read it.
    #[serde(rename = "$schema")]
    pub schema: Option<String>,
    /// The function's name: letters, digits, `_`, `.` and `-`, beginning with a letter or digit, up to 64.
    pub id: String,
    /// Its version, in the same characters. `latest` is served where a caller names no version.
    pub version: String,
    /// The module's file name, in the same folder. `.dylib` finds the `.so` of the same stem on Linux, else the file as
    /// named. Left out: `binary` is there instead.
    pub entry: Option<String>,
    /// Instead of a module, a program of the author's own, which serves as a `worker`: its path in the same folder, such as
    /// `bin/items`. Left out: `entry` is there instead.
    pub binary: Option<String>,
    /// What the function is for, in a line.
    pub description: Option<String>,
    /// The paths that lead to the function. Left out: those in the module's own metadata.
    pub routes: Option<Vec<Route>>,
    /// How requests are executed. Left out: as the host's settings say; `worker` with `binary`.
    pub execution: Option<Execution>,
    /// With `worker`: how many there are, and when they are replaced.
    pub worker: Option<Worker>,
    /// With `in-process`: whether the module is unmapped, by dlclose(3), once it was idle for long or has been replaced. It
    /// declares by this that nothing of it is left after its `on_unload` that would run its code: no thread, no handler, no
    /// thread-local value with a destructor. If it is wrong, the host crashes. Left out, it stays mapped.
    #[serde(default)]
    pub unload: bool,
    /// The most prewarmed processes. Their number follows how many requests lately ran at the same time; some seconds
    /// after the last request there are none. Left out: as the host's settings say.
    #[schemars(range(max = range::SPARE.most))]
    pub spare: Option<u32>,
    /// From the end of the request's body to the end of the process, in milliseconds. The wait for a process counts. The
    /// module's own metadata goes over the default.
    #[schemars(range(min = range::TIMEOUT_MS.least, max = range::TIMEOUT_MS.most))]
    #[schemars(extend("default" = TIMEOUT_MS_DEFAULT))]
    pub timeout_ms: Option<u64>,
    /// What one request, and all of them together, may take.
    #[serde(default)]
    pub limits: Limits,
    /// The function's environment variables. It sees no others.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>", extend("default" = {}))]
    pub env: Variables,
    /// Variables whose values are secrets, by the name of a file in the host's folder of secrets (`--secrets`). The host alone
    /// reads it; the value is in no log and on no command line.
    #[serde(default, deserialize_with = "once::read")]
    pub secrets: BTreeMap<String, String>,
    /// What the function connects to: a URL, or `secret:FILE` for a URL in a file of a secret. It is in the variable
    /// `FEZZ_RESOURCE_<NAME>`, and its port is allowed as if it stood in `network.connect`.
    #[serde(default, deserialize_with = "once::read")]
    #[schemars(with = "BTreeMap<String, String>", extend("default" = {}, "maxProperties" = range::RESOURCES.most))]
    pub resources: BTreeMap<String, Resource>,
    /// The network that the function may use. Left out: none.
    #[serde(default)]
    pub network: Network,
    /// Headers that the host adds to each response to the function's requests, the host's own errors among them, where the
    /// response hasn't got them. Its own errors get none of `cache-control`, `cdn-cache-control` and `expires`.
    #[serde(default, deserialize_with = "once::read")]
    pub response_headers: BTreeMap<String, String>,
}

/// How requests are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Execution {
    /// A new process for each request, which loads the module.
    Spawn,
    /// A new process for each request, forked from one that has loaded the module.
    Fork,
    /// As `fork`, but a process serves request after request. The host puts its memory back to its snapshot after each, and
    /// replaces the process if the request made a system call with a lasting effect. Weaker than a new process: see
    /// SECURITY.md. Where the machine does not allow it, `fork` serves the function.
    Rewind,
    /// Long-lived processes, each of which serves request after request. They share all that is in the process: connections,
    /// caches, and what a request leaves behind.
    Worker,
    /// In the host's own process, which loads the module once: no process, no jail, no limit of memory or processor time.
    /// Only for code that is trusted as much as the host, and only where the host allows it (`--allow-in-process`).
    InProcess,
}

impl Execution {
    /// Every executor.
    pub const ALL: [Self; 5] = [Self::Spawn, Self::Fork, Self::Rewind, Self::Worker, Self::InProcess];

    /// Those that execute the function in processes of their own, which the jail confines.
    pub const JAILED: [Self; 4] = [Self::Spawn, Self::Fork, Self::Rewind, Self::Worker];

    /// Their names in a manifest, in the same order.
    const NAMES: [&str; Self::ALL.len()] = ["spawn", "fork", "rewind", "worker", "in-process"];

    /// The name in a manifest.
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The executor of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|execution| execution.as_str() == name)
    }
}

impl<'de> Deserialize<'de> for Execution {
    /// By its name. The derived code would accept a map too, and serde_json would call a number a syntax error.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let unknown = || de::Error::unknown_variant(&name, &Self::NAMES);
        Self::from_name(&name).ok_or_else(unknown)
    }
}

/// What one request, and all of them together, may take. Each has a default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Private memory of one process, in bytes. The default leaves room for a runtime and some large bodies.
    #[schemars(range(min = range::MEMORY_BYTES.least))]
    pub memory_bytes: u64,
    /// Processor time of one request, in milliseconds, rounded up to seconds: ends a function that computes without pause.
    #[schemars(range(min = range::CPU_MS.least, max = range::CPU_MS.most))]
    pub cpu_ms: u64,
    /// Threads of one process, its first among them.
    #[schemars(range(min = range::THREADS.least, max = range::THREADS.most))]
    pub threads: u64,
    /// Open descriptors of one process: files, connections, pipes.
    #[schemars(range(min = range::DESCRIPTORS.least, max = range::DESCRIPTORS.most))]
    pub descriptors: u64,
    /// A folder `/tmp` that the function may write to, in memory and gone with the request, in bytes. Left out, or 0:
    /// none.
    #[schemars(range(max = range::SCRATCH_BYTES.most))]
    pub scratch_bytes: u64,
    /// The request's body, in bytes.
    #[schemars(range(max = range::REQUEST_BODY_BYTES.most))]
    pub request_body_bytes: u64,
    /// The response's body, in bytes.
    #[schemars(range(max = range::RESPONSE_BODY_BYTES.most))]
    pub response_body_bytes: u64,
    /// Processes at a time.
    #[schemars(range(min = range::CONCURRENCY.least, max = range::CONCURRENCY.most))]
    pub concurrency: u32,
    /// Requests that wait for a process; those beyond get 503 `overloaded`.
    #[schemars(range(max = range::QUEUE.most))]
    pub queue: u32,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            memory_bytes: 128 * MIB,
            cpu_ms: 10_000,
            threads: 64,
            descriptors: 64,
            scratch_bytes: 0,
            request_body_bytes: 10 * MIB,
            response_body_bytes: 10 * MIB,
            concurrency: 64,
            queue: 256,
        }
    }
}

/// The workers of a function: how many there are, and when they are replaced.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Worker {
    /// Workers that are kept, also without requests, from the first request on.
    #[schemars(range(max = range::WORKER_MIN.most))]
    pub min: u32,
    /// The most workers. Left out: as many as the machine has processors, or `min`, if that is more.
    #[schemars(range(min = range::WORKER_MAX.least, max = range::WORKER_MAX.most))]
    pub max: Option<u32>,
    /// Requests that one worker has at a time. A module gets a thread for each.
    #[schemars(range(min = range::WORKER_CONCURRENCY.least, max = range::WORKER_CONCURRENCY.most))]
    pub concurrency: u32,
    /// A worker is replaced after so many requests; it serves until its successor is ready. Left out: never for this reason.
    #[schemars(range(min = range::WORKER_MAX_REQUESTS.least))]
    pub max_requests: Option<u64>,
    /// A worker is replaced at this age, in milliseconds. Left out: never for this reason.
    #[schemars(range(min = range::WORKER_MAX_AGE_MS.least))]
    pub max_age_ms: Option<u64>,
    /// A worker is replaced when so much memory of it is resident, in bytes. Left out: never for this reason; it fails at
    /// `limits.memory_bytes`.
    #[schemars(range(min = range::WORKER_MAX_MEMORY_BYTES.least))]
    pub max_memory_bytes: Option<u64>,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            min: 0,
            max: None,
            concurrency: 1,
            max_requests: None,
            max_age_ms: None,
            max_memory_bytes: None,
        }
    }
}

impl Manifest {
    /// The file that is executed, relative to the manifest's folder: the module of `entry`, or the program of `binary`.
    pub fn file(&self) -> &str {
        let file = self.entry.as_deref().or(self.binary.as_deref());
        file.expect("a manifest that was parsed has one of both")
    }
}

/// The network that a function may use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// TCP ports to which it may connect, on any host; names are looked up by TCP, too (port 53).
    #[serde(default)]
    #[schemars(length(max = range::PORTS.most), inner(range(min = range::PORT.least)))]
    pub connect: Vec<u16>,
}

/// `timeout_ms` where neither the manifest nor the module's metadata has it.
pub const TIMEOUT_MS_DEFAULT: u64 = 30_000;

/// The JSON Schema of a manifest, for editors: `fezz.schema.json` at the root of the repository is its copy.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Manifest).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_that_is_shipped_is_the_one_of_these_types() {
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fezz.schema.json");
        let text = format!("{:#}\n", schema());
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(shipped, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(shipped).unwrap(), text, "run `make docs`");
    }
}
