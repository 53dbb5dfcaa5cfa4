//! `fezz.json`: what it may say, and one sentence for each way to say it wrongly.

use super::manifest_error::{ManifestError, explain};
use schemars::JsonSchema;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

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
    /// named.
    pub entry: String,
    /// What the function is for, in a line.
    pub description: Option<String>,
    /// The paths that lead to the function. Left out: those in the module's own metadata.
    pub routes: Option<Vec<Route>>,
    /// How requests are executed. Left out: as the host's settings say.
    pub execution: Option<Execution>,
    /// The most processes that are kept waiting ahead of requests: 0 to 1000. How many there are follows how many requests
    /// lately ran at the same time; some seconds after the last there are none. Left out: as the host's settings say.
    #[schemars(range(max = SPARE_MAX))]
    pub spare: Option<u32>,
    /// From admission to the end of the process, in milliseconds: 1 to 3600000. Left out: 30000.
    #[schemars(range(min = 1, max = TIMEOUT_MS_MAX))]
    pub timeout_ms: Option<u64>,
    /// What one request, and all of them together, may take.
    #[serde(default)]
    pub limits: Limits,
    /// The function's environment variables. It sees no others.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The network that the function may use. Left out: none.
    #[serde(default)]
    pub network: Network,
}

/// One path that leads to a function.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// `/api/todos/{id}`, `/files/{*rest}`; as an older notation `/api/todos/:id` and a final `*`. No segment is empty, `.` or
    /// `..`; a `/` at the end counts.
    pub path: String,
    /// One method, or several. Left out: any.
    #[serde(default)]
    pub method: Methods,
    /// The hosts for which the route holds: `api.example.com`, `*.example.com`. Left out: any.
    #[serde(default)]
    pub domains: Vec<String>,
}

/// One method or several; none stands for any.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Methods(pub Vec<String>);

impl JsonSchema for Methods {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Methods".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
        })
    }
}

/// How requests are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Execution {
    /// A new process for each request, which loads the module anew.
    Spawn,
    /// A new process for each request, forked from one that has loaded the module.
    Fork,
}

impl Execution {
    /// Every executor.
    pub const ALL: [Self; 2] = [Self::Spawn, Self::Fork];

    /// The word in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spawn => "spawn",
            Self::Fork => "fork",
        }
    }
}

/// What one request, and all of them together, may take. Each has a default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Private memory of one process, in bytes. The default leaves room for a runtime and some large bodies.
    #[schemars(range(min = Limits::MEMORY_BYTES_MIN))]
    pub memory_bytes: u64,
    /// Processor time of one process, in milliseconds, rounded up to seconds: stops what burns a core to its deadline.
    #[schemars(range(min = 1, max = TIMEOUT_MS_MAX))]
    pub cpu_ms: u64,
    /// Threads of one process, its first among them.
    #[schemars(range(min = 1, max = 10_000))]
    pub threads: u64,
    /// Open descriptors of one process: files, connections, pipes.
    #[schemars(range(min = 16, max = 1024))]
    pub descriptors: u64,
    /// A folder `/tmp` that the function may write to, in memory and gone with the request, in bytes. Left out, or 0:
    /// none.
    #[schemars(range(max = Limits::SCRATCH_BYTES_MAX))]
    pub scratch_bytes: u64,
    /// The request's body, in bytes.
    #[schemars(range(max = Limits::BODY_BYTES_MAX))]
    pub request_body_bytes: u64,
    /// The response's body, in bytes.
    #[schemars(range(max = Limits::BODY_BYTES_MAX))]
    pub response_body_bytes: u64,
    /// Processes at a time.
    #[schemars(range(min = 1, max = 10_000))]
    pub concurrency: u32,
    /// Requests that wait for one of them; those beyond are refused.
    #[schemars(range(max = 1_000_000))]
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

/// The network that a function may use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// TCP ports to which it may connect, on any host; names are looked up by TCP, too (port 53). Up to 64.
    #[serde(default)]
    #[schemars(length(max = PORTS_MAX), inner(range(min = 1)))]
    pub connect: Vec<u16>,
}

/// Where a manifest leaves the time out.
pub const TIMEOUT_MS_DEFAULT: u64 = 30_000;

/// Each takes some memory and two descriptors of the host's.
const SPARE_MAX: u64 = 1000;

/// An hour: beyond it, a request is a job, and a restart of the host would have to wait for it.
pub const TIMEOUT_MS_MAX: u64 = 3_600_000;

/// Each is an argument of the runner's and a rule of the kernel's; whoever needs more ports than this needs a proxy.
const PORTS_MAX: u64 = 64;

/// The kernel takes 128 KiB for a variable with its name (execve(2), MAX_ARG_STRLEN).
pub const VARIABLE_BYTES_MAX: usize = 100 * 1024;

/// Long enough for a name, short enough for a log line and a metric's label.
pub const NAME_CHARS_MAX: usize = 64;

/// The JSON Schema of a manifest, for editors: `fezz.schema.json` at the root of the repository is its copy.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Manifest).into()
}

