//! What a store has of one function.

use crate::{OwnedFunctionManifest, Revision};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A function of a cluster: its manifest, and the nodes that serve it. A store has one for each id.
///
/// Its JSON is `{"manifest": {...}, "nodes": ["node-1"]}`: the revision is the store's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionEntry {
    /// What the function is.
    pub manifest: OwnedFunctionManifest,
    /// The names of the nodes that serve it.
    #[serde(default)]
    pub nodes: BTreeSet<String>,
    /// When the store changed it last. [`Revision::ZERO`] in an entry that comes from no store.
    #[serde(skip)]
    pub revision: Revision,
}

impl FunctionEntry {
    /// An entry without nodes, for a store.
    pub fn new(manifest: OwnedFunctionManifest) -> Self {
        Self { manifest, nodes: BTreeSet::new(), revision: Revision::ZERO }
    }

    /// Adds a node that serves the function.
    #[must_use]
    pub fn on_node(mut self, node: impl Into<String>) -> Self {
        self.nodes.insert(node.into());
        self
    }

    /// The function's id, by which the store has the entry.
    pub fn id(&self) -> &str {
        &self.manifest.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn its_json_leaves_the_revision_to_the_store() {
        let manifest = OwnedFunctionManifest::new("f", "v1", "GET", "/f");
        let mut entry = FunctionEntry::new(manifest).on_node("b").on_node("a").on_node("b");
        entry.revision = Revision::new(7);
        let json = serde_json::to_value(&entry).unwrap();
        assert_eq!(json["nodes"], json!(["a", "b"]));
        assert_eq!(json.get("revision"), None);
        let read: FunctionEntry = serde_json::from_value(json).unwrap();
        assert_eq!(read, FunctionEntry { revision: Revision::ZERO, ..entry });
    }
}
