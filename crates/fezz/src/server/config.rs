//! The settings of a server, as its program writes them.

use super::error::ServerError;
use hhrf::settings::Settings;
use std::collections::BTreeMap;
use std::fmt::{self, Debug, Display, Formatter, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Loopback: a server is reachable from outside only where its program says so.
const HOST: &str = "127.0.0.1";
const PORT: u16 = 8080;

/// The settings of a server. It changes nothing outside of it.
///
/// ```
/// use fezz::prelude::*;
///
/// let config = HhrfConfig::new().host("0.0.0.0").port(8080).env("API_KEY", "secret");
/// let server = HhrfServer::new(config.set("body_timeout_ms", 5000));
/// ```
#[derive(Clone)]
pub struct HhrfConfig {
    host: String,
    port: u16,
    pub(super) env: BTreeMap<String, String>,
    pub(super) limits: BTreeMap<String, u64>,
    settings: BTreeMap<String, Setting>,
}

/// The value of a setting: a number, a text, or whether.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting(Value);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Number(i64),
    Text(String),
    Flag(bool),
}

impl HhrfConfig {
    /// `127.0.0.1:8080`, and the host's defaults.
    #[expect(clippy::new_without_default, reason = "`HhrfServer::with_defaults` is the short form")]
    pub fn new() -> Self {
        Self {
            host: HOST.to_owned(),
            port: PORT,
            env: BTreeMap::new(),
            limits: BTreeMap::new(),
            settings: BTreeMap::new(),
        }
    }

    /// The IP address to listen on: `0.0.0.0` for every one of this machine. By default `127.0.0.1`.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// The port to listen on; 0 for one that is free, which [`Listening::address`](super::Listening::address) tells. By
    /// default 8080.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// A variable of every registered function: [`FunctionContext::env`](crate::FunctionContext::env) has these alone, none
    /// of the process. (Code of the program can read those by `std::env::var`; it is trusted.) Functions of a folder have
    /// those of their manifests.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A limit of every registered function, by its key in `limits` of `fezz.json`: `concurrency`, `queue`,
    /// `request_body_bytes` and `response_body_bytes`. The others are of processes, and have no effect here.
    #[must_use]
    pub fn limit(mut self, key: &str, value: u64) -> Self {
        self.limits.insert(key.to_owned(), value);
        self
    }

    /// Any setting of the host, by its key in the settings file: `set("body_timeout_ms", 5000)`. `listen` goes over host and
    /// port. `log_format` has no effect: the program chooses its own subscriber for `tracing`; nor has `gateway`. A wrong key or value is an
    /// error when the server begins to listen.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Setting>) -> Self {
        self.settings.insert(key.to_owned(), value.into());
        self
    }

    /// The host's settings: what stands in the text of a settings file.
    pub(super) fn settings(&self) -> Result<Settings, ServerError> {
        let mut settings = self.settings.clone();
        if !settings.contains_key("listen") {
            let host: IpAddr =
                self.host.parse().map_err(|_| ServerError::Host { host: self.host.clone() })?;
            settings.insert("listen".to_owned(), SocketAddr::new(host, self.port).to_string().into());
        }
        let mut text = String::new();
        for (key, value) in settings {
            // Writing to a string can't fail.
            let _ = writeln!(text, "{} = {value}", quoted(&key));
        }
        Ok(Settings::from_toml(&text)?)
    }
}

/// Without the values of variables, which may be secret.
impl Debug for HhrfConfig {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HhrfConfig")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("env", &self.env.keys())
            .field("limits", &self.limits)
            .field("settings", &self.settings)
            .finish()
    }
}

/// As TOML.
impl Display for Setting {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Value::Number(number) => Display::fmt(number, formatter),
            Value::Text(text) => formatter.write_str(&quoted(text)),
            Value::Flag(flag) => Display::fmt(flag, formatter),
        }
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for char in text.chars() {
        let _ = match char {
            '"' | '\\' => write!(quoted, "\\{char}"),
            char if char.is_control() => write!(quoted, "\\u{:04X}", u32::from(char)),
            char => quoted.write_char(char),
        };
    }
    quoted + "\""
}

macro_rules! setting_from {
    ($($from:ty => $value:expr),*) => {
        $(impl From<$from> for Setting {
            fn from(from: $from) -> Self {
                let value: fn($from) -> Value = $value;
                Self(value(from))
            }
        })*
    };
}

setting_from!(
    i32 => |number| Value::Number(number.into()),
    i64 => Value::Number,
    u16 => |number| Value::Number(number.into()),
    u32 => |number| Value::Number(number.into()),
    // No number of the host's is as large as those that don't fit.
    u64 => |number| Value::Number(i64::try_from(number).unwrap_or(i64::MAX)),
    usize => |number| Value::Number(i64::try_from(number).unwrap_or(i64::MAX)),
    bool => Value::Flag,
    String => Value::Text,
    &str => |text| Value::Text(text.to_owned()),
    PathBuf => |path| Value::Text(path.to_string_lossy().into_owned())
);
