//! Settings, limits and variables.

use crate::functions::{Does, says};
use crate::harness::{Running, config};
use fezz::prelude::*;
use fezz::server::Setting;

/// What a `main` prints that returns the error.
async fn refused(config: HhrfConfig) -> String {
    let error = HhrfServer::new(config).bind().await.map(drop).unwrap_err();
    format!("{error:?}")
}

/// The keys of the host's settings file, which its message about an unknown one lists.
async fn keys() -> Vec<String> {
    let message = refused(config().set("no_such_key", 1)).await;
    let (_, list) = message.split_once("expected one of ").expect("the host lists its keys");
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// A value that isn't the default.
fn value(key: &str) -> Setting {
    match key {
        "root" | "modules" | "cgroup" | "record_failures" | "secrets" | "gateway" => {
            std::env::temp_dir().join("fezz-settings").into()
        }
        "listen" | "admin" => "127.0.0.1:0".into(),
        "rpc" => "off".into(),
        "runner" => "/bin/true".into(),
        "jail" => "off".into(),
        "execution" => "spawn".into(),
        "allow_in_process" => "f".into(),
        "log_format" => "json".into(),
        "trust_proxy" | "per_core" => true.into(),
        "body_memory_bytes" | "response_memory_bytes" => 12_345_678.into(),
        "headers" | "rewind_checks_percent" => 77.into(),
        _ => 1234.into(),
    }
}

#[tokio::test]
async fn every_setting_of_the_host_is_reachable_by_its_key() {
    let keys = keys().await;
    assert!(keys.len() > 30 && keys.contains(&"body_timeout_ms".to_owned()), "{keys:?}");
    let settings = async |config: HhrfConfig| {
        let listening = HhrfServer::new(config).bind().await.unwrap();
        format!("{:#?}", listening.settings())
    };
    let before = settings(config()).await;
    for key in keys {
        let (config, value) = (config().set(&key, value(&key)), value(&key));
        let changed = match key.as_str() {
            // The default, and what a folder alone has an effect on.
            "listen" | "execution" => {
                settings(config.set(&key, if key == "listen" { "127.0.0.2:0" } else { "fork" })).await
            }
            "drain_wait_ms" => settings(config.set(&key, 7)).await,
            _ => settings(config).await,
        };
        assert!(changed != before || key == "execution", "`{key} = {value}` has no effect");
    }
}

#[tokio::test]
async fn a_wrong_setting_is_refused_with_the_hosts_words() {
    let key = refused(config().set("body_timeout", 1)).await;
    assert!(key.contains("the settings are wrong") && key.contains("`body_timeout`"), "{key}");
    let value = refused(config().set("body_timeout_ms", "soon \"\\\n\u{7f}")).await;
    assert!(value.contains("expected u64"), "{value}");
    let zero = refused(config().set("overdue", 0)).await;
    assert!(zero.starts_with("`overdue` is 0"), "{zero}");
    let host = refused(HhrfConfig::new().host("nowhere")).await;
    assert!(host.contains("`nowhere`: give an IP address"), "{host}");
}

#[tokio::test]
async fn a_server_is_on_loopback_unless_its_host_says_otherwise() {
    let address = async |config| HhrfServer::new(config).bind().await.unwrap().address();
    assert!(address(HhrfConfig::new().port(0)).await.ip().is_loopback());
    assert!(address(HhrfConfig::new().host("0.0.0.0").port(0)).await.ip().is_unspecified());
    assert_eq!(address(HhrfConfig::new().host("::1").port(0)).await.ip().to_string(), "::1");
    let debug = format!("{:?}", HhrfConfig::new());
    assert!(debug.contains("127.0.0.1") && debug.contains("8080"), "{debug}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_sees_the_servers_variables_and_none_of_the_process() {
    let function = Does(|_, ctx: FunctionContext| async move {
        Ok(FezzResponse::text(format!("{:?} {:?}", ctx.env("API_KEY"), ctx.env("PATH"))))
    });
    let running = Running::with(config().env("API_KEY", "secret"), function).await;
    assert_eq!(running.get("/f").await.text(), "Some(\"secret\") None");
    running.stop().await;
    let debug = format!("{:?}", HhrfConfig::new().env("API_KEY", "secret"));
    assert!(debug.contains("API_KEY") && !debug.contains("secret"), "{debug}");
}

#[tokio::test]
async fn a_wrong_limit_or_variable_is_refused_when_a_function_is_registered() {
    let register = async |config: HhrfConfig| {
        let server = HhrfServer::new(config);
        format!("{:?}", server.register_function("f", Box::new(says("f"))).await.unwrap_err())
    };
    let key = register(config().limit("concurency", 1)).await;
    assert!(key.contains("`concurrency`"), "{key}");
    let zero = register(config().limit("concurrency", 0)).await;
    assert!(zero.contains("concurrency"), "{zero}");
    let variable = register(config().env("A=B", "1")).await;
    assert!(variable.contains("A=B"), "{variable}");
}
