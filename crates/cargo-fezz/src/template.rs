//! The projects that `cargo fezz new` makes, as files with `{{name}}` for the function's id, `{{dependencies}}` for the
//! lines of the dependencies, and `{{testing}}` for the line of the tests' own.

use clap::ValueEnum;

/// What a new project begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// Greets by a header.
    Hello,
    /// Answers a typed query by JSON.
    JsonApi,
    /// Several routes by axum's router and extractors, without axum's server.
    Axum,
    /// A worker: a program of its own that keeps a count from request to request.
    Worker,
    /// The same as hello in C, with fezz.h, fezz_cbor.h and a Makefile.
    C,
}

/// A file's path in the project, and its text.
type File = (&'static str, &'static str);

const RUST: [File; 3] = [
    ("Cargo.toml", include_str!("../templates/rust/Cargo.toml.in")),
    ("tests/jail.rs", include_str!("../templates/rust/jail.rs.in")),
    (".gitignore", include_str!("../templates/rust/gitignore")),
];

const WORKER: [File; 4] = [
    ("Cargo.toml", include_str!("../templates/worker/Cargo.toml.in")),
    ("src/main.rs", include_str!("../templates/worker/main.rs.in")),
    ("tests/jail.rs", include_str!("../templates/rust/jail.rs.in")),
    (".gitignore", include_str!("../templates/rust/gitignore")),
];

const HELLO: [File; 1] = [("src/lib.rs", include_str!("../templates/hello/lib.rs.in"))];

const JSON_API: [File; 1] = [("src/lib.rs", include_str!("../templates/json-api/lib.rs.in"))];

const AXUM: [File; 1] = [("src/lib.rs", include_str!("../templates/axum/lib.rs.in"))];

const C: [File; 6] = [
    ("hello.c", include_str!("../templates/c/hello.c.in")),
    ("fezz.h", include_str!("../../fezz-wire/include/fezz.h")),
    ("fezz_cbor.h", include_str!("../../fezz-wire/include/fezz_cbor.h")),
    ("fezz.json", include_str!("../templates/c/fezz.json.in")),
    ("Makefile", include_str!("../templates/c/Makefile.in")),
    (".gitignore", include_str!("../templates/c/gitignore")),
];

impl Template {
    /// Whether it depends on the crate `fezz`.
    pub(crate) fn is_rust(self) -> bool {
        self != Self::C
    }

    /// The features of the crate `fezz` that it needs.
    pub(crate) fn features(self) -> &'static [&'static str] {
        match self {
            Self::Axum => &["tower"],
            Self::Hello | Self::JsonApi | Self::Worker | Self::C => &[],
        }
    }

    /// What else it depends on: lines of Cargo.toml.
    fn dependencies(self) -> &'static str {
        match self {
            Self::Axum => {
                "# Its router and extractors. The host has the sockets, so its server stays out of the module.\n\
                 axum = { version = \"0.8\", default-features = false, features = [\"json\", \"query\"] }\n"
            }
            Self::Hello | Self::JsonApi | Self::Worker | Self::C => "",
        }
    }

    /// What shows an answer of it.
    pub(crate) fn first_command(self, name: &str) -> String {
        if self.is_rust() {
            "cargo fezz watch".to_owned()
        } else {
            format!("make && cargo fezz invoke /{name}")
        }
    }

    /// All files of a project. `fezz` makes the line of the dependency on it, with these features.
    pub(crate) fn files(
        self,
        name: &str,
        fezz: impl Fn(&[&str]) -> String,
    ) -> impl Iterator<Item = (&'static str, String)> {
        let (all, own): (&[File], &[File]) = match self {
            Self::Hello => (&RUST, &HELLO),
            Self::JsonApi => (&RUST, &JSON_API),
            Self::Axum => (&RUST, &AXUM),
            Self::Worker => (&[], &WORKER),
            Self::C => (&[], &C),
        };
        let dependencies = format!("{}\n{}", fezz(self.features()), self.dependencies());
        let testing = fezz(&["testing"]);
        let fill = move |text: &str| {
            let text = text.replace("{{name}}", name).replace("{{dependencies}}\n", &dependencies);
            text.replace("{{testing}}", &testing)
        };
        all.iter().chain(own).map(move |(path, text)| (*path, fill(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_blank_of_a_template_is_filled() {
        for template in Template::value_variants() {
            for (path, text) in template.files("greet", |_| "fezz = \"1\"".to_owned()) {
                assert!(!text.contains("{{") && !text.contains("}}"), "{template:?}: {path}");
            }
        }
    }
}
