//! The method of a route.

use crate::manifest::BadMethod;
use fezz_manifest::method::is_method;
use std::fmt;
use std::str::FromStr;

/// The method of a route: one of HTTP's, or any.
///
/// ```
/// use fezz_control_plane::RouteMethod;
///
/// assert_eq!("GET".parse(), Ok(RouteMethod::Get));
/// assert_eq!("".parse(), Ok(RouteMethod::Any));
/// assert_eq!(RouteMethod::Any.to_string(), "*");
/// assert!("get".parse::<RouteMethod>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RouteMethod {
    /// `GET`, and `HEAD` where no route is for it.
    Get,
    /// `HEAD`.
    Head,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
    Delete,
    /// `OPTIONS`.
    Options,
    /// `TRACE`.
    Trace,
    /// Another method, parsed from its name.
    Other(MethodName),
    /// Every method. Written `*`, or as an empty text.
    Any,
}

/// The name of a method that has no variant in [`RouteMethod`], as for instance `PURGE`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MethodName(String);

const ANY: &str = "*";

impl RouteMethod {
    /// As HTTP has it, or `*`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Other(MethodName(name)) => name,
            Self::Any => ANY,
        }
    }
}

impl FromStr for RouteMethod {
    type Err = BadMethod;

    fn from_str(text: &str) -> Result<Self, BadMethod> {
        Ok(match text {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            "TRACE" => Self::Trace,
            "" | ANY => Self::Any,
            name if is_method(name) => Self::Other(MethodName(name.to_owned())),
            _ => return Err(BadMethod { method: text.to_owned() }),
        })
    }
}

impl fmt::Display for RouteMethod {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_is_parsed_from_its_own_text() {
        for text in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE", "*"] {
            assert_eq!(text.parse::<RouteMethod>().unwrap().as_str(), text);
        }
        assert!(matches!("PURGE".parse(), Ok(RouteMethod::Other(_))));
        let error = "GET ".parse::<RouteMethod>().unwrap_err();
        assert!(error.to_string().starts_with("the method `GET ` is not valid"), "{error}");
    }
}
