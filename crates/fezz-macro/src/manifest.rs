//! The arguments as JSON, with the keys of `fezz.json`. Written by hand: serde_json for this alone was a third of what
//! this crate takes to build, and each author builds it.

use crate::args::{Args, Route};

/// The manifest, its keys in the order of their names. It says what the author left out, too: the tools and the host read
/// the same as `HELLO_MANIFEST` has. Only an empty description is left out.
pub(crate) fn json(args: &Args) -> String {
    let routes = args.routes();
    object([
        ("description", (!args.description.is_empty()).then(|| string(&args.description))),
        ("id", Some(string(&args.id))),
        ("routes", Some(list(routes.iter().map(route)))),
        ("timeout_ms", Some(args.timeout_ms.to_string())),
        ("version", Some(string(&args.version))),
    ])
}

fn route(Route { path, methods }: &Route) -> String {
    let methods = match methods.as_slice() {
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

    fn parsed(args: &str) -> Value {
        let json = super::json(&syn::parse_str(args).unwrap_or_else(|error| panic!("{args}: {error}")));
        serde_json::from_str(&json).unwrap()
    }

    fn check_routes(args: &str, expected: Value) {
        assert_eq!(parsed(args)["routes"], expected, "{args}");
    }

    #[test]
    fn what_is_left_out_is_said_too() {
        assert_eq!(
            parsed(""),
            json!({
                "id": "fezz-macro", "version": "v1", "timeout_ms": 30_000,
                "routes": [{"path": "/", "method": "GET"}],
            })
        );
    }

    #[test]
    fn every_argument_has_its_key() {
        assert_eq!(
            parsed(
                "id = \"todos\", version = \"v3\", description = \"list\", timeout = \"250ms\", \
                 method = \"POST\", path = \"/a\""
            ),
            json!({
                "id": "todos", "version": "v3", "description": "list", "timeout_ms": 250,
                "routes": [{"path": "/a", "method": "POST"}],
            })
        );
    }

    #[test]
    fn each_path_is_a_route_with_all_methods() {
        check_routes("path = \"/a\"", json!([{"path": "/a", "method": "GET"}]));
        check_routes("path = \"/a\", method = \"*\"", json!([{"path": "/a"}]));
        check_routes(
            "path = [\"/a\", \"/b\"], method = [\"GET\", \"POST\"]",
            json!([
                {"path": "/a", "method": ["GET", "POST"]},
                {"path": "/b", "method": ["GET", "POST"]},
            ]),
        );
    }

    #[test]
    fn quotes_controls_and_other_scripts_survive_json() {
        assert_eq!(
            parsed(r#"description = "a \"b\" \\ \u{7} \n \u{2028} zoë 🦀""#)["description"],
            json!("a \"b\" \\ \u{7} \n \u{2028} zoë 🦀")
        );
    }
}
