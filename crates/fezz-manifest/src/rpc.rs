//! Targets that call a function by its name: `/rpc/<id>@<version>` and what is below.

use std::borrow::Cow;

/// The path below which functions are called by name.
pub const RPC: &str = "/rpc/";

/// A target that calls a function by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallByName<'a> {
    /// `<id>@<version>`, or `<id>`.
    pub name: &'a str,
    /// Path and query for the function, as if it had been called by its route.
    pub uri: Cow<'a, str>,
}

impl<'a> CallByName<'a> {
    /// Divides a target, path and query: `/rpc/todos@v3/api?x` is `/api?x` for `todos@v3`. Nothing is decoded, and no
    /// slash left out. Returns `None` for a target that isn't below [`RPC`].
    pub fn parse(target: &'a str) -> Option<Self> {
        let below = target.strip_prefix(RPC)?;
        let (name, rest) = below.split_at(below.find(['/', '?']).unwrap_or(below.len()));
        let uri = if rest.starts_with('/') { rest.into() } else { format!("/{rest}").into() };
        Some(Self { name, uri })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_name_is_the_functions_own_target() {
        let check = |target, expected: Option<(&str, &str)>| {
            let found = CallByName::parse(target);
            let found = found.as_ref().map(|call| (call.name, &*call.uri));
            assert_eq!(found, expected, "{target}");
        };
        check("/rpc/todos", Some(("todos", "/")));
        check("/rpc/todos/", Some(("todos", "/")));
        check("/rpc/todos@v1?x=/y", Some(("todos@v1", "/?x=/y")));
        check("/rpc/todos@v1/a%2Fb//c?x", Some(("todos@v1", "/a%2Fb//c?x")));
        check("/rpc/", Some(("", "/")));
        check("/rpc", None);
        check("/rpcs/todos", None);
        check("/a/rpc/todos", None);
    }
}
