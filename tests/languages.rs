//! The examples in other languages, as they are shipped: built by their Makefiles, served by their manifests.

use crate::harness::{Example, Host, Site, on_path, skip, wait_for};
use serde_json::json;

const EXECUTORS: [&str; 3] = ["spawn", "fork", "rewind"];

/// A host with an example under `<executor>-<example>@v1` for each executor, or nothing without the compiler.
fn host(name: &str, compiler: &str) -> Option<Host> {
    if on_path(compiler).is_none() {
        skip(&format!("{compiler} isn't on PATH, by which {name} is built"));
        return None;
    }
    let example = Example::read(name);
    let module = example.build();
    let site = Site::new();
    for execution in EXECUTORS {
        let id = format!("{execution}-{name}");
        let mut manifest = example.manifest.clone();
        manifest["id"] = json!(id);
        manifest["execution"] = json!(execution);
        manifest["spare"] = json!(2);
        manifest["routes"][0]["path"] = json!(format!("/{id}"));
        site.write(&format!("{id}@v1"), module, &manifest.to_string());
    }
    Some(Host::start(site))
}

fn greets(name: &str, compiler: &str, source: &str, language: &str) {
    let curl = format!("curl -H 'X-Name: Ada' http://127.0.0.1:3000/{name}");
    assert!(Example::read(name).source(source).lines().next().unwrap().ends_with(&curl), "{name}");
    let Some(host) = host(name, compiler) else { return };
    for execution in EXECUTORS {
        let path = format!("/{execution}-{name}");
        let greeted = host.client("GET", &path).header("x-name", "Ada").send();
        assert_eq!(
            (greeted.status, greeted.text()),
            (200, format!("Hello, Ada, from {language}!\n")),
            "{path}"
        );
        assert_eq!(host.get(&path).text(), format!("Hello, world, from {language}!\n"), "{path}");
    }
    // Under `rewind` the first requests get forked processes.
    let of = format!("{{function=\"rewind-{name}@v1\"");
    wait_for("a process that is put back", || {
        let waits = host.metric(&format!("fezz_spare_processes{of}}}")) > 0.0;
        let greeted = host.client("GET", &format!("/rewind-{name}")).header("x-name", "Ada").send();
        assert_eq!(greeted.text(), format!("Hello, Ada, from {language}!\n"));
        let rewound = format!("fezz_rewind_requests_total{of},result=\"rewound\"}}");
        (waits && host.metric(&rewound) > 1.0).then_some(())
    });
}

#[test]
fn the_example_in_c_answers_under_each_executor() {
    greets("hello-c", "cc", "hello.c", "C");
}

#[test]
fn the_example_in_cpp_answers_under_each_executor() {
    greets("hello-cpp", "c++", "hello.cpp", "C++");
}

#[test]
fn the_example_in_zig_answers_under_each_executor() {
    greets("hello-zig", "zig", "hello.zig", "Zig");
}

#[test]
fn an_exception_in_cpp_is_a_returned_error_whose_text_is_logged() {
    let Some(host) = host("hello-cpp", "c++") else { return };
    for execution in EXECUTORS {
        let path = format!("/{execution}-hello-cpp");
        let failed = host.client("GET", &path).header("x-name", "").send();
        assert_eq!((failed.status, failed.header("fezz-error")), (500, Some("function_error")), "{path}");
        host.logged("the exception's text", |line| {
            line["path"] == path.as_str() && line.to_string().contains("the header X-Name is empty")
        });
        assert_eq!(host.get(&path).status, 200);
    }
}
