//! What came of an attempt.

use crate::sys;
use std::io;

/// What came of an attempt; the text says by which call, and what the kernel said.
pub(crate) enum Found {
    /// It was stopped.
    Refused(String),
    /// What is forbidden was achieved, or the call got as far as the kernel's own look at its arguments.
    Worked(String),
    /// The kernel, or a filter that says what a kernel says, knows no such call; the host can tell which.
    NoSuchCall(&'static str),
    /// It can't be made here, which says nothing about the jail.
    Untried(String),
}

impl Found {
    /// An attempt that works if `result` is any success.
    pub(crate) fn achieved<T>(what: &str, result: io::Result<T>) -> Self {
        match result {
            Ok(_) => Self::Worked(what.to_owned()),
            Err(error) => Self::Refused(format!("{what}: {}", sys::name(&error))),
        }
    }

    /// The answer's body. `call` is there where the host has to look whether its kernel has that call.
    pub(crate) fn to_json(&self) -> String {
        match self {
            Self::Refused(detail) => json("refused", detail),
            Self::Worked(detail) => json("worked", detail),
            Self::Untried(detail) => json("untried", detail),
            Self::NoSuchCall(call) => {
                format!(r#"{{"result":"refused","detail":"{call}: ENOSYS","call":"{call}"}}"#)
            }
        }
    }
}

fn json(result: &str, detail: &str) -> String {
    let mut text = String::new();
    for char in detail.chars() {
        match char {
            '"' | '\\' => text.extend(['\\', char]),
            _ if char.is_control() => text.push_str(&format!("\\u{:04x}", u32::from(char))),
            _ => text.push(char),
        }
    }
    format!(r#"{{"result":"{result}","detail":"{text}"}}"#)
}
