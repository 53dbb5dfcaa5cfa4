//! The host's environment, which contains a secret of the check.

use crate::attempt::Attempt;
use crate::found::Found;
use crate::params::Params;
use crate::sys;
use std::os::unix::ffi::OsStrExt;

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new(
        "secret-in-environment",
        "find a variable of the host in its own environment",
        secret_in_environment,
    ),
    Attempt::new("secret-in-own-proc-environ", "find it in /proc/self/environ", |params| {
        search("/proc/self/environ", params)
    }),
    Attempt::new("secret-in-parents-environ", "find it in its parent's environment", |params| {
        search(&format!("/proc/{}/environ", std::os::unix::process::parent_id()), params)
    }),
    Attempt::new("secret-in-hosts-environ", "find it in the host's environment", |params| {
        search(&format!("/proc/{}/environ", params.number("host")), params)
    }),
    Attempt::new(
        "secret-in-victims-environ",
        "find it in the environment of another process of the host's user",
        |params| search(&format!("/proc/{}/environ", params.number("victim")), params),
    ),
    Attempt::new(
        "secret-on-stack",
        "find it in memory, where the kernel put its initial environment",
        secret_on_stack,
    ),
];

fn secret_in_environment(params: &Params<'_>) -> Found {
    let secret = params.text("secret");
    match std::env::vars_os().find(|(_, value)| contains(value.as_bytes(), secret)) {
        Some((name, _)) => Found::Worked(format!("it is in {}", name.display())),
        None => Found::Refused(format!("{} variables, none holds it", std::env::vars_os().count())),
    }
}

fn search(path: &str, params: &Params<'_>) -> Found {
    match std::fs::read(path) {
        Ok(bytes) if contains(&bytes, params.text("secret")) => Found::Worked(format!("it is in {path}")),
        Ok(bytes) => Found::Refused(format!("{path} has {} bytes without it", bytes.len())),
        Err(error) => Found::Refused(format!("open {path}: {}", sys::name(&error))),
    }
}

/// The kernel puts a program's initial environment above its stack; it may still be there if the environment was
/// replaced.
fn secret_on_stack(params: &Params<'_>) -> Found {
    // SAFETY: has no precondition; the entry is a pointer to the program's name, on the stack above the environment.
    let top = unsafe { libc::getauxval(libc::AT_EXECFN) } as usize;
    if top == 0 {
        return Found::Untried("the kernel gave no AT_EXECFN".to_owned());
    }
    const BELOW_BYTES: usize = 32 * 1024;
    let start = (sys::at(&top)).max(top.saturating_sub(BELOW_BYTES));
    // Each byte by itself, and not as a slice: the frames that lie there belong to functions that go on.
    let stack: Vec<u8> = (start..top)
        // SAFETY: from this frame up to the program's name all is one mapping, the stack; a volatile read makes no
        // assumption about other users of the memory.
        .map(|address| unsafe { (address as *const u8).read_volatile() })
        .collect();
    // The request, which names the secret to look for, is on the heap.
    match contains(&stack, params.text("secret")) {
        true => Found::Worked("it is above the stack".to_owned()),
        false => Found::Refused(format!("{} bytes above the stack without it", stack.len())),
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    !text.is_empty() && bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
