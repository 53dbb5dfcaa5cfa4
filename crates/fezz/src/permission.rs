//! What to do where the jail has refused something.

/// By which key a connection is allowed. The error doesn't tell which call it was, and so the hint says for which it is.
const HINT: &str = "the jail refuses what fezz.json doesn't name: to connect, its `network.connect` must hold the port, \
                    as in `\"network\": {\"connect\": [5432]}`";

/// How the standard library ends the text of EPERM and EACCES. Not every library keeps the error itself as a source.
const REFUSED: [&str; 2] = ["(os error 1)", "(os error 13)"];

/// The text of an error, with the hint if the kernel has refused something.
pub(crate) fn explained(text: String) -> String {
    let is_refused = REFUSED.iter().any(|refused| text.contains(refused));
    if is_refused { format!("{text} ({HINT})") } else { text }
}
