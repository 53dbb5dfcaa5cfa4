//! The folder that a host of `watch` serves: one release, replaced in one step, or marked while its successor doesn't build.

use crate::project::Project;
use crate::publish::{Existing, Outcome, PublishError, publish};
use fezz_sandbox::release::Release;
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};

/// The header that each response has while the sources don't build. A key of the manifest adds it, so that a host needs to
/// know nothing of builds.
pub(crate) const FAILED_HEADER: (&str, &str) = ("fezz-build", "failed");

/// The key.
const RESPONSE_HEADERS: &str = "response_headers";

/// What is served.
#[derive(Debug)]
pub(crate) struct Served {
    root: PathBuf,
    /// The last one that was built; of an earlier run, if this one has built none.
    last: Option<Release>,
}

impl Served {
    /// Of a package: `target/fezz/<package>/functions/`.
    pub(crate) fn of(project: &Project) -> Self {
        let root = project.fezz_folder().join(project.package.name.as_str());
        let folders = fs::read_dir(root.join("functions")).into_iter().flatten().flatten();
        let mut releases = folders.filter_map(|entry| Release::read(&entry.path()).ok());
        let last = releases.next().filter(|_| releases.next().is_none());
        Self { root, last }
    }

    /// The host's `--root`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where releases are.
    pub(crate) fn functions(&self) -> PathBuf {
        self.root.join("functions")
    }

    /// The release that is served, as it was built.
    pub(crate) fn last(&self) -> Option<&Release> {
        self.last.as_ref()
    }

    /// Serves `release`, and no other one.
    pub(crate) fn replace(&mut self, release: Release) -> Result<Outcome, PublishError> {
        let outcome = publish(&release, &self.functions(), Existing::Replace)?;
        // Its function may have got another id, while the routes are the same: the host would refuse the new one.
        for entry in fs::read_dir(self.functions()).into_iter().flatten().flatten() {
            if entry.file_name() != release.name.as_str() {
                fs::remove_dir_all(entry.path()).ok();
            }
        }
        self.last = Some(release);
        Ok(outcome)
    }

    /// Adds [`FAILED_HEADER`] to each response of the release that is served, if there is one.
    pub(crate) fn mark_failed(&self) -> Result<(), PublishError> {
        let Some(last) = &self.last else { return Ok(()) };
        let (json, manifest) = (marked(&last.json), last.manifest.clone());
        let marked = Release { name: last.name.clone(), json, manifest, module: last.module.clone() };
        publish(&marked, &self.functions(), Existing::Replace).map(drop)
    }
}

/// The manifest with the header.
fn marked(json: &str) -> String {
    let mut keys: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
    let headers = keys.entry(RESPONSE_HEADERS).or_insert_with(|| Map::new().into());
    let (name, value) = FAILED_HEADER;
    if let Value::Object(headers) = headers {
        headers.insert(name.to_owned(), value.into());
    }
    Value::Object(keys).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fezz_manifest::Manifest;

    #[test]
    fn the_mark_is_added_to_the_headers_of_the_author() {
        let json = r#"{"id": "f", "version": "v1", "entry": "f.so", "response_headers": {"x-a": "1"}}"#;
        let manifest = Manifest::parse(marked(json).as_bytes(), "f@v1").unwrap();
        let headers: Vec<_> = manifest.response_headers.into_iter().collect();
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        assert_eq!(headers, [pair(FAILED_HEADER), pair(("x-a", "1"))]);
    }
}
