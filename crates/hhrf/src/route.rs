//! First stage: which function a request is for.

use crate::catalogue::{Catalogue, Found, Function};
use crate::refusal::Refusal;
use fezz_manifest::routing::{self, Params};
use fezz_manifest::rpc::CallByName;
use http::header::HOST;
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{Method, Uri, Version};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A request that has a function.
#[derive(Debug)]
pub(crate) struct RoutedRequest {
    pub function: Arc<Function>,
    /// The route's parameters, percent-decoded.
    pub params: BTreeMap<String, String>,
    /// Method, target and headers, as the function sees them.
    pub head: Parts,
    /// The target as received, if the function sees another.
    pub original_uri: Option<PathAndQuery>,
}

/// Finds the function: by name below `/rpc/`, where that is enabled, else by its routes.
///
/// # Errors
///
/// [`Refusal::NotFound`], [`Refusal::MethodNotAllowed`], and [`Refusal::BadRequest`] for a parameter that is not UTF-8
/// once percent-decoded.
pub(crate) fn route(
    catalogue: &Catalogue,
    mut head: Parts,
    with_rpc: bool,
) -> Result<RoutedRequest, Refusal> {
    if let Some(target) = head.uri.path_and_query()
        && let Some(call) = CallByName::parse(target.as_str())
    {
        let function = catalogue.by_name(call.name).filter(|_| with_rpc).ok_or(Refusal::NotFound)?;
        let (original_uri, uri) = (target.clone(), with_target(&head.uri, &call.uri));
        head.uri = uri;
        return by_name(function, head, original_uri);
    }
    let host = authority_of(&head).map(host_of);
    let (function, params, is_get) =
        match catalogue.router().find(host.as_deref(), &head.method, head.uri.path()) {
            Found::Target { target, params, is_get } => {
                (Arc::clone(target.choose()), decode(params)?, is_get)
            }
            Found::OtherMethods(allowed) => return Err(Refusal::MethodNotAllowed { allowed }),
            Found::Nothing => return Err(Refusal::NotFound),
        };
    if is_get {
        head.method = Method::GET;
    }
    Ok(RoutedRequest { function, params, head, original_uri: None })
}

/// A request that names its function, as if it had come by one of the function's own routes. `original_uri` is the
/// target as received.
fn by_name(
    function: &Arc<Function>,
    mut head: Parts,
    original_uri: PathAndQuery,
) -> Result<RoutedRequest, Refusal> {
    let route = function.own_routes.find(&head.method, head.uri.path());
    if route.is_get {
        head.method = Method::GET;
    }
    let (function, params) = (Arc::clone(function), decode(route.params)?);
    Ok(RoutedRequest { function, params, head, original_uri: Some(original_uri) })
}

/// The URI with another path and query.
fn with_target(uri: &Uri, target: &str) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target.parse().expect("the end of a target, from a `/` on, is a target"));
    Uri::from_parts(parts).expect("scheme and authority are those of a URI")
}

/// Refuses requests that could mean one host to a proxy and another to a function (RFC 9112, section 3.2), user names
/// before a host (RFC 9110, section 4.2.4), and tunnels.
///
/// # Errors
///
/// [`Refusal::BadRequest`].
pub(crate) fn check_target(head: &Parts) -> Result<(), Refusal> {
    let bad = |detail: &str| Err(Refusal::BadRequest { detail: detail.to_owned() });
    if head.method == Method::CONNECT {
        return bad("CONNECT is not supported: this host is no proxy");
    }
    let mut hosts = head.headers.get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return bad("there is more than one Host header");
    }
    let named = head.uri.authority().map(Authority::as_str);
    let host = match host.map(|host| host.to_str()) {
        Some(Ok(host)) => Some(host),
        Some(Err(_)) => return bad("the Host header is malformed"),
        None => None,
    };
    if [named, host].into_iter().flatten().any(|authority| authority.contains('@')) {
        return bad("there is a user name before the host: remove it, up to the `@`");
    }
    match (named, host) {
        (None, None) if head.version == Version::HTTP_11 => bad("the Host header is missing"),
        (Some(named), Some(host)) if !named.eq_ignore_ascii_case(host) => {
            bad("the request names one host in its target and another in its Host header")
        }
        (None, Some(host)) if !host.is_empty() && host.parse::<Authority>().is_err() => {
            bad("the Host header is malformed")
        }
        _ => Ok(()),
    }
}

/// `:authority`, or `Host`, as received.
pub fn authority(head: &Parts) -> Option<String> {
    authority_of(head).map(str::to_owned)
}

fn authority_of(head: &Parts) -> Option<&str> {
    let in_target = head.uri.authority().map(Authority::as_str);
    in_target.or_else(|| head.headers.get(HOST)?.to_str().ok())
}

/// The host of an authority: in lower case, without the port, without the dot at its end.
fn host_of(authority: &str) -> Cow<'_, str> {
    let without_port = match authority.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets (RFC 3986, section 3.2.2).
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = without_port.trim_end_matches('.');
    match host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => host.to_ascii_lowercase().into(),
        false => host.into(),
    }
}

fn decode(params: Params) -> Result<BTreeMap<String, String>, Refusal> {
    routing::decode(params).map_err(|not_text| Refusal::BadRequest { detail: not_text.to_string() })
}
