//! The host's manifest of a function in this process, checked by the host's rules.

use super::config::HhrfConfig;
use super::error::ServerError;
use crate::function::{FezzFunction, OwnedFunctionManifest};
use crate::{FunctionManifest, FunctionRoute};
use fezz_manifest::names::full_name;
use fezz_manifest::{Manifest, Metadata};
use serde_json::{Value, json};

/// Of a function without an attribute.
const VERSION: &str = "v1";

/// What a manifest says of a function in this process.
struct Facts<'a> {
    id: &'a str,
    version: &'a str,
    description: &'a str,
    /// `None` for the host's default.
    timeout_ms: Option<u64>,
    /// As in `fezz.json`.
    routes: Vec<Value>,
}

/// Of a function that is registered by its name.
pub(super) fn of_function(
    name: &str,
    function: &dyn FezzFunction,
    config: &HhrfConfig,
) -> Result<Manifest, ServerError> {
    let facts = match function.attribute() {
        Some(manifest) => of_attribute(name, manifest),
        None => Facts { id: name, version: VERSION, description: "", timeout_ms: None, routes: below(name) },
    };
    checked(facts, config)
}

/// Of a function that is registered with a manifest, which goes over its attribute.
pub(super) fn of_manifest(
    manifest: &OwnedFunctionManifest,
    config: &HhrfConfig,
) -> Result<Manifest, ServerError> {
    let OwnedFunctionManifest { id, version, method, path, timeout, description } = manifest;
    let route = match method.as_str() {
        "" | "*" => json!({"path": path}),
        method => json!({"path": path, "method": method}),
    };
    let timeout_ms = Some(timeout.saturating_mul(1000));
    checked(Facts { id, version, description, timeout_ms, routes: vec![route] }, config)
}

/// The host's manifest, if its rules allow it.
fn checked(facts: Facts<'_>, config: &HhrfConfig) -> Result<Manifest, ServerError> {
    let Facts { id, version, description, timeout_ms, routes } = facts;
    let manifest = json!({
        // The module's file, which this function hasn't got.
        "id": id, "version": version, "entry": "native", "description": description,
        "timeout_ms": timeout_ms, "routes": routes, "env": config.env, "limits": config.limits,
    });
    let manifest = Manifest::parse(manifest.to_string().as_bytes(), &full_name(id, version))
        .map_err(|source| ServerError::Invalid { id: id.to_owned(), source })?;
    let route = |source| ServerError::Route { id: id.to_owned(), source };
    manifest.routes(&Metadata::default()).map_err(route)?;
    Ok(manifest)
}

fn of_attribute<'a>(id: &'a str, manifest: &'a FunctionManifest) -> Facts<'a> {
    let route = |FunctionRoute { path, methods }: &FunctionRoute| match methods {
        [] => json!({"path": path}),
        methods => json!({"path": path, "method": methods}),
    };
    Facts {
        id,
        version: manifest.version,
        description: manifest.description,
        timeout_ms: u64::try_from(manifest.deadline.as_millis()).ok(),
        routes: manifest.routes.iter().map(route).collect(),
    }
}

/// Any method on `/<name>`, and everything below.
fn below(name: &str) -> Vec<Value> {
    ["", "/", "/{*rest}"].iter().map(|end| json!({"path": format!("/{name}{end}")})).collect()
}
