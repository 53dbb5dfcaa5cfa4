//! The arguments as JSON, with the keys of `fezz.json`.

use crate::args::Args;
use serde_json::{Map, Value, json};

/// The manifest; what the author left out is left out, for `fezz.json` or the tools to say.
pub(crate) fn json(args: &Args) -> String {
    let mut manifest = Map::new();
    let texts = [("id", &args.id), ("version", &args.version), ("description", &args.description)];
    for (key, text) in texts {
        if let Some(text) = text {
            manifest.insert(key.to_owned(), json!(text));
        }
    }
    if let Some(timeout_ms) = args.timeout_ms {
        manifest.insert("timeout_ms".to_owned(), json!(timeout_ms));
    }
    if !args.paths.is_empty() {
        let routes: Value = args.paths.iter().map(|path| route(path, &args.methods)).collect();
        manifest.insert("routes".to_owned(), routes);
    }
    Value::Object(manifest).to_string()
}

fn route(path: &str, methods: &[String]) -> Value {
    match methods {
        [] => json!({ "path": path }),
        [method] => json!({ "path": path, "method": method }),
        methods => json!({ "path": path, "method": methods }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    fn check(args: &str, expected: Value) {
        let json = super::json(&syn::parse_str(args).unwrap_or_else(|error| panic!("{args}: {error}")));
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), expected, "{args}");
    }

    #[test]
    fn what_is_left_out_is_left_out() {
        check("", json!({}));
        check("id = \"a\"", json!({"id": "a"}));
        check("version = \"v1\"", json!({"version": "v1"}));
    }

    #[test]
    fn every_argument_has_its_key() {
        check(
            "id = \"todos\", version = \"v3\", description = \"list\", timeout = \"30s\", method = \"GET\", path = \"/a\"",
            json!({
                "id": "todos", "version": "v3", "description": "list", "timeout_ms": 30_000,
                "routes": [{"path": "/a", "method": "GET"}],
            }),
        );
    }

    #[test]
    fn each_path_is_a_route_with_all_methods() {
        check("path = \"/a\"", json!({"routes": [{"path": "/a"}]}));
        check("path = \"/a\", method = [\"GET\"]", json!({"routes": [{"path": "/a", "method": "GET"}]}));
        check(
            "path = [\"/a\", \"/b\"], method = [\"GET\", \"POST\"]",
            json!({"routes": [
                {"path": "/a", "method": ["GET", "POST"]},
                {"path": "/b", "method": ["GET", "POST"]},
            ]}),
        );
    }

    #[test]
    fn quotes_controls_and_other_scripts_survive_json() {
        check(
            r#"description = "a \"b\" \\ \u{7} \n \u{2028} zoë 🦀""#,
            json!({"description": "a \"b\" \\ \u{7} \n \u{2028} zoë 🦀"}),
        );
    }
}
