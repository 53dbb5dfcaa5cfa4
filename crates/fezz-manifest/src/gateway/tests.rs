//! Tests of the gateway file.

use super::*;
use crate::metadata::Metadata;

const EXAMPLE: &str = include_str!("../../../../examples/gateway/edge.yaml");

fn function(keys: &str) -> String {
    format!("functions:\n  items:\n{keys}")
}

/// What is wrong with a file, or with its only function.
fn error(text: &str) -> String {
    match Gateway::parse(text) {
        Err(error) => error.to_string(),
        Ok(mut gateway) => gateway.functions.remove(0).manifest.unwrap_err().to_string(),
    }
}

#[test]
fn the_example_is_read_as_it_is_shipped() {
    let gateway = Gateway::parse(EXAMPLE).unwrap();
    assert_eq!(gateway.service.as_deref(), Some("edge-gateway"));
    let names: Vec<_> = gateway.functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(names, ["items@v1", "users@v1"]);
    let items = gateway.functions[0].manifest.as_ref().unwrap();
    assert_eq!(items.binary.as_deref(), Some("bin/items"));
    let resources: Vec<_> = items.resources.keys().collect();
    assert_eq!(resources, ["postgres", "redis"]);
    let routes = items.routes(&Metadata::default()).unwrap();
    let routes: Vec<_> =
        routes.iter().map(|route| format!("{} {}", route.methods.join(","), route.path)).collect();
    assert_eq!(routes, ["GET /items", "POST /items", "GET /items/{id}"]);
}

#[test]
fn each_key_of_a_manifest_is_taken() {
    let keys = "    entry: lib/libf.so\n    version: v2\n    timeout_ms: 5\n    limits: {queue: 0x10}\n    env: {A: '1', B: \"\"}\n    domains: [a.example]\n    routes: [{path: /a}, {path: /b, domains: [b.example]}]\n";
    let gateway = Gateway::parse(&function(keys)).unwrap();
    let function = &gateway.functions[0];
    let manifest = function.manifest.as_ref().unwrap();
    assert_eq!((function.name.as_str(), function.folder.to_str()), ("items@v2", Some("lib")));
    assert_eq!(
        (manifest.entry.as_deref(), manifest.timeout_ms, manifest.limits.queue),
        (Some("libf.so"), Some(5), 16)
    );
    assert_eq!((manifest.env.get("A"), manifest.env.get("B")), (Some("1"), Some("")));
    let routes = format!("{:?}", manifest.routes);
    assert!(routes.contains("a.example") && routes.contains("b.example"), "{routes}");
}

#[test]
fn a_mistake_is_told_with_its_place_and_the_nearest_key() {
    for (text, expected) in [
        (
            "servce: a\nfunctions: {}\n".to_owned(),
            "line 1, column 1: key `servce` is unknown: did you mean `service`?",
        ),
        ("service: a\n".to_owned(), "line 1, column 1: key `functions` is missing"),
        ("- a\n".to_owned(), "line 1, column 1: the gateway file is no map"),
        (String::new(), "line 1, column 1: the gateway file is no map"),
        (
            function("    entry: a.so\n    rotes: []\n"),
            "line 4, column 5: function `items`: key `rotes` is unknown: did you mean `routes`?",
        ),
        (
            function("    entry: a.so\n    domain: []\n"),
            "line 4, column 5: function `items`: key `domain` is unknown: did you mean `domains`?",
        ),
        (
            function("    entry: a.so\n    routes:\n      - path: /a\n        methd: GET\n"),
            "line 6, column 9: function `items`: key `routes[0].methd` is unknown: did you mean `method`?",
        ),
        (
            function("    entry: a.so\n    routes:\n      - method: GET\n"),
            "line 5, column 9: function `items`: key `routes[0].path` is missing",
        ),
        (
            function("    entry: a.so\n    routes:\n      - path: a\n"),
            "line 5, column 9: function `items`: key `routes[0]`: the path `a`",
        ),
        (
            function("    entry: a.so\n    limits:\n      queue: many\n"),
            "line 5, column 7: function `items`: key `limits.queue` is a string",
        ),
        (
            function("    entry: a.so\n    limits: {queue: -1}\n"),
            "line 4, column 14: function `items`: key `limits.queue` is -1",
        ),
        (
            function("    entry: a.so\n    spare: 1001\n"),
            "line 4, column 5: function `items`: key `spare` is 1001",
        ),
        (
            function("    entry: a.so\n    entry: b.so\n"),
            "line 4, column 5: key `functions.items.entry` is given twice",
        ),
        (function("    entry: ../a.so\n"), "line 3, column 5: function `items`: key `entry` is `../a.so`"),
        (function("    binary: ../a\n"), "line 3, column 5: function `items`: key `binary` is `../a`"),
        (
            function("    entry: a.so\n    id: other\n"),
            "line 4, column 5: function `items`: key `id` is `other`",
        ),
        (
            function("    entry: a.so\n    domains: [a]\n"),
            "line 4, column 5: function `items`: key `domains` applies to `routes`, which is missing: add `routes`",
        ),
        (
            function("    entry: a.so\n    domains: [a]\n    rotues: []\n"),
            "line 5, column 5: function `items`: key `rotues` is unknown: did you mean `routes`?",
        ),
        (
            function("    entry: a.so\n    resources: {db: hunter2}\n"),
            "line 4, column 17: function `items`: key `resources.db` is no URL",
        ),
        (
            "functions: {a b: {entry: a.so}}\n".to_owned(),
            "line 1, column 13: function `a b`: key `id` is `a b`",
        ),
        ("functions: [\n".to_owned(), "line 2, column 1: this is not YAML"),
    ] {
        let sentence = error(&text);
        assert!(sentence.starts_with(expected), "{text}\n{sentence}\n{expected}");
    }
}

