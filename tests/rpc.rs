//! `/rpc/<name>`: a function that is called by its name sees what it would see if called by its route.

use crate::harness::{AUTHOR, Host, Site, exchange};
use serde_json::json;

const ECHO: &str = "libexample_echo.so";
const TODOS: &str = "libexample_todosapi.so";

/// The author's function with these routes.
fn with_routes(routes: serde_json::Value) -> Host {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"routes": routes}));
    Host::start(site)
}

/// The lines of the function's answer that tell of its target and parameters.
fn facts(host: &Host, method: &str, target: &str) -> Vec<String> {
    let text = host.client(method, target).send().text();
    let told = ["method ", "uri ", "original_uri ", "param "];
    text.lines().filter(|line| told.iter().any(|fact| line.starts_with(fact))).map(str::to_owned).collect()
}

#[test]
fn a_function_called_by_its_name_sees_the_rest_of_the_target_and_the_whole_in_meta() {
    let site = Site::new();
    site.install("echo@v1", ECHO, json!({})).install("author@v1", AUTHOR, json!({}));
    let host = Host::start(site);
    let uri = |target: &str| host.get(target).text().lines().next().unwrap().to_owned();
    for (target, seen) in [
        ("/rpc/echo", "GET /"),
        ("/rpc/echo/", "GET /"),
        ("/rpc/echo@v1?x=%31", "GET /?x=%31"),
        ("/rpc/echo/?", "GET /?"),
        ("/rpc/echo@latest/a%2Fb//c/?q=/rpc/x?y", "GET /a%2Fb//c/?q=/rpc/x?y"),
        ("/rpc/echo//x", "GET //x"),
    ] {
        assert_eq!(uri(target), seen, "{target}");
    }
    assert_eq!(
        facts(&host, "GET", "/rpc/author@v1/a%20b/request?x"),
        ["method GET", "uri /a%20b/request?x", "original_uri /rpc/author@v1/a%20b/request?x"]
    );
    let absolute = b"GET http://a/rpc/author/request?x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let text = exchange(host.address, absolute).text();
    assert!(text.contains("uri /request?x\noriginal_uri /rpc/author/request?x\nauthority a\n"), "{text}");
}

#[test]
fn a_route_says_nothing_of_an_original_target() {
    let host = with_routes(json!([{"path": "/a/{id}/request"}]));
    let expected = ["method GET", "uri /a/7/request?x", "original_uri none", "param id=7"];
    assert_eq!(facts(&host, "GET", "/a/7/request?x"), expected);
}

#[test]
fn the_parameters_are_those_of_the_functions_own_route() {
    let host = with_routes(json!([
        {"path": "/a/{name}/request", "method": "POST"},
        {"path": "/a/{id}/request", "method": "GET"},
        {"path": "/a/b/request", "method": "PUT"},
        {"path": "/at/{id}/request", "domains": ["api.example.com"]},
        {"path": "/{*rest}", "method": "GET", "domains": ["*.example.com"]},
    ]));
    let params = |method: &str, path: &str| {
        let facts = facts(&host, method, &format!("/rpc/author{path}"));
        assert!(facts.contains(&format!("uri {path}")), "{facts:?}");
        facts.into_iter().filter(|fact| fact.starts_with("param ")).collect::<Vec<_>>()
    };
    // Percent-decoded, of the route for the method.
    assert_eq!(params("GET", "/a/caf%C3%A9/request?x"), ["param id=café"]);
    assert_eq!(params("POST", "/a/7/request"), ["param name=7"]);
    // No route is for DELETE, and the function answers all the same.
    assert_eq!(params("DELETE", "/a/7/request"), ["param name=7"]);
    assert_eq!(params("PUT", "/a/b/request"), [""; 0]);
    // Whatever the host is called.
    assert_eq!(params("PUT", "/at/7/request"), ["param id=7"]);
    assert_eq!(params("GET", "/x/y%2Fz/request"), ["param rest=x/y/z/request"]);
    assert_eq!(params("POST", "/nothing/request"), ["param rest=nothing/request"]);
    assert_eq!(host.get("/rpc/author/a/%ff/request").outcome(), (400, "bad_request"));
}

#[test]
fn a_path_of_no_route_has_no_parameters() {
    let host = with_routes(json!([{"path": "/a/{id}"}]));
    let expected = ["method GET", "uri /b/7/request", "original_uri /rpc/author/b/7/request"];
    assert_eq!(facts(&host, "GET", "/rpc/author/b/7/request"), expected);
}

#[test]
fn head_is_get_where_the_functions_own_route_is_for_get() {
    let host = with_routes(json!([{"path": "/get", "method": "GET"}, {"path": "/any/{id}"}]));
    let method = |path: &str| {
        let answer = host.client("HEAD", path).send();
        (answer.status, answer.header("x-method").map(str::to_owned))
    };
    let seen = |method: &str| (200, Some(method.to_owned()));
    assert_eq!(method("/rpc/author/any/empty"), seen("HEAD"));
    assert_eq!(method("/rpc/author/other/empty"), seen("HEAD"));
    let host = with_routes(json!([{"path": "/{x}/empty", "method": "GET"}]));
    assert_eq!(host.client("HEAD", "/rpc/author/a/empty").send().header("x-method"), Some("GET"));
}

#[test]
fn an_app_answers_below_its_name_as_on_its_routes() {
    let site = Site::new();
    let routes = json!([{"path": "/hello"}, {"path": "/api/todos"}, {"path": "/api/todos/{id}"}]);
    for execution in ["spawn", "fork"] {
        site.install(&format!("{execution}ed@v1"), TODOS, json!({"execution": execution, "routes": []}));
    }
    site.install("todos@v1", TODOS, json!({"routes": routes}));
    let host = Host::start(site);
    for path in ["/hello", "/api/todos", "/api/todos/2?x=1", "/api/todos/9", "/api/todos/x"] {
        let own = host.get(path);
        for name in ["todos@v1", "todos", "spawned", "forked"] {
            let named = host.get(&format!("/rpc/{name}{path}"));
            assert_eq!((named.status, named.text()), (own.status, own.text()), "{name} {path}");
        }
    }
    assert_eq!(host.get("/rpc/forked").text(), "Hello from todos!\n");
    let created = host.client("POST", "/rpc/todos/api/todos").body(r#"{"title": "x"}"#).send();
    assert_eq!((created.status, created.header("location")), (201, Some("/api/todos/4")));
}
