//! What a function is given, and what becomes of its response.

use crate::functions::{Does, HookedFunction, says};
use crate::harness::{Running, config};
use fezz::prelude::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_comes_with_all_of_its_parts() {
    let function = Does(|request: FezzRequest, ctx: FunctionContext| async move {
        let headers: Vec<&str> = request.header_list().iter().map(|(name, _)| name).collect();
        let text = format!(
            "{} {} {:?} {:?} {:?} {:?} {headers:?} {} {:?} {} {:?} {}",
            request.method,
            request.uri(),
            request.query_param("a"),
            request.authority(),
            request.scheme(),
            request.get_header("x-a"),
            ctx.request_id(),
            ctx.client_ip(),
            ctx.function_name(),
            request.original_uri(),
            ctx.time_left().as_secs() >= 25,
        );
        Ok(FezzResponse::text(text + " " + request.text()?))
    });
    let running = Running::with(config(), function).await;
    let answer = running
        .send(
            "POST /f/x?a=1 HTTP/1.1\r\nhost: there:80\r\nx-a: 1\r\nx-hop: 1\r\nconnection: close, x-hop\r\n\
             x-request-id: id-7\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        )
        .await;
    let expected = "POST /f/x?a=1 Some(\"1\") Some(\"there:80\") Some(\"http\") Some(\"1\") \
                    [\"host\", \"x-a\", \"x-request-id\", \"traceparent\"] id-7 Some(\"127.0.0.1\") f None true body";
    assert_eq!((answer.text().as_str(), answer.header("x-request-id")), (expected, Some("id-7")));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_by_hand_answers_any_method_below_its_name_and_by_rpc() {
    let running = Running::with(config(), says("here")).await;
    for path in ["/f", "/f/", "/f/a/b", "/rpc/f", "/rpc/f@v1/c"] {
        assert_eq!(running.get(path).await.text(), "here", "{path}");
    }
    let delete = running.send("DELETE /f/a HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
    assert_eq!((delete.status, running.get("/ff").await.status), (200, 404));
    assert_eq!(running.get("/_health").await.text(), "OK\n");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_the_attribute_has_its_own_routes_and_any_id() {
    let server = HhrfServer::new(config().env("REGION", "eu"));
    server.register_function("other", Box::new(HookedFunction::new())).await.unwrap();
    let running = Running::start(&server).await;
    assert_eq!(running.get("/items/7").await.text(), "7 in eu");
    assert_eq!(running.get("/rpc/other@v3/items/8").await.text(), "8 in eu");
    assert_eq!((running.get("/other").await.status, running.get("/items/x").await.status), (404, 400));
    let post =
        running.send("POST /items/7 HTTP/1.1\r\nhost: t\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    assert_eq!(post.await.error(), (405, Some("method_not_allowed")));
    assert_eq!(running.get("/items/13").await.error(), (500, Some("function_panicked")));
    running.stop().await;
    let hooks = crate::functions::HOOKS.lock().unwrap().clone();
    assert_eq!(hooks, ["load other eu", "unload"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_gives_the_route_and_the_version() {
    use fezz::function::OwnedFunctionManifest;
    let server = HhrfServer::new(config());
    let manifest = OwnedFunctionManifest::new("shop", "v7", "GET", "/shop/:item").description("sells");
    server.register_with_manifest(manifest, Box::new(says("sold"))).await.unwrap();
    let any = OwnedFunctionManifest::new("any", "v1", "*", "/any");
    server.register_with_manifest(any, Box::new(says("any"))).await.unwrap();
    let running = Running::start(&server).await;
    assert_eq!(running.get("/shop/1").await.text(), "sold");
    assert_eq!(running.get("/rpc/shop@v7/shop/1").await.text(), "sold");
    assert_eq!((running.get("/shop").await.status, running.get("/any").await.status), (404, 200));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_panics_are_500_and_the_server_lives_on() {
    let function = Does(|request: FezzRequest, _| async move {
        match request.path.as_str() {
            "/f/panic" => panic!("out of cheese"),
            "/f/error" => Err("no shelf".into()),
            "/f/chosen" => Err(FezzResponse::error(404, "which one?").into()),
            _ => Ok(FezzResponse::text("lives")),
        }
    });
    let running = Running::with(config(), function).await;
    assert_eq!(running.get("/f/panic").await.error(), (500, Some("function_panicked")));
    let error = running.get("/f/error").await;
    assert_eq!(error.error(), (500, Some("function_error")));
    assert!(!error.text().contains("shelf"), "{}", error.text());
    let chosen = running.get("/f/chosen").await;
    assert_eq!((chosen.status, chosen.header("fezz-error")), (404, None));
    assert_eq!(running.get("/f").await.text(), "lives");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_http_does_not_allow_is_502() {
    let function = Does(|request: FezzRequest, _| async move {
        let response = FezzResponse::text("body");
        Ok(match request.path.as_str() {
            "/f/header" => response.header("x-a", "1\r\nx-b: 2"),
            "/f/name" => response.header("x a", "1"),
            "/f/100" => response.with_status(100),
            "/f/99" => response.with_status(99),
            "/f/600" => response.with_status(600),
            "/f/large" => response.body(vec![0; 1025]),
            "/f/heads" => response.header("x-a", "a".repeat(65 * 1024)),
            _ => response
                .body(vec![b'x'; 1024])
                .header("connection", "x-c")
                .header("x-c", "1")
                .header("x-d", "1"),
        })
    });
    let running = Running::with(config().limit("response_body_bytes", 1024), function).await;
    for path in ["header", "name", "100", "99", "600", "large", "heads"] {
        let answer = running.get(&format!("/f/{path}")).await;
        assert_eq!(answer.error(), (502, Some("invalid_response")), "{path}");
    }
    let fine = running.get("/f").await;
    assert_eq!((fine.text().len(), fine.header("x-c"), fine.header("x-d")), (1024, None, Some("1")));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn head_has_the_length_and_no_body() {
    let running = Running::with(config(), says("four")).await;
    let head = running.send("HEAD /f HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
    assert_eq!((head.status, head.header("content-length"), head.text().as_str()), (200, Some("4"), ""));
    running.stop().await;
}
