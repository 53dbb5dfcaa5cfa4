//! The host's manifest of a function in this process, checked by the host's rules.

use super::config::HhrfConfig;
use super::error::ServerError;
use crate::function::FezzFunction;
use crate::{FunctionManifest, FunctionRoute};
use fezz_manifest::Manifest;
use fezz_manifest::names::full_name;
use serde_json::{Value, json};

/// Of a function without an attribute.
const VERSION: &str = "v1";

/// What a manifest says of a function in this process.
pub(super) struct Facts<'a> {
    pub(super) id: &'a str,
    pub(super) version: &'a str,
    pub(super) description: &'a str,
    /// `None` for the host's default.
    pub(super) timeout_ms: Option<u64>,
    /// As in `fezz.json`.
    pub(super) routes: Vec<Value>,
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

/// The host's manifest, if its rules allow it.
pub(super) fn checked(facts: Facts<'_>, config: &HhrfConfig) -> Result<Manifest, ServerError> {
    let Facts { id, version, description, timeout_ms, routes } = facts;
    let manifest = json!({
        // The module's file, which this function hasn't got.
        "id": id, "version": version, "entry": "native", "description": description,
        "timeout_ms": timeout_ms, "routes": routes, "env": config.env, "limits": config.limits,
    });
    Manifest::parse(manifest.to_string().as_bytes(), &full_name(id, version))
        .map_err(|source| ServerError::Invalid { id: id.to_owned(), source })
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
