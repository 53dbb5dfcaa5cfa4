//! Links libgcc's unwinder statically, in place of the shared libgcc_s that std asks for: an eighth of a bare start
//! (README of `bench/`).

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=CC");
    // Without the archive all is linked to libgcc_s as any other Rust program, and works the same, but slower.
    if let Some(folder) = folder_of_unwinder() {
        println!("cargo:rustc-link-search=native={}", folder.display());
        // Comes before std's own libraries on the linker's command line, so that libgcc_s has nothing left to give and
        // --as-needed, which rustc passes, drops it. Not bundled: the archive is the system's.
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// Where this machine's C compiler has `libgcc_eh.a`; for the machine itself and glibc only, for elsewhere std links
/// another unwinder, or another compiler knows.
fn folder_of_unwinder() -> Option<PathBuf> {
    let variable = |name| std::env::var(name).ok();
    if variable("TARGET") != variable("HOST") || variable("CARGO_CFG_TARGET_ENV")? != "gnu" {
        return None;
    }
    let compiler = variable("CC").unwrap_or_else(|| "cc".to_owned());
    let printed = Command::new(compiler).arg("-print-file-name=libgcc_eh.a").output().ok()?;
    // A compiler that hasn't got it prints the bare name.
    let archive = String::from_utf8(printed.stdout).ok()?;
    let archive = Path::new(archive.trim());
    if archive.is_absolute() { archive.parent().map(Path::to_owned) } else { None }
}
