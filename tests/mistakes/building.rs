//! `cargo fezz build` of a crate with a mistake.

use super::snapshot::assert_command;
use crate::harness::Site;

/// The two functions of a module, without the crate `fezz`: compiled in a moment.
const SYMBOLS: &str = "#[unsafe(no_mangle)]\npub extern \"C\" fn fezz_handle_v2() {}\n#[unsafe(no_mangle)]\npub extern \"C\" fn fezz_free_v2() {}\n";

fn build(mistake: &str, library: &str, metadata: &str, source: &str) {
    let site = Site::new();
    let write = |path: &str, text: &str| std::fs::write(site.root().join(path), text).unwrap();
    std::fs::create_dir(site.root().join("src")).unwrap();
    write("src/lib.rs", source);
    // A name of its own: all builds share one target folder.
    let name = mistake.replace('_', "-");
    let package = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    write(
        "Cargo.toml",
        &format!("{package}\n{library}\n[package.metadata.fezz]\n{metadata}\n\n[workspace]\n"),
    );
    assert_command(mistake, site.root(), &["build", "--debug"]);
}

const CDYLIB: &str = "[lib]\ncrate-type = [\"cdylib\"]\n";

#[test]
fn a_crate_that_is_no_cdylib() {
    build("no_cdylib", "", "", SYMBOLS);
}

#[test]
fn a_module_without_a_function() {
    build("no_function", CDYLIB, "", "pub fn greet() {}\n");
}

#[test]
fn an_unknown_key_in_cargo_toml() {
    build("unknown_key", CDYLIB, "timout_ms = 500", SYMBOLS);
}

#[test]
fn a_timeout_of_another_type_in_cargo_toml() {
    build("timeout_in_quotes", CDYLIB, "timeout_ms = \"5s\"", SYMBOLS);
}

#[test]
fn a_limit_that_is_out_of_range() {
    build("limit_out_of_range", CDYLIB, "limits = { memory_bytes = 64 }", SYMBOLS);
}
