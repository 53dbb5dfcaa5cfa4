//! `cargo fezz check` of a module that no host can serve as it is.

use super::snapshot::assert_command;
use crate::harness::Site;
use std::process::Command;

/// A function in C, `greet@v1`, whose body is `body`.
fn module(body: &str, options: &[&str], manifest: &str) -> Site {
    let site = Site::new();
    let folder = site.root().join("greet@v1");
    std::fs::create_dir(&folder).unwrap();
    let source = format!(
        "#include \"fezz_cbor.h\"\n#include <unistd.h>\nFezzOwned fezz_handle_v2(FezzSlice request) {{\n(void)request;\n{body}\n\
         return (FezzOwned){{NULL, 0}};\n}}\nvoid fezz_free_v2(FezzOwned buffer) {{ (void)buffer; }}\n"
    );
    std::fs::write(site.root().join("greet.c"), source).unwrap();
    let include = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/fezz-wire/include");
    let mut cc = Command::new("cc");
    cc.args([
        "-shared",
        "-fPIC",
        "-nostartfiles",
        "-fno-stack-protector",
        "-Wl,--as-needed",
        "-o",
        "greet@v1/greet.so",
        "greet.c",
        "-I",
        include,
    ]);
    assert!(cc.args(options).current_dir(site.root()).status().unwrap().success());
    let manifest = format!("{{\"id\": \"greet\", \"version\": \"v1\", \"entry\": \"greet.so\"{manifest}}}");
    std::fs::write(folder.join("fezz.json"), manifest).unwrap();
    site
}

const ROUTE: &str = ", \"routes\": [{\"path\": \"/greet\"}]";

fn check(mistake: &str, site: &Site, options: &[&str]) {
    assert_command(mistake, site.root(), &[&["check", "greet@v1"], options].concat());
}

#[test]
fn a_module_for_a_newer_glibc() {
    check("glibc_too_new", &module("getpid();", &[], ROUTE), &["--glibc", "2.1"]);
}

#[test]
fn a_module_that_starts_processes() {
    check(
        "fork_called",
        &module("if (fork() == 0) execl(\"/bin/date\", \"date\", NULL);", &[], ROUTE),
        &["--glibc", "2.36"],
    );
}

#[test]
fn a_module_that_connects_without_a_permission() {
    let body = "extern int connect(int, const void *, unsigned); connect(0, NULL, 0);";
    check("network_undeclared_in_check", &module(body, &[], ROUTE), &["--glibc", "2.36"]);
}

#[test]
fn a_module_that_needs_a_library_that_the_jail_lacks() {
    let site = module("", &[], ROUTE);
    std::fs::write(site.root().join("own.c"), "int own(void) { return 7; }\n").unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-nostdlib", "-o", "libown.so", "own.c"]).current_dir(site.root());
    assert!(cc.status().unwrap().success());
    let folder = format!("-L{}", site.root().display());
    check(
        "library_missing",
        &module("int own(void); own();", &[&folder, "-lown"], ROUTE),
        &["--glibc", "2.36"],
    );
}

#[test]
fn a_module_for_another_processor() {
    /// Where an ELF header has its machine (elf(5)), and the number of AArch64.
    const MACHINE: usize = 18;
    const AARCH64: u8 = 183;
    let site = module("", &[], ROUTE);
    let path = site.root().join("greet@v1/greet.so");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[MACHINE] = AARCH64;
    std::fs::write(&path, bytes).unwrap();
    check("other_processor", &site, &[]);
}

#[test]
fn a_module_that_was_copied_in_part() {
    let site = module("", &[], ROUTE);
    std::fs::write(site.root().join("greet@v1/greet.so"), "\x7fELF").unwrap();
    check("half_a_module", &site, &[]);
}

#[test]
fn a_function_without_a_route() {
    check("no_route", &module("", &[], ""), &["--glibc", "2.36"]);
}

#[test]
fn a_path_that_no_route_can_have() {
    check("bad_pattern", &module("", &[], ", \"routes\": [{\"path\": \"/todos/{id\"}]"), &[]);
}
