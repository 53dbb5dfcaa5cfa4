//! The arguments as JSON, with the keys of `fezz.json`. Written by hand: serde_json for this alone was a third of what
//! this crate takes to build, and each author builds it.

use crate::args::Args;

/// The manifest, its keys in the order of their names; what the author left out is left out, for `fezz.json` or the tools
/// to say.
pub(crate) fn json(args: &Args) -> String {
    let routes = args.paths.iter().map(|path| route(path, &args.methods));
    object([
        ("description", args.description.as_deref().map(string)),
        ("id", args.id.as_deref().map(string)),
        ("routes", (!args.paths.is_empty()).then(|| list(routes))),
        ("timeout_ms", args.timeout_ms.map(|milliseconds| milliseconds.to_string())),
        ("version", args.version.as_deref().map(string)),
    ])
}

fn route(path: &str, methods: &[String]) -> String {
    let methods = match methods {
        [] => None,
        [method] => Some(string(method)),
        methods => Some(list(methods.iter().map(|method| string(method)))),
    };
    object([("method", methods), ("path", Some(string(path)))])
}

/// An object of those keys that have a value, which is JSON already.
fn object<const N: usize>(members: [(&str, Option<String>); N]) -> String {
    let members = members.into_iter().filter_map(|(key, value)| Some(format!("\"{key}\":{}", value?)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn list(elements: impl Iterator<Item = String>) -> String {
    format!("[{}]", elements.collect::<Vec<_>>().join(","))
}

/// A string: quotes, backslashes and control characters are escaped (RFC 8259, section 7).
fn string(text: &str) -> String {
    let escaped = text.chars().map(|char| match char {
        '"' | '\\' => format!("\\{char}"),
        '\0'..='\u{1f}' => format!("\\u{:04x}", u32::from(char)),
        char => char.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
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
