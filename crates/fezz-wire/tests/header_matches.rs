//! Compares `include/fezz.h` with the Rust definitions, by a C compiler.

#![allow(clippy::unwrap_used, reason = "a test that meets an error should stop there")]

use fezz_wire::abi;
use std::fmt::Write;
use std::mem::{align_of, offset_of, size_of};
use std::process::Command;

#[test]
fn the_c_header_has_the_layout_and_the_functions_of_the_rust_types() {
    let mut program = String::from("#include <stddef.h>\n#include \"fezz.h\"\n");
    for (c_type, size, align, len_offset) in [
        (
            "FezzSlice",
            size_of::<abi::FezzSlice>(),
            align_of::<abi::FezzSlice>(),
            offset_of!(abi::FezzSlice, len),
        ),
        (
            "FezzOwned",
            size_of::<abi::FezzOwned>(),
            align_of::<abi::FezzOwned>(),
            offset_of!(abi::FezzOwned, len),
        ),
    ] {
        writeln!(program, "_Static_assert(sizeof({c_type}) == {size}, \"size\");").unwrap();
        writeln!(program, "_Static_assert(_Alignof({c_type}) == {align}, \"align\");").unwrap();
        writeln!(program, "_Static_assert(offsetof({c_type}, ptr) == 0, \"ptr\");").unwrap();
        writeln!(program, "_Static_assert(offsetof({c_type}, len) == {len_offset}, \"len\");").unwrap();
    }
    // A declaration that disagrees with the header's is an error in C.
    for (name, signature) in [
        (abi::HANDLE, "FezzOwned NAME(FezzSlice)"),
        (abi::FREE, "void NAME(FezzOwned)"),
        (abi::ON_LOAD, "FezzOwned NAME(FezzSlice)"),
        (abi::ON_FORK, "void NAME(void)"),
        (abi::ON_UNLOAD, "void NAME(void)"),
    ] {
        let name = name.to_str().unwrap();
        writeln!(program, "{};", signature.replace("NAME", name)).unwrap();
        // Taken from the header alone: an undeclared name has no address.
        writeln!(program, "void *address_of_{name}(void) {{ return (void *){name}; }}").unwrap();
    }
    let declared = program.replace("#include \"fezz.h\"", "");
    assert!(!compiles(&declared), "without the header the types are unknown");
    assert!(compiles(&program), "the header and the Rust types disagree");
}

fn compiles(program: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("check.c");
    std::fs::write(&source, program).unwrap();
    let include = concat!(env!("CARGO_MANIFEST_DIR"), "/include");
    let output = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Werror", "-fsyntax-only", "-I", include])
        .arg(&source)
        .output()
        .expect("the C compiler `cc` runs");
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    output.status.success()
}
