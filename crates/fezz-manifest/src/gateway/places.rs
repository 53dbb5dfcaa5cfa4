//! Where each value of a file stands.

use super::error::Place;
use std::collections::HashMap;

/// The place of a value, which is that of its key if it has one, with those of the values in it. A tree, as the file itself:
/// each key is held once, however many values are below it.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) place: Place,
    pub(super) inner: Inner,
}

/// The places in a value.
#[derive(Debug)]
pub(super) enum Inner {
    None,
    Map(HashMap<String, Places>),
    List(Vec<Places>),
}

impl Places {
    /// Of a value with nothing in it.
    pub(super) fn new(place: Place) -> Self {
        Self { place, inner: Inner::None }
    }

    /// The place of a value by its path, as `functions.items.routes[0].path`, with a dot before each inner key; or, if the file
    /// hasn't got it, of the nearest one around it.
    pub(super) fn of(&self, path: &str) -> Place {
        let (mut at, mut path) = (self, path);
        while let Some((inner, rest)) = at.step(path) {
            (at, path) = (inner, rest.strip_prefix('.').unwrap_or(rest));
        }
        at.place
    }

    /// The value that a path leads to first, and the rest of the path.
    fn step<'a>(&self, path: &'a str) -> Option<(&Self, &'a str)> {
        match &self.inner {
            Inner::None => None,
            Inner::List(places) => {
                let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
                Some((places.get(index.parse::<usize>().ok()?)?, rest))
            }
            // A key may have dots and brackets itself: the longest one counts.
            Inner::Map(places) => {
                let ends = path.rmatch_indices(['.', '[']).map(|(end, _)| end);
                std::iter::once(path.len())
                    .chain(ends)
                    .find_map(|end| Some((places.get(&path[..end])?, &path[end..])))
            }
        }
    }

    /// How many bytes of keys it holds.
    #[cfg(test)]
    pub(super) fn key_bytes(&self) -> usize {
        match &self.inner {
            Inner::None => 0,
            Inner::Map(places) => places.iter().map(|(key, inner)| key.len() + inner.key_bytes()).sum(),
            Inner::List(places) => places.iter().map(Self::key_bytes).sum(),
        }
    }
}
