//! Patterns of paths, and which of them a path matches.

use super::params::Params;
use crate::path::{Segment, literal_or_parameter};

/// Patterns of paths with a value each, as a trie of segments.
///
/// Of the patterns that match a path the one counts that is the most exact at the first segment in which they differ: a
/// text before `{name}`, that before `{*rest}`. `{name}` stands for one segment, `{*rest}` for all that follows, each for
/// one character or more. Two patterns that differ in nothing but the names of parameters are the same route.
///
/// The trie is a list of nodes, and no function on it is recursive: a pattern of half a million segments, which fits into
/// a manifest, would otherwise overflow the stack of its host.
#[derive(Debug)]
pub struct Paths<T> {
    /// The first is the root.
    nodes: Vec<Node<T>>,
    /// Nodes of removed patterns, for new ones.
    unused: Vec<usize>,
}

const ROOT: usize = 0;

/// What may follow a beginning of a path. Nodes are indices. It is small, since a manifest may have a node for every two of
/// its bytes.
#[derive(Debug)]
struct Node<T> {
    /// Sorted by their texts.
    texts: Vec<(Box<str>, usize)>,
    /// After `{name}`.
    parameter: Option<usize>,
    /// The pattern that ends here in `{*rest}`.
    rest: Slot<T>,
    /// The pattern that ends here.
    end: Slot<T>,
}

type Slot<T> = Option<Box<Pattern<T>>>;

#[derive(Debug)]
struct Pattern<T> {
    path: String,
    /// Of its parameters, in their order.
    names: Box<[Box<str>]>,
    value: T,
}

/// A way that a search has still to try.
struct Way<'a, 'p, T> {
    to: To<'a, 'p, T>,
    /// How many parameters lie before it.
    params: usize,
    /// The parameter that it takes.
    param: Option<&'p str>,
}

enum To<'a, 'p, T> {
    /// A node, with what remains of the path after a slash.
    Node(usize, Option<&'p str>),
    Pattern(&'a Pattern<T>),
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], unused: Vec::new() }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { texts: Vec::new(), parameter: None, rest: None, end: None }
    }
}

impl<T> Paths<T> {
    /// Adds a path, as [`parse_path`](crate::path::parse_path) returns it.
    ///
    /// # Errors
    ///
    /// The path and the value of an earlier one that differs at most in the names of parameters.
    pub fn insert(&mut self, path: &str, value: T) -> Result<(), (&str, &T)> {
        let slot = self.slot(path);
        if let Some(earlier) = slot {
            return Err((&earlier.path, &earlier.value));
        }
        *slot = Some(Pattern::new(path, value));
        Ok(())
    }

    /// Adds a path, and returns the value of the one that it replaces.
    pub fn replace(&mut self, path: &str, value: T) -> Option<T> {
        let earlier = self.slot(path).replace(Pattern::new(path, value));
        earlier.map(|pattern| pattern.value)
    }

    /// Removes the path that differs from `path` at most in the names of parameters.
    pub fn remove(&mut self, path: &str) -> Option<T> {
        let (mut at, mut trail) = (ROOT, Vec::new());
        let mut has_rest = false;
        for segment in segments(path) {
            let next = match segment {
                Segment::Literal(text) => self.nodes[at].after(text)?,
                Segment::One(_) => self.nodes[at].parameter?,
                Segment::Rest(_) => {
                    has_rest = true;
                    break;
                }
            };
            trail.push((at, segment));
            at = next;
        }
        let removed = self.nodes[at].pattern(has_rest).take()?;
        while self.nodes[at].is_empty()
            && let Some((parent, segment)) = trail.pop()
        {
            self.nodes[parent].forget(&segment);
            self.unused.push(at);
            at = parent;
        }
        Some(removed.value)
    }

    /// The value of the path that matches, with its parameters.
    pub fn find(&self, path: &str) -> Option<(&T, Params)> {
        let mut params = Vec::new();
        // Less exact ways, for when the next one leads nowhere. The last one is the most exact.
        let mut others = Vec::new();
        let mut next =
            Some(Way { to: To::Node(ROOT, Some(path.strip_prefix('/')?)), params: 0, param: None });
        while let Some(way) = next.or_else(|| others.pop()) {
            params.truncate(way.params);
            params.extend(way.param);
            next = match way.to {
                To::Node(node, remaining) => self.nodes[node].follow(remaining, params.len(), &mut others),
                To::Pattern(pattern) => return Some((&pattern.value, pattern.named(&params))),
            }
        }
        None
    }

    /// Whether there is no path.
    pub fn is_empty(&self) -> bool {
        self.nodes[ROOT].is_empty()
    }

