//! Modules in C, loaded into the test's process.
#![allow(clippy::unwrap_used, reason = "a test that meets an error should stop there")]

use fezz_inprocess::{Closed, Image, LoadError};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Echoes the request, counts the buffers that are out, and keeps in a variable whether it was loaded.
const ECHO: &str = r#"
    #include <stdlib.h>
    #include <string.h>
    #include "fezz.h"
    static long out;
    static int loads;
    static FezzOwned copy(const void *from, size_t len) {
        out++;
        void *to = malloc(len);
        memcpy(to, from, len);
        return (FezzOwned){to, len};
    }
    FezzOwned fezz_handle_v2(FezzSlice request) {
        if (request.len == 3 && !memcmp(request.ptr, "out", 3)) { char n = '0' + out; return copy(&n, 1); }
        if (request.len == 5 && !memcmp(request.ptr, "loads", 5)) { char n = '0' + loads; return copy(&n, 1); }
        if (request.len == 5 && !memcmp(request.ptr, "empty", 5)) { out++; return (FezzOwned){malloc(1), 0}; }
        return copy(request.ptr, request.len);
    }
    void fezz_free_v2(FezzOwned buffer) { out--; free(buffer.ptr); }
    FezzOwned fezz_on_load_v2(FezzSlice context) {
        loads++;
        if (context.len == 4 && !memcmp(context.ptr, "null", 4)) return (FezzOwned){0, 1000};
        if (context.len == 4 && !memcmp(context.ptr, "long", 4)) return (FezzOwned){malloc(1), (size_t)-1};
        return context.len ? copy(context.ptr, context.len) : (FezzOwned){0, 0};
    }
    void fezz_on_unload_v2(void) { loads = 7; }
"#;

fn module(folder: &TempDir, name: &str, source: &str) -> PathBuf {
    let module = folder.path().join(name);
    let include = concat!(env!("CARGO_MANIFEST_DIR"), "/../fezz-wire/include");
    let source_file = module.with_extension("c");
    std::fs::write(&source_file, source).unwrap();
    let mut build = Command::new("cc");
    build.args(["-shared", "-fPIC", "-I", include, "-o"]).arg(&module).arg(&source_file);
    assert!(build.status().unwrap().success());
    module
}

fn is_mapped(path: &Path) -> bool {
    std::fs::read_to_string("/proc/self/maps").unwrap().contains(path.to_str().unwrap())
}

#[test]
fn each_buffer_is_given_back_once() {
    let folder = TempDir::new().unwrap();
    let image = Image::load(&module(&folder, "libecho.so", ECHO)).unwrap();
    let first = image.handle(b"a request").unwrap();
    assert_eq!((&first[..], &image.handle(b"out").unwrap()[..]), (&b"a request"[..], &b"1"[..]));
    drop(first);
    assert_eq!(&image.handle(b"out").unwrap()[..], b"0");
    // Not null, and so given back, though it is empty.
    assert!(image.handle(b"empty").is_err());
    assert_eq!(&image.handle(b"out").unwrap()[..], b"0");
}

#[test]
fn the_text_of_on_load_is_its_failure() {
    let folder = TempDir::new().unwrap();
    let image = Image::load(&module(&folder, "libload.so", ECHO)).unwrap();
    assert_eq!(image.on_load(b""), Ok(()));
    assert_eq!(image.on_load(b"no table").unwrap_err().message, "no table");
    assert!(image.has_on_unload());
}

#[test]
fn a_text_of_on_load_that_can_not_exist_is_a_failure() {
    let folder = TempDir::new().unwrap();
    let image = Image::load(&module(&folder, "libbad.so", ECHO)).unwrap();
    for (context, bytes) in [(b"null", "1000"), (b"long", "18446744073709551615")] {
        let error = image.on_load(context).unwrap_err();
        assert!(error.message.contains(bytes), "{error}");
    }
}

#[test]
fn a_dropped_module_stays_mapped_with_its_variables() {
    let folder = TempDir::new().unwrap();
    let path = module(&folder, "libclose.so", ECHO);
    let image = Image::load(&path).unwrap();
    image.on_load(b"").unwrap();
    image.on_unload();
    drop(image);
    assert!(is_mapped(&path));
    let again = Image::load(&path).unwrap();
    assert_eq!(&again.handle(b"loads").unwrap()[..], b"7", "the same image");
    let Closed::StillMapped(again) = again.close() else { panic!("the first reference is never given back") };
    assert_eq!(&again.handle(b"loads").unwrap()[..], b"7", "it can still be called");
}

#[test]
fn a_module_that_is_closed_is_unmapped() {
    let folder = TempDir::new().unwrap();
    let path = module(&folder, "libonce.so", ECHO);
    let image = Image::load(&path).unwrap();
    image.on_unload();
    assert!(matches!(image.close(), Closed::Unmapped));
    assert!(!is_mapped(&path));
    assert_eq!(&Image::load(&path).unwrap().handle(b"loads").unwrap()[..], b"0", "a new image");
}

#[test]
fn what_is_no_module_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("libtext.so");
    std::fs::write(&text, "no library").unwrap();
    assert!(matches!(Image::load(&text), Err(LoadError::NotLoaded { .. })));
    let empty = module(&folder, "libempty.so", "int nothing;");
    let error = Image::load(&empty).unwrap_err().to_string();
    assert!(error.contains("has no `fezz_handle_v2`"), "{error}");
}
