//! One function of a gateway file, as the manifest that it stands for.

use super::error::{FunctionCause, GatewayCause, GatewayError, Place};
use super::places::Places;
use crate::check::check;
use crate::error::ManifestError;
use crate::explain::explain;
use crate::manifest::Manifest;
use crate::metadata::Metadata;
use crate::names::full_name;
use crate::nearest::nearest;
use serde_json::{Value, json};
use std::fmt::Display;
use std::path::PathBuf;

/// The version of a function that names none: a file has one of each, and a caller needn't name it.
const VERSION_DEFAULT: &str = "v1";

/// The key that a manifest has for each of its routes alone.
const DOMAINS: &str = "domains";

/// A function of the file.
#[derive(Debug)]
pub struct GatewayFunction {
    /// `<id>@<version>`
    pub name: String,
    /// Where its name stands.
    pub place: Place,
    /// The folder of its module, relative to that of the file. (A program's path stands in the manifest.)
    pub folder: PathBuf,
    /// Its manifest, with the names of files as a folder of a function has them; or what is wrong.
    pub manifest: Result<Manifest, GatewayError>,
    /// Its keys as JSON: if they are the same again, so is the manifest.
    pub json: Vec<u8>,
}

impl GatewayFunction {
    /// Of the value of the key `id` in `functions`.
    pub(super) fn new(id: &str, value: Value, places: &Places) -> Self {
        let path = format!("functions.{id}");
        let version = value["version"].as_str().unwrap_or(VERSION_DEFAULT).to_owned();
        let json = value.to_string().into_bytes();
        let mut folder = PathBuf::new();
        let manifest = manifest(id, &version, value, &mut folder).map_err(|cause| {
            let place = places.of(&format!("{path}.{}", key_of(&cause)));
            GatewayError::new(place, GatewayCause::Function { function: id.to_owned(), cause })
        });
        Self { name: full_name(id, &version), place: places.of(&path), folder, manifest, json }
    }
}

fn manifest(
    id: &str,
    version: &str,
    mut value: Value,
    folder: &mut PathBuf,
) -> Result<Manifest, FunctionCause> {
    let Some(keys) = value.as_object_mut() else { return Err(ManifestError::NotAnObject.into()) };
    if let Some(other) = keys.get("id").and_then(Value::as_str).filter(|other| *other != id) {
        return Err(FunctionCause::OtherId { id: other.to_owned() });
    }
    keys.entry("id").or_insert_with(|| id.into());
    keys.entry("version").or_insert_with(|| version.into());
    let domains = keys.remove(DOMAINS);
    let has_routes = domains.is_none_or(|domains| share_domains(keys.get_mut("routes"), &domains));
    if let Some(entry) = keys.get("entry").and_then(Value::as_str)
        && let Some((above, file)) = entry.rsplit_once('/')
    {
        if !above.split('/').all(|part| !["", ".", ".."].contains(&part)) {
            return Err(FunctionCause::NotBelow { entry: entry.to_owned() });
        }
        *folder = above.into();
        let file = file.to_owned();
        keys.insert("entry".to_owned(), file.into());
    }
    let manifest: Manifest = serde_path_to_error::deserialize(value).map_err(|error| {
        let cause = explain(&error.path().to_string(), error.inner());
        with_domains(cause)
    })?;
    // After the unknown keys: one of them may be `routes`, misspelt.
    if !has_routes {
        return Err(FunctionCause::DomainsWithoutRoutes);
    }
    check(&manifest, &full_name(id, version))?;
    manifest.routes(&Metadata::default())?;
    Ok(manifest)
}

/// Gives each route the function's domains, unless it has its own. Returns whether there are routes.
fn share_domains(routes: Option<&mut Value>, domains: &Value) -> bool {
    let Some(routes) = routes.and_then(Value::as_array_mut) else { return false };
    for route in routes.iter_mut().filter_map(Value::as_object_mut) {
        route.entry(DOMAINS).or_insert_with(|| json!(domains));
    }
    true
}

/// The same for an unknown key, with the key that a manifest hasn't got among those that are known.
fn with_domains(cause: ManifestError) -> ManifestError {
    match cause {
        ManifestError::UnknownKey { key, known, .. } if !key.contains('.') => {
            let known = format!("{known}, {DOMAINS}");
            let nearest = nearest(&key, known.split(", ")).map(str::to_owned);
            ManifestError::UnknownKey { key, nearest, known }
        }
        cause => cause,
    }
}

/// The key that an error names, which stands first in its sentence: the tests hold that.
pub(super) fn key_of(error: &impl Display) -> String {
    let sentence = error.to_string();
    let key = sentence.strip_prefix("key `").and_then(|rest| rest.split('`').next());
    key.unwrap_or_default().to_owned()
}