    /// Where the pattern of that shape belongs.
    fn slot(&mut self, path: &str) -> &mut Slot<T> {
        let mut at = ROOT;
        for segment in segments(path) {
            at = match segment {
                Segment::Literal(text) => match self.nodes[at].position(text) {
                    Ok(known) => self.nodes[at].texts[known].1,
                    Err(position) => {
                        let next = self.unused_node();
                        self.nodes[at].add(position, text, next);
                        next
                    }
                },
                Segment::One(_) => match self.nodes[at].parameter {
                    Some(next) => next,
                    None => {
                        let next = self.unused_node();
                        *self.nodes[at].parameter.insert(next)
                    }
                },
                Segment::Rest(_) => return &mut self.nodes[at].rest,
            };
        }
        &mut self.nodes[at].end
    }

    fn unused_node(&mut self) -> usize {
        self.unused.pop().unwrap_or_else(|| {
            self.nodes.push(Node::default());
            self.nodes.len() - 1
        })
    }
}

impl<T> Node<T> {
    fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.parameter.is_none() && self.rest.is_none() && self.end.is_none()
    }

    fn position(&self, text: &str) -> Result<usize, usize> {
        self.texts.binary_search_by(|(own, _)| (**own).cmp(text))
    }

    fn after(&self, text: &str) -> Option<usize> {
        self.position(text).ok().map(|position| self.texts[position].1)
    }

    fn add(&mut self, position: usize, text: &str, next: usize) {
        if self.texts.is_empty() {
            // Most nodes have one; a vector by itself begins with room for four.
            self.texts.reserve_exact(1);
        }
        self.texts.insert(position, (text.into(), next));
    }

    fn pattern(&mut self, has_rest: bool) -> &mut Slot<T> {
        if has_rest { &mut self.rest } else { &mut self.end }
    }

    fn forget(&mut self, segment: &Segment<'_>) {
        match segment {
            Segment::Literal(text) => {
                self.position(text).map(|position| self.texts.remove(position)).ok();
            }
            Segment::One(_) => self.parameter = None,
            Segment::Rest(_) => self.rest = None,
        }
    }

    /// The most exact way on from here. The others are added, from the least exact one on. Each node lies on one way, so
    /// that a search visits it once.
    fn follow<'a, 'p>(
        &'a self,
        remaining: Option<&'p str>,
        params: usize,
        others: &mut Vec<Way<'a, 'p, T>>,
    ) -> Option<Way<'a, 'p, T>> {
        let way = |to, param| Way { to, params, param };
        let Some(remaining) = remaining else {
            return self.end.as_deref().map(|end| way(To::Pattern(end), None));
        };
        let (segment, after) = match remaining.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (remaining, None),
        };
        let text = self.after(segment).map(|next| way(To::Node(next, after), None));
        let parameter = self.parameter.filter(|_| !segment.is_empty());
        let parameter = parameter.map(|next| way(To::Node(next, after), Some(segment)));
        let rest = self.rest.as_deref().filter(|_| !remaining.is_empty());
        let rest = rest.map(|rest| way(To::Pattern(rest), Some(remaining)));
        match (text, parameter) {
            (Some(text), parameter) => {
                others.extend(rest.into_iter().chain(parameter));
                Some(text)
            }
            (None, Some(parameter)) => {
                others.extend(rest);
                Some(parameter)
            }
            (None, None) => rest,
        }
    }
}

impl<T> Pattern<T> {
    fn new(path: &str, value: T) -> Box<Self> {
        let names = segments(path).filter_map(|segment| match segment {
            Segment::One(name) | Segment::Rest(name) => Some(name.into()),
            Segment::Literal(_) => None,
        });
        Box::new(Self { names: names.collect(), path: path.to_owned(), value })
    }

    fn named(&self, values: &[&str]) -> Params {
        let pairs = self.names.iter().zip(values);
        pairs.map(|(name, value)| (name.to_string(), (*value).to_owned())).collect()
    }
}

