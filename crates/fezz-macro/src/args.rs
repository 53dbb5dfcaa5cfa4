//! Parses the arguments in the attribute's parentheses.

use crate::value;
use fezz_manifest::nearest;
use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{ExprPath, Ident, LitBool, LitInt, LitStr, Token, bracketed};

const NAMES: [&str; 10] = [
    "id",
    "version",
    "description",
    "timeout",
    "method",
    "path",
    "export",
    "on_load",
    "on_fork",
    "on_unload",
];

const FORM: &str = "expected `#[fezz_function(id = \"todos\", version = \"v3\", description = \"the to-do list\", \
                    timeout = 30, method = \"GET\", path = \"/api/todos/{id}\", export = true, on_load = load, \
                    on_fork = reseed, on_unload = close)]`, each argument optional";

const ON_LOAD_FORM: &str = "expected `on_load = load`, which names a `fn load(context: &fezz::LoadContext)`; it may \
                            return a `Result<(), E>`";

const ON_FORK_FORM: &str = "expected `on_fork = reseed`, which names a `fn reseed()`";

const ON_UNLOAD_FORM: &str = "expected `on_unload = close`, which names a `fn close()`";

const METHOD_FORM: &str = "method = \"GET\"`, `[\"GET\", \"POST\"]`, or `\"*\"` for any";

/// Where the author says nothing. The host's own default, so that both say the same.
const TIMEOUT_MS_DEFAULT: u64 = 30_000;

/// A path that leads to the function.
pub(crate) struct Route {
    pub(crate) path: String,
    /// Empty for any.
    pub(crate) methods: Vec<String>,
}

/// The arguments, checked, with what the author left out.
pub(crate) struct Args {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) description: String,
    pub(crate) timeout_ms: u64,
    /// Empty for any; `None` where the author gave none. See [`Args::routes`].
    methods: Option<Vec<String>>,
    /// Empty where the author gave none.
    paths: Vec<String>,
    /// What `#[fezz_app]` found.
    pub(crate) found: Vec<Route>,
    pub(crate) export: bool,
    pub(crate) on_load: Option<ExprPath>,
    pub(crate) on_fork: Option<ExprPath>,
    pub(crate) on_unload: Option<ExprPath>,
}

impl Args {
    fn new(crate_name: String) -> Self {
        Self {
            id: crate_name,
            version: "v1".to_owned(),
            description: String::new(),
            timeout_ms: TIMEOUT_MS_DEFAULT,
            methods: None,
            paths: Vec::new(),
            found: Vec::new(),
            export: true,
            on_load: None,
            on_fork: None,
            on_unload: None,
        }
    }

    /// Whether the author named the routes.
    pub(crate) fn has_paths(&self) -> bool {
        !self.paths.is_empty()
    }

    /// The routes: those that the author named, else those that were found, else `GET /`.
    pub(crate) fn routes(&self) -> Vec<Route> {
        let owned = |route: &Route| Route { path: route.path.clone(), methods: route.methods.clone() };
        if self.paths.is_empty() && !self.found.is_empty() {
            return self.found.iter().map(owned).collect();
        }
        let methods = self.methods.clone().unwrap_or_else(|| vec!["GET".to_owned()]);
        let root = ["/".to_owned()];
        let paths = if self.paths.is_empty() { &root[..] } else { &self.paths };
        paths.iter().map(|path| Route { path: path.clone(), methods: methods.clone() }).collect()
    }
}

impl Parse for Args {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        // Set by Cargo for each crate that it has compiled.
        let mut args = Self::new(std::env::var("CARGO_PKG_NAME").unwrap_or_else(|_| "function".to_owned()));
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            let name = parse_name(input)?;
            if seen.contains(&name) {
                return Err(error(name.span(), &format!("argument `{name}` is given twice")));
            }
            args.parse_value(&name, input)?;
            seen.push(name);
            if !input.is_empty() {
                input.parse::<Token![,]>().map_err(|comma| error(comma.span(), "expected `,`"))?;
            }
        }
        Ok(args)
    }
}

impl Args {
    fn parse_value(&mut self, name: &Ident, input: ParseStream) -> syn::Result<()> {
        match name.to_string().as_str() {
            "id" => self.id = value::name(&parse_text(input, "id = \"todos\"")?, "id")?,
            "version" => self.version = value::name(&parse_text(input, "version = \"v3\"")?, "version")?,
            "description" => {
                self.description = parse_text(input, "description = \"the to-do list\"")?.value();
            }
            "timeout" => self.timeout_ms = parse_timeout(input)?,
            "method" => self.methods = Some(parse_methods(input)?),
            "path" => {
                self.paths = parse_list(input, "path = \"/api/todos/{id}\"` or a list", value::path)?;
            }
            "export" => {
                let form = |at: syn::Error| syn::Error::new(at.span(), "expected `export = false`");
                self.export = input.parse::<LitBool>().map_err(form)?.value;
            }
            "on_load" => self.on_load = Some(parse_hook(input, ON_LOAD_FORM)?),
            "on_fork" => self.on_fork = Some(parse_hook(input, ON_FORK_FORM)?),
            "on_unload" => self.on_unload = Some(parse_hook(input, ON_UNLOAD_FORM)?),
            unknown => return Err(unknown_argument(name.span(), unknown)),
        }
        Ok(())
    }
}

fn parse_name(input: ParseStream) -> syn::Result<Ident> {
    let name = Ident::parse_any(input).map_err(|at| error(at.span(), "an argument begins with its name"))?;
    if !NAMES.contains(&name.to_string().as_str()) {
        return Err(unknown_argument(name.span(), &name.to_string()));
    }
    if !input.peek(Token![=]) {
        return Err(error(name.span(), &format!("argument `{name}` has no value")));
    }
    input.parse::<Token![=]>()?;
    Ok(name)
}