#[test]
fn hostile_yaml_is_refused_before_it_grows() {
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
    for (text, expected) in [
        (bomb.to_owned(), "anchors and aliases"),
        ("functions: *a\n".to_owned(), "not YAML"),
        ("functions: !!binary aGk=\n".to_owned(), "tags (`!name`) are not taken"),
        (format!("functions: {}{}", "[".repeat(20), "]".repeat(20)), "more than 16 maps and lists"),
        // The parser's own limit comes first where its lookahead meets them.
        (format!("functions: {}", "[".repeat(100_000)), "recursion limit exceeded"),
        (format!("functions: {}", "{a: ".repeat(100_000)), "more than 16 maps and lists"),
        (
            (0..1000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
            "more than 16 maps and lists",
        ),
        ("functions: {}\n---\nfunctions: {}\n".to_owned(), "a second document"),
        ("? [a]\n: b\n".to_owned(), "a key must be text"),
        ("functions: {a: {entry: \"\\x\"}}".to_owned(), "not YAML"),
    ] {
        let sentence = error(&text);
        assert!(sentence.contains(expected), "{sentence}");
    }
}

#[test]
fn a_key_or_a_file_that_is_too_long_is_refused_before_it_grows() {
    let long = "k".repeat(200_000);
    let list = "1,".repeat(150_000);
    for (text, expected) in [
        (
            format!("? {long}\n: [{list}1]\n"),
            "line 1, column 3: a key has 200000 characters, the limit is 1024",
        ),
        (format!("functions: [{list}1]\n"), "more than 65536 values are in this file"),
    ] {
        let sentence = error(&text);
        assert!(sentence.contains(expected) && sentence.len() < 300, "{sentence}");
    }
}

#[test]
fn each_value_has_its_place_without_a_copy_of_the_keys_above_it() {
    let (key, elements) = ("k".repeat(1024), 1000);
    let text = format!("a.b:\n  {key}: [{}x: y]\n", "[1], ".repeat(elements));
    let (_, places) = yaml::read(&text).unwrap();
    let at = |path: String| places.of(&path);
    let last = format!("a.b.{key}[{elements}]");
    assert_eq!(at(last.clone()), at(format!("{last}.x.no")));
    assert_eq!(at(format!("a.b.{key}[7][0]")), Place { line: 2, column: 1030 + 7 * 5 + 1 });
    assert_eq!(at(format!("a.b.{key}[7][1].c")), Place { line: 2, column: 1030 + 7 * 5 });
    assert_eq!(at("a.b.other".to_owned()), Place { line: 1, column: 1 });
    assert!(places.key_bytes() < 2 * text.len(), "{} bytes", places.key_bytes());
}

#[test]
fn an_error_shows_only_the_beginning_of_a_long_key_or_value() {
    let long = "k".repeat(1000);
    for text in [
        format!("{long}: 1\nfunctions: {{}}\n"),
        format!("functions: {{{long}: {{entry: a.so}}}}\n"),
        function(&format!("    {long}: 1\n")),
        function(&format!("    {long}: 1\n    {long}: 1\n")),
        function(&format!("    entry: a.so\n    version: '` {}'\n", long.repeat(100))),
    ] {
        let sentence = error(&text);
        assert!(sentence.chars().count() < 1300 && sentence.contains("kkk..."), "{sentence}");
    }
}
