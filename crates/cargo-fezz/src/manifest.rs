//! `fezz.json`, made of what `#[fezz_function]` wrote into the module and of `[package.metadata.fezz]` in Cargo.toml,
//! whose keys override the attribute's. No code of the module runs.

use cargo_metadata::Package;
use fezz_manifest::{Manifest, ManifestError, Metadata, MetadataError};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// What the section may say; a key beyond these is a newer macro's, and not for the manifest.
const SECTION_KEYS: [&str; 5] = ["id", "version", "description", "routes", "timeout_ms"];

/// These stand first in the file, for its readers.
const FIRST_KEYS: [&str; 4] = ["id", "version", "entry", "binary"];

/// The version where neither the attribute nor Cargo.toml has one, as in the attribute's documentation.
const VERSION_DEFAULT: &str = "v1";

/// The file's text, and what it says.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) json: String,
    pub(crate) manifest: Manifest,
}

/// Why there is no manifest.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MakeError {
    #[error(transparent)]
    Section(#[from] MetadataError),
    #[error("[package.metadata.fezz] in `{path}` is not a table: write its keys below it, one a line")]
    NotATable { path: String },
    #[error(
        "the manifest is wrong; its keys are those of [package.metadata.fezz] in `{path}` and of #[fezz_function]"
    )]
    Manifest { path: String, source: ManifestError },
    #[error(
        "the manifest is wrong; its keys are those of [package.metadata.fezz] in `{path}` and of #[fezz_function]"
    )]
    Values { path: String, source: MetadataError },
    #[error("failed to write the manifest as JSON")]
    Json(#[source] serde_json::Error),
}

/// Makes the manifest of a `package` whose module is the file `entry`, with the bytes of its `section`. A program has no
/// `entry`: its own key `binary` says where it belongs.
pub(crate) fn make(
    package: &Package,
    entry: Option<&str>,
    section: Option<&[u8]>,
) -> Result<Made, MakeError> {
    let path = package.manifest_path.to_string();
    let mut keys = Map::new();
    keys.insert("id".to_owned(), package.name.to_string().into());
    keys.insert("version".to_owned(), VERSION_DEFAULT.into());
    keys.extend(entry.map(|entry| ("entry".to_owned(), entry.into())));
    keys.extend(section_keys(section)?);
    match package.metadata.get("fezz") {
        None => {}
        Some(Value::Object(own)) => keys.extend(own.clone()),
        Some(_) => return Err(MakeError::NotATable { path }),
    }
    let json = serde_json::to_string_pretty(&InOrder(&keys)).map_err(MakeError::Json)? + "\n";
    let text = |key: &str| keys.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let name = fezz_manifest::names::full_name(&text("id"), &text("version"));
    match Manifest::parse(json.as_bytes(), &name) {
        Ok(manifest) => match check_values(&manifest) {
            Ok(()) => Ok(Made { json, manifest }),
            Err(source) => Err(MakeError::Values { path, source }),
        },
        Err(source) => Err(MakeError::Manifest { path, source }),
    }
}

/// What a manifest's own rules leave to the host.
fn check_values(manifest: &Manifest) -> Result<(), MetadataError> {
    let nothing = Metadata::default();
    manifest.routes(&nothing)?;
    manifest.timeout(&nothing).map(drop)
}

fn section_keys(section: Option<&[u8]>) -> Result<Map<String, Value>, MetadataError> {
    let Some(section) = section else { return Ok(Map::new()) };
    // Reads what the host reads of it, so that a broken section has the host's message.
    Metadata::parse(section)?;
    let keys: Map<String, Value> = serde_json::from_slice(section).unwrap_or_default();
    Ok(keys.into_iter().filter(|(key, _)| SECTION_KEYS.contains(&key.as_str())).collect())
}

/// An object with [`FIRST_KEYS`] first.
struct InOrder<'a>(&'a Map<String, Value>);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let first = FIRST_KEYS.iter().filter_map(|key| self.0.get_key_value(*key));
        let others = self.0.iter().filter(|(key, _)| !FIRST_KEYS.contains(&key.as_str()));
        serializer.collect_map(first.chain(others))
    }
}