fn parse_text(input: ParseStream, form: &str) -> syn::Result<LitStr> {
    input.parse().map_err(|at: syn::Error| syn::Error::new(at.span(), format!("expected `{form}`")))
}

fn parse_timeout(input: ParseStream) -> syn::Result<u64> {
    if input.peek(LitInt) {
        return value::timeout_number(&input.parse()?);
    }
    value::timeout_text(&parse_text(input, "timeout = 30`, in seconds, or `\"1500ms\"")?)
}

/// One method or a list; none for `"*"`.
fn parse_methods(input: ParseStream) -> syn::Result<Vec<String>> {
    let methods = parse_list(input, METHOD_FORM, value::method)?;
    Ok(if methods == ["*"] { Vec::new() } else { methods })
}

/// One string, or a list of them in brackets.
fn parse_list(
    input: ParseStream,
    form: &str,
    check: fn(&LitStr) -> syn::Result<String>,
) -> syn::Result<Vec<String>> {
    if !input.peek(syn::token::Bracket) {
        return Ok(vec![check(&parse_text(input, form)?)?]);
    }
    let content;
    let bracket = bracketed!(content in input);
    let mut checked = Vec::new();
    while !content.is_empty() {
        checked.push(check(&parse_text(&content, form)?)?);
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    if checked.is_empty() {
        return Err(syn::Error::new(bracket.span.join(), format!("list is empty: expected `{form}`")));
    }
    Ok(checked)
}

/// The path of a function, neither called nor in quotes.
fn parse_hook(input: ParseStream, form: &str) -> syn::Result<ExprPath> {
    let path = input.parse().map_err(|at: syn::Error| syn::Error::new(at.span(), form))?;
    if !input.is_empty() && !input.peek(Token![,]) {
        return Err(syn::Error::new(input.span(), form));
    }
    Ok(path)
}

fn unknown_argument(span: Span, name: &str) -> syn::Error {
    let hint = nearest(name, NAMES).map(|known| format!(", did you mean `{known}`?")).unwrap_or_default();
    let known = NAMES.map(|known| format!("`{known}`")).join(", ");
    error(span, &format!("argument `{name}` is unknown{hint} (there are {known})"))
}

fn error(span: Span, what: &str) -> syn::Error {
    syn::Error::new(span, format!("{what}\n{FORM}"))
}

#[cfg(test)]
mod tests {
    use super::Args;

    fn check(tokens: &str, expected: &str) {
        let error = syn::parse_str::<Args>(tokens).err().expect("the arguments are wrong").to_string();
        assert!(error.contains(expected), "{tokens}: {error}");
    }

    #[test]
    fn each_wrong_argument_is_named() {
        check("\"todos\"", "an argument begins with its name");
        check("id", "argument `id` has no value");
        check("id(\"a\")", "argument `id` has no value");
        check("id = 5", "expected `id = \"todos\"`");
        check("id = \"a\" version = \"b\"", "expected `,`");
        check("id = \"a\", id = \"b\"", "argument `id` is given twice");
        check("pth = \"/a\"", "did you mean `path`?");
        check("colour = \"/a\"", "argument `colour` is unknown (there are `id`");
        check("path = []", "list is empty");
        check("path = [1]", "or a list");
        check("timeout = -5", "is no number above zero");
        check("on_load = \"load\"", "expected `on_load = load`");
        check("on_load = load()", "expected `on_load = load`");
        check("on_load = |_| ()", "expected `on_load = load`");
        check("on_load = ", "expected `on_load = load`");
        check("on_fork = 5", "expected `on_fork = reseed`");
        check("on_unload = 5", "expected `on_unload = close`");
        check("export = \"no\"", "expected `export = false`");
        check("on_frok = reseed", "did you mean `on_fork`?");
        check("timeout = 1.5", "expected `timeout = 30`, in seconds, or `\"1500ms\"`");
    }

    #[test]
    fn the_order_of_arguments_and_a_final_comma_are_free() {
        let args: Args = syn::parse_str("path = [\"/a\", \"/b\",], method = \"GET\", timeout = 5,").unwrap();
        let paths: Vec<String> = args.routes().into_iter().map(|route| route.path).collect();
        assert_eq!(paths, ["/a", "/b"]);
        assert_eq!(args.timeout_ms, 5000);
    }

    #[test]
    fn what_is_left_out_has_the_documented_default() {
        let args: Args = syn::parse_str("").unwrap();
        assert_eq!((args.id.as_str(), args.version.as_str()), (env!("CARGO_PKG_NAME"), "v1"));
        let routes = args.routes();
        assert_eq!((routes[0].path.as_str(), &routes[0].methods), ("/", &vec!["GET".to_owned()]));
        assert_eq!((routes.len(), args.timeout_ms), (1, 30_000));
        assert!(args.description.is_empty() && args.export);
    }

    #[test]
    fn a_star_is_every_method() {
        let args: Args = syn::parse_str("method = \"*\"").unwrap();
        assert!(args.routes()[0].methods.is_empty());
    }

    #[test]
    fn a_hook_is_any_path_of_a_function() {
        for path in ["load", "self::state::load", "Todos::load", "load::<u8>", "<Todos as State>::load"] {
            let args: Args = syn::parse_str(&format!("on_load = {path}, on_fork = {path}")).unwrap();
            assert!(args.on_load.is_some() && args.on_fork.is_some(), "{path}");
        }
    }
}
