//! Bad manifests: the host logs one sentence that names the file, the key and the fix, and starts without the function.

use crate::harness::{AUTHOR, Host, Site, binary, wait_for};
use serde_json::json;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// A manifest's text: `beginning`, and then `"id": "f", "version": "v1", "entry": <author's module>`.
fn with(beginning: &str) -> String {
    format!(r#"{{{beginning}, "id": "f", "version": "v1", "entry": "{AUTHOR}"}}"#)
}

/// Checks that the manifest `text` of `f@v1` is refused with a message that contains all of `parts`.
fn check(text: impl AsRef<str>, parts: &[&str]) {
    let site = Site::new();
    site.write("f@v1", AUTHOR, text.as_ref());
    refused(site, "f@v1", parts);
}

fn refused(site: Site, name: &str, parts: &[&str]) {
    site.install("healthy@v1", AUTHOR, json!({}));
    let file = site.function(name).join("fezz.json");
    let host = Host::start(site);
    let refusals: Vec<String> = host.log().iter().filter_map(refusal).collect();
    let [sentence] = &refusals[..] else { panic!("not one refusal but {refusals:#?}") };
    for part in parts.iter().copied().chain([file.to_str().unwrap()]) {
        assert!(sentence.contains(part), "`{part}` is not in: {sentence}");
    }
    assert!(!sentence.contains('\n') && !sentence.contains("\\n"), "not one sentence: {sentence}");
    assert_eq!(host.get("/rpc/healthy/pid").status, 200);
    assert_eq!(host.get("/rpc/f").status, 404);
    assert_eq!(host.metric("fezz_functions_refused "), 1.0);
}

fn refusal(line: &serde_json::Value) -> Option<String> {
    line["message"].as_str()?.strip_prefix("not served: ").map(str::to_owned)
}

/// Rows: a test's name, a manifest's text, and the parts that the message must contain.
macro_rules! manifests {
    ($($name:ident: $text:expr => $($part:literal),+;)*) => {
        $(
            #[test]
            fn $name() {
                check($text, &[$($part),+]);
            }
        )*
    };
}

manifests! {
    nothing_is_not_json: "" => "is not JSON";
    half_an_object_is_not_json: "{\"id\": \"f\"," => "is not JSON", "line 1";
    two_objects_are_not_json: with(r#""env": {}"#) + "{}" => "is not JSON";
    an_array_is_no_manifest: "[]" => "is not a JSON object", "write {";
    a_missing_id_is_named: format!(r#"{{"version": "v1", "entry": "{AUTHOR}"}}"#) => "key `id` is missing: add it";
    a_missing_version_is_named: format!(r#"{{"id": "f", "entry": "{AUTHOR}"}}"#) => "key `version` is missing";
    a_missing_entry_is_named: r#"{"id": "f", "version": "v1"}"# => "key `entry` is missing";
    a_misspelt_key_gets_the_nearest: with(r#""tiemout_ms": 5"#) => "key `tiemout_ms` is unknown", "did you mean `timeout_ms`?";
    an_unknown_key_gets_all_known: with(r#""zzz": 5"#) => "key `zzz` is unknown", "entry", "limits";
    a_misspelt_limit_gets_the_nearest: with(r#""limits": {"memory_byte": 5}"#) => "key `limits.memory_byte` is unknown", "did you mean `memory_bytes`?";
    a_misspelt_key_of_a_route_gets_the_nearest: with(r#""routes": [{"path": "/a", "methods": "GET"}]"#) => "key `routes[0].methods` is unknown", "did you mean `method`?";
    a_route_without_a_path_is_named: with(r#""routes": [{"path": "/a"}, {"method": "GET"}]"#) => "key `routes[1].path` is missing";
    a_duplicate_key_is_named: with(r#""timeout_ms": 5, "timeout_ms": 6"#) => "key `timeout_ms` is given twice: remove one";
    a_text_for_a_number_is_named: with(r#""timeout_ms": "30s""#) => "key `timeout_ms` is a string, it must be a whole number", "1 to 3600000";
    a_negative_number_is_named: with(r#""limits": {"queue": -1}"#) => "key `limits.queue` is -1, it must be a whole number, up to 1000000";
    a_number_for_a_variable_is_named: with(r#""env": {"LOG": 1}"#) => "key `env.LOG` is 1, it must be a string";
    an_empty_list_of_methods_is_named: with(r#""routes": [{"path": "/a", "method": []}]"#) => "key `routes[0].method` is an empty list", "no key at all for any";
    an_unknown_execution_is_named: with(r#""execution": "wasm""#) => "key `execution` is `wasm`, it must be one of `spawn`, `fork`, `rewind`, `worker`, `in-process`";
    a_binary_beside_an_entry_is_named: with(r#""binary": "bin/f""#) => "keys `entry` and `binary`", "leave out";
    a_binary_that_leaves_the_folder_is_named: r#"{"id": "f", "version": "v1", "binary": "../f"}"# => "key `binary` is `../f`", "below";
    an_absolute_binary_is_named: r#"{"id": "f", "version": "v1", "binary": "/bin/sh"}"# => "key `binary` is `/bin/sh`";
    an_absent_binary_is_named: r#"{"id": "f", "version": "v1", "binary": "bin/absent"}"# => "key `binary`", "bin/absent", "doesn't exist";
    a_forked_binary_is_refused: r#"{"id": "f", "version": "v1", "binary": "bin/f", "execution": "fork"}"# => "key `execution` is `fork`", "always a `worker`";
    settings_of_workers_go_with_workers: with(r#""worker": {"max": 2}"#) => "key `worker` goes with `execution` `worker`";
    fewer_workers_than_the_minimum_are_refused: with(r#""execution": "worker", "worker": {"min": 3, "max": 2}"#) => "key `worker.min` is 3", "`worker.max`, which is 2";
    more_requests_than_threads_are_refused: with(r#""execution": "worker", "worker": {"concurrency": 65}"#) => "key `worker.concurrency` is 65", "`limits.threads` is 64";
    a_worker_without_a_slot_is_refused: with(r#""execution": "worker", "worker": {"concurrency": 0}"#) => "key `worker.concurrency` is 0: it must be 1 to 1000";
    a_worker_has_no_spare: with(r#""execution": "worker", "spare": 1"#) => "key `spare` has no meaning for a worker", "`worker.min`";
    an_unknown_key_of_workers_gets_the_nearest: with(r#""execution": "worker", "worker": {"maximum": 1}"#) => "key `worker.maximum` is unknown", "max";
    a_forked_functions_scratch_is_refused: with(r#""execution": "fork", "limits": {"scratch_bytes": 4096}"#) => "key `limits.scratch_bytes`", "`spawn`", "would share";
    too_many_spares_are_out_of_range: with(r#""spare": 1001"#) => "key `spare` is 1001", "up to 1000";
    a_timeout_of_zero_is_out_of_range: with(r#""timeout_ms": 0"#) => "key `timeout_ms` is 0", "1 to 3600000";
    a_timeout_of_a_day_is_out_of_range: with(r#""timeout_ms": 86400000"#) => "key `timeout_ms` is 86400000";
    no_concurrency_is_out_of_range: with(r#""limits": {"concurrency": 0}"#) => "key `limits.concurrency` is 0", "1 to 10000";
    too_little_memory_is_out_of_range: with(r#""limits": {"memory_bytes": 1000}"#) => "key `limits.memory_bytes` is 1000", "8 MiB";
    a_port_of_0_is_out_of_range: with(r#""network": {"connect": [443, 0]}"#) => "key `network.connect` is 0", "1 to 65535";
    a_port_above_65535_is_named: with(r#""network": {"connect": [65536]}"#) => "key `network.connect[0]` is 65536, it must be a whole number up to 65535";
    too_many_ports_are_out_of_range: with(&format!(r#""network": {{"connect": {:?}}}"#, (1..=65).collect::<Vec<_>>())) => "key `network.connect` is 65", "up to 64";
    a_misspelt_key_of_the_network_gets_the_nearest: with(r#""network": {"conect": []}"#) => "key `network.conect` is unknown", "did you mean `connect`?";
    a_scratch_beyond_all_memory_is_out_of_range: with(r#""limits": {"scratch_bytes": 1099511627776}"#) => "key `limits.scratch_bytes` is 1099511627776", "1 GiB";
    too_few_descriptors_are_out_of_range: with(r#""limits": {"descriptors": 3}"#) => "key `limits.descriptors` is 3", "16 to 1024";
    no_thread_is_out_of_range: with(r#""limits": {"threads": 0}"#) => "key `limits.threads` is 0", "1 to 10000";
    a_bad_variable_is_named: with(r#""env": {"A-B": "x"}"#) => "key `env` holds the name `A-B`", "letters, digits and `_`";
    a_variable_with_nul_is_named: with(r#""env": {"A": "x\u0000y"}"#) => "key `env.A` holds a NUL";
    a_header_that_is_no_name_is_refused: with(r#""response_headers": {"x y": "1"}"#) => "key `response_headers` holds the name `x y`", "RFC 9110";
    a_header_of_the_connection_is_refused: with(r#""response_headers": {"Transfer-Encoding": "chunked"}"#) => "key `response_headers` holds the name `Transfer-Encoding`", "the host's own";
    a_header_of_the_length_is_refused: with(r#""response_headers": {"content-length": "1"}"#) => "key `response_headers` holds the name `content-length`", "leave it out";
    a_header_value_with_a_line_break_is_refused: with(r#""response_headers": {"x-a": "b\r\nx-c: d"}"#) => "key `response_headers.x-a`", "visible ASCII";
    a_header_value_with_a_blank_at_its_end_is_refused: with(r#""response_headers": {"x-a": "b "}"#) => "key `response_headers.x-a`", "remove";
    a_header_value_with_a_tab_before_it_is_refused: with(r#""response_headers": {"x-a": "\tb"}"#) => "key `response_headers.x-a`", "remove";
    a_header_value_with_a_letter_beyond_ascii_is_refused: with(r#""response_headers": {"x-a": "é"}"#) => "key `response_headers.x-a`", "visible ASCII";
    a_header_in_two_cases_is_refused: with(r#""response_headers": {"x-a": "1", "X-A": "2"}"#) => "names `X-A` and `x-a`", "remove one";
    a_header_that_is_given_twice_is_refused: with(r#""response_headers": {"x-a": "1", "x-a": "2"}"#) => "key `response_headers.x-a` is given twice: remove one";
    a_coding_of_the_body_is_refused: with(r#""response_headers": {"Content-Encoding": "gzip"}"#) => "key `response_headers` holds the name `Content-Encoding`", "let the function send it";
    a_range_of_the_body_is_refused: with(r#""response_headers": {"content-range": "bytes 0-1/2"}"#) => "key `response_headers` holds the name `content-range`", "let the function send it";
    too_many_bytes_of_headers_are_refused: with(&format!(r#""response_headers": {{"x-a": "{}"}}"#, "b".repeat(8 * 1024))) => "key `response_headers` holds 8195 bytes", "up to 8192";
    a_relative_route_is_named: with(r#""routes": [{"path": "hello"}]"#) => "key `routes[0]`", "write `/hello`";
    a_route_with_more_parameters_than_the_router_takes_is_refused: with(&format!(r#""routes": [{{"path": "{}"}}]"#, (0..26).map(|n| format!("/{{p{n}}}")).collect::<String>())) => "key `routes[0]`", "26 parameters, the limit is 25";
    a_malformed_route_is_named: with(r#""routes": [{"path": "/a"}, {"path": "/a/{id"}]"#) => "key `routes[1]`", "malformed";
    a_reserved_route_is_named: with(r#""routes": [{"path": "/_metrics"}]"#) => "is reserved for the host", "choose another";
    a_route_with_two_dots_is_refused: with(r#""routes": [{"path": "/a/../b"}]"#) => "key `routes[0]`", "`/a/../b` holds the segment `..`", "leave it out";
    a_route_with_a_dot_is_refused: with(r#""routes": [{"path": "/a/."}]"#) => "`/a/.` holds the segment `.`", "proxies";
    a_route_with_encoded_dots_is_refused: with(r#""routes": [{"path": "/a/%2E%2e/{id}"}]"#) => "holds the segment `%2E%2e`", "leave it out";
    a_route_with_an_empty_segment_is_refused: with(r#""routes": [{"path": "/a//{id}"}]"#) => "`/a//{id}` holds an empty segment", "write one `/`";
    a_bad_method_is_named: with(r#""routes": [{"path": "/a", "method": "get"}]"#) => "the method `get`", "in upper case";
    a_bad_domain_is_named: with(r#""routes": [{"path": "/a", "domains": ["http://a"]}]"#) => "the domain `http://a`", "without scheme";
    a_duplicate_route_is_named: with(r#""routes": [{"path": "/a/{x}"}, {"path": "/a/{y}"}]"#) => "is already", "of `f@v1`";
    an_id_of_another_folder_is_named: with(r#""env": {}"#).replace(r#""f""#, r#""g""#) => "the folder is named `f@v1`", "rename it to `g@v1`";
    a_version_of_another_folder_is_named: with(r#""env": {}"#).replace(r#""v1""#, r#""v2""#) => "rename it to `f@v2`";
    an_id_with_a_slash_is_named: with(r#""env": {}"#).replace(r#""f""#, r#""../f""#) => "key `id` is `../f`", "use letters";
    an_entry_that_leaves_the_folder_is_named: with(r#""env": {}"#).replace(AUTHOR, "../f@v1/lib.so") => "key `entry` is `../f@v1/lib.so`", "without a path";
    an_absolute_entry_is_named: with(r#""env": {}"#).replace(AUTHOR, "/lib/libc.so") => "key `entry` is `/lib/libc.so`";
    an_entry_of_two_dots_is_named: with(r#""env": {}"#).replace(AUTHOR, "..") => "key `entry` is `..`";
    an_absent_module_is_named: with(r#""env": {}"#).replace(AUTHOR, "libabsent.dylib") => "key `entry`", "libabsent.so", "doesn't exist";
}

/// Checks that the module that `make` installs is refused with a message that contains all of `parts`.
fn check_module(make: impl FnOnce(&Path), parts: &[&str]) {
    let site = Site::new();
    site.write("f@v1", AUTHOR, &with(r#""env": {}"#));
    let module = site.function("f@v1").join(AUTHOR);
    std::fs::remove_file(&module).unwrap();
    make(&module);
    refused(site, "f@v1", parts);
}

fn module_bytes() -> Vec<u8> {
    std::fs::read(binary(AUTHOR)).unwrap()
}

#[test]
fn an_entry_of_macos_finds_the_so_of_the_same_stem_else_the_file_as_named() {
    let site = Site::new();
    site.write("f@v1", AUTHOR, &with(r#""env": {}"#).replace(AUTHOR, "libf.dylib"));
    let (as_named, of_linux) =
        (site.function("f@v1").join("libf.dylib"), site.function("f@v1").join("libf.so"));
    std::fs::rename(site.function("f@v1").join(AUTHOR), &as_named).unwrap();
    let host = Host::start(site);
    assert_eq!(host.get("/rpc/f/pid").status, 200, "the file as named, which is an ELF file");
    std::fs::write(&of_linux, "of Linux").unwrap();
    host.logged("the refusal of the other", |line| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains("libf.so` is not a complete 64-bit ELF file"))
    });
}

#[test]
fn a_module_that_is_a_link_is_refused() {
    check_module(
        |module| symlink(binary(AUTHOR), module).unwrap(),
        &["is a link", "put the file itself there"],
    );
}

#[test]
fn a_module_that_is_a_folder_is_refused() {
    check_module(|module| std::fs::create_dir(module).unwrap(), &["no regular file"]);
}

#[test]
fn a_module_that_is_a_pipe_is_refused_and_does_not_hang() {
    let make = |module: &Path| {
        assert!(std::process::Command::new("mkfifo").arg(module).status().unwrap().success());
    };
    check_module(make, &["no regular file"]);
}

#[test]
fn a_module_that_is_no_elf_is_refused() {
    check_module(|module| std::fs::write(module, "#!/bin/sh\n").unwrap(), &["64-bit ELF file", "cdylib"]);
}

#[test]
fn a_module_that_is_cut_off_is_refused() {
    check_module(|module| std::fs::write(module, &module_bytes()[..500]).unwrap(), &["copy the whole file"]);
}

#[test]
fn a_module_for_another_processor_is_refused() {
    let make = |module: &Path| {
        let mut bytes = module_bytes();
        const E_MACHINE: usize = 18; // offset of the field (elf(5))
        bytes[E_MACHINE] = 183; // EM_AARCH64
        std::fs::write(module, bytes).unwrap();
    };
    check_module(make, &["built for aarch64", "this host is x86_64", "build it for the target"]);
}

#[test]
fn a_library_that_is_no_module_is_refused() {
    let make = |module: &Path| {
        std::fs::copy("/lib/x86_64-linux-gnu/libc.so.6", module).unwrap();
    };
    check_module(make, &["doesn't export `fezz_handle_v2`", "#[fezz_function]"]);
}

#[test]
fn a_module_of_another_owner_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return crate::harness::skip("only root can give a file away");
    }
    let make = |module: &Path| {
        std::fs::write(module, module_bytes()).unwrap();
        std::os::unix::fs::chown(module, Some(12345), None).unwrap();
    };
    check_module(make, &["belongs to user 12345", "give it to user 0"]);
}

#[test]
fn a_world_writable_module_is_refused() {
    let make = |module: &Path| {
        std::fs::write(module, module_bytes()).unwrap();
        std::fs::set_permissions(module, PermissionsExt::from_mode(0o757)).unwrap();
    };
    check_module(make, &["which every user can write", "chmod o-w"]);
}

/// A site whose function's folder has the permissions `mode`.
fn site_with_folder(mode: u32) -> Site {
    let site = Site::new();
    site.write("f@v1", AUTHOR, &with(r#""env": {}"#));
    std::fs::set_permissions(site.function("f@v1"), PermissionsExt::from_mode(mode)).unwrap();
    site
}

#[test]
fn a_world_writable_folder_is_refused_sticky_or_not() {
    for mode in [0o777, 0o1777, 0o702] {
        refused(
            site_with_folder(mode),
            "f@v1",
            &["the folder is `", "which every user can write", "chmod o-w"],
        );
    }
}

#[test]
fn a_group_writable_folder_is_served() {
    let host = Host::start(site_with_folder(0o775));
    assert_eq!(host.get("/rpc/f/pid").status, 200);
}

#[test]
fn a_folder_of_another_owner_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return crate::harness::skip("only root can give a folder away");
    }
    let site = site_with_folder(0o755);
    std::os::unix::fs::chown(site.function("f@v1"), Some(12345), None).unwrap();
    refused(site, "f@v1", &["the folder is `", "belongs to user 12345", "give it to user 0"]);
}

#[test]
fn a_world_writable_functions_folder_fails_the_start_with_the_fix() {
    let site = site_with_folder(0o755);
    let functions = site.root().join("functions");
    std::fs::set_permissions(&functions, PermissionsExt::from_mode(0o777)).unwrap();
    let output = Host::command(&site).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let reason = format!("the functions lie in `{}`, which every user can write", functions.display());
    assert!(said.contains(&reason) && said.contains("chmod o-w"), "{said}");
}

#[test]
fn functions_are_still_served_while_their_folder_is_world_writable() {
    let host = Host::start(site_with_folder(0o755));
    assert_eq!(host.get("/rpc/f/pid").status, 200);
    let functions = host.site.root().join("functions");
    std::fs::set_permissions(&functions, PermissionsExt::from_mode(0o777)).unwrap();
    host.signal(rustix::process::Signal::HUP);
    host.logged("the fix", |line| {
        let is_reload = line["message"].as_str().is_some_and(|text| text.starts_with("reload failed"));
        is_reload && line["error"].as_str().is_some_and(|error| error.contains("chmod o-w"))
    });
    host.site.install("new@v1", AUTHOR, json!({}));
    assert_eq!((host.get("/rpc/f/pid").status, host.get("/rpc/new/pid").status), (200, 404));
    std::fs::set_permissions(&functions, PermissionsExt::from_mode(0o755)).unwrap();
    wait_for("the new function", || (host.get("/rpc/new/pid").status == 200).then_some(()));
}

#[test]
fn a_folder_that_names_no_version_is_refused() {
    let site = Site::new();
    std::fs::create_dir(site.function("f")).unwrap();
    refused(site, "f", &["the folder is named `f`", "<id>@<version>"]);
}

#[test]
fn a_folder_without_a_manifest_is_refused() {
    let site = Site::new();
    std::fs::create_dir(site.function("f@v1")).unwrap();
    refused(site, "f@v1", &["the manifest should be", "doesn't exist"]);
}

#[test]
fn a_route_of_two_functions_is_refused_for_the_second_with_both_names() {
    let site = Site::new();
    let routes = json!({"routes": [{"path": "/same/{id}", "method": "GET"}]});
    site.install("e@v1", AUTHOR, routes.clone()).install("f@v1", AUTHOR, routes);
    refused(site, "f@v1", &["`GET /same/{id}` of `f@v1` is already `/same/{id}` of `e@v1`"]);
}

#[test]
fn the_manifest_of_the_readme_is_served_though_it_names_a_dylib() {
    let site = Site::new();
    let manifest = r#"{"$schema": "../../fezz.schema.json", "id": "todos", "version": "latest", "entry": "libfixture_author.dylib",
        "routes": [{"path": "/hello", "method": "GET"}]}"#;
    site.write("todos@latest", AUTHOR, manifest);
    let host = Host::start(site);
    assert_eq!((host.get("/hello").status, host.get("/rpc/todos@latest").status), (200, 200));
}
