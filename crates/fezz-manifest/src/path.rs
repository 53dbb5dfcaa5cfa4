//! The path of a route, checked and brought into one notation: `/files/{id}/{*rest}`.

/// The most parameters of one path. The router of `#[fezz_app]` numbers them by letters and panics at the 26th (`matchit`).
pub const PARAMETERS_MAX: usize = 25;

/// What is wrong with a path, and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path `{path}` {fault}: {}", fix(fault, path))]
pub struct PathError {
    /// As the author wrote it.
    pub path: String,
    /// What is wrong with it.
    pub fault: PathFault,
}

/// What is wrong with a path. Each reads on after the path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// There is no character.
    #[error("is empty")]
    Empty,
    /// No absolute path.
    #[error("doesn't begin with `/`")]
    NotAbsolute,
    /// It is one of the host's builtin endpoints.
    #[error("is reserved for the host, as is everything below `/_` and `/rpc`")]
    Reserved,
    /// A query or fragment never is part of a path.
    #[error("holds a query or a fragment, which no route matches")]
    NotAPath,
    /// A space or a control character, which no path holds as it is (RFC 3986, section 3.3).
    #[error("holds the character {char:?}, which no client sends")]
    BadCharacter {
        /// The first of them.
        char: char,
    },
    /// A segment that clients and proxies resolve before they send the path (RFC 3986, section 5.2.4).
    #[error("holds the segment `{segment}`, which clients and proxies resolve, so that it never matches")]
    DotSegment {
        /// As it is written there.
        segment: String,
    },
    /// Two slashes side by side, which proxies merge.
    #[error("holds an empty segment, which proxies leave out")]
    EmptySegment,
    /// A parameter is malformed.
    #[error("is malformed")]
    Malformed,
    /// Two parameters of one name.
    #[error("has two parameters named `{name}`")]
    DuplicateParameter {
        /// The name.
        name: String,
    },
    /// More parameters than [`PARAMETERS_MAX`].
    #[error("has {parameters} parameters, the limit is {PARAMETERS_MAX}")]
    TooManyParameters {
        /// How many.
        parameters: usize,
    },
}

fn fix(fault: &PathFault, path: &str) -> String {
    let text = match fault {
        PathFault::Empty | PathFault::NotAbsolute => return format!("write `/{path}`"),
        PathFault::Reserved => "choose another",
        PathFault::NotAPath | PathFault::DotSegment { .. } => "leave it out",
        PathFault::BadCharacter { .. } => "write it percent-encoded",
        PathFault::EmptySegment => "write one `/` instead of two",
        PathFault::Malformed => {
            "write a parameter as a whole segment `{name}`, and `{*name}` only at the end"
        }
        PathFault::DuplicateParameter { .. } => "rename one",
        PathFault::TooManyParameters { .. } => "let `{*rest}` take the last of them together",
    };
    text.to_owned()
}

/// Checks a path and brings it into one notation: `/a/:id/*` becomes `/a/{id}/{*rest}`, what is in that notation stays.
///
/// # Errors
///
/// The first thing wrong with it.
pub fn parse_path(path: &str) -> Result<String, PathError> {
    translate(path).map_err(|fault| PathError { path: path.to_owned(), fault })
}

fn translate(path: &str) -> Result<String, PathFault> {
    let relative = relative(path)?;
    let segments: Vec<&str> = relative.split('/').collect();
    let mut names = Vec::new();
    let mut translated = String::new();
    for (index, text) in segments.iter().enumerate() {
        let segment = segment(text, index + 1 == segments.len())?;
        translated.push('/');
        match &segment {
            Segment::Literal(text) => translated.push_str(text),
            Segment::One(name) => translated.push_str(&format!("{{{name}}}")),
            Segment::Rest(name) => translated.push_str(&format!("{{*{name}}}")),
        }
        if let Segment::One(name) | Segment::Rest(name) = segment {
            if names.contains(&name) {
                return Err(PathFault::DuplicateParameter { name: name.to_owned() });
            }
            names.push(name);
        }
    }
    if names.len() > PARAMETERS_MAX {
        return Err(PathFault::TooManyParameters { parameters: names.len() });
    }
    Ok(translated)
}

/// The path without its first `/`, if a client could send it and the host doesn't answer it itself.
fn relative(path: &str) -> Result<&str, PathFault> {
    if path.is_empty() {
        return Err(PathFault::Empty);
    }
    let relative = path.strip_prefix('/').ok_or(PathFault::NotAbsolute)?;
    if path.contains(['?', '#']) {
        return Err(PathFault::NotAPath);
    }
    if let Some(char) = path.chars().find(|char| char.is_control() || *char == ' ') {
        return Err(PathFault::BadCharacter { char });
    }
    let first = relative.split('/').next().unwrap_or_default();
    if first == "rpc" || first.starts_with('_') {
        return Err(PathFault::Reserved);
    }
    Ok(relative)
}

