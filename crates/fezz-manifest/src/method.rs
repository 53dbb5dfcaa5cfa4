//! The methods of a route.

/// Whether a text is a method that a route may have: a token (RFC 9110, section 5.6.2) without lower case. Methods are
/// compared with case, and all registered ones are in upper case, so that `get` would be a route that no client meets.
pub fn is_method(text: &str) -> bool {
    let is_allowed =
        |char: char| char.is_ascii_uppercase() || char.is_ascii_digit() || "!#$%&'*+-.^_`|~".contains(char);
    !text.is_empty() && text.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::is_method;

    #[test]
    fn a_method_is_an_upper_case_token() {
        assert!(["GET", "PATCH", "M-SEARCH"].into_iter().all(is_method));
        assert!(!["", "get", "GET ", "GET,POST", "GÉT"].into_iter().any(is_method));
    }
}
