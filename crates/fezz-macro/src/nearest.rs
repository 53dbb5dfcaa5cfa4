//! Finds the name that a misspelled one was meant to be.

/// More edits than this and the guess would be noise.
const EDITS_MAX: usize = 2;

/// The one of `known` that is nearest to `name`, if any is near.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (edits(name, candidate), *candidate))
        .filter(|(edits, candidate)| *edits <= EDITS_MAX && *edits < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance: how many characters to insert, delete or replace.
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (deleted, from) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = deleted + 1;
        for (at, to) in to.chars().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[row.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_its_name_and_another_word_finds_none() {
        let known = ["id", "method", "path"];
        for (name, expected) in [
            ("pth", Some("path")),
            ("paths", Some("path")),
            ("metod", Some("method")),
            ("Id", Some("id")),
            ("colour", None),
            ("xy", None),
        ] {
            assert_eq!(nearest(name, &known), expected, "{name}");
        }
    }
}
