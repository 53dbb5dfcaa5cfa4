//! Compiles the lists of `src/jail/policy.rs` into seccomp filters, so that no process has to do it at run time.

use filter::{ALLOW, DONE, NOTIFY, REFUSE, UNKNOWN, compile};
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
    let rewind = [policy::FORK, policy::REWIND, policy::PARKING];
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
        ("REWIND", "What zygotes with `--rewind` may do.", with(&rewind), none),
        (
            "REWIND_NETWORK",
            "The same with a network.",
            with(&[policy::FORK, policy::REWIND, policy::PARKING, policy::NETWORK]),
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
        let lists = [(&allowed[..], ALLOW), (granted, DONE), (policy::UNKNOWN, UNKNOWN)];
        write_out(&mut text, name, doc, &compile(&lists, REFUSE)?)?;
    }
    let not_rewound = compile(&[(policy::REWIND, REFUSE), (policy::PARKING, REFUSE)], ALLOW)?;
    let doc = "What an ordinary child of a zygote with `--rewind` adds, which refuses what that adds.";
    write_out(&mut text, "NOT_REWOUND", doc, &not_rewound)?;
    let taint = compile(&[(policy::NEUTRAL, ALLOW), (policy::PREPARED, REFUSE)], NOTIFY)?;
    write_out(&mut text, "TAINT", "What a rewindable process adds, which tells the host of calls.", &taint)?;
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("filters.rs"), text)?;
    Ok(())
}

fn write_out(text: &mut String, name: &str, doc: &str, steps: &[libc::sock_filter]) -> std::fmt::Result {
    writeln!(text, "/// {doc}\npub(super) static {name}: [sock_filter; {}] = [", steps.len())?;
    for step in steps {
        let libc::sock_filter { code, jt, jf, k } = step;
        writeln!(text, "    sock_filter {{ code: {code:#04x}, jt: {jt}, jf: {jf}, k: {k:#x} }},")?;
    }
    writeln!(text, "];")
}
