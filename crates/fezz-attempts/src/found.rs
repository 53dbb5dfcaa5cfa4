//! The result of an attempt.

use crate::sys;
use std::io;

/// The result of an attempt; the text names the call and the kernel's answer.
pub(crate) enum Found {
    /// It was stopped.
    Refused(String),
    /// It achieved what is forbidden, or the kernel got as far as checking the call's arguments.
    Worked(String),
    /// The kernel has no such call, or a filter answers so; the host can check which.
    NoSuchCall(&'static str),
    /// It can't be made on this machine, and so shows nothing about the jail.
    Untried(String),
    /// The request that left something didn't find it itself: the attempt can't show anything.
    Blind(String),
}

impl Found {
    /// An attempt that works if `result` is any success.
    pub(crate) fn achieved<T>(what: &str, result: io::Result<T>) -> Self {
        match result {
            Ok(_) => Self::Worked(what.to_owned()),
            Err(error) => Self::Refused(format!("{what}: {}", sys::name(&error))),
        }
    }

    /// The answer's body. It has a `call` if the host has to check whether its kernel has that call.
    pub(crate) fn to_json(&self) -> String {
        match self {
            Self::Refused(detail) => json("refused", detail),
            Self::Worked(detail) => json("worked", detail),
            Self::Untried(detail) => json("untried", detail),
            Self::Blind(detail) => json("blind", detail),
            Self::NoSuchCall(call) => {
                format!(r#"{{"result":"refused","detail":"{call}: ENOSYS","call":"{call}"}}"#)
            }
        }
    }
}

fn json(result: &str, detail: &str) -> String {
    format!(r#"{{"result":"{result}","detail":{}}}"#, quoted(detail))
}

/// A text as JSON has it.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            _ if char.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(char))),
            _ => quoted.push(char),
        }
    }
    quoted + "\""
}
