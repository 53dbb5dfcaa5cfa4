//! The parameters of an attempt: where the check's baits are.

/// The body's lines, `name=value` each.
pub(crate) struct Params<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Params<'a> {
    /// `None` where the body isn't such lines.
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        text.lines().map(|line| line.split_once('=')).collect::<Option<Vec<_>>>().map(Self)
    }

    /// A parameter, empty where the check gave none.
    pub(crate) fn text(&self, name: &str) -> &'a str {
        self.0.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// A number, 0 where the check gave none: no process, port or inode has that one.
    pub(crate) fn number(&self, name: &str) -> usize {
        self.text(name).parse().unwrap_or_default()
    }
}
