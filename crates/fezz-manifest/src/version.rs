//! Which of two versions is the later one.

use std::cmp::Ordering;

/// Whether version `a` is earlier (`Less`) or later (`Greater`) than `b`: `latest` is the latest; else runs of digits
/// compare as numbers and everything else as text: `v9` before `v10`.
pub fn compare(a: &str, b: &str) -> Ordering {
    let is_latest = |version: &str| version == "latest";
    is_latest(a).cmp(&is_latest(b)).then_with(|| parts(a).cmp(&parts(b)))
}

/// A version in pieces: a number without leading zeros by length and digits, so that no number is too large.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Text(&'a str),
    Number(usize, &'a str),
}

fn parts(version: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = version;
    while let Some(first) = rest.chars().next() {
        let is_digit = first.is_ascii_digit();
        let end = rest.find(|char: char| char.is_ascii_digit() != is_digit).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        rest = after;
        let digits = part.trim_start_matches('0');
        parts.push(if is_digit { Part::Number(digits.len(), digits) } else { Part::Text(part) });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(in_order: &[&str]) {
        for (index, version) in in_order.iter().enumerate() {
            for later in &in_order[index + 1..] {
                assert_eq!(compare(version, later), Ordering::Less, "{version} {later}");
                assert_eq!(compare(later, version), Ordering::Greater, "{later} {version}");
            }
        }
    }

    #[test]
    fn numbers_count_and_latest_wins() {
        check(&["1.2.9", "1.2.10", "1.10.0", "latest"]);
        check(&["beta", "v1", "v2", "v10", "latest"]);
        check(&["v9", "v10", "v18446744073709551616", "v99999999999999999999"]);
    }
}
