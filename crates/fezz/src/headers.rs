//! A list of headers, as requests and responses have it.

/// Names and values in order, duplicates kept. Names are in lower case, as the wire has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    pub(crate) fn from_wire(pairs: &[(&str, &[u8])]) -> Self {
        Self(pairs.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec())).collect())
    }

    /// Replaces every header of that name.
    pub(crate) fn set(&mut self, name: &str, value: Vec<u8>) {
        self.0.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.add(name, value);
    }

    /// Keeps what has that name already.
    pub(crate) fn add(&mut self, name: &str, value: Vec<u8>) {
        self.0.push((name.to_ascii_lowercase(), value));
    }

    /// The first of that name.
    pub(crate) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The first of that name, if it is UTF-8.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.bytes(name)?).ok()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }
}