/// One of the texts between the slashes.
pub(crate) enum Segment<'a> {
    Literal(&'a str),
    /// `{name}`: the name.
    One(&'a str),
    /// `{*name}`: the name.
    Rest(&'a str),
}

fn segment(text: &str, is_last: bool) -> Result<Segment<'_>, PathFault> {
    if is_dots(text) {
        return Err(PathFault::DotSegment { segment: text.to_owned() });
    }
    // At the end it is a slash of its own: `/a/` and `/a` are two paths.
    if text.is_empty() && !is_last {
        return Err(PathFault::EmptySegment);
    }
    literal_or_parameter(text, is_last).ok_or(PathFault::Malformed)
}

/// `.` or `..`, written out or percent-encoded, which is the same (RFC 3986, section 6.2.2.2).
fn is_dots(segment: &str) -> bool {
    let decoded = segment.replace("%2e", ".").replace("%2E", ".");
    decoded == "." || decoded == ".."
}

pub(crate) fn literal_or_parameter(segment: &str, is_last: bool) -> Option<Segment<'_>> {
    if segment == "*" {
        return is_last.then_some(Segment::Rest("rest"));
    }
    if let Some(name) = segment.strip_prefix(':') {
        return is_parameter(name).then_some(Segment::One(name));
    }
    if let Some(inner) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        return match inner.strip_prefix('*') {
            Some(name) => (is_last && is_parameter(name)).then_some(Segment::Rest(name)),
            None => is_parameter(inner).then_some(Segment::One(inner)),
        };
    }
    (!segment.contains(['{', '}', '*'])).then_some(Segment::Literal(segment))
}

fn is_parameter(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|char| char.is_ascii_alphanumeric() || "_-".contains(char))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Result<&str, &str>) {
        let found = parse_path(path).map_err(|error| error.to_string());
        match expected {
            Ok(pattern) => assert_eq!(found.as_deref(), Ok(pattern), "{path}"),
            Err(part) => {
                assert!(found.as_ref().is_err_and(|error| error.contains(part)), "{path}: {found:?}")
            }
        }
    }

    #[test]
    fn both_notations_become_one() {
        check("/", Ok("/"));
        check("/api/todos/{id}", Ok("/api/todos/{id}"));
        check("/api/todos/:id/notes", Ok("/api/todos/{id}/notes"));
        check("/files/*", Ok("/files/{*rest}"));
        check("/files/{*path}", Ok("/files/{*path}"));
        check("/rpcs", Ok("/rpcs"));
        check("/a/", Ok("/a/"));
        check("/{id}/", Ok("/{id}/"));
        check("/a/...", Ok("/a/..."));
        check("/a/.b/c..", Ok("/a/.b/c.."));
        check("/.well-known/x", Ok("/.well-known/x"));
    }

    #[test]
    fn a_bad_path_is_named_with_the_fix() {
        check("", Err("the path `` is empty: write `/`"));
        check("hello", Err("doesn't begin with `/`: write `/hello`"));
        check("/a?b", Err("holds a query or a fragment, which no route matches: leave it out"));
        check("/a b", Err("holds the character ' ', which no client sends: write it percent-encoded"));
        check("/rpc/x", Err("is reserved for the host"));
        check("/_health", Err("is reserved for the host"));
        check("//", Err("an empty segment"));
        check("//a", Err("an empty segment"));
        check("/a//", Err("an empty segment"));
        check("/a//{id}", Err("an empty segment"));
        check("/.", Err("the segment `.`"));
        check("/a/../b", Err("the segment `..`"));
        check("/a/%2e/b", Err("the segment `%2e`"));
        check("/a/.%2E", Err("the segment `.%2E`"));
    }

    #[test]
    fn a_parameter_is_a_whole_segment_with_a_name_of_its_own() {
        check("/a/{id", Err("malformed"));
        check("/a/{}", Err("malformed"));
        check("/{*rest}/a", Err("malformed"));
        check("/*/a", Err("malformed"));
        check("/a/:id/{id}", Err("two parameters named `id`"));
        let with_parameters = |count| (0..count).map(|n| format!("/{{p{n}}}")).collect::<String>();
        check(&with_parameters(25), Ok(&with_parameters(25)));
        check(&with_parameters(26), Err("has 26 parameters, the limit is 25: let `{*rest}` take"));
    }
}
