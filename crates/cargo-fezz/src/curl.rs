//! Commands that try a function by curl.

use fezz_manifest::{Domain, Metadata, Module, RoutePattern};
use fezz_sandbox::release::Release;

/// What stands for a parameter of a path: as good as text and as a number.
const PARAMETER: &str = "1";

/// A command for each route of a function that is served at `url`; without routes, one for its name.
pub(crate) fn lines(release: &Release, url: &str) -> Vec<String> {
    let section = Module::check(&release.module).ok().and_then(|module| module.metadata);
    let metadata = section.and_then(|section| Metadata::parse(section).ok()).unwrap_or_default();
    // The release was checked.
    let routes = release.manifest.routes(&metadata).unwrap_or_default();
    if routes.is_empty() {
        return vec![format!("curl {url}/rpc/{}", release.manifest.id)];
    }
    routes.iter().map(|route| line(route, url)).collect()
}

fn line(route: &RoutePattern, url: &str) -> String {
    let mut words = vec!["curl".to_owned()];
    if let Some(method) = route.methods.first().filter(|method| *method != "GET") {
        // `-X HEAD` would wait for a body.
        words.push(if method == "HEAD" { "-I".to_owned() } else { format!("-X {method}") });
    }
    match route.domains.first() {
        Some(Domain::Exact(domain)) => words.push(format!("-H 'Host: {domain}'")),
        Some(Domain::Below(domain)) => words.push(format!("-H 'Host: www{domain}'")),
        None => {}
    }
    words.push(quoted(&format!("{url}{}", filled(&route.path))));
    words.join(" ")
}

/// A path with its parameters.
fn filled(path: &str) -> String {
    let mut parts = path.split('{');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        filled.push_str(PARAMETER);
        filled.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    filled
}

/// As one word of a shell.
fn quoted(word: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "/:._-~%@+,=".contains(char);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "%27")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fezz_manifest::Manifest;

    #[test]
    fn each_route_has_a_command_that_a_shell_takes_as_it_is() {
        let check = |routes: &str, expected: &[&str]| {
            let json = format!(r#"{{"id": "f", "version": "v1", "entry": "f.so", "routes": {routes}}}"#);
            let manifest = Manifest::parse(json.as_bytes(), "f@v1").unwrap();
            let release = Release { name: "f@v1".to_owned(), json, manifest, module: Vec::new() };
            assert_eq!(lines(&release, "http://h:1"), expected);
        };
        check("[]", &["curl http://h:1/rpc/f"]);
        check(
            r#"[{"path": "/a/{id}/b/{*rest}", "method": "GET"}, {"path": "/a", "method": ["POST", "GET"]}]"#,
            &["curl http://h:1/a/1/b/1", "curl -X POST http://h:1/a"],
        );
        check(
            r#"[{"path": "/a'b&c", "domains": ["*.example.org"], "method": "HEAD"}]"#,
            &["curl -I -H 'Host: www.example.org' 'http://h:1/a%27b&c'"],
        );
    }
}
