//! Tests of which route wins, and of changes.

use super::*;

fn route(method: &str, path: &str, function: &str) -> Route {
    Route::parse(method, path, function).unwrap()
}

async fn table(routes: impl IntoIterator<Item = Route>) -> RouteTable {
    let table = RouteTable::new();
    for route in routes {
        assert_eq!(table.add(route).await, None);
    }
    table
}

async fn check(table: &RouteTable, method: &str, path: &str, expected: &str) {
    let found = table.find(path, method).await;
    let function = found.as_ref().map_or("-", RouteMatch::function);
    assert_eq!(function, expected, "{method} {path}");
}

#[tokio::test]
async fn the_more_specific_route_wins_in_whatever_order_they_are_added() {
    let mut routes = [
        route("GET", "/api/*", "rest"),
        route("GET", "/api/:id", "one"),
        route("GET", "/api/me", "text"),
        route("*", "/api/me", "any method"),
    ];
    for _ in 0..routes.len() {
        routes.rotate_left(1);
        let table = table(routes.clone()).await;
        check(&table, "GET", "/api/me", "text").await;
        check(&table, "GET", "/api/7", "one").await;
        check(&table, "GET", "/api/7/x", "rest").await;
        check(&table, "PUT", "/api/me", "any method").await;
        check(&table, "PUT", "/api/7", "-").await;
        check(&table, "GET", "/api", "-").await;
    }
}

#[tokio::test]
async fn a_higher_priority_wins_over_a_more_specific_path_and_method() {
    let routes = [
        route("GET", "/api/me", "specific"),
        route("*", "/*", "maintenance").priority(10),
        route("GET", "/other", "default").priority(-1),
    ];
    let table = table(routes).await;
    check(&table, "GET", "/api/me", "maintenance").await;
    check(&table, "GET", "/other", "maintenance").await;
    assert_eq!(table.remove("maintenance").await.len(), 1);
    check(&table, "GET", "/api/me", "specific").await;
    check(&table, "GET", "/other", "default").await;
}

#[tokio::test]
async fn head_takes_a_route_for_get_and_says_so() {
    let table =
        table([route("GET", "/a", "get"), route("HEAD", "/b", "head"), route("GET", "/b", "get")]).await;
    let found = table.find("/a", "HEAD").await.unwrap();
    assert_eq!((found.function(), found.is_get), ("get", true));
    let found = table.find("/b", "HEAD").await.unwrap();
    assert_eq!((found.function(), found.is_get), ("head", false));
    assert_eq!(table.methods("/b").await.into_iter().collect::<Vec<_>>(), ["GET", "HEAD"]);
    assert!(table.methods("/c").await.is_empty());
}

#[tokio::test]
async fn parameters_are_decoded_and_one_that_is_no_text_is_an_error_of_the_match() {
    let table = table([route("GET", "/f/{id}/{*rest}", "f"), route("*", "/*", "other")]).await;
    let found = table.find("/f/a%20b/c%2Fd/e", "GET").await.unwrap();
    let params = found.params().unwrap();
    assert_eq!((params["id"].as_str(), params["rest"].as_str()), ("a b", "c/d/e"));
    let found = table.find("/f/%ff/x", "GET").await.unwrap();
    assert_eq!(found.function(), "f");
    assert!(found.params().unwrap_err().to_string().contains("`id` is not UTF-8"));
}

#[tokio::test]
async fn a_route_of_the_same_shape_is_replaced_and_no_longer_its_functions() {
    let table = table([route("GET", "/a/:id", "old"), route("POST", "/a/:id", "old")]).await;
    let replaced = table.add(route("GET", "/a/{name}", "new")).await;
    assert_eq!(replaced, Some(route("GET", "/a/{id}", "old")));
    assert_eq!(table.add(route("GET", "/a/:id", "other priority").priority(-1)).await, None);
    assert_eq!(table.remove("old").await, [route("POST", "/a/{id}", "old")]);
    check(&table, "GET", "/a/1", "new").await;
    assert_eq!(table.remove("old").await, []);
}

#[tokio::test]
async fn nothing_remains_of_removed_routes() {
    let table = RouteTable::new();
    for n in 0..10 {
        let routes = [route("GET", &format!("/{n}/:id"), "f"), route("PURGE", "/*", "f").priority(n)];
        assert_eq!(table.set("f", routes).await.len(), if n == 0 { 0 } else { 2 });
        check(&table, "GET", &format!("/{n}/x"), "f").await;
        assert_eq!(table.methods("/0/x").await.len(), if n == 0 { 3 } else { 1 });
    }
    table.remove("f").await;
    let routes = table.read();
    assert!(routes.by_priority.is_empty() && routes.by_function.is_empty(), "{routes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_function_whose_routes_are_set_again_and_again_is_always_found() {
    let table = table([route("GET", "/a", "f")]).await;
    let writer = tokio::spawn({
        let table = table.clone();
        async move {
            for n in 0..2000 {
                table.set("f", [route("GET", "/a", "f"), route("GET", &format!("/{n}"), "f")]).await;
            }
        }
    });
    while !writer.is_finished() {
        check(&table, "GET", "/a", "f").await;
    }
    writer.await.unwrap();
    check(&table, "GET", "/1999", "f").await;
    check(&table, "GET", "/1998", "-").await;
}