fn segments(path: &str) -> impl Iterator<Item = Segment<'_>> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').map(|text| literal_or_parameter(text, true).unwrap_or(Segment::Literal(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::{PARAMETERS_MAX, parse_path};

    fn paths(patterns: &[&str]) -> Paths<String> {
        let mut paths = Paths::default();
        for pattern in patterns {
            assert!(paths.insert(pattern, (*pattern).to_owned()).is_ok(), "{pattern}");
        }
        paths
    }

    fn found(paths: &Paths<String>, path: &str) -> String {
        let Some((pattern, params)) = paths.find(path) else { return "-".to_owned() };
        params.iter().fold(pattern.clone(), |text, (name, value)| format!("{text} {name}={value}"))
    }

    #[test]
    fn a_parameter_wins_over_a_rest_and_a_text_over_both() {
        let paths = paths(&["/a/{*rest}", "/a/{id}", "/a/{id}/x", "/a/b", "/a/", "/{any}/b/c"]);
        let check = |path, expected| assert_eq!(found(&paths, path), expected, "{path}");
        check("/a/b", "/a/b");
        check("/a/1", "/a/{id} id=1");
        check("/a/1/x", "/a/{id}/x id=1");
        check("/a/b/x", "/a/{id}/x id=b");
        check("/a/1/y", "/a/{*rest} rest=1/y");
        check("/a/b/c", "/a/{*rest} rest=b/c");
        check("/b/b/c", "/{any}/b/c any=b");
        check("/a/", "/a/");
        check("/a", "-");
        check("/a//", "/a/{*rest} rest=/");
        check("", "-");
        check("*", "-");
    }

    #[test]
    fn a_removed_pattern_leaves_nothing_and_no_other_changes() {
        let mut paths = paths(&["/a/{id}/x", "/a/{id}/{*rest}", "/a/b"]);
        let nodes = paths.nodes.len();
        assert_eq!(paths.remove("/a/{other}/x").as_deref(), Some("/a/{id}/x"));
        assert_eq!(paths.remove("/a/{id}/x"), None);
        assert_eq!(found(&paths, "/a/1/x"), "/a/{id}/{*rest} id=1 rest=x");
        assert!(paths.insert("/a/{id}/y", String::new()).is_ok());
        assert_eq!(paths.nodes.len(), nodes, "the node of the removed pattern is used again");
        for pattern in ["/a/{id}/y", "/a/{id}/{*rest}", "/a/b"] {
            assert!(paths.remove(pattern).is_some() && paths.remove(pattern).is_none(), "{pattern}");
        }
        assert!(paths.is_empty() && paths.unused.len() == nodes - 1);
    }

    #[test]
    fn the_longest_pattern_of_a_manifest_is_found_and_removed() {
        let deep = "/a".repeat(500_000);
        let most: String = (0..PARAMETERS_MAX).map(|n| format!("/{{p{n}}}")).collect();
        let mut paths = paths(&[&deep, &most]);
        assert_eq!(paths.find(&deep).map(|(pattern, _)| pattern.len()), Some(deep.len()));
        assert_eq!(paths.find(&most).map(|(_, params)| params.len()), Some(PARAMETERS_MAX));
        assert!(paths.remove(&deep).is_some() && paths.find(&deep).is_none());
    }

    /// All patterns and paths up to three segments, of which matchit, the router of axum and of `#[fezz_app]`, takes some.
    #[test]
    fn the_same_pattern_wins_as_in_matchit() {
        let all = |segments: &[&str], last: &[&str]| {
            let level = |begin: &[String], ends: &[&str]| -> Vec<String> {
                begin.iter().flat_map(|begin| ends.iter().map(move |end| format!("{begin}/{end}"))).collect()
            };
            let one = vec![String::new()];
            let (two, three) = (level(&one, segments), level(&level(&one, segments), segments));
            [one, two, three].iter().flat_map(|begin| level(begin, last)).collect::<Vec<_>>()
        };
        let patterns = all(&["a", "ab", "{p}"], &["a", "ab", "{q}", "{*r}", ""]);
        let requests = all(&["a", "ab", "b", ""], &["a", "ab", "b", ""]);
        let mut seed = 1_u64;
        let mut compared = 0;
        for _ in 0..3000 {
            let (mut theirs, mut ours) = (matchit::Router::new(), Paths::default());
            for _ in 0..5 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let pattern = &patterns[(seed >> 33) as usize % patterns.len()];
                let pattern = parse_path(&pattern.replace("{p}/{p}", "{p}/{s}")).unwrap_or("/".to_owned());
                if theirs.insert(pattern.clone(), pattern.clone()).is_ok() {
                    assert!(ours.insert(&pattern, pattern.clone()).is_ok(), "{pattern}");
                }
            }
            for request in &requests {
                let theirs = theirs.at(request).map_or("-".to_owned(), |found| {
                    let params = found.params.iter();
                    params.fold(found.value.clone(), |text, (name, value)| format!("{text} {name}={value}"))
                });
                compared += usize::from(theirs != "-");
                assert_eq!(found(&ours, request), theirs, "{request} in {ours:?}");
            }
        }
        assert!(compared > 10_000, "{compared}");
    }
}
