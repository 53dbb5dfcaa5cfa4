//! Compiles the lists of `src/jail/policy.rs` into seccomp filters, so that no process has to do it at run time.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;

mod filter;

#[path = "../src/jail/policy.rs"]
#[allow(dead_code, unreachable_pub, reason = "the library uses items that this script doesn't")]
mod policy;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/jail/policy.rs");
    let (target, here) = (std::env::var("CARGO_CFG_TARGET_ARCH")?, std::env::consts::ARCH);
    if target != here {
        return Err(format!(
            "the numbers of system calls are those of {here}: build the runner for {target} there"
        )
        .into());
    }
    let with = |lists: &[&[policy::Allowed]]| [&[policy::ALWAYS], lists].concat().concat();
    let (none, granted): (&[policy::Allowed], _) = (&[], policy::GRANTED);
    let filters = [
        ("PLAIN", "What functions without a network or a scratch may do.", with(&[]), none),
        ("NETWORK", "What functions with a network may do.", with(&[policy::NETWORK]), none),
        ("SCRATCH", "What functions with a scratch may do.", with(&[policy::SCRATCH]), granted),
        ("BOTH", "What functions with both may do.", with(&[policy::NETWORK, policy::SCRATCH]), granted),
        ("FORK", "What zygotes and their children may do.", with(&[policy::FORK]), none),
        ("FORK_NETWORK", "The same with a network.", with(&[policy::FORK, policy::NETWORK]), none),
        (
            "SCOPED",
            "What zygotes may do without PID namespaces.",
            with(&[policy::FORK, policy::SCOPED]),
            none,
        ),
        (
            "SCOPED_NETWORK",
            "The same with a network.",
            with(&[policy::FORK, policy::SCOPED, policy::NETWORK]),
            none,
        ),
        ("PROGRAM", "What programs may do.", with(&[policy::PROGRAM, policy::STDIN]), none),
        ("PROGRAM_NETWORK", "The same with a network.", with(&[policy::PROGRAM, policy::NETWORK]), none),
        (
            "PROGRAM_SCRATCH",
            "The same with a scratch.",
            with(&[policy::PROGRAM, policy::STDIN, policy::SCRATCH]),
            granted,
        ),
        (
            "PROGRAM_BOTH",
            "The same with both.",
            with(&[policy::PROGRAM, policy::NETWORK, policy::SCRATCH]),
            granted,
        ),
    ];
    let mut text = String::new();
    for (name, doc, allowed, granted) in filters {
        let steps = filter::compile(&allowed, granted, policy::UNKNOWN)?;
        writeln!(text, "/// {doc}\npub(super) static {name}: [sock_filter; {}] = [", steps.len())?;
        for step in steps {
            let libc::sock_filter { code, jt, jf, k } = step;
            writeln!(text, "    sock_filter {{ code: {code:#04x}, jt: {jt}, jf: {jf}, k: {k:#x} }},")?;
        }
        writeln!(text, "];")?;
    }
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("filters.rs"), text)?;
    Ok(())
}
