//! What to do where the jail makes the kernel refuse something.

/// By which key a connection is allowed. The error doesn't tell which call it was, and so the hint says for which it is.
const REFUSED: &str = "the jail refuses what fezz.json doesn't name: to connect, its `network.connect` must hold the port, \
                       by `network = { connect = [PORT] }` below [package.metadata.fezz] in Cargo.toml, or its `resources` \
                       the server's URL; a program can't be \
                       started: use a library or a thread";

/// For a path that isn't there: in the jail most aren't.
const NOT_FOUND: &str = "a function has no file of the host but libraries and time zones: put it into the module by \
                         `include_str!`, or its text into `env` of fezz.json";

/// For a variable that isn't set.
const NO_VARIABLE: &str = "a function has no variables but those of `env` in fezz.json";

/// How the standard library ends the text of EPERM, EACCES and ENOENT. Not every library keeps the error itself as a
/// source.
const HINTS: [(&str, &str); 4] = [
    ("(os error 1)", REFUSED),
    ("(os error 13)", REFUSED),
    ("(os error 2)", NOT_FOUND),
    // `std::env::VarError`
    ("environment variable not found", NO_VARIABLE),
];

/// The text of an error, with what helps if it is the jail's doing.
pub(crate) fn explained(text: String) -> String {
    match HINTS.iter().find(|(ending, _)| text.contains(ending)) {
        Some((_, hint)) => format!("{text} ({hint})"),
        None => text,
    }
}