impl Manifest {
    /// Reads and checks a manifest; `folder` is the name of the folder that it lies in.
    ///
    /// # Errors
    ///
    /// The first thing wrong with it. What it names, the module and the routes, is checked later.
    pub fn parse(json: &[u8], folder: &str) -> Result<Self, ManifestError> {
        // serde would read an array, too, as the keys' values in their order.
        if json.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
            return Err(ManifestError::NotAnObject);
        }
        let mut reader = serde_json::Deserializer::from_slice(json);
        let manifest: Self = serde_path_to_error::deserialize(&mut reader)
            .map_err(|error| explain(&error.path().to_string(), error.inner()))?;
        reader.end().map_err(|error| explain("", &error))?;
        manifest.check(folder)?;
        Ok(manifest)
    }

    fn check(&self, folder: &str) -> Result<(), ManifestError> {
        for (key, value) in [("id", &self.id), ("version", &self.version)] {
            if !is_name(value) {
                return Err(ManifestError::BadName { key, value: value.clone() });
            }
        }
        let expected = format!("{}@{}", self.id, self.version);
        if folder != expected {
            return Err(ManifestError::FolderDisagrees { folder: folder.to_owned(), expected });
        }
        let timeout_ms = self.timeout_ms.unwrap_or(TIMEOUT_MS_DEFAULT);
        in_range("timeout_ms", timeout_ms, 1, TIMEOUT_MS_MAX, "1 to 3600000, an hour")?;
        self.limits.check()?;
        in_range("spare", self.spare.unwrap_or(0).into(), 0, SPARE_MAX, "up to 1000")?;
        if self.execution == Some(Execution::Fork) && self.limits.scratch_bytes > 0 {
            return Err(ManifestError::ForkWithScratch);
        }
        let ports = self.network.connect.len() as u64;
        in_range("network.connect", ports, 0, PORTS_MAX, "a list of up to 64 ports")?;
        if self.network.connect.contains(&0) {
            return Err(ManifestError::OutOfRange {
                key: "network.connect",
                value: 0,
                allowed: "ports from 1 to 65535",
            });
        }
        for (name, value) in &self.env {
            if !is_variable(name) {
                return Err(ManifestError::BadVariable { name: name.clone() });
            }
            if value.len() > VARIABLE_BYTES_MAX {
                return Err(ManifestError::LongVariable { name: name.clone(), bytes: value.len() });
            }
            if value.contains('\0') {
                return Err(ManifestError::NulInVariable { name: name.clone() });
            }
        }
        Ok(())
    }
}

impl Limits {
    /// What a process needs for itself before the function gets anything.
    const MEMORY_BYTES_MIN: u64 = 8 << 20;
    /// It lies in memory, beside `memory_bytes`.
    const SCRATCH_BYTES_MAX: u64 = 1 << 30;
    /// Bodies are held in memory whole.
    const BODY_BYTES_MAX: u64 = 1 << 30;

    fn check(&self) -> Result<(), ManifestError> {
        in_range(
            "limits.memory_bytes",
            self.memory_bytes,
            Self::MEMORY_BYTES_MIN,
            u64::MAX,
            "8388608, 8 MiB, or more",
        )?;
        in_range("limits.cpu_ms", self.cpu_ms, 1, TIMEOUT_MS_MAX, "1 to 3600000, an hour")?;
        in_range(
            "limits.scratch_bytes",
            self.scratch_bytes,
            0,
            Self::SCRATCH_BYTES_MAX,
            "up to 1073741824, 1 GiB",
        )?;
        in_range("limits.descriptors", self.descriptors, 16, 1024, "16 to 1024")?;
        in_range("limits.threads", self.threads, 1, 10_000, "1 to 10000")?;
        for (key, bytes) in [
            ("limits.request_body_bytes", self.request_body_bytes),
            ("limits.response_body_bytes", self.response_body_bytes),
        ] {
            in_range(key, bytes, 0, Self::BODY_BYTES_MAX, "up to 1073741824, 1 GiB")?;
        }
        in_range("limits.concurrency", self.concurrency.into(), 1, 10_000, "1 to 10000")?;
        in_range("limits.queue", self.queue.into(), 0, 1_000_000, "up to 1000000")
    }
}

fn in_range(
    key: &'static str,
    value: u64,
    least: u64,
    most: u64,
    allowed: &'static str,
) -> Result<(), ManifestError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(ManifestError::OutOfRange { key, value, allowed })
}

/// Whether a text may be an id or a version: safe in a path, a URL, a log line and a metric's label.
fn is_name(text: &str) -> bool {
    text.len() <= NAME_CHARS_MAX
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|char| char.is_ascii_alphanumeric() || "_.-".contains(char))
}

/// Whether a text may name an environment variable (POSIX.1-2017, section 8.1, with lower case).
fn is_variable(text: &str) -> bool {
    text.len() <= NAME_CHARS_MAX
        && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

impl<'de> Deserialize<'de> for Methods {
    /// A string or an array of strings; serde's untagged enums would say only that nothing matched.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Methods;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a method or an array of methods")
            }

            fn visit_str<E: de::Error>(self, method: &str) -> Result<Methods, E> {
                Ok(Methods(vec![method.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut methods: A) -> Result<Methods, A::Error> {
                let mut found = Vec::new();
                while let Some(method) = methods.next_element()? {
                    found.push(method);
                }
                if found.is_empty() {
                    return Err(de::Error::invalid_length(0, &"a method, or no key at all for any"));
                }
                Ok(Methods(found))
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
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
